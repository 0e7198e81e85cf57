"""Tell whether two faces are of one person, from their aligned pictures.

Without a file of weights, a face is described by oriented gradients (Dalal and Triggs, CVPR 2005)
and by the colours of 6 x 6 places. On 225 pictures of 15 painted people in three sizes, with turned
heads, changed light and expressions, two means of five pictures of one person are above `_ALIKE` in
93 % of pairs, and those of two people never. The pooled layer of the expression network, which also
ships, tells people apart in 4 % of pairs only, because it was trained to ignore them.

With `media.face_embedding`, a face recognition network in ONNX does it, such as SFace and others
that map an aligned RGB face (1, 3, 112, 112), 0 to 255, to a vector.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from avfusion.config.sections import FaceEmbedding
from avfusion.errors import ConfigError
from avfusion.media.yunet import session

_ALIKE = 0.93


_COLOUR = 0.02  # weight of a difference of colours, in units of CIE a* and b*


_SIDE_PX, _FROM, _TO = 112, 8, 104  # the part of a face that is described


_PLACES = 6


class Appearance(Protocol):
    """Describes faces and compares descriptions.

    Attributes
    ----------
    similar
        Likeness from which two descriptions are of one person, without other evidence.
    perhaps
        Likeness below which they are of two people, even at one place.
    """

    similar: float
    perhaps: float

    def describe(self, crops: list[np.ndarray]) -> np.ndarray:
        """Describe one person by some aligned faces, RGB uint8 (side, side, 3): float32 (D,)."""
        ...

    def likeness(self, one: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return how alike a description (D,) and others (n, D) are, at most 1: (n,)."""
        ...


class Gradients:
    """Oriented gradients and colours; no weights are needed."""

    similar = _ALIKE
    perhaps = 0.8

    def __init__(self) -> None:
        side = _TO - _FROM
        self._gradients = cv2.HOGDescriptor((side, side), (24, 24), (24, 24), (12, 12), 8)

    def describe(self, crops: list[np.ndarray]) -> np.ndarray:
        """Return the mean gradients, of length 1, and the mean colours."""
        shapes, colours = zip(*(self._parts(crop) for crop in crops), strict=True)
        shape = np.mean(shapes, axis=0)
        return np.concatenate([shape / np.linalg.norm(shape), np.mean(colours, axis=0)])

    def likeness(self, one: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the cosine of the gradients, less the root mean square difference of colours."""
        split = -2 * _PLACES**2
        shape = others[:, :split] @ one[:split]
        colour = np.sqrt(np.square(others[:, split:] - one[split:]).mean(1))
        return np.asarray(shape - _COLOUR * colour)

    def _parts(self, crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if crop.shape[0] != _SIDE_PX:
            crop = cv2.resize(crop, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
        middle = np.ascontiguousarray(crop[_FROM:_TO, _FROM:_TO])
        shape = np.sqrt(np.ravel(self._gradients.compute(cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY))))
        few = cv2.resize(middle, (_PLACES, _PLACES), interpolation=cv2.INTER_AREA)
        colour = cv2.cvtColor(few, cv2.COLOR_RGB2LAB)[..., 1:].astype(np.float32) - 128
        return shape.astype(np.float32), colour.ravel()


class Network:
    """A face recognition network from a local file.

    Raises
    ------
    ConfigError
        If the file is missing, another one, or no such network.
    """

    def __init__(self, settings: FaceEmbedding) -> None:
        path = Path(settings.path).expanduser()
        where = f"media.face_embedding.path {path}"
        if not path.is_file():
            raise ConfigError(f"{where}: no such file. Correct the path, or remove the key.")
        raw = path.read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        if digest != settings.sha256:
            raise ConfigError(
                f"{where}: SHA-256 is {digest}, expected {settings.sha256}. Copy the file "
                f"again, or write its SHA-256 into media.face_embedding.sha256."
            )
        try:
            self._net = session(raw)
            self._input = self._net.get_inputs()[0].name
            self._embed(np.zeros((_SIDE_PX, _SIDE_PX, 3), np.uint8))
        except Exception as error:  # onnxruntime's errors have no common base
            raise ConfigError(
                f"{where}: not a network that maps a face (1, 3, 112, 112) to a vector "
                f"({type(error).__name__}: {error}). Use another file, or remove the key."
            ) from None
        self.similar = settings.similarity
        self.perhaps = 0.7 * settings.similarity

    def describe(self, crops: list[np.ndarray]) -> np.ndarray:
        """Return the mean of the embeddings of length 1."""
        mean = np.mean([self._embed(crop) for crop in crops], axis=0)
        return np.asarray(mean / (np.linalg.norm(mean) + 1e-9))

    def likeness(self, one: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the cosine."""
        return np.asarray(others @ one)

    def _embed(self, crop: np.ndarray) -> np.ndarray:
        blob = cv2.dnn.blobFromImage(crop, size=(_SIDE_PX, _SIDE_PX), swapRB=False)
        vector = np.ravel(self._net.run(None, {self._input: blob})[0]).astype(np.float32)
        return vector / (np.linalg.norm(vector) + 1e-9)


@lru_cache(maxsize=1)
def of(settings: FaceEmbedding | None) -> Appearance:
    """Return the network of the settings, or the one without weights."""
    return Gradients() if settings is None else Network(settings)
