"""What is publicly known of each edition of Aff-Wild2 with a valence-arousal track: its counts."""

from dataclasses import dataclass, field, replace
from typing import Any

from avfusion.errors import ConfigError
from avfusion.registry import near


@dataclass(frozen=True)
class Edition:
    """Counts of one edition; None where nobody has published the number."""

    name: str
    train: int  # trials; a trial is one annotated person of one raw video
    validation: int
    test: int
    raw: int | None  # video files
    valid_rows: dict[str, int | None]  # rated rows of a partition
    template_rows: int | None  # of the test partition
    images: int | None  # files in cropped_aligned, all trials together
    words: tuple[str, ...]  # how the annotation folder of this edition may call itself
    bare_rows: dict[str, int] = field(default_factory=dict)  # rated rows without an aligned image
    frames: dict[str, int] = field(default_factory=dict)  # raw video -> frames, where other
    given: bool = False  # some counts come from the config

    def trials(self, partition: str) -> int:
        """Trials of a partition."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[partition]


_LATE = {"train": 356, "validation": 76, "test": 162, "raw": 598, "template_rows": 927_210}


_LATE |= {"images": 2_941_546}


EDITIONS = {
    edition.name: edition
    for edition in (
        Edition(
            "abaw3", 341, 71, 152, 548, {"train": 1_581_184, "validation": 344_714}, None, None,
            ("third", "3rd", "abaw3"), {"train": 25_265, "validation": 5_959},
        ),
        Edition(
            "abaw5", valid_rows={"train": 1_680_144, "validation": 382_021},
            words=("fifth", "5th", "abaw5"), **_LATE,
            bare_rows={"train": 26_387, "validation": 5_698},
        ),
        Edition(
            "abaw6", valid_rows={"train": 1_679_857, "validation": 382_021},
            words=("sixth", "6th", "abaw6"), **_LATE,
        ),
        Edition(
            "abaw8", valid_rows={"train": None, "validation": None},
            words=("eighth", "8th", "abaw8"), **_LATE,
        ),
    )
}  # fmt: skip


# Rows less frames, where they are known to differ by more than the corpus' usual -1 … +2.
KNOWN_GAPS = {"466": -49, "video30": -3}


_COUNTS = ("train", "validation", "test", "raw", "template_rows", "images")


_BY_NAME = {
    "valid_rows": ("train", "validation"),
    "bare_rows": ("train", "validation"),
    "frames": (),  # of videos
}


def edition(name: str, expect: dict[str, Any]) -> Edition:
    """The edition of that name, with counts that the config overrides for a part of the corpus."""
    if name not in EDITIONS:
        known = ", ".join(EDITIONS)
        raise ConfigError(f"affwild2: no edition {name!r}.{near(name, EDITIONS)} Known: {known}.")
    if not expect:
        return EDITIONS[name]
    known = (*_COUNTS, *_BY_NAME)
    strange = sorted(set(expect) - set(known))
    if strange:
        raise ConfigError(
            f"affwild2: expect: unknown key {strange[0]!r}.{near(strange[0], known)} "
            f"Known: {', '.join(known)}."
        )
    for key, given in expect.items():
        _refuse_other_counts(key, given)
    return replace(EDITIONS[name], given=True, **{"bare_rows": {}, **expect})


def _refuse_other_counts(key: str, given: Any) -> None:
    """`expect` holds a count, or a count for each partition (video): else nothing is checked."""
    names = _BY_NAME.get(key, ())
    if key in _COUNTS:
        fits, wanted = type(given) is int, "a number"
    else:
        fits = isinstance(given, dict) and all(type(count) is int for count in given.values())
        wanted = "a number each, such as {%s: 1000}" % (names[0] if names else "video30")
    if not fits:
        raise ConfigError(f"affwild2: expect.{key}: expected {wanted}; found {given!r}.")
    strange = sorted(set(given) - set(names)) if names else []
    if strange:
        raise ConfigError(
            f"affwild2: expect.{key}: no partition {strange[0]!r}.{near(strange[0], names)} "
            f"Known: {', '.join(names)}."
        )


def guess(trials: dict[str, int], valid_rows: dict[str, int]) -> list[str]:
    """Editions that these counts fit; where rows decide, the one that they decide for."""
    fit = [e for e in EDITIONS.values() if all(e.trials(p) == n for p, n in trials.items())]
    sure = [e for e in fit if all(e.valid_rows.get(p) == n for p, n in valid_rows.items())]
    return [e.name for e in sure or fit]
