"""Checks of VoxCeleb1: counts, the meta file, trial lists, faces and the form of the sound."""

import wave
from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.check import GIVEN, READ, RECOLLECTION, Check, check
from avfusion.corpora.wording import listed, stated

if TYPE_CHECKING:
    from avfusion.corpora.voxceleb1.release import VoxCeleb1Release

MOST = 1_000
"""Most wav files whose header is read."""
RATE_HZ = 16_000


def voxceleb1_checks(corpus: "VoxCeleb1Release") -> Iterator[Check]:
    """Yield the checks of VoxCeleb1 that are not common to all corpora."""
    people = {person for _, person, _ in corpus.wavs.values()}
    yield _count(corpus, "people", len(people), RECOLLECTION)
    yield _count(corpus, "utterances", len(corpus.wavs), RECOLLECTION)
    unknown = sorted(people - corpus.meta.keys())
    yield check(
        "ids", not unknown, "every id in vox1_meta.csv",
        listed(unknown) or f"{len(people)} ids", corpus.obtain,
    )  # fmt: skip
    yield from _sets(corpus)
    for name, trials in corpus.lists.items():
        yield _count(corpus, name, len(trials.rows) + len(trials.faults), READ)
        yield check(
            f"lines of {name}", not trials.faults, "0 or 1 and two paths in every line",
            stated(trials.faults, len(trials.rows)), f"Download {trials.path} again.",
        )  # fmt: skip
        absent = sorted({v for _, *sides in trials.rows for v in sides} - corpus.wavs.keys())
        yield check(
            f"utterances of {name}", not absent or name in corpus.trained_lists,
            "a wav file for both sides of every trial",
            listed(absent) or f"{len(trials.rows):,} trials", corpus.obtain,
        )  # fmt: skip
        false = [
            f"{a} {b}" for same, a, b in trials.rows
            if (a.partition("-")[0] == b.partition("-")[0]) != same
        ]  # fmt: skip
        yield check(
            f"labels of {name}", not false, "1 where both ids are equal, else 0",
            listed(false) or f"{sum(same for same, *_ in trials.rows):,} of one person",
            f"Download {trials.path} again.",
        )  # fmt: skip
        shared = corpus.trained_lists.get(name, [])
        yield check(
            f"people of {name}", True, "lists with people of dev are not scored",
            f"not scored: {len(shared):,} people are not in test" if shared else "scored", "",
        )  # fmt: skip
    yield from _faces(corpus)
    yield _form(corpus)


def _count(corpus: "VoxCeleb1Release", name: str, count: int, certainty: str) -> Check:
    expected = getattr(corpus.expected, name)
    return check(
        f"trials of {name}" if len(name) == 1 else name, count == expected, f"{expected:,}",
        f"{count:,}", f"If you hold a part, set corpora.voxceleb1.options.expect.{name}.",
        verdict="WARN", certainty=GIVEN if name in corpus.given else certainty,
    )  # fmt: skip


def _sets(corpus: "VoxCeleb1Release") -> Iterator[Check]:
    """Yield whether the set of each person in the meta file agrees with Vox1-O."""
    wrong = [
        f"{person}: {corpus.meta[person][1]}"
        for person, partition in corpus.partition_of.items()
        if person in corpus.meta and (corpus.meta[person][1] == "test") != (partition == "test")
    ]
    yield check(
        "sets", not wrong, "set `test` in vox1_meta.csv for the people of Vox1-O, and no others",
        listed(wrong) or f"{len(corpus.partition_of)} people", "Check which list is there.",
        verdict="WARN",
    )  # fmt: skip


def _faces(corpus: "VoxCeleb1Release") -> Iterator[Check]:
    names = {name for name, _ in corpus.meta.values()}
    strange = sorted({name for name, _ in corpus.faces} - names)
    yield check(
        "names of faces", not strange, "folders of faces with names of vox1_meta.csv",
        listed(strange) or f"{len(corpus.faces):,} folders", "They are not used.", verdict="WARN",
    )  # fmt: skip
    without = [
        video for video, (_, person, clip) in corpus.wavs.items()
        if (corpus.meta.get(person, ("", ""))[0], clip) not in corpus.faces
    ]  # fmt: skip
    yield check(
        "faces", not without, "a folder of faces for every utterance",
        f"none of {len(without):,}: {listed(without)}" if without else f"{len(corpus.faces):,}",
        "These utterances have sound only.", verdict="WARN",
    )  # fmt: skip


def _form(corpus: "VoxCeleb1Release") -> Check:
    """Read the headers of evenly spaced wav files."""
    paths = [path for path, *_ in corpus.wavs.values()]
    read = paths[:: max(1, len(paths) // MOST)]
    odd = [fault for path in read if (fault := _odd(corpus, path))]
    return check(
        "sound form", not odd, "16 kHz mono, 16 bits", stated(odd, len(read)),
        "Convert the sound, or download it again.", verdict="WARN",
    )  # fmt: skip


def _odd(corpus: "VoxCeleb1Release", path: str) -> str:
    try:
        with wave.open(str(corpus.root / path)) as file:
            form = file.getframerate(), file.getnchannels(), 8 * file.getsampwidth()
    except (wave.Error, EOFError) as error:
        return f"{path}: {str(error) or 'cut off'}"
    return "" if form == (RATE_HZ, 1, 16) else f"{path}: {form[0]} Hz, {form[1]} channels"
