"""Checks of every corpus: files, partitions, gold, labels and planted spans."""

from collections.abc import Iterator
from os.path import isfile

import pandas as pd

from avfusion.corpora.base import Corpus
from avfusion.corpora.check import FEW_PEOPLE, Check, check
from avfusion.corpora.feature_checks import feature_checks
from avfusion.corpora.gold_checks import gold_checks
from avfusion.corpora.names import name_checks, spellings
from avfusion.corpora.wording import listed
from avfusion.io.endings import SOUNDS, VIDEOS, ending
from avfusion.schemas import EXTRA, MANIFEST, PARTITIONS


def with_digests(videos: pd.DataFrame, corpus: Corpus) -> pd.DataFrame:
    """Return the manifest sorted by video, with the columns `sha256` and `bytes` added.

    They are null and 0 if the file is missing. The optional columns `EXTRA` are kept; see
    docs/explanation/architecture.md.
    """
    extra = [name for name in EXTRA if name in videos.columns]
    videos = videos[[*MANIFEST, *extra]].sort_values("video", ignore_index=True)
    files = [corpus.tree.find(path) or (0, None) for path in videos["path"]]
    sizes, digests = zip(*files, strict=True) if files else ((), ())
    return videos.assign(sha256=pd.Series(digests, dtype=object), bytes=sizes)


def tree_checks(corpus: Corpus, digest: str) -> Iterator[Check]:
    """Yield whether all files are readable, and the digest of the tree to compare with others."""
    tree = corpus.tree
    unread = [f"{path} ({reason})" for path, reason in tree.unread.items()]
    yield check(
        "readable files",
        not unread,
        "every file can be opened",
        listed(unread) or f"{len(tree):,} files in {len(tree.folders):,} folders",
        "Correct the permission or the link, or copy the file again.",
        verdict="WARN",
    )
    yield check(
        "links",
        not tree.outside,
        "no link that leads out of the corpus",
        listed(tree.outside) or "none",
        "Copy the files into the corpus. If you made the links yourself, set `outside_links: true` "
        "in its entry of the config.",
    )
    summary = f"{digest[:16]} over {len(tree):,} files, {tree.bytes:,} bytes; {tree.hidden} hidden"
    expected = "the same in every laboratory that has the same files"
    yield check("fingerprint", True, expected, summary, "")


def common_checks(
    corpus: Corpus, gold: pd.DataFrame, tables: dict[str, pd.DataFrame]
) -> Iterator[Check]:
    """Yield all checks that need no knowledge of the corpus; `gold` is in file order, unsorted."""
    manifest = tables["manifest"]
    yield from _files(corpus, manifest)
    yield from _partitions(corpus, manifest)
    if corpus.targets:
        yield from gold_checks(corpus, gold, manifest)
    if corpus.classes:
        yield from _labels(corpus, tables["labels"], manifest)
    yield from feature_checks(corpus, gold, manifest)
    yield _spans(tables["truth"], manifest)


def _files(corpus: Corpus, manifest: pd.DataFrame) -> Iterator[Check]:
    twice = manifest["video"][manifest["video"].duplicated()]
    yield check(
        "video names",
        twice.empty,
        "each video listed once",
        listed(twice) or f"{len(manifest)} videos",
        "Give each video one row, and a file in two formats two names in the column `id`.",
    )
    yield from name_checks(corpus, manifest)
    missing = manifest["path"][manifest["sha256"].isna()]
    yield check(
        "files",
        missing.empty,
        "every listed video exists",
        f"missing: {listed(missing)}" if len(missing) else f"{len(manifest)} files",
        corpus.obtain,
    )
    empty = manifest["path"][manifest["sha256"].notna() & (manifest["bytes"] == 0)]
    # This only warns: the media stage marks the video as failed, and the study continues.
    yield check(
        "empty files",
        empty.empty,
        "no video of 0 bytes",
        listed(empty) or "none",
        "It will count as a failed video; copy it again.",
        verdict="WARN",
    )
    known = {*manifest["path"], *corpus.refused}
    if "sound" in manifest.columns:
        known |= set(manifest["sound"].dropna())
    parents = {path.rpartition("/")[0] for path in known}
    folders = [folder for name, folder in corpus.tree.folders.items() if name in parents]
    sound_only = not SOUNDS.isdisjoint(map(ending, manifest["path"]))
    endings = VIDEOS | SOUNDS if sound_only else VIDEOS
    extra = [path for folder in folders for path in folder.paths if ending(path) in endings]
    extra = [path.rpartition("/")[2] for path in extra if path not in known]
    yield check(
        "unlisted files",
        not extra or corpus.spare_videos,
        "no unlisted video next to the listed ones",
        listed(extra) or "none",
        "They are left out of the study.",
        verdict="WARN",
    )
    yield from _side_files(corpus, manifest)


