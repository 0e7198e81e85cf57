"""Features that were removed: found by each plan, counted when jobs start."""

from avfusion.features.lost import losses_file
from avfusion.features.lost import lost


@functools.cache
def files_in(folder):
    """Return the names of the files in a folder; each plan lists it once."""
    return frozenset(os.listdir(folder)) if folder.is_dir() else frozenset()


FOUND = {}  # file that counts the losses of a shard -> its new content


@functools.cache
def losses_of(corpus, encoder, shard):
    """Return how often features of a shard were lost; each plan looks once, jobs do not.

    A copy that `avf adopt` takes over, or files that `--touch` dates, are not looked at: then the
    next plan finds what they lack.
    """
    folder = lay.features(corpus, encoder)
    path = losses_file(folder, shard)
    before = path.read_text(encoding="ascii").strip() if path.is_file() else ""
    plans = os.environ.get("AVF_PLANNED_BY") == str(os.getpid())
    if not plans or workflow.touch or "AVF_ADOPT" in os.environ:
        return before
    if not lost(folder, shard, files_in(folder)):
        return before
    FOUND[path] = str(int(before or 0) + 1)
    return FOUND[path]


def write_losses():
    """Write the losses that the plan found; called when jobs start, not by a dry run."""
    for path, count in FOUND.items():
        write_text(path, f"{count}\n")
