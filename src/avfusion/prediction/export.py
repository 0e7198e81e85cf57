"""ONNX graphs of a bundle's members and encoders, each compared with PyTorch before it is listed.

A member maps features and presence masks to predictions in the unit of the corpus; standardisation
is part of the graph. An encoder maps the inputs of its network to embeddings. What comes before
(reading, mel spectra, aligned faces) and the windows are no part of a graph.
"""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from avfusion.config.modalities import MODALITIES
from avfusion.encoders.extras import needed
from avfusion.encoders.face_cnn import GREYS, SIDE_PX
from avfusion.errors import BundleError
from avfusion.io.atomic import file_digest
from avfusion.models.model import Model
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.document import File, Graph, Graphs
from avfusion.rating import Rating

log = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Greatest difference from PyTorch; of a member's, in units of half the scale."""

EXAMPLE, SIZES = 3, (1, 2, 5)
"""Batch that is traced, and batches that are compared; 0 and 1 would become part of a graph."""


class Job(NamedTuple):
    """A network to export.

    Attributes
    ----------
    net
        Its `forward` is declared as `forward(self, *inputs)` and returns one tensor.
    drawn
        Returns its inputs by name, drawn for a batch of a size.
    output
        Name of what it returns.
    most
        Greatest difference from PyTorch.
    """

    net: nn.Module
    drawn: Callable[[int], dict[str, Tensor]]
    output: str
    most: float


class _Predicts(nn.Module):
    """The predictions of a model (B, T, K) in the unit of the corpus, without its maps."""

    def __init__(self, model: nn.Module, rating: Rating) -> None:
        super().__init__()
        self.model, self.rating = model, rating

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.rating.outward(self.model(*inputs)[0])


