"""Picture and video models of the library torchvision on faces, frozen or tuned."""

from typing import Any

from torch import nn

from avfusion.encoders.adapter import refuse
from avfusion.encoders.extras import needed
from avfusion.encoders.library import LibraryEncoder, Made
from avfusion.encoders.pictures import Pictures
from avfusion.errors import ConfigError
from avfusion.registry import encoders, near

AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
"""Second classifiers of GoogLeNet and Inception v3, which features do not depend on."""


@encoders.add("torchvision")
class TorchvisionModel(LibraryEncoder):
    """The input of the last layer, which is the classifier; D is that of the model.

    Parameters
    ----------
    model
        Name of the model, such as `resnet50` or `r2plus1d_18`.
    path
        File of its weights, as .safetensors or of torch.save. The classifier is left out.
    blocks
        Number of last blocks that are trained; by default 0 with `path`, else all.
    crop_px, mean, deviation, interpolation
        By default as the model's configuration says.
    frames
        Faces that a video model reads at once; by default 16.
    """

    extra = "torchvision"

    def __init__(
        self, entry: str = "torchvision", *, frames: int | None = None, **options: Any
    ) -> None:
        self.of_clip = frames
        super().__init__(entry, **options)

    def made(self) -> Made:
        """Make the network with new weights."""
        library = needed("torchvision", self.entry).models
        videos = library.list_models(module=library.video)
        known = [*library.list_models(module=library), *videos]
        if self.model not in known:
            raise ConfigError(
                f"{self.entry}: torchvision has no model {self.model!r}.{near(self.model, known)} "
                f"Set encoders.{self.entry}.model to one of torchvision.models.list_models()."
            )
        at_once = 0
        if self.model in videos:
            at_once = 16 if self.of_clip is None else self.of_clip
            if at_once < 1:
                raise ConfigError(f"{self.entry}: `frames` must be 1 or more, found {at_once}.")
        else:
            refuse(self.entry, {"frames": self.of_clip}, f"the picture model {self.model}")
        net = new_network(library, self.model)
        stated = library.get_model_weights(self.model).DEFAULT.transforms()
        pictures = Pictures(
            *(int(stated.crop_size[0]), tuple(stated.mean), tuple(stated.std)),
            interpolation=str(stated.interpolation.value),
            frames=at_once,
        )
        return Made(net, pictures, (f"{without_classifier(net)}.", *AUXILIARY))


def new_network(library: Any, model: str) -> nn.Module:
    """Return a model with new weights that reads pictures as its public weights do.

    GoogLeNet and Inception v3 scale ImageNet's mean and deviation to their own, but not by default
    if they are made without the public weights. Their second classifiers are left out.
    """
    if model not in ("googlenet", "inception_v3"):
        return library.get_model(model, weights=None)
    options = {"transform_input": True, "init_weights": False, "aux_logits": False}
    return library.get_model(model, weights=None, **options)


def without_classifier(net: nn.Module) -> str:
    """Replace the last layer with weights, which is the classifier, and return its name."""
    layers = (nn.Linear, nn.Conv2d, nn.Conv3d)
    name = [name for name, part in net.named_modules() if isinstance(part, layers)][-1]
    net.set_submodule(name, nn.Identity())
    return name
