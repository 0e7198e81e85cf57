"""Check training settings that remove or ignore what tells people apart."""

from collections.abc import Iterator

from avfusion.config.study import Study
from avfusion.config.training import TrainSettings
from avfusion.config.validate_features import trained_with


def verification(study: Study) -> Iterator[str]:
    """Yield a message per setting that has no place with `task: verification`."""
    names = [name for name in study.corpora if study.task(name) == "verification"]
    usual = TrainSettings().head
    unfit: dict[str, str] = {}
    for name in names:
        for fusion in study.fusions:
            for path, value in trained_with(study, name, fusion, "baseline"):
                if value == "video":
                    unfit[path] = (
                        f"{path}: `video` subtracts what a face and a voice are like at rest, by "
                        f"which `task: verification` (corpora.{name}) tells people apart. Set "
                        f"{path} to `none`."
                    )
            for path, value in trained_with(study, name, fusion, "head"):
                if value != usual:
                    unfit[path] = (
                        f"{path} is not used with `task: verification` (corpora.{name}), which "
                        f"has a head of its own. Remove it."
                    )
    yield from unfit.values()
