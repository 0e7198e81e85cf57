"""Picture models of the library timm on faces, frozen or tuned."""

from typing import Any

from avfusion.encoders.extras import needed
from avfusion.encoders.library import LibraryEncoder, Made
from avfusion.encoders.pictures import Pictures
from avfusion.errors import ConfigError
from avfusion.registry import encoders, near


@encoders.add("timm")
class TimmModel(LibraryEncoder):
    """The pooled features before the classifier; D is that of the model.

    Parameters
    ----------
    model
        Name of the model, such as `resnet18` or `vit_small_patch14_dinov2.lvd142m`.
    path
        File of its weights, as .safetensors or of torch.save. The classifier is left out.
    blocks
        Number of last blocks that are trained; by default 0 with `path`, else all.
    crop_px, mean, deviation, interpolation
        By default as the model's configuration says.
    """

    extra = "timm"

    def __init__(self, entry: str = "timm", **options: Any) -> None:
        super().__init__(entry, **options)

    def made(self) -> Made:
        """Make the network with new weights."""
        library = needed("timm", self.entry)
        net = self._network(library)
        classifiers = net.pretrained_cfg.get("classifier") or ()
        heads = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers)
        stated = library.data.resolve_model_data_config(net)
        height, width = stated["input_size"][1:]
        if height != width and self.crop_px is None:
            raise ConfigError(
                f"{self.entry}: {self.model} reads pictures of {height} x {width}, and faces are "
                f"square. Set encoders.{self.entry}.crop_px."
            )
        known = stated["interpolation"] == "bilinear"
        pictures = Pictures(
            *(height, tuple(stated["mean"]), tuple(stated["std"])),
            interpolation="bilinear" if known else "bicubic",
        )
        return Made(net, pictures, tuple(f"{head}." for head in heads))

    def _network(self, library: Any) -> Any:
        """Return the network with new weights, without its classifier."""
        entry, model, known = self.entry, self.model, library.list_models()
        if model.partition(".")[0] not in known:  # such as hf-hub:…, which downloads
            raise ConfigError(
                f"{entry}: timm has no model {model!r}.{near(model, known)} Set "
                f"encoders.{entry}.model to one of timm.list_models()."
            )
        try:
            return library.create_model(model, pretrained=False, num_classes=0)
        except (RuntimeError, TypeError) as error:  # such as a tag that does not exist
            text = str(error).partition("\n")[0]
            raise ConfigError(
                f"{entry}: timm cannot make {model!r} ({text}). Correct encoders.{entry}.model."
            ) from None
