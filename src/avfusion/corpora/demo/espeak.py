"""eSpeak NG through ctypes: text to samples and word times (github.com/espeak-ng/espeak-ng).

The synthesiser keeps state between sentences, so a sequence of calls repeats exactly only in a new
process. The demo corpus therefore makes every video in a process of its own.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

from avfusion.errors import CorpusError

_RETRIEVAL, _CHARS_AUTO, _EVENT_WORD = 1, 0, 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("number", ctypes.c_int64),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Prosody:
    """How a sentence is spoken: words per minute; pitch and its range from 0 to 99."""

    rate: int = 165
    pitch: int = 50
    range: int = 50


class Speaker:
    """A voice, such as `en-us+f2`, with samples at `rate_hz`."""

    def __init__(self, voice: str) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate_hz: int = self._library.espeak_Initialize(_RETRIEVAL, 0, data, 0)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise CorpusError(f"eSpeak NG has no voice {voice!r}. Run `avf doctor`.")
        self._chunks: list[np.ndarray] = []
        self._starts: list[tuple[int, int, int]] = []
        self._callback = _Callback(self._receive)  # kept alive for as long as the library calls it
        self._library.espeak_SetSynthCallback(self._callback)

    def close(self) -> None:
        """Terminate the library, which hangs if it is started twice without this."""
        self._library.espeak_Terminate()

    def say(self, text: str, prosody: Prosody) -> tuple[np.ndarray, list[tuple[str, float, float]]]:
        """Return samples (N,) float32 in [-1, 1] and words (word, start_s, end_s) of ASCII text."""
        self._chunks, self._starts = [], []
        settings = {
            _RATE: prosody.rate,
            _VOLUME: 100,
            _PITCH: prosody.pitch,
            _RANGE: prosody.range,
        }
        for parameter, value in settings.items():
            self._library.espeak_SetParameter(parameter, int(value), 0)
        raw = text.encode("ascii")
        size = ctypes.c_size_t(len(raw) + 1)
        self._library.espeak_Synth(raw, size, 0, 1, 0, _CHARS_AUTO, None, None)
        self._library.espeak_Synchronize()
        samples = np.concatenate(self._chunks).astype(np.float32) / 32768
        return samples, self._words(text, len(samples) / self.rate_hz)

    def _receive(self, samples: Any, count: int, events: Any) -> int:  # ctypes pointers
        """Collect samples and the starts of words; called by the library."""
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        number = 0
        while events[number].type != 0:
            event = events[number]
            if event.type == _EVENT_WORD:
                self._starts.append((event.text_position - 1, event.length, event.audio_position))
            number += 1
        return 0

    def _words(self, text: str, end_s: float) -> list[tuple[str, float, float]]:
        starts = [position_ms / 1000 for _, _, position_ms in self._starts]
        ends = [*starts[1:], end_s]
        names = [text[at : at + length] for at, length, _ in self._starts]
        return [(n, s, max(s, e)) for n, s, e in zip(names, starts, ends, strict=True)]
