"""Publicly known counts of each edition of Aff-Wild2 that has a valence-arousal track."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from avfusion.corpora.check import GIVEN
from avfusion.errors import ConfigError
from avfusion.registry import near

COMPARE = "Compare with the organisers' zip files. For the contact, run: avf obtain affwild2"


@dataclass(frozen=True)
class Edition:
    """Counts of one edition; None where the number is not published."""

    name: str
    train: int  # trials; a trial is one annotated person of one raw video
    validation: int
    test: int
    raw: int | None  # video files
    valid_rows: Mapping[str, int | None]  # partition -> rated rows
    template_rows: int | None  # of the test partition
    images: int | None  # files in cropped_aligned, all trials together
    words: tuple[str, ...]  # words that name this edition in the path of the annotation folder
    bare_rows: Mapping[str, int] = field(default_factory=dict)  # rated rows without aligned image
    frames: Mapping[str, int] = field(default_factory=dict)  # raw video -> frames, if given
    given: bool = False  # whether some counts come from the config

    def trials(self, partition: str) -> int:
        """Return the number of trials of a partition."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[partition]


_ABAW5 = Edition(
    "abaw5", train=356, validation=76, test=162, raw=598,
    valid_rows={"train": 1_680_144, "validation": 382_021},
    template_rows=927_210, images=2_941_546, words=("fifth", "5th", "abaw5"),
    bare_rows={"train": 26_387, "validation": 5_698},
)  # fmt: skip


EDITIONS = {
    edition.name: edition
    for edition in (
        Edition(
            "abaw3", 341, 71, 152, 548, {"train": 1_581_184, "validation": 344_714}, None, None,
            ("third", "3rd", "abaw3"), {"train": 25_265, "validation": 5_959},
        ),
        _ABAW5,
        replace(
            _ABAW5, name="abaw6", valid_rows={"train": 1_679_857, "validation": 382_021},
            words=("sixth", "6th", "abaw6"), bare_rows={},
        ),
        replace(
            _ABAW5, name="abaw8", valid_rows={"train": None, "validation": None},
            words=("eighth", "8th", "abaw8"), bare_rows={},
        ),
    )
}  # fmt: skip


# Rows minus frames where the difference is known to lie outside the usual range of -1 to +2.
KNOWN_GAPS = {"466": -49, "video30": -3}


_COUNTS = ("train", "validation", "test", "raw", "template_rows", "images")


_BY_NAME: dict[str, tuple[str, ...]] = {
    "valid_rows": ("train", "validation"),
    "bare_rows": ("train", "validation"),
    "frames": (),  # keyed by raw video
}


def edition(name: str, expect: Mapping[str, Any]) -> Edition:
    """Return an edition by name, with its counts replaced by `expect`.

    Parameters
    ----------
    name : str
        A key of `EDITIONS`.
    expect : mapping
        Counts of a part of the corpus: a number, or a number per partition (per raw video).

    Raises
    ------
    ConfigError
        For an unknown edition, an unknown key, or a value that is not a count.
    """
    if name not in EDITIONS:
        known = ", ".join(EDITIONS)
        raise ConfigError(f"affwild2: no edition {name!r}.{near(name, EDITIONS)} Known: {known}.")
    if not expect:
        return EDITIONS[name]
    keys = (*_COUNTS, *_BY_NAME)
    strange = sorted(set(expect) - set(keys))
    if strange:
        raise ConfigError(
            f"affwild2: expect: unknown key {strange[0]!r}.{near(strange[0], keys)} "
            f"Known: {', '.join(keys)}."
        )
    for key, given in expect.items():
        _refuse_other_counts(key, given)
    return replace(EDITIONS[name], given=True, **{"bare_rows": {}, **expect})


def described() -> str:
    """Return the counts of every edition, in words."""
    lines = []
    for edition in EDITIONS.values():
        rows = edition.valid_rows
        known = [f"{count:,} of {part}" for part, count in rows.items() if count is not None]
        rated = f"rated rows: {', '.join(known)}" if known else "rated rows unpublished"
        trials = ", ".join(f"{edition.trials(part)} {part}" for part in _COUNTS[:3])
        lines.append(f"{edition.name} ({trials}; {rated})")
    return "; ".join(lines)


def certainty(edition: Edition | None, public: str) -> str:
    """Return the certainty of an expected count: `GIVEN` if the config states it, else `public`."""
    return GIVEN if edition is not None and edition.given else public


def only(trials: Mapping[str, int], valid_rows: Mapping[str, int]) -> Edition | None:
    """Return the only edition that has these counts; None if others may have them.

    An edition of unpublished counts is never taken: a damaged one of the others looks the same.
    """
    fits = guess(trials, valid_rows)
    edition = EDITIONS[fits[0]] if len(fits) == 1 else None
    return None if edition is None or None in edition.valid_rows.values() else edition


def guess(trials: Mapping[str, int], valid_rows: Mapping[str, int]) -> list[str]:
    """Return the editions that may have these counts; an unpublished count may be any.

    Parameters
    ----------
    trials, valid_rows : mapping of str to int
        Partition to number of trials, and to number of rated rows.

    Returns
    -------
    list of str
        The editions whose trials and rows match; if there are none, those whose trials match.
    """
    fit = [e for e in EDITIONS.values() if all(e.trials(p) == n for p, n in trials.items())]
    rated = [e for e in fit if all(e.valid_rows.get(p) in (n, None) for p, n in valid_rows.items())]
    return [e.name for e in rated or fit]


def _refuse_other_counts(key: str, given: Any) -> None:
    """Raise unless `given` is a count, or a count per partition (video), as `key` requires."""
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
