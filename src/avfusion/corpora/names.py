"""Checks of names: files that every system can hold, and people with one spelling."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from avfusion.corpora.base import Corpus
from avfusion.corpora.check import Check, check
from avfusion.corpora.formats.spelling import collision_key, normal, person_key
from avfusion.corpora.formats.table import name_fault, path_fault, short
from avfusion.corpora.wording import listed

STRANGE = set('<>:"|?*')
"""Characters that Windows, exFAT and many network drives refuse in names."""


def name_checks(corpus: Corpus, manifest: pd.DataFrame) -> Iterator[Check]:
    """Yield whether the results can hold a file and a folder of every video."""
    columns = [name for name in ("path", "transcript", "sound") if name in manifest]
    videos = [str(video) for video in manifest["video"]]
    faults = [name_fault(video) for video in videos]
    faults += [path_fault(path) for name in columns for path in manifest[name].dropna()]
    faults = [fault for fault in faults if fault]
    if not faults:
        faults = refused(corpus.cache, videos)
    yield check(
        "names and paths",
        not faults,
        "valid file names, paths below the root of the corpus",
        listed(faults, separator="; ") or f"{len(manifest)} videos",
        "Rename the video in the manifest, or move the file below the root.",
    )
    yield _distinct(corpus.cache, videos)


def _distinct(folder: Path, videos: list[str]) -> Check:
    """Check that no two names are one file where case or Unicode forms do not count."""
    groups: dict[str, list[str]] = {}
    for video in dict.fromkeys(videos):
        groups.setdefault(collision_key(video), []).append(video)
    alike = [names for names in groups.values() if len(names) > 1]
    one_form = [names for names in alike if len({normal(name) for name in names}) < len(names)]
    here = bool(alike) and any(_one_file(folder, names) for names in alike)
    return check(
        "names that differ only in case or form",
        not alike,
        "names that stay apart on every system",
        listed([" and ".join(map(repr, names)) for names in alike], separator="; ")
        or f"{len(groups)} names",
        "On macOS, Windows and some network drives they are one file. Give one of them another "
        "name in the column `id`.",
        verdict="FAIL" if here or one_form else "WARN",
    )


def spellings(manifest: pd.DataFrame) -> Check:
    """Check that no person is spelt in two ways in two partitions."""
    named = manifest.dropna(subset=["subject"])
    parts = named.groupby("subject")["partition"].agg(lambda of: frozenset(of))
    groups: dict[str, list[str]] = {}
    for subject in parts.index:
        groups.setdefault(person_key(str(subject)), []).append(subject)
    alike = [
        " and ".join(f"{name!r} ({', '.join(sorted(parts[name]))})" for name in names)
        for names in groups.values()
        if len(names) > 1 and len(frozenset().union(*parts[names])) > 1
    ]
    return check(
        "subject spellings",
        not alike,
        "one spelling of each person",
        listed(alike, separator="; ") or f"{len(parts)} subjects",
        "If they are one person, use one spelling; a person in two partitions makes scores look "
        "better than on new people.",
        verdict="WARN",
    )


def refused(folder: Path, videos: list[str]) -> list[str]:
    """Return why the file system of the results refuses names, after trying the unusual ones."""
    strange = [v for v in videos if STRANGE & {*v} or v.endswith((" ", ".")) or not v.isascii()]
    faults = []
    folder.mkdir(parents=True, exist_ok=True)
    for video in strange:
        path = folder / f"{video}.try"
        try:
            path.touch()
            path.unlink()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            faults.append(f"the results cannot hold a file named {short(video)} ({reason})")
    return faults


def _one_file(folder: Path, names: list[str]) -> bool:
    """Return whether the file system of the results takes the names for one file."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    try:
        for name in names:
            path = folder / f"{name}.try"
            with open(path, "x", encoding="utf-8"):
                made.append(path)
    except FileExistsError:
        return True
    except OSError:
        return False
    finally:
        for path in made:
            path.unlink(missing_ok=True)
    return False
