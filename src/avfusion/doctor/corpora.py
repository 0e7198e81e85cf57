"""What `avf doctor` says of a study's corpora: which lie here, which are made, which are absent."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from avfusion.config.availability import absences, holds_files, not_here
from avfusion.layout import Layout

if TYPE_CHECKING:
    from avfusion.config.study import Study


def findings(study: "Study", config: Path) -> Iterator[tuple[str, ...]]:
    """(verdict, what, found, mend), entries of one absent folder in one line."""
    own, layout = study.model_dump(), Layout(Path(study.results))
    away = not_here(own, layout)
    which = "" if config == Path("config/config.yaml") else f" --config {config}"
    for name in (name for name in study.corpora if name not in away):
        root = Path(study.corpora[name].root)
        if holds_files(root):
            said = f"at {root}; check it: avf verify {name}{which}"
        elif layout.manifest(name).is_file():
            said = f"verified here before; nothing at {root} now"
        else:
            said = f"not made yet; the study makes it at {root}"
        yield "OK", "corpus", f"{name}: {said}"
    for gone in absences(away, own, layout):
        first = gone.names[0]
        if study.corpora[first].if_present:
            yield "OK", "corpus", f"{gone.title}: {gone.why}, left out; tables say not run"
        else:
            mend = f"unpack it at {study.corpora[first].root}, or set corpora.{first}.root in "
            yield "MISSING", "corpus", f"{gone.title}: {gone.why}", f"{mend}{config}"
