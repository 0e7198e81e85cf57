"""Run a network of one input in an ONNX file; no torch is imported.

The bytes of the file are handed to ONNX Runtime, and a folder that does not exist as the place of
its other files. The file can therefore name no weights in files that were not checked.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from avfusion.encoders.outputs import finite
from avfusion.errors import AvfError, ConfigError

OUTSIDE = "session.model_external_initializers_file_folder_path"
"""Option of ONNX Runtime: where it looks for weights in other files, by default here."""


class Session:
    """A network of one input (n, …).

    Parameters
    ----------
    path
        The file.
    output
        Name of the output; empty if there is only one.
    entry
        Name of the encoder in the study, for messages.

    Raises
    ------
    AvfError
        If the file is no network of one input and of that output.
    """

    def __init__(self, path: Path, output: str, entry: str) -> None:
        import onnxruntime

        self.path, self.entry = path, entry
        options = onnxruntime.SessionOptions()
        # One thread, as in `deterministic`: their number changes the order of sums.
        options.log_severity_level, options.intra_op_num_threads = 3, 1
        options.add_session_config_entry(OUTSIDE, str(path / "nowhere"))
        available = onnxruntime.get_available_providers()
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                path.read_bytes(),
                options,
                providers=[name for name in wanted if name in available],
            )
        except Exception as error:  # ONNX Runtime has a class of its own for each fault
            text = str(error).partition("\n")[0][:300]
            raise AvfError(
                f"{path}: cannot be run as a network ({text}). Correct encoders.{entry}.path: it "
                f"must be one ONNX file with its weights inside."
            ) from None
        inputs = [x.name for x in self._session.get_inputs()]
        outputs = [x.name for x in self._session.get_outputs()]
        if len(inputs) != 1:
            raise AvfError(
                f"{path}: has the inputs {', '.join(inputs)}, and an encoder gives one. Export a "
                f"network of one input, and set encoders.{entry}.path to it."
            )
        if output not in outputs and (output or len(outputs) > 1):
            raise ConfigError(
                f"{entry}: `output` is {output!r}, and {path} has the outputs "
                f"{', '.join(outputs)}. Set encoders.{entry}.output to one of them."
            )
        self._input, self._output = self._session.get_inputs()[0], output or outputs[0]
        if self._input.type != "tensor(float)":
            raise AvfError(
                f"{path}: its input is {self._input.type}, expected tensor(float). Export it in "
                f"float32, and set encoders.{entry}.path to it."
            )

    def axis(self, place: int, count: int) -> int | None:
        """Return the size of an axis of the input, or None if the file leaves it open.

        Raises
        ------
        ConfigError
            If the input has not so many axes.
        """
        shape = self._input.shape
        if len(shape) != count:
            raise ConfigError(
                f"{self.entry}: {self.path} reads {len(shape)} axes {shape}, expected {count}. "
                f"Correct encoders.{self.entry}.layout, or the list under features."
            )
        return shape[place] if isinstance(shape[place], int) else None

    @property
    def single(self) -> bool:
        """Whether the network reads only one input at a time."""
        return self._input.shape[0] == 1

    @property
    def stated_width(self) -> int | None:
        """D, if the file states it."""
        shapes = {x.name: x.shape for x in self._session.get_outputs()}
        _, width, *places = shapes[self._output] if len(shapes[self._output]) > 1 else (None, None)
        return width if isinstance(width, int) and all(size == 1 for size in places) else None

    def width(self, shape: tuple[int, ...]) -> int:
        """Return D of the output for an input of a shape."""
        return int(self.run(np.zeros(shape, np.float32)).shape[1])

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Return the output (B, D) of inputs float32 (B, …).

        Raises
        ------
        AvfError
            If the network cannot read the inputs, or gives another shape or no numbers.
        """
        parts = np.split(inputs, len(inputs)) if self.single else [inputs]
        try:
            given = [self._session.run([self._output], {self._input.name: x})[0] for x in parts]
        except Exception as error:  # ONNX Runtime has a class of its own for each fault
            text = str(error).partition("\n")[0][:300]
            raise AvfError(
                f"{self.path}: cannot read {inputs.shape} ({text}). Correct the options of "
                f"encoders.{self.entry}."
            ) from None
        rows = np.concatenate(given)
        if rows.shape[:1] != inputs.shape[:1] or rows.size != np.prod(rows.shape[:2]):
            raise ConfigError(
                f"{self.entry}: the output {self._output!r} of {self.path} has the shape "
                f"{rows.shape}, expected one vector per input. Choose another "
                f"encoders.{self.entry}.output."
            )
        remedy = f"Correct the options of encoders.{self.entry}, or export the network again"
        finite(rows, f"{self.path}:", remedy)
        return rows.reshape(len(rows), -1).astype(np.float32)


def width(options: dict[str, Any]) -> int | None:
    """Return D as the file states it; None if it does not, or cannot be read yet."""
    path = Path(os.path.expanduser(options["path"]))
    try:
        return Session(path, options["output"], "onnx").stated_width if path.is_file() else None
    except AvfError:
        return None  # said when the encoder is built
