"""The settings of a finished study, from its results folder or from a config."""

from pathlib import Path

from pydantic import ValidationError

from avfusion.config import job_files
from avfusion.config.load import load
from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.lineage.tables import FILE, read_origins, tables_command


def read_study(layout: Layout, config: Path | None = None) -> Study:
    """Read the settings of a study.

    They are those of the config if one is given, else those that the tables were made with
    (tables/provenance.json), else those that the workflow wrote for the report.

    Parameters
    ----------
    layout
        Paths of the results folder.
    config
        YAML file of the study.

    Raises
    ------
    AvfError
        If the folder or the settings are missing, or were written by another version.
    """
    results = layout.results
    if not results.is_dir():
        raise AvfError(
            f"{results}: no such folder, seen from {Path.cwd()}. Pass the path of the results of a "
            f"study. `make demo` makes results/."
        )
    if config is not None:
        return load(config)
    recorded = layout.tables / FILE
    written = sorted((results / "settings" / "report").glob("study.*.json"))
    if recorded.is_file():
        try:
            return Study.model_validate(read_origins(layout)["study"])
        except ValidationError as error:
            raise AvfError(
                f"{recorded}: the settings of another version of avfusion ({error.error_count()} "
                f"faults). Run `{tables_command(layout)}`, or pass `config`, the study's YAML file."
            ) from None
    if len(written) == 1:
        return job_files.read(Study, written[0])
    names = sorted(path.name for path in results.iterdir())
    below = ", ".join([*names[:8], *["…"] * (len(names) > 8)]) or "nothing"
    several = f"{len(written)} files settings/report/study.*.json, " if written else ""
    raise AvfError(
        f"{results}: the settings of its study are not known: no tables/{FILE}. Found: {several}"
        f"{below}. Run `snakemake all`, which finishes the study, or pass `config`, its YAML file."
    )
