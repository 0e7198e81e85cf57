"""Voice activity: the probability of speech every 32 ms, by Silero VAD.

Silero Team, "Silero VAD: pre-trained enterprise-grade Voice Activity Detector", version 6.2.3,
github.com/snakers4/silero-vad. The network hears 512 samples at 16 kHz, the 64 before them and its
own state; it runs over the sound once, in constant memory.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from avfusion.errors import MediaError
from avfusion.media.audio import Piece

WEIGHTS = Path(__file__).parent / "weights" / "silero_vad_16k_sequence.onnx"


_SHA256 = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"


RATE_HZ, STEP = 16_000, 512
"""Sampling rate of the network, and the samples of one row."""


STEP_S = STEP / RATE_HZ


VOICED = 0.5
"""Probability from which a step counts as speech (Silero's default)."""


_CONTEXT = 64


_BLOCK_ROWS = 128


def voice(pieces: Iterable[Piece], rows: int) -> Iterator[np.ndarray]:
    """Yield the probability of speech in blocks (n,) float32 that add up to `rows`.

    Parameters
    ----------
    pieces
        Sound at 16 kHz; it must ascend and not overlap.
    rows
        Number of steps of 32 ms from time 0 on. Row i describes [i, i + 1) * 32 ms; it is NaN where
        less than half of it is recorded.

    Raises
    ------
    MediaError
        If the weights were changed.
    """
    done = 0
    network, block = _Network(), _Block()
    for row, samples, recorded in _steps(pieces):
        if row >= rows:
            break
        if row > done or len(block.samples) == _BLOCK_ROWS:
            yield network.probabilities(block)
            block = _Block()
        if row > done:  # a new recording: what was heard before says nothing
            yield from _absent(row - done)
            network = _Network()
        block.samples.append(samples)
        block.known.append(2 * recorded >= STEP)
        done = row + 1
    yield network.probabilities(block)
    yield from _absent(rows - done)


class _Block:
    """Successive steps of sound: samples (512,) each, and whether they are recorded."""

    def __init__(self) -> None:
        self.samples: list[np.ndarray] = []
        self.known: list[bool] = []


class _Network:
    """Silero VAD with the state of one continuous sound."""

    def __init__(self) -> None:
        self._session = _session()
        self._hidden = self._cell = np.zeros((1, 1, 128), np.float32)
        self._before = np.zeros(_CONTEXT, np.float32)

    def probabilities(self, block: _Block) -> np.ndarray:
        """Return the probability of speech in each step (n,), NaN where it is not recorded."""
        if not block.samples:
            return np.zeros(0, np.float32)
        steps = np.stack(block.samples)  # (n, 512)
        before = np.vstack([self._before, steps[:-1, -_CONTEXT:]])
        given = {"input": np.hstack([before, steps]), "h": self._hidden, "c": self._cell}
        voiced, self._hidden, self._cell = self._session.run(["speech_probs", "hn", "cn"], given)
        self._before = steps[-1, -_CONTEXT:]
        return np.where(block.known, voiced, np.float32(np.nan)).astype(np.float32)


_sessions: list[Any] = []


def _session() -> Any:
    """Return the session, which is made once per process."""
    if not _sessions:
        import onnxruntime

        raw = WEIGHTS.read_bytes()
        if hashlib.sha256(raw).hexdigest() != _SHA256:
            raise MediaError(f"{WEIGHTS}: not the file that was shipped. Install avfusion again.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        _sessions.append(
            onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
        )
    return _sessions[0]


def _steps(pieces: Iterable[Piece]) -> Iterator[tuple[int, np.ndarray, int]]:
    """Yield (row, samples (512,), recorded samples) of every step from row 0 with sound."""
    row, held, recorded = 0, np.zeros(STEP, np.float32), 0
    for start, samples in pieces:
        early = max(0, -start)
        start, samples = start + early, samples[early:]
        while len(samples):
            if start // STEP != row:
                if recorded:
                    yield row, held, recorded
                row, held, recorded = start // STEP, np.zeros(STEP, np.float32), 0
            at = start % STEP
            part = samples[: STEP - at]
            held[at : at + len(part)] = part
            recorded += len(part)
            start, samples = start + len(part), samples[len(part) :]
    if recorded:
        yield row, held, recorded


def _absent(rows: int) -> Iterator[np.ndarray]:
    for begin in range(0, rows, 1 << 16):
        yield np.full(min(1 << 16, rows - begin), np.nan, np.float32)
