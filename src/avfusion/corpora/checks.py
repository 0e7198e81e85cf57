"""Checks that hold for every corpus: files, partitions, gold and planted spans."""

from collections.abc import Iterator

import pandas as pd

from avfusion.corpora.base import Check, Corpus, check
from avfusion.corpora.formats.table import name_fault, path_fault
from avfusion.schemas import EXTRA, MANIFEST, PARTITIONS

_MEDIA = {".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v"}


def with_digests(videos: pd.DataFrame, corpus: Corpus) -> pd.DataFrame:
    """The manifest by video, with sha256 and bytes (null and 0 where the file is missing).

    A corpus may add the columns `EXTRA`; see docs/architecture.md.
    """
    extra = [name for name in EXTRA if name in videos.columns]
    videos = videos[[*MANIFEST, *extra]].sort_values("video", ignore_index=True)
    found = [corpus.tree.find(path) or (0, None) for path in videos["path"]]
    sizes, sums = zip(*found, strict=True) if found else ((), ())
    return videos.assign(sha256=pd.Series(sums, dtype=object), bytes=sizes)


def tree_checks(corpus: Corpus, whole: str) -> Iterator[Check]:
    """What holds of any tree: that it can be read; and its fingerprint, to compare with others."""
    tree = corpus.tree
    said = [f"{path} ({why})" for path, why in tree.unread.items()]
    yield check(
        "readable files",
        not said,
        "every file can be opened",
        listed(said) or f"{len(tree):,} files in {len(tree.folders):,} folders",
        "Mend the permission or the link, or copy the file again.",
        verdict="WARN",
    )
    found = f"{whole[:16]} over {len(tree):,} files, {tree.bytes:,} bytes; {tree.hidden} hidden"
    yield check("fingerprint", True, "the same at every lab that holds the same files", found, "")


def common_checks(
    corpus: Corpus, gold: pd.DataFrame, tables: dict[str, pd.DataFrame]
) -> Iterator[Check]:
    """Every check that needs no knowledge of the corpus; gold as the tree has it, unsorted."""
    manifest = tables["manifest"]
    yield from _files(corpus, manifest)
    yield from _partitions(corpus, manifest)
    if corpus.targets:
        yield from _gold(corpus, gold, manifest)
    if corpus.classes:
        yield from _labels(corpus, tables["labels"], manifest)
    yield _spans(tables["truth"], manifest)


def _files(corpus: Corpus, manifest: pd.DataFrame) -> Iterator[Check]:
    twice = manifest["video"][manifest["video"].duplicated()]
    yield check(
        "video names",
        twice.empty,
        "each video listed once",
        listed(twice) or f"{len(manifest)} videos",
        "Give each video one row.",
    )
    yield _safe(manifest)
    missing = manifest["path"][manifest["sha256"].isna()]
    yield check(
        "files",
        missing.empty,
        "every listed video exists",
        f"missing: {listed(missing)}" if len(missing) else f"{len(manifest)} files",
        corpus.obtain,
    )
    hollow = manifest["path"][manifest["sha256"].notna() & (manifest["bytes"] == 0)]
    # A broken file is the media stage's business: it fails that video and keeps the study going.
    yield check(
        "empty files",
        hollow.empty,
        "no video of 0 bytes",
        listed(hollow) or "none",
        "It will count as a failed video; fetch it again.",
        verdict="WARN",
    )
    known = set(manifest["path"])
    beside = {path.rpartition("/")[0] for path in known}
    folders = [folder for name, folder in corpus.tree.folders.items() if name in beside]
    extra = [path for folder in folders for path in folder.paths if _is_media(path)]
    extra = [path.rpartition("/")[2] for path in extra if path not in known]
    yield check(
        "unlisted files",
        not extra or corpus.spare_videos,
        "no video beside the listed ones",
        listed(extra) or "none",
        "They are left out of the study.",
        verdict="WARN",
    )
    scripts = manifest["transcript"].dropna()
    lost = [path for path in scripts if not (corpus.root / path).is_file()]
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
            "every listed recording of sound exists",
            f"missing: {listed(lost)}" if lost else f"{len(sounds)} files",
            "Put it there, or leave its `sound` empty: the video's own is then listened to.",
        )


def _safe(manifest: pd.DataFrame) -> Check:
    """Artefacts are named after videos, and files are opened below the root: nothing leads out."""
    columns = [name for name in ("path", "transcript", "sound") if name in manifest]
    wrong = [name_fault(str(video)) for video in manifest["video"]]
    wrong += [path_fault(path) for name in columns for path in manifest[name].dropna()]
    wrong = [fault for fault in wrong if fault]
    return check(
        "names and paths",
        not wrong,
        "names that files can have, paths below the corpus' root",
        listed(wrong, mark="; ") or f"{len(manifest)} videos",
        "Rename the video in the manifest, or move the file below the root.",
    )