class _Embeds(nn.Module):
    """The embeddings (B, D) of a network that also gives targets."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *inputs: Tensor) -> Tensor:
        embedding: Tensor = self.net(*inputs)[0]
        return embedding


def require() -> None:
    """Refuse to go on without the packages that write graphs.

    Raises
    ------
    AvfError
        If one is not installed; the message names the command that installs them.
    """
    for package in ("onnx", "onnxscript"):
        needed(package, "--onnx")


def export(bundle: Bundle) -> Graphs:
    """Write `onnx/members/<n>.onnx` and `onnx/encoders/<name>.onnx` into a bundle.

    Returns
    -------
    Graphs
        The graphs, and what has none with the reason.
    """
    require()
    for library in ("onnx_ir", "onnxscript", "torch.onnx"):
        logging.getLogger(library).setLevel(logging.ERROR)  # they log each step
    members: list[Graph] = []
    encoders: dict[str, Graph] = {}
    left_out: dict[str, str] = {}
    for number, member in enumerate(bundle.members):
        log.info("writing the graph of member %d of %d", number, len(bundle.members))
        try:
            settings = member.settings
            job = of_model(member.model, settings.windows.clips, settings.rating)
            members.append(written(job, bundle.folder, f"members/{number}"))
        except BundleError as error:  # the members have the same fusion
            left_out["members"] = str(error)
            break
    for name, entry in bundle.document.encoders.items():
        log.info("writing the graph of %s", name)
        try:
            job = of_encoder(entry.settings.class_, bundle.encoder(name))
            encoders[name] = written(job, bundle.folder, f"encoders/{name}")
        except BundleError as error:
            left_out[name] = str(error)
    for name, reason in left_out.items():
        log.warning("%s: no ONNX graph: %s", name, reason)
    return Graphs(
        members=[] if "members" in left_out else members, encoders=encoders, left_out=left_out
    )


def of_model(model: Model, steps: int, rating: Rating) -> Job:
    """Return the job of a member's model; features are drawn around those of training.

    Parameters
    ----------
    model
        The model, ready to predict.
    steps
        Clips in a window, T.
    rating
        Targets and their scale.
    """
    names = [name for name in MODALITIES if hasattr(model, name)]

    def drawn(count: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(count)
        rows, present = {}, {}
        for name in names:
            scale = getattr(model, name)
            spread = scale.scale.where(scale.scale.isfinite(), 0)
            x = torch.randn(count, steps, len(scale.mean), generator=generator)
            x = scale.mean + spread * x
            missing = torch.rand(x.shape, generator=generator) < 0.02
            rows[name] = x.masked_fill(missing, torch.nan)
            present[name] = torch.rand(count, steps, generator=generator) < 0.8
        order = [("audio", "video"), *([("text",)] if "text" in names else [])]
        inputs: dict[str, Tensor] = {}
        for part in order:
            inputs |= {name: rows[name] for name in part}
            inputs |= {f"{name}_present": present[name] for name in part}
        return inputs

    most = TOLERANCE * (rating.high - rating.low) / 2
    return Job(_Predicts(model, rating).eval(), drawn, "prediction", most)


def of_encoder(kind: str, encoder: Any) -> Job:
    """Return the job of one encoder; its inputs are drawn in their shape and about their size."""
    if kind == "mel_cnn":
        shape = (round(encoder.context_s / encoder.hop_s), encoder.bands)
        center, spread, name = encoder.net.mean, encoder.net.deviation, "patches"
    elif kind == "face_cnn":
        shape = (SIDE_PX, SIDE_PX)
        center, spread, name = torch.zeros(()), torch.tensor(GREYS), "pictures"
    else:
        raise BundleError(
            f"the class {kind} has no export; `mel_cnn` and `face_cnn` have one. Encode clips with "
            f"avfusion."
        )

    def drawn(count: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(count)
        return {name: center + spread * torch.randn(count, *shape, generator=generator)}

    return Job(_Embeds(encoder.net).eval(), drawn, "embedding", TOLERANCE)


def written(job: Job, folder: Path, name: str) -> Graph:
    """Export a network, compare it with PyTorch, and return its entry of bundle.json.

    Raises
    ------
    BundleError
        If it cannot be exported, or differs from PyTorch; there is then no file.
    """
    path = folder / "onnx" / f"{name}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _export(job, path)
        difference = _difference(job, path)
    except Exception as error:  # the exporter and ONNX Runtime raise many kinds
        path.unlink(missing_ok=True)
        text = str(error).strip().partition("\n")[0][:200]
        raise BundleError(f"it cannot be exported ({type(error).__name__}: {text})") from error
    if not difference <= job.most:
        path.unlink()
        raise BundleError(f"its graph differs from PyTorch by {difference:.1e}")
    shapes: dict[str, list[int | None]] = {
        key: [None, *x.shape[1:]] for key, x in job.drawn(1).items()
    }
    file = File(path=path.relative_to(folder).as_posix(), sha256=file_digest(path).hex())
    return Graph(file=file, inputs=shapes, output=job.output, difference=difference)


def _export(job: Job, path: Path) -> None:
    inputs = job.drawn(EXAMPLE)
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            job.net,
            tuple(inputs.values()),
            dynamo=True,
            verbose=False,
            input_names=list(inputs),
            output_names=[job.output],
            dynamic_shapes=(({0: batch},) * len(inputs),),  # `*inputs` is one argument
        )
    assert program is not None
    graphs = [program.model.graph, *(f.graph for f in program.model.functions.values())]
    for graph in graphs:  # they name files of this machine
        for node in graph.all_nodes():
            node.metadata_props.clear()
    program.save(path)


def _difference(job: Job, path: Path) -> float:
    """Return the greatest difference between ONNX Runtime and PyTorch over `SIZES`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    providers = ["CPUExecutionProvider"]
    session: Any = onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers)
    most = 0.0
    for size in SIZES:
        inputs = job.drawn(size)
        with torch.no_grad():
            expected = job.net(*inputs.values()).numpy()
        (given,) = session.run([job.output], {name: x.numpy() for name, x in inputs.items()})
        most = max(most, float(np.abs(given - expected).max()))
    return most
