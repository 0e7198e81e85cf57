"""Features that several runs of one process read once and share in memory."""

from collections.abc import Callable
from typing import Any

from avfusion.config.jobs import RunSettings
from avfusion.layout import Layout
from avfusion.runs.inputs import Inputs, warn

ReadInputs = Callable[[RunSettings, Layout], Inputs]
"""`Inputs.read`, or that of a `SharedInputs`."""


class SharedInputs:
    """The features of the last run; a next run that reads the same ones gets the same tensors.

    Only one set of features is kept, so that runs on other features, or with another division of
    the train partition, do not add up in memory. What stays in memory are the windows that runs are
    trained on and choose their epoch on. Those of videos that a run only predicts, such as the test
    partition, are joined by each run and freed.

    No run changes what it reads. Use one object per job: files are not looked at again.
    """

    def __init__(self) -> None:
        self._key: tuple[Any, ...] | None = None
        self._inputs: Inputs | None = None

    def read(self, settings: RunSettings, layout: Layout) -> Inputs:
        """As `Inputs.read`."""
        key = (
            *(settings.corpus, settings.point, settings.train.baseline, settings.rating, layout),
            *(
                part.model_dump_json()
                for part in (settings.features, settings.windows, settings.train.select)
            ),
            *settings.train.exclude,
        )
        if self._inputs is not None and key == self._key:
            warn(settings.corpus, self._inputs.missing)  # in the log of each run
            return self._inputs
        self._key = self._inputs = None  # free them before others are read
        self._inputs = Inputs.read(settings, layout)
        self._key = key
        return self._inputs
