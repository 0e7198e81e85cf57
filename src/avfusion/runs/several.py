"""Train several runs in one process, which starts and imports once for all of them.

They share the features in memory. Each run keeps its own folder, lock, log and state, and has the
bytes that it has alone.
"""

import logging
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from avfusion.config.jobs import RunSettings
from avfusion.errors import AvfError, TrainError, of_place
from avfusion.io.atomic import locked
from avfusion.layout import Layout
from avfusion.runs.files import run_folder
from avfusion.runs.shared import SharedInputs
from avfusion.runs.train import train_run

log = logging.getLogger(__name__)


def train_runs(runs: Sequence[RunSettings], layout: Layout) -> None:
    """Train runs one after the other; one that cannot be trained does not stop the others.

    Runs on the same features follow each other, so that these are read once.

    Raises
    ------
    AvfError
        If there is one run, and it cannot be trained; see `train_run`.
    TrainError
        If some of several runs cannot be trained, after all others.
    """
    failed: dict[str, str] = {}  # no exceptions: their tracebacks would hold the data of the runs
    read = SharedInputs().read
    features = list(dict.fromkeys(run.features.model_dump_json() for run in runs))
    for settings in sorted(runs, key=lambda run: features.index(run.features.model_dump_json())):
        name = f"{settings.corpus}/{settings.fusion}/seed{settings.seed}"
        try:
            with locked(run_folder(settings, layout)), _logged(settings, layout):
                train_run(settings, layout, read)
        except Exception as error:  # the others must not be lost for it
            if len(runs) == 1 or of_place(error):  # a full disk fails them all
                raise
            failed[name] = str(error)
            known = isinstance(error, AvfError | OSError)
            log.error("%s: %s", name, failed[name], exc_info=not known)
    if failed:
        first, reason = next(iter(failed.items()))
        raise TrainError(
            f"{len(failed)} of {len(runs)} runs failed, the others are complete: "
            f"{', '.join(failed)}. {first}: {reason}"
        )


@contextmanager
def _logged(settings: RunSettings, layout: Layout) -> Iterator[None]:
    """Copy the log to the file of the run; runs of grid points have the log of their job."""
    if settings.point is not None:
        yield
        return
    path = layout.train_log(settings.corpus, settings.fusion, settings.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    with path.open("w", encoding="utf-8") as file:
        handler = logging.StreamHandler(file)
        handler.setFormatter(next((other.formatter for other in root.handlers), None))
        root.addHandler(handler)
        try:
            yield
        except Exception as error:
            known = isinstance(error, AvfError | OSError)
            file.write(f"{error}\n" if known else traceback.format_exc())
            raise
        finally:
            root.removeHandler(handler)
