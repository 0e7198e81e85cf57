"""`avf arrays`: check the shared arrays of IEMOCAP, and compare them with the raw release."""

import argparse
from pathlib import Path

HELP = "Check the arrays of IEMOCAP that AMH and SelfCrossAttn share."


STAGE = 12


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("folder", type=Path, help="with folds/fold01 …, W_embedding.npy, dic.pkl")
    sub.add_argument("--tree", type=Path, help="IEMOCAP_full_release, to compare labels with")


def run(args: argparse.Namespace) -> int:
    """Print what is wrong, if anything; returns the exit code."""
    from avfusion.corpora.iemocap_arrays.compare import against, faults
    from avfusion.corpora.iemocap_folds import SIZES
    from avfusion.media.arrays import Release

    release = Release(args.folder)
    found = list(faults(release, list(SIZES[7])))
    if args.tree and not found:
        found += against(release, _codes(args.tree))
    for fault in found:
        print(f"FAIL  {fault}")
    compared = " and agree with the raw release" if args.tree else ""
    print(f"{len(found)} faults" if found else f"PASS  the arrays are whole{compared}")
    return int(bool(found))


def _codes(root: Path) -> list[str]:
    """The class of each of the release's turns of the seven classes, in its order."""
    import tempfile

    from avfusion.corpora.iemocap.corpus import Iemocap
    from avfusion.corpora.tree.scan import read_tree

    corpus = Iemocap(root=root, classes=7, folds="random", fold=1)
    with tempfile.TemporaryDirectory() as cache:
        corpus.tree = read_tree(root, Path(cache) / "digests.bin", lambda folder: False)
        return [turn.code for turn, _ in corpus.used]
