"""Findings about the settings of published code that a study does not have."""

from collections.abc import Iterator
from pathlib import Path

from avfusion.config.study import Study
from avfusion.doctor.finding import Finding
from avfusion.errors import ConfigError
from avfusion.literature import settings

PAGE = "docs/reference/published-settings.md"


def findings(config: Path, study: Study) -> Iterator[Finding]:
    """Yield a warning per setting of the published code that differs, if the study follows one.

    config: the file of the study; only files named `<paper>_as_published.yaml` follow one.
    """
    file = settings.FILE
    paper = config.stem.removesuffix(settings.SUFFIX)
    if paper == config.stem or not file.is_file():
        return
    try:
        rows = [row for row in settings.load(file) if row.paper == paper]
    except ConfigError as error:
        yield Finding("MISSING", "published", str(error), f"edit {file}")
        return
    if not rows:
        text = f"{file} has no row of {paper}, so nothing is compared"
        yield Finding("WARN", "published", text, f"add rows to {file}, or rename {config}")
        return
    for message in settings.unlisted(study, rows):
        remedy = f"correct {config}, or the row in {file}"
        yield Finding("WARN", "published", f"not as listed: {message}", remedy)
    for row in (row for row in rows if row.equal == "no"):
        name = f"{row.fusion}: {row.setting}" if row.fusion else row.setting
        text = f"{name}: published {row.published}, here {row.ours}"
        yield Finding("WARN", "published", text, row.remark or f"see {PAGE}")
    equal = sum(row.equal == "yes" for row in rows)
    unstated = sum(row.equal == "not stated" for row in rows)
    text = f"{equal} settings equal, {unstated} not stated by the authors; {PAGE}"
    yield Finding("OK", "published", f"as listed: {text}")
