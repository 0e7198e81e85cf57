"""Findings about the corpora of a study: present, generated or missing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from avfusion.config.availability import absences, holds_files, not_here
from avfusion.config.study import Study
from avfusion.corpora.base import build
from avfusion.doctor.finding import Finding
from avfusion.errors import ConfigError
from avfusion.layout import Layout
from avfusion.registry import corpora


def findings(study: Study, config: Path) -> Iterator[Finding]:
    """Yield a finding per corpus; entries that share a missing folder are one finding.

    config: the file of the study, for the commands in the findings.
    """
    layout = Layout(Path(study.results))
    missing = not_here(study, layout)
    option = "" if config == Path("config/config.yaml") else f" --config {config}"
    for name in study.corpora:
        try:
            build(name, study.corpus_settings(name))
        except ConfigError as error:  # such as an edition that does not exist
            remedy = f"correct corpora.{name}.options in {config}"
            yield Finding("FAIL", "corpus", f"{name}: {error}", remedy)
    for name in (name for name in study.corpora if name not in missing):
        root = Path(study.corpora[name].root)
        if holds_files(root):
            text = f"at {root}; check it: avf verify {name}{option}"
        elif layout.manifest(name).is_file():
            text = f"verified here before; nothing at {root} now"
        elif study.corpora[name].download:
            text = f"not downloaded yet; the study downloads it to {root} (`avf obtain {name}`)"
        else:
            text = f"not generated yet; the study generates it at {root}"
        yield Finding("OK", "corpus", f"{name}: {text}")
    for absence in absences(missing, study, layout):
        first = absence.names[0]
        text = f"{absence.title}: {absence.why}"
        if study.corpora[first].if_present:
            licensed = corpora.constant(study.corpus_class(first), "licensed")
            verdict: Literal["OK", "WARN"] = "OK" if licensed is False else "WARN"
            remedy = f"avf obtain {first}" if verdict == "WARN" else ""
            yield Finding(verdict, "corpus", f"{text}, left out; tables say not run", remedy)
        else:
            root_key = f"corpora.{first}.root"
            remedy = f"unpack it at {study.corpora[first].root}, or set {root_key} in {config}"
            yield Finding("MISSING", "corpus", text, remedy)