def _partitions(corpus: Corpus, manifest: pd.DataFrame) -> Iterator[Check]:
    found = set(manifest["partition"])
    needed = set(PARTITIONS) - set(corpus.unrated)
    counts = manifest["partition"].value_counts()
    sizes = ", ".join(f"{p} {counts.get(p, 0)}" for p in PARTITIONS)
    strange = sorted(found - set(PARTITIONS))
    yield check(
        "partitions",
        needed <= found <= set(PARTITIONS),
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
            "Testing on what was seen in training measures memory; move the videos.",
            verdict="WARN" if corpus.split_given else "FAIL",
        )


def _gold(corpus: Corpus, gold: pd.DataFrame, manifest: pd.DataFrame) -> Iterator[Check]:
    low, high = corpus.value_range
    values = gold[list(corpus.targets)]
    outside = gold["video"][((values < low) | (values > high)).any(axis=1)].unique()
    yield check(
        "gold range",
        not len(outside),
        f"gold within [{low:g}, {high:g}] or NaN",
        f"outside: {listed(outside)}" if len(outside) else f"{len(gold)} instants",
        "Code an unrated instant as NaN, or correct the range.",
    )
    backwards = gold.groupby("video")["time_s"].apply(lambda t: not t.diff().iloc[1:].gt(0).all())
    wrong = backwards.index[backwards] if len(backwards) else []
    yield check(
        "gold times",
        not len(wrong),
        "times that strictly increase in each video",
        f"not so: {listed(wrong)}" if len(wrong) else f"{len(backwards)} videos",
        "Sort the file and remove repeated times.",
    )
    rated = set(gold["video"][values.notna().any(axis=1)])
    for partition, verdict in zip(PARTITIONS, ("FAIL", "FAIL", "WARN"), strict=True):
        if partition in corpus.unrated:
            continue
        videos = manifest["video"][manifest["partition"] == partition]
        bare = videos[~videos.isin(rated)]
        yield check(
            f"gold of {partition}",
            bare.empty,
            f"a rating for every {partition} video",
            f"none for: {listed(bare)}" if len(bare) else f"{len(videos)} videos",
            "Without gold they are predicted, not scored." if verdict == "WARN" else corpus.obtain,
            verdict=verdict,
        )
    strays = sorted(rated - set(manifest["video"]))
    yield check(
        "gold of unlisted",
        not strays,
        "gold for listed videos only",
        listed(strays) or "none",
        "It is ignored.",
        verdict="WARN",
    )


def _labels(corpus: Corpus, labels: pd.DataFrame, manifest: pd.DataFrame) -> Iterator[Check]:
    labels = labels.dropna(subset=["label"])
    strange = sorted(set(labels["label"]) - set(corpus.classes))
    twice = labels["video"][labels["video"].duplicated()]
    yield check(
        "labels",
        not strange and twice.empty,
        f"at most one label a video, of {', '.join(corpus.classes)}",
        f"not so: {listed([*strange, *twice])}"
        if strange or len(twice)
        else f"{len(labels)} labels",
        "Correct the labels; a video in no class has none.",
    )
    partition = manifest.set_index("video")["partition"]
    for part, verdict in zip(PARTITIONS, ("FAIL", "WARN", "WARN"), strict=True):
        found = set(labels["label"][labels["video"].map(partition) == part])
        lost = [name for name in corpus.classes if name not in found]
        yield check(
            f"classes of {part}",
            not lost,
            f"a {part} video of every class",
            f"none of: {listed(lost)}" if lost else f"{len(found)} classes",
            "A class without an example cannot be learnt or scored.",
            verdict=verdict,
        )
    bare = manifest["video"][~manifest["video"].isin(labels["video"])]
    yield check(
        "unlabelled",
        bare.empty,
        "a label for every video",
        f"none for {len(bare)}: {listed(bare)}" if len(bare) else "none",
        "Runs on classes leave them out.",
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


def _is_media(path: str) -> bool:
    return path[path.rfind(".") :].lower() in _MEDIA


def listed(names: object, most: int = 5, mark: str = ", ") -> str:
    """The first few names, and how many more there are."""
    names = [str(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return mark.join(names[:most]) + more


def said(wrong: list[str], count: int) -> str:
    """What is wrong, the first few by name; else how many are fine."""
    return listed(wrong, mark="; ") or (f"{count} fine" if count else "none")
