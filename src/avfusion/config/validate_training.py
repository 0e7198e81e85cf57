"""Check training settings that must fit together, in each run with its overrides and grid."""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import ValidationError

from avfusion.config.grid import points
from avfusion.config.schedules import Cosine, Exponential, Plateau, Schedule, Step
from avfusion.config.study import Study
from avfusion.config.training import TrainSettings
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


def late_schedules(study: Study) -> list[tuple[str, str]]:
    """Return (what, remedy) of each schedule whose first change comes after the last epoch."""
    late = []
    for rule in rules(study):
        schedule, epochs = rule.train.schedule, rule.train.epochs
        warm = schedule.warmup.epochs if schedule.warmup else 0
        path = rule.path("schedule")
        if warm >= epochs:
            what = f"{path}.warmup lasts {warm} epochs, and training ends after {epochs}"
            late.append((what, f"lower {path}.warmup.epochs, or raise {rule.path('epochs')}"))
        elif warm + _first_change(schedule) >= epochs:
            what = (
                f"{path} ({schedule.is_}) can change the rate from epoch "
                f"{warm + _first_change(schedule)} on, and the last epoch is {epochs - 1}"
            )
            late.append((what, f"let {path} begin earlier, or raise {rule.path('epochs')}"))
    return list(dict.fromkeys(late))


def without_effect(study: Study) -> list[tuple[str, str]]:
    """Return (what, remedy) of each training setting that another one makes useless."""
    plain, pairs = TrainSettings(), []
    for rule in rules(study):
        train, select = rule.train, rule.train.select
        if train.limit != plain.limit and train.standardise != "robust":
            other = f"{rule.path('standardise')}: {train.standardise}"
            pairs.append((f"{rule.path('limit')}: {train.limit}", other))
        if select.share != plain.select.share and select.on == "validation":
            path = rule.path("select")
            pairs.append((f"{path}.share: {select.share}", f"{path}.on: {select.on}"))
        for key in ("hidden", "dropout"):
            value = getattr(train, key)
            if value != getattr(plain, key) and train.head not in ("regressor", "separate"):
                pairs.append((f"{rule.path(key)}: {value}", f"{rule.path('head')}: {train.head}"))
    return [
        (f"{what} has no effect with {other}", "change one of them")
        for what, other in dict.fromkeys(pairs)
    ]


def _first_change(schedule: Schedule) -> int:
    """Return the first epoch, warm-up not counted, whose rate can be another than the first's."""
    if isinstance(schedule, Step):
        return schedule.after + (schedule.every if schedule.lr is None else 1)
    if isinstance(schedule, Plateau):
        return schedule.patience + 2  # the first epoch is the best so far, then patience + 1
    return schedule.after + 1 if isinstance(schedule, Exponential) else 0


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
