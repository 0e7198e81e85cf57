"""Check training settings that must fit together, in each run with its overrides and grid."""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import ValidationError

from avfusion.config.grid import points
from avfusion.config.schedules import Cosine, Plateau
from avfusion.config.sections import TrainSettings
from avfusion.config.study import Study
from avfusion.config.validate_features import trained_with


class Rule(NamedTuple):
    """Training settings of runs, and where in the config they come from."""

    study: Study
    corpus: str
    fusion: str
    train: TrainSettings

    def path(self, key: str) -> str:
        """Return the place in the config that a setting comes from."""
        return trained_with(self.study, self.corpus, self.fusion, key)[0][0]


def rules(study: Study) -> Iterator[Rule]:
    """Yield the training settings of every fusion on every corpus, at each grid point.

    Settings that cannot be read are left out; other checks report them.
    """
    for corpus in study.corpora:
        for fusion in study.fusions:
            try:
                plain = study.train_rule(fusion, corpus)
                for point in points(study.grid_of(fusion)).values():
                    of_train = {
                        key.removeprefix("train."): value
                        for key, value in point.items()
                        if key.startswith("train.")
                    }
                    train = TrainSettings.model_validate({**plain.model_dump(), **of_train})
                    yield Rule(study, corpus, fusion, train)
            except (ValidationError, TypeError, AttributeError):
                continue


def training(study: Study) -> Iterator[str]:
    """Yield a message per training setting that has no meaning next to another."""
    messages = (message for rule in rules(study) for message in _faults(rule))
    yield from dict.fromkeys(messages)


def late_plateaus(study: Study) -> list[tuple[str, str]]:
    """Return (what, remedy) of each plateau that cannot act, because training stops before.

    The rate falls after `patience` + 1 epochs without a better score, and a later epoch must have
    the lower rate.
    """
    late = []
    for rule in rules(study):
        schedule, stops = rule.train.schedule, rule.train.patience
        if not isinstance(schedule, Plateau) or schedule.on != "validation":
            continue
        if schedule.patience + 1 >= stops:
            path = f"{rule.path('schedule')}.patience"
            what = (
                f"{path} is {schedule.patience}, and training stops after {stops} epochs without a "
                f"better score: early stopping comes before the plateau can act"
            )
            remedy = f"set {path} below {stops - 1}" if stops > 1 else "remove the schedule"
            late.append((what, f"{remedy}, or raise {rule.path('patience')}"))
    return list(dict.fromkeys(late))


def _faults(rule: Rule) -> Iterator[str]:
    train, schedule = rule.train, rule.train.schedule
    if train.momentum and train.optimiser != "sgd":
        path = rule.path("momentum")
        yield (
            f"{path} ({train.momentum}) is an option of `optimiser: sgd`; found "
            f"{rule.path('optimiser')} {train.optimiser!r}. Set that to sgd, or remove {path}."
        )
    if isinstance(schedule, Cosine | Plateau) and schedule.least >= train.lr:
        path = f"{rule.path('schedule')}.least"
        yield (
            f"{path} ({schedule.least}) is not below {rule.path('lr')} ({train.lr}), so the rate "
            f"cannot fall. Lower {path}."
        )
