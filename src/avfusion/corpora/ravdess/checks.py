"""Checks of RAVDESS: file names, counts, downloads, ratings, pictures and sound."""

import wave
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.check import GIVEN, READ, Check, check
from avfusion.corpora.ravdess.tree import CHANNELS, EMOTIONS, SONG, read_name
from avfusion.corpora.splits import split_digest
from avfusion.corpora.wording import listed, stated
from avfusion.io.redact import below

if TYPE_CHECKING:
    from avfusion.corpora.ravdess.release import RavdessRelease
    from avfusion.media.timing import Timing


COMMAND = (
    "avf obtain ravdess --accept-licence. With a part of the actors, add --part actors=1-6 and "
    "set the option `actors`."
)


AGAIN, REPLACE = f"Run: {COMMAND}", f"Delete it, then run: {COMMAND}"
"""Advice for missing files, and for a damaged file."""


LENGTH_S = (0.5, 10.0)


WAV = (48000, 2)
"""Hz and bytes per sample of the sound files."""


def ravdess_checks(corpus: "RavdessRelease") -> Iterator[Check]:
    """Yield the checks of RAVDESS that are not common to all corpora."""
    yield from _names(corpus)
    yield from _counts(corpus)
    yield from _takes(corpus)
    yield from _ratings(corpus)
    yield from _films(corpus)
    yield _wavs(corpus)


def _names(corpus: "RavdessRelease") -> Iterator[Check]:
    parts = corpus.parts
    yield check(
        "file names", not parts.strange, "seven numbers in range, in the folder of the actor",
        stated(parts.strange, len(parts.clips) + len(parts.twins) + len(parts.sounds)),
        "These files are not used. Restore the name of the release, or move the file away.",
        verdict="WARN", certainty=READ,
    )  # fmt: skip
    yield check(
        "one release", not parts.twice, "each file once", listed(parts.twice) or "none twice",
        "The root has two copies of a clip. Remove one of them.",
    )  # fmt: skip
    yield check(
        "archives", not parts.unfinished, "no part of a download",
        listed(parts.unfinished) or "none", f"The download has not ended. {AGAIN}", verdict="WARN",
    )  # fmt: skip


def _counts(corpus: "RavdessRelease") -> Iterator[Check]:
    """Yield whether each actor has the clips of the release, in all and of each emotion."""
    certainty = GIVEN if corpus.expected.given else READ
    have = Counter((c.actor, c.channel, c.label) for c in corpus.clips.values())
    few, off = [], []
    for channel in CHANNELS[corpus.channel]:
        word = "song" if channel == SONG else "speech"
        for actor in corpus.actors:
            expected = corpus.expected.of_actor(actor, channel)
            counts = {e: n for (a, c, e), n in have.items() if (a, c) == (actor, channel)}
            if sum(counts.values()) != sum(expected.values()):
                total = f"{sum(counts.values())} for {sum(expected.values())}"
                few.append(f"Actor_{actor:02d} {word}: {total}")
            off += [
                f"Actor_{actor:02d} {word} {emotion}: {counts.get(emotion, 0)} for "
                f"{expected.get(emotion, 0)}"
                for emotion in EMOTIONS
                if counts.get(emotion, 0) != expected.get(emotion, 0)
            ]
    totals = (
        f"{len(corpus.clips):,} clips of {len({c.actor for c in corpus.clips.values()})} actors"
    )
    each = [sum(corpus.expected.of_channel(n).values()) for n in CHANNELS[corpus.channel]]
    yield check(
        "clips per actor", not few, f"{' and '.join(map(str, each))} clips; no song of actor 18",
        listed(few) or totals, AGAIN, certainty=certainty,
    )  # fmt: skip
    yield check(
        "clips per emotion", not off, "the same number of each emotion for every actor",
        listed(off) or f"{len(corpus.classes)} emotions", AGAIN, certainty=certainty,
    )  # fmt: skip
    parts = {name: corpus.partition[clip.actor] for name, clip in corpus.clips.items()}
    text = f"{corpus.card()['split']} (sha256 {split_digest(parts)[:16]})"
    yield check("split", True, "no actor in two partitions", text, "")


def _takes(corpus: "RavdessRelease") -> Iterator[Check]:
    """Yield whether each file without sound or pictures has its clip with both."""
    spare = {**corpus.parts.twins, **corpus.parts.sounds}
    clips = {name: read_name(name)[0] for name in spare}
    takes = {clip.take for clip in corpus.clips.values()}
    alone = [
        spare[name] for name, clip in sorted(clips.items())
        if clip and clip.actor in corpus.actors and clip.channel in CHANNELS[corpus.channel]
        and clip.take not in takes
    ]  # fmt: skip
    yield check(
        "takes", not alone, "a clip with sound and pictures for every other file",
        listed(alone) or f"{len(corpus.parts.twins)} without sound and "
        f"{len(corpus.parts.sounds)} with only sound are left out",
        "The clip 01-… of this take is missing. " + AGAIN, verdict="WARN",
    )  # fmt: skip


