"""Tell who speaks: how much a mouth moves while a voice is heard.

Source   Everingham, Sivic and Zisserman, "Hello! My name is... Buffy", BMVC 2006: the change of the
         mouth's picture from one instant to the next tells speakers from listeners.
Departs  The change of the upper face is subtracted, because a moving head or light changes both.
         Between people of one shot, also counts how well the motion follows the sound's loudness.
"""

from collections.abc import Callable

import numpy as np

from avfusion.media.follow import Seen, appearances
from avfusion.media.spool import TINY_PX, Spool
from avfusion.media.store import MediaRecord

Heard = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Maps times in seconds (n,) to whether a voice is heard, 0 to 1 (n,), and loudness in dB (n,);
NaN without sound."""


_STEP_S = 0.3  # mouths further apart in time are not compared


_SMOOTH_S = 0.4  # motion is averaged over this time on each side


_MOVING = 0.15  # motion, relative to the contrast, of a mouth that moves half of the time


_LISTEN_S = 0.04


_LOUD_DB = 20.0  # below the loudest instant


_BLOCK_S = 10  # sound that is in memory at a time


_BATCH = 4096


def silence(times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what is heard without sound: NaN."""
    absent = np.full(len(times_s), np.nan)
    return absent, absent


def heard_in(record: MediaRecord) -> Heard:
    """Return what is heard in a record: its voice activity, and the loudness of 80 ms.

    Where voice activity finds no speech in the complete record, such as in song or noise, all that
    is loud counts.
    """

    speechless = not record.meta["sound"]["voiced_share"]

    def heard(times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        loud_db = _loudness(record, times_s)
        voiced = record.voiced(times_s)
        if speechless:
            loudest_db = np.nanmax(loud_db, initial=-100.0)
            voiced = np.where(np.isnan(loud_db), np.nan, loud_db > loudest_db - _LOUD_DB)
        return np.asarray(voiced, float), loud_db

    return heard


def _loudness(record: MediaRecord, times_s: np.ndarray) -> np.ndarray:
    """Return the loudness around each time in dB (n,), NaN without sound; a block is in memory."""
    loud_db = np.full(len(times_s), np.nan)
    reach, size = round(_LISTEN_S * record.sound_hz), _BLOCK_S * record.sound_hz
    middle = np.rint(np.asarray(times_s) * record.sound_hz).astype(int)
    for block in np.unique(middle // size).tolist():
        at = np.flatnonzero(middle // size == block)
        begin, end = block * size - reach, (block + 1) * size + reach
        samples, recorded = record.waveform(begin / record.sound_hz, end / record.sound_hz)
        energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
        count = np.concatenate([[0], np.cumsum(recorded)])
        first, last = middle[at] - reach - begin, middle[at] + reach - begin
        heard = count[last] - count[first]
        power = (energy[last] - energy[first]) / np.maximum(heard, 1)
        loud_db[at] = np.where(heard > 0, 10 * np.log10(np.maximum(power, 0.0) + 1e-10), np.nan)
    return loud_db


def speaking(
    spool: Spool, seen: Seen, heard: Heard
) -> tuple[np.ndarray, dict[tuple[int, int], float]]:
    """Return how much each face speaks, and how much each person in each shot.

    Parameters
    ----------
    spool
        The faces' patches.
    seen
        The faces.
    heard
        The sound.

    Returns
    -------
    speaking : ndarray
        0 to 1 per face, float32 (n,); NaN where no sound was recorded, and of a face that is seen
        for one instant only.
    scores : dict
        (shot, person) -> number that is higher for who speaks more.
    """
    out = np.full(len(seen.rows), np.nan, np.float32)
    scores: dict[tuple[int, int], float] = {}
    times_s = seen.rows["time_s"]
    voiced, loud_db = heard(times_s)
    if not np.isfinite(voiced).any():
        return out, scores
    motion = _motion(spool, seen)
    detected = np.flatnonzero((seen.rows["before"] < 0) & (seen.people >= 0))
    for at in appearances(seen, detected):
        shot, person = int(seen.shots[at[0]]), int(seen.people[at[0]])
        moving = _smooth(times_s[at], motion[at])
        out[at] = voiced[at] * moving / (moving + _MOVING)
        share = np.nanmean(out[at]) if np.isfinite(out[at]).any() else 0.0
        scores[shot, person] = float(share * (1 + max(0.0, _follows(moving, loud_db[at]))))
    return out, scores


def _motion(spool: Spool, seen: Seen) -> np.ndarray:
    """Return the motion of each mouth since the person's last face, float32 (n,), or NaN."""
    motion = np.full(len(seen.rows), np.nan, np.float32)
    last: dict[int, tuple[float, int, np.ndarray, np.ndarray]] = {}
    for first in range(0, len(seen.rows), _BATCH):
        faces, mouths = spool.patches(first, _BATCH)
        for i, (face, mouth) in enumerate(zip(faces, mouths, strict=True), start=first):
            person, time_s = int(seen.people[i]), float(seen.rows["time_s"][i])
            if person < 0 or seen.rows["before"][i] >= 0:
                continue
            now = time_s, int(seen.shots[i]), _contrast(face[: TINY_PX // 2]), _contrast(mouth)
            old = last.get(person)
            if old is not None and old[1] == now[1] and time_s - old[0] <= _STEP_S:
                moved = np.abs(now[3] - old[3]).mean() - np.abs(now[2] - old[2]).mean()
                motion[i] = max(0.0, float(moved))
            last[person] = now
    return motion


def _contrast(patch: np.ndarray) -> np.ndarray:
    values = patch.astype(np.float32) - patch.mean()
    return values / (values.std() + 4.0)


def _smooth(times_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Average the known ones of values (n,) over `_SMOOTH_S` before and after each time."""
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    first = np.searchsorted(times_s, times_s - _SMOOTH_S)
    last = np.searchsorted(times_s, times_s + _SMOOTH_S, side="right")
    count = counts[last] - counts[first]
    mean = (sums[last] - sums[first]) / np.maximum(count, 1)
    return np.asarray(np.where(count > 0, mean, np.nan))


def _follows(moving: np.ndarray, loud_db: np.ndarray) -> float:
    """Return the correlation of motion and loudness, 0 if either is constant or unknown."""
    known = np.isfinite(moving) & np.isfinite(loud_db)
    if known.sum() < 4 or not (np.ptp(moving[known]) and np.ptp(loud_db[known])):
        return 0.0
    return float(np.corrcoef(moving[known], loud_db[known])[0, 1])