def _side_files(corpus: Corpus, manifest: pd.DataFrame) -> Iterator[Check]:
    """Yield whether the transcripts and sound recordings of the manifest exist."""
    scripts = manifest["transcript"].dropna()
    lost = [path for path in scripts if not isfile(corpus.root / path)]
    yield check(
        "transcripts",
        not lost,
        "every listed transcript exists",
        f"missing: {listed(lost)}" if lost else f"{len(scripts)} files",
        corpus.obtain,
        verdict="WARN",
    )
    if "sound" in manifest.columns:
        sounds = manifest["sound"].dropna()
        lost = [path for path in sounds if corpus.tree.find(path) is None]
        yield check(
            "sounds",
            not lost,
            "every listed sound recording exists",
            f"missing: {listed(lost)}" if lost else f"{len(sounds)} files",
            "Add the file, or leave `sound` empty to use the sound track of the video.",
        )


def _partitions(corpus: Corpus, manifest: pd.DataFrame) -> Iterator[Check]:
    present = set(manifest["partition"])
    needed = set(PARTITIONS) - set(corpus.unrated)
    counts = manifest["partition"].value_counts()
    sizes = ", ".join(f"{p} {counts.get(p, 0)}" for p in PARTITIONS)
    strange = sorted(present - set(PARTITIONS))
    yield check(
        "partitions",
        needed <= present <= set(PARTITIONS),
        f"{', '.join(p for p in PARTITIONS if p in needed)}, none empty",
        sizes + (f", unknown: {listed(strange)}" if strange else ""),
        "Correct the partition column.",
    )
    for column in ("subject", "voice"):
        sides = manifest.dropna(subset=[column]).groupby(column)["partition"].nunique()
        shared = sides.index[sides > 1]
        yield check(
            f"{column} overlap",
            shared.empty,
            f"no {column} in two partitions",
            f"in two: {listed(shared)}" if len(shared) else f"{len(sides)} {column}s",
            FEW_PEOPLE
            if corpus.people_shared
            else "Scores would not measure generalisation; move the videos to one partition.",
            verdict="WARN" if corpus.split_given or corpus.people_shared else "FAIL",
        )
    yield spellings(manifest)


def _labels(corpus: Corpus, labels: pd.DataFrame, manifest: pd.DataFrame) -> Iterator[Check]:
    labels = labels.dropna(subset=["label"])
    strange = sorted(set(labels["label"]) - set(corpus.classes))
    twice = labels["video"][labels["video"].duplicated()]
    yield check(
        "labels",
        not strange and twice.empty,
        f"at most one label per video, of {', '.join(corpus.classes)}",
        f"not so: {listed([*strange, *twice])}"
        if strange or len(twice)
        else f"{len(labels)} labels",
        "Correct the labels; leave out the label of a video that belongs to no class.",
    )
    partition = manifest.set_index("video")["partition"]
    for part, verdict in zip(PARTITIONS, ("FAIL", "WARN", "WARN"), strict=True):
        present = set(labels["label"][labels["video"].map(partition) == part])
        lost = [name for name in corpus.classes if name not in present]
        yield check(
            f"classes of {part}",
            not lost,
            f"a {part} video of every class",
            f"none of: {listed(lost)}" if lost else f"{len(present)} classes",
            "A class without an example can be neither learnt nor scored.",
            verdict=verdict,
        )
    missing = manifest["video"][~manifest["video"].isin(labels["video"])]
    yield check(
        "unlabelled",
        missing.empty,
        "a label for every video",
        f"none for {len(missing)}: {listed(missing)}" if len(missing) else "none",
        "Runs that predict classes leave them out.",
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
        f"not so: {listed(wrong)}" if len(wrong) else f"{len(truth)} spans",
        "Correct the truth table.",
    )