def _ratings(corpus: "RavdessRelease") -> Iterator[Check]:
    """Yield whether the lines of the table of ratings can be used; nothing without one."""
    if corpus.sheet is None:
        return
    rated = corpus.rated  # adds to the faults of the sheet
    yield check(
        "rating lines", not corpus.sheet.faults, "clip, and numbers; intensity from 1 to 5",
        stated(corpus.sheet.faults, len(rated)),
        "Correct these lines. Their ratings are not used.",
    )  # fmt: skip
    strange = [clip for clip in rated if clip not in corpus.clips and not _elsewhere(corpus, clip)]
    yield check(
        "rated clips", not strange, "clips of the corpus", listed(strange) or f"{len(rated)} fine",
        "Name clips as their files, such as 01-01-06-01-02-01-12. These ratings are not used.",
        verdict="WARN",
    )  # fmt: skip


def _elsewhere(corpus: "RavdessRelease", name: str) -> bool:
    """Return whether a name is a clip of the release that the study does not use."""
    clip, _ = read_name(name)
    if clip is None:
        return False
    used = clip.actor in corpus.actors and clip.channel in CHANNELS[corpus.channel]
    return not used or clip.modality != 1


def _films(corpus: "RavdessRelease") -> Iterator[Check]:
    timed = corpus.timed
    broken = [below(corpus.root, clock.reason) for clock in timed.values() if clock.reason]
    yield check(
        "pictures readable", not broken, "every clip", stated(broken, len(timed)),
        f"It counts as a failed video. {REPLACE}", verdict="WARN",
    )  # fmt: skip
    readable = {name: clock for name, clock in sorted(timed.items()) if not clock.reason}
    low, high = LENGTH_S
    odd = [f"{n}: {c.end_s:.2f} s" for n, c in readable.items() if not low <= c.end_s <= high]
    yield check(
        "duration", not odd, f"{low:g} to {high:g} s", listed(odd) or f"{len(readable)} clips",
        f"The file may be cut off, or another recording. {REPLACE}", verdict="WARN", certainty=READ,
    )  # fmt: skip
    mute = [name for name, clock in readable.items() if not clock.has_sound]
    yield check(
        "sound", not mute, "a sound track in every clip 01-…",
        listed(mute) or f"{len(readable)} clips",
        f"Audio features of a clip without sound are missing. {REPLACE}",
        verdict="WARN", certainty=READ,
    )  # fmt: skip
    yield from _pictures(corpus, readable)


def _pictures(corpus: "RavdessRelease", readable: "dict[str, Timing]") -> Iterator[Check]:
    """Yield whether pictures have the size of the release, and what is odd about files."""
    from avfusion.media.probe import picture_px

    size = corpus.expected.picture_px
    sizes = {name: picture_px(corpus.root / corpus.parts.clips[name]) for name in readable}
    odd = [f"{name}: {w}x{h}" for name, (w, h) in sizes.items() if (w, h) != size]
    yield check(
        "picture size", not odd, f"{size[0]}x{size[1]}", listed(odd) or f"{len(sizes)} clips",
        "Use the files of the release. Faces of another copy may be cropped or scaled.",
        verdict="WARN", certainty=GIVEN if corpus.expected.given else READ,
    )  # fmt: skip
    counts = Counter(text for clock in readable.values() for text in clock.warnings)
    texts = [f"{text} ({count} clips)" for text, count in counts.most_common()]
    yield check(
        "media", not texts, "nothing odd in a file", listed(texts, separator="; ") or "none",
        "Check that it is meant. `warnings` in the media index lists the clips.", verdict="WARN",
    )  # fmt: skip


def _wavs(corpus: "RavdessRelease") -> Check:
    """Return whether sound files have the form of the release; a study does not use them."""
    stereo, odd = [], []
    for name, path in sorted(corpus.parts.sounds.items()):
        rate, channels, width = _form(corpus, path)
        if (rate, width) != WAV:
            odd.append(f"{name}: {rate} Hz, {8 * width} bit" if rate else f"{name}: no PCM wav")
        elif channels != 1:
            stereo.append(f"{name}: {channels} channels")
    most = corpus.expected.stereo
    faults = odd + (stereo if len(stereo) > most else [])
    fine = f"{len(corpus.parts.sounds)} files, {len(stereo)} of them stereo"
    return check(
        "form of sound files", not faults, f"48000 Hz, 16 bit, mono except {most} stereo files",
        listed(faults) or fine,
        "A study uses the sound of the videos, so this does not change a result. Mix stereo files "
        "before you compare them with others.",
        verdict="WARN", certainty=GIVEN if corpus.expected.given else READ,
    )  # fmt: skip


def _form(corpus: "RavdessRelease", path: str) -> tuple[int, int, int]:
    """Return rate in Hz, channels and bytes per sample; zeros if it is not a PCM wav file."""
    try:
        with wave.open(str(corpus.root / path)) as file:
            return file.getframerate(), file.getnchannels(), file.getsampwidth()
    except (OSError, EOFError, wave.Error):
        return 0, 0, 0
