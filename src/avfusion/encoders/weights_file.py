"""Weights of a network in a file of the user: check it, read it without running code, load it.

Read are safetensors (by the ending `.safetensors`) and files of `torch.save`. The latter are
pickles, which can run code when they are opened; `weights_only` refuses all but tensors and plain
values. Nothing is downloaded. The user supplies the file and must respect its licence.

A checkpoint is opened by this rule, until names with tensors are found:

1. A mapping with one of the keys `state_dict`, `model_state_dict`, `model` or `net` is replaced by
   what is there.
2. If all names begin with `module.` (DataParallel), the prefix is removed.
3. The counters `num_batches_tracked` may be absent: PyTorch before 0.4.1 did not write them.
"""

import os
import pickle
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avfusion.errors import AvfError
from avfusion.io.atomic import file_digest

NESTED = ("state_dict", "model_state_dict", "model", "net")
"""Keys under which checkpoints keep their weights."""


IN_FOLDER = ("model.safetensors", "pytorch_model.bin")
"""Files of weights in the folder of a model."""


COUNTER = "num_batches_tracked"


Tensors = dict[str, Tensor]


def identifying(note: Any) -> Any:
    """Return the part of an encoder's `note` that its features depend on.

    >>> identifying({"file": "a.pt", "sha256": "5f", "licence": "MIT"})
    {'sha256': '5f'}
    """
    if not (isinstance(note, dict) and "sha256" in note):
        return note
    return {key: value for key, value in note.items() if key not in ("file", "licence")}


class WeightsFile:
    """A file of weights that an entry of `encoders` names.

    Parameters
    ----------
    path
        The option `path`; `~` is the home folder. A folder stands for the file in it that
        `IN_FOLDER` lists first.
    sha256
        The option `sha256`: expected SHA-256 of the file; it is not checked if empty.
    licence
        The option `licence`: its terms in words, for the record.
    entry
        Name of the encoder in the study, for messages.
    """

    def __init__(
        self, path: str | Path, sha256: str = "", licence: str = "", entry: str = ""
    ) -> None:
        self.licence, self.entry = licence, entry
        self.given, self._expected = bool(str(path)), sha256.lower()
        place = Path(os.path.expanduser(path))
        inside = (place / name for name in IN_FOLDER if self.given)
        self.path = next((file for file in inside if file.is_file()), place)

    @property
    def setting(self) -> str:
        """`encoders.<entry>.path`."""
        return f"encoders.{self.entry}.path"

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file.

        Raises
        ------
        AvfError
            If the file is missing, or has another SHA-256 than the config states.
        """
        if not self.given:
            raise AvfError(f"{self.entry}: no file of weights is given. Set {self.setting}.")
        if not self.path.is_file():
            folder = self.path.is_dir()
            reason = f"holds neither {' nor '.join(IN_FOLDER)}" if folder else "file not found"
            raise AvfError(f"{self.path}: {reason}. Put the file there, or correct {self.setting}.")
        digest = file_digest(self.path).hex()
        if self._expected and digest != self._expected:
            raise AvfError(
                f"{self.path}: its SHA-256 is {digest}, not {self._expected}. Download the file "
                f"again, or correct encoders.{self.entry}.sha256 ({self.setting})."
            )
        return digest

    def note(self) -> dict[str, Any]:
        """Return what identifies the weights, JSON-ready; the licence only if it is given."""
        note = {"file": self.path.name, "sha256": self.sha256}
        return note | ({"licence": self.licence} if self.licence else {})

    def tensors(self) -> Tensors:
        """Return name -> tensor, without the nesting of checkpoints.

        Raises
        ------
        AvfError
            If the file is missing, of another SHA-256, holds code, or holds no weights.
        """
        _ = self.sha256
        content = self._safetensors() if self.path.suffix == ".safetensors" else self._pickled()
        while isinstance(content, Mapping) and (key := _nested(content)):
            content = content[key]
        if not (isinstance(content, Mapping) and content and _named_tensors(content)):
            raise self._unfit(f"holds {_described(content)}, not names with tensors")
        tensors: Tensors = dict(content)
        if all(name.startswith("module.") for name in tensors):
            tensors = {name.removeprefix("module."): x for name, x in tensors.items()}
        return tensors

    def load_into(
        self,
        net: nn.Module,
        renamed: Callable[[Tensors], Tensors] | None = None,
        leave_out: tuple[str, ...] = (),
    ) -> None:
        """Load the weights into a network; every weight must be in the file, and nothing else.

        Parameters
        ----------
        net
            The network.
        renamed
            Changes the tensors of the file to the names and shapes of the network.
        leave_out
            Beginnings of names (after `renamed`) that the network does not have by design, such as
            those of a classifier.

        Raises
        ------
        AvfError
            As `tensors`, and if names or shapes do not fit or values are not finite.
        """
        tensors = self.tensors()
        if renamed is not None:
            tensors = renamed(tensors)
        tensors = {name: x for name, x in tensors.items() if not name.startswith(leave_out)}
        expected = net.state_dict()
        missing = [n for n in expected if n not in tensors and not n.endswith(COUNTER)]
        unexpected = [name for name in tensors if name not in expected]
        if missing or unexpected:
            parts = ((missing, "are missing"), (unexpected, "are not of this network"))
            raise self._unfit("; ".join(f"{_some(n)} {what}" for n, what in parts if n))
        for name, x in tensors.items():
            if x.shape != expected[name].shape:
                shapes = f"{tuple(x.shape)}, expected {tuple(expected[name].shape)}"
                raise self._unfit(f"{name} has the shape {shapes}")
            if not x.isfinite().all():
                raise self._unfit(f"{name} has values that are not finite")
        net.load_state_dict(expected | tensors)

    def _safetensors(self) -> Any:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(self.path)
        except SafetensorError as error:
            raise self._unfit(f"is not safetensors ({error})") from None

    def _pickled(self) -> Any:
        try:
            return torch.load(self.path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise self._refused(str(error)) from None
        except Exception as error:  # torch.load has no error of its own for other files
            raise self._unfit(f"is not a file of torch.save ({type(error).__name__})") from None

    def _refused(self, text: str) -> AvfError:
        """Return the error of a pickle that names code, or that is none."""
        named = re.search(r"GLOBAL (\S+)", text)
        if named is None:
            return self._unfit("is not a file of torch.save")
        return AvfError(
            f"{self.path}: holds code or objects besides tensors ({named[1]}), so it is not opened "
            f"({self.setting}). If you trust it, open it where that is safe, and save only its "
            f"tensors: `torch.save(model.state_dict(), 'weights.pt')`."
        )

    def _unfit(self, what: str) -> AvfError:
        return AvfError(
            f"{self.path}: {what}. Correct {self.setting}: it must be the file of weights that "
            f"this encoder reads, as .safetensors or of torch.save."
        )


def _nested(content: Mapping[Any, Any]) -> str | None:
    return next((key for key in NESTED if isinstance(content.get(key), Mapping)), None)


def _named_tensors(content: Mapping[Any, Any]) -> bool:
    return all(isinstance(n, str) and isinstance(x, Tensor) for n, x in content.items())


def _described(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    return f"a mapping with the keys {', '.join(str(key) for key in list(content)[:5]) or 'none'}"


def _some(names: list[str]) -> str:
    """Return the first names of a list and the number of the others."""
    listed = ", ".join(names[:3])
    return listed if len(names) <= 3 else f"{listed} and {len(names) - 3} others"
