"""Checks that hold for every corpus: files, partitions, gold and planted spans."""

import hashlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from avfusion.corpora.base import PARTITIONS, Check, Corpus, check

log = logging.getLogger(__name__)
_MEDIA = {".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v"}


def with_digests(videos: pd.DataFrame, root: Path) -> pd.DataFrame:
    """The manifest with sha256 and bytes (null and 0 where the file is missing), by video."""
    videos = videos.sort_values("video", ignore_index=True)
    sums, sizes, said = [], [], time.monotonic()
    for number, path in enumerate(root / p for p in videos["path"]):
        sums.append(_sha256(path) if path.is_file() else None)
        sizes.append(path.stat().st_size if path.is_file() else 0)
        if time.monotonic() - said > 5:
            said = time.monotonic()
            log.info("reading videos: %d of %d", number + 1, len(videos))
    return videos.assign(sha256=pd.Series(sums, dtype=object), bytes=sizes)


def common_checks(
    corpus: Corpus, gold: pd.DataFrame, tables: dict[str, pd.DataFrame]
) -> Iterator[Check]:
    """Every check that needs no knowledge of the corpus; gold as the tree has it, unsorted."""
    manifest = tables["manifest"]
    yield from _files(corpus, manifest)
    yield from _partitions(manifest)
    yield from _gold(corpus, gold, manifest)
    yield _spans(tables["truth"], manifest)


def _files(corpus: Corpus, manifest: pd.DataFrame) -> Iterator[Check]:
    twice = manifest["video"][manifest["video"].duplicated()]
    yield check(
        "video names",
        twice.empty,
        "each video listed once",
        _listed(twice) or f"{len(manifest)} videos",
        "Give each video one row.",
    )
    missing = manifest["path"][manifest["sha256"].isna()]
    yield check(
        "files",
        missing.empty,
        "every listed video exists",
        f"missing: {_listed(missing)}" if len(missing) else f"{len(manifest)} files",
        corpus.obtain,
    )
    hollow = manifest["path"][manifest["sha256"].notna() & (manifest["bytes"] == 0)]
    # A broken file is the media stage's business: it fails that video and keeps the study going.
    yield check(
        "empty files",
        hollow.empty,
        "no video of 0 bytes",
        _listed(hollow) or "none",
        "It will count as a failed video; fetch it again.",
        verdict="WARN",
    )
    folders = sorted({(corpus.root / path).parent for path in manifest["path"]})
    listed = {corpus.root / path for path in manifest["path"]}
    extra = [
        f.name
        for d in folders
        if d.is_dir()
        for f in sorted(d.iterdir())
        if f.suffix.lower() in _MEDIA and f not in listed
    ]
    yield check(
        "unlisted files",
        not extra,
        "no video beside the listed ones",
        _listed(extra) or "none",
        "They are left out of the study.",
        verdict="WARN",
    )
    scripts = manifest["transcript"].dropna()
    lost = [path for path in scripts if not (corpus.root / path).is_file()]
    yield check(
        "transcripts",
        not lost,
        "every listed transcript exists",
        f"missing: {_listed(lost)}" if lost else f"{len(scripts)} files",
        corpus.obtain,
        verdict="WARN",
    )


def _partitions(manifest: pd.DataFrame) -> Iterator[Check]:
    found = set(manifest["partition"])
    counts = manifest["partition"].value_counts()
    sizes = ", ".join(f"{p} {counts.get(p, 0)}" for p in PARTITIONS)
    strange = sorted(found - set(PARTITIONS))
    yield check(
        "partitions",
        found == set(PARTITIONS),
        "train, validation and test, none empty",
        sizes + (f", unknown: {_listed(strange)}" if strange else ""),
        "Correct the partition column.",
    )
    for column in ("subject", "voice"):
        sides = manifest.dropna(subset=[column]).groupby(column)["partition"].nunique()
        shared = sides.index[sides > 1]
        yield check(
            f"{column} overlap",
            shared.empty,
            f"no {column} in two partitions",
            f"in two: {_listed(shared)}" if len(shared) else f"{len(sides)} {column}s",
            "Testing on what was seen in training measures memory; move the videos.",
        )


def _gold(corpus: Corpus, gold: pd.DataFrame, manifest: pd.DataFrame) -> Iterator[Check]:
    low, high = corpus.value_range
    values = gold[["valence", "arousal"]]
    outside = gold["video"][((values < low) | (values > high)).any(axis=1)].unique()
    yield check(
        "gold range",
        not len(outside),
        f"gold within [{low:g}, {high:g}] or NaN",
        f"outside: {_listed(outside)}" if len(outside) else f"{len(gold)} instants",
        "Code an unrated instant as NaN, or correct the range.",
    )
    backwards = gold.groupby("video")["time_s"].apply(lambda t: not t.diff().iloc[1:].gt(0).all())
    wrong = backwards.index[backwards] if len(backwards) else []
    yield check(
        "gold times",
        not len(wrong),
        "times that strictly increase in each video",
        f"not so: {_listed(wrong)}" if len(wrong) else f"{len(backwards)} videos",
        "Sort the file and remove repeated times.",
    )
    rated = set(gold["video"][values.notna().any(axis=1)])
    for partition, verdict in zip(PARTITIONS, ("FAIL", "FAIL", "WARN"), strict=True):
        videos = manifest["video"][manifest["partition"] == partition]
        bare = videos[~videos.isin(rated)]
        yield check(
            f"gold of {partition}",
            bare.empty,
            f"a rating for every {partition} video",
            f"none for: {_listed(bare)}" if len(bare) else f"{len(videos)} videos",
            "Without gold they are predicted, not scored." if verdict == "WARN" else corpus.obtain,
            verdict=verdict,
        )
    strays = sorted(rated - set(manifest["video"]))
    yield check(
        "gold of unlisted",
        not strays,
        "gold for listed videos only",
        _listed(strays) or "none",
        "It is ignored.",
        verdict="WARN",
    )


def _spans(truth: pd.DataFrame, manifest: pd.DataFrame) -> Check:
    good = (
        truth["video"].isin(manifest["video"])
        & truth["modality"].isin(["audio", "video"])
        & (truth["start_s"] >= 0)
        & (truth["end_s"] > truth["start_s"])
    )
    wrong = truth["video"][~good].unique()
    return check(
        "planted spans",
        not len(wrong),
        "spans of listed videos, start before end",
        f"not so: {_listed(wrong)}" if len(wrong) else f"{len(truth)} spans",
        "Correct the truth table.",
    )


def _listed(names: object, most: int = 5) -> str:
    names = [str(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
