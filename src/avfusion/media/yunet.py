"""Find faces with YuNet (Wu, Peng and Yu, Machine Intelligence Research 20, 2023) in onnxruntime.

Source   OpenCV Zoo, see weights/README.md. Decoding as in OpenCV's FaceDetectorYN: at strides 8, 16
         and 32, each cell has a class and an object score, a box as (centre, log size) and five
         points, in units of the stride. score = sqrt(class * object).
Departs  onnxruntime runs the network, two to three times as fast as cv2.dnn on one core. Places are
         rounded to 1/64 pixel, and scores to 1/4096.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from avfusion.errors import MediaError

WEIGHTS = Path(__file__).parent / "weights" / "face_detection_yunet_2023mar.onnx"


_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"


_STRIDES = (8, 16, 32)


_MULTIPLE = 32  # the picture is extended to this multiple, below and on the right


_OVERLAP = 0.3  # two boxes that overlap more are one face (YuNet's default)


_BELOW = 0.999  # room for rounding in float32


_MOST = 5000  # boxes that are compared with each other (OpenCV's default)


class Detector:
    """YuNet on pictures of any size, in one thread.

    Parameters
    ----------
    score
        Minimum score of a face.

    Raises
    ------
    MediaError
        If the weights were changed.
    """

    def __init__(self, score: float) -> None:
        self._score = score
        self._net = _network(WEIGHTS)
        self._input = np.zeros((1, 3, 0, 0), np.float32)
        self._planes = [np.empty((0, 0), np.uint8)] * 3

    def detect(self, image: np.ndarray) -> np.ndarray:
        """Find the faces of a picture.

        Parameters
        ----------
        image
            RGB uint8 (H, W, 3).

        Returns
        -------
        ndarray
            x, y, w, h, five points (x, y) and score per face, in pixels, the highest score first;
            float32 (n, 15).
        """
        height, width = image.shape[:2]
        padded = height + -height % _MULTIPLE, width + -width % _MULTIPLE
        if self._planes[0].shape != (height, width):
            self._input = np.zeros((1, 3, *padded), np.float32)  # nothing of an earlier picture
            self._planes = [np.empty((height, width), np.uint8) for _ in range(3)]
        cv2.split(image, self._planes)  # half the time of a conversion across planes
        for at, plane in enumerate(self._planes):
            self._input[0, 2 - at, :height, :width] = plane  # BGR
        outputs = self._net.run(None, {"input": self._input})
        return _rounded(self._strongest(_faces(outputs, padded[1], self._score)))

    def _strongest(self, rows: np.ndarray) -> np.ndarray:
        """Return the faces (n, 15) without those that overlap a stronger one."""
        if len(rows) > 1:
            boxes = rows[:, :4].astype(int).tolist()  # OpenCV compares boxes of whole pixels
            sureness = rows[:, 14].tolist()
            kept = cv2.dnn.NMSBoxes(boxes, sureness, self._score, _OVERLAP, top_k=_MOST)
            rows = rows[np.asarray(kept, int).ravel()]
        return rows


@lru_cache(maxsize=1)
def _network(path: Path) -> Any:
    """Open the shipped network, once per process."""
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != _SHA256:
        raise MediaError(f"{path}: not the file that was shipped. Install avfusion again.")
    return session(_of_any_size(raw))


def session(model: bytes | str) -> Any:
    """Open an ONNX network on one core; it gives the same result each time."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _rounded(rows: np.ndarray) -> np.ndarray:
    """Return faces (n, 15) with places in 1/64 pixel and scores in 1/4096.

    onnxruntime chooses instructions by the processor. This is far below what a face detector
    resolves and far above the rounding errors of its sums, so processors seldom differ.
    """
    scale = np.full(15, 64, np.float32)
    scale[14] = 4096
    rounded: np.ndarray = np.rint(rows * scale) / scale
    return rounded


def _faces(outputs: list[np.ndarray], width: int, least: float) -> np.ndarray:
    """Return the faces of all cells with at least that score, float32 (n, 15)."""
    count = len(_STRIDES)
    rows = [np.empty((0, 15), np.float32)]
    for at, stride in enumerate(_STRIDES):
        classes, objects, boxes, points = (part[0] for part in outputs[at::count])
        # A score is the root of a product of two numbers up to 1, so both must reach its square.
        sure = np.flatnonzero(classes[:, 0] >= _BELOW * least**2)
        scores = np.sqrt(np.clip(classes[sure, 0], 0, 1) * np.clip(objects[sure, 0], 0, 1))
        sure, scores = sure[scores >= least], scores[scores >= least]
        if not len(sure):
            continue
        corner = np.stack(np.divmod(sure, width // stride)[::-1], axis=1).astype(np.float32)
        centre = (corner + boxes[sure, :2]) * np.float32(stride)
        sides = np.exp(boxes[sure, 2:]) * np.float32(stride)
        marks = (points[sure].reshape(-1, 5, 2) + corner[:, None]) * np.float32(stride)
        columns = [centre - sides / 2, sides, marks.reshape(-1, 10), scores[:, None]]
        rows.append(np.concatenate(columns, axis=1))
    return np.concatenate(rows)


# The shipped network states one size, 640 x 640, for its input, its outputs and what lies between,
# although every operation in it accepts any. An ONNX file is a protobuf message of fields, each a
# key, a length and content (ONNX IR specification, onnx.proto3). The following drops the stated
# sizes, so that onnxruntime infers them from each picture.

_GRAPH, _INPUT, _OUTPUT, _BETWEEN = 7, 11, 12, 13  # ModelProto.graph; fields of GraphProto
_SIZES = (
    b"\x0a\x03\x08\x80\x05",
    b"\x0a\x03\x08\x80\x32",
    b"\x0a\x03\x08\xc0\x0c",
    b"\x0a\x03\x08\x90\x03",
)
"""The dimensions 640, 6400, 1600 and 400: a field of 3 bytes, `dim_value` and the number."""


def _of_any_size(model: bytes) -> bytes:
    """Return the model with a name instead of each stated size of input and outputs."""
    return b"".join(
        _field(number, b"".join(_open(content))) if number == _GRAPH else raw
        for number, content, raw in _fields(model)
    )


def _open(graph: bytes) -> Any:
    for number, content, raw in _fields(graph):
        if number in (_INPUT, _OUTPUT):
            for at, size in enumerate(_SIZES):
                content = _named(content, size, at)
            yield _field(number, content)
        elif number != _BETWEEN:
            yield raw


def _named(content: bytes, size: bytes, at: int) -> bytes:
    """Replace each dimension of a size by `dim_param` and a letter of its own, of equal length."""
    pieces = content.split(size)
    letters = [b"\x0a\x03\x12\x01" + bytes([65 + 4 * at + turn]) for turn in range(len(pieces) - 1)]
    return b"".join(x for pair in zip(pieces, [*letters, b""], strict=True) for x in pair)


def _fields(message: bytes) -> Any:
    """Yield (number, content, raw bytes) of each field; a number has empty content."""
    at = 0
    while at < len(message):
        begin = at
        key, at = _varint(message, at)
        if key & 7 == 0:
            _, at = _varint(message, at)
            yield key >> 3, b"", message[begin:at]
        elif key & 7 == 2:
            size, at = _varint(message, at)
            yield key >> 3, message[at : at + size], message[begin : at + size]
            at += size
        else:
            raise ValueError(f"a field of type {key & 7}, which ONNX does not use here")


def _field(number: int, content: bytes) -> bytes:
    size, coded = len(content), b""
    while size > 127:
        coded, size = coded + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + coded + bytes([size]) + content


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
