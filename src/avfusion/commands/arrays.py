"""`avf arrays`: check the shared arrays of IEMOCAP, and compare them with the raw release."""

import argparse
from pathlib import Path

from avfusion.commands.messages import say

HELP = "Check the arrays of IEMOCAP that AMH and SelfCrossAttn share."
STAGE = 12


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("folder", type=Path, help="with folds/fold01 …, W_embedding.npy, dic.pkl")
    sub.add_argument("--tree", type=Path, help="IEMOCAP_full_release, to compare labels with")


def run(args: argparse.Namespace) -> int:
    """Print the faults of the arrays; return 1 if there are any."""
    from avfusion.corpora.iemocap_arrays.compare import against, faults
    from avfusion.corpora.iemocap_folds import SIZES
    from avfusion.media.arrays import Release

    release = Release(args.folder)
    messages = list(faults(release, list(SIZES[7])))
    if args.tree and not messages:
        messages += against(release, _codes(args.tree))
    for message in messages:
        say(f"FAIL  {message}")
    compared = " and agree with the raw release" if args.tree else ""
    say(f"{len(messages)} faults" if messages else f"PASS  the arrays are complete{compared}")
    return int(bool(messages))


def _codes(root: Path) -> list[str]:
    """Return the class of each turn of the seven classes, in the order of the raw release."""
    import tempfile

    from avfusion.corpora.iemocap.corpus import Iemocap
    from avfusion.corpora.tree.scan import read_tree

    corpus = Iemocap(root=root, classes=7, folds="random", fold=1)
    with tempfile.TemporaryDirectory() as cache:
        corpus.tree = read_tree(root, Path(cache) / "digests.bin", lambda folder: False)
        return [turn.code for turn, _ in corpus.used]
