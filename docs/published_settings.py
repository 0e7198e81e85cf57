"""Page of the settings of published code next to those of config/experiments."""

from pathlib import Path

import pages

from avfusion.config.load import checked
from avfusion.literature import settings
from avfusion.literature.settings import PublishedSetting

ROOT = Path(__file__).resolve().parents[1]
KINDS = {
    "code": "published code",
    "bytecode": "compiled files in the published repository",
    "log": "a training log in the published repository",
    "paper": "the paper",
    "poster": "the paper's poster",
    "inferred": "our inference; the authors do not state it",
}


def page() -> str:
    """Return the page: totals, then a table per paper."""
    rows, papers = settings.load(ROOT / settings.FILE), {}
    for row in rows:
        papers.setdefault(row.paper, []).append(row)
    missing = {paper: faults(paper, listed) for paper, listed in papers.items()}
    totals = [total(paper, listed, missing[paper]) for paper, listed in papers.items()]
    head = ["study", "equal", "different", "not stated", "not used", "unlisted"]
    parts = [
        pages.NOTE,
        "# Settings of published code\n",
        "Each paper of `config/experiments` has two studies. `<paper>.yaml` compares the fusions",
        "under equal conditions. `<paper>_as_published.yaml` has the settings of the published",
        "code. The tables below list each setting of the second file next to the published one.",
        "The source is `config/published_settings.csv`.\n",
        "A setting is *not stated* if we found no value in the code or the paper; it then has our",
        "value. It is *not used* if it has no effect together with the others. *Unlisted* counts",
        "the settings of a study that have no row or another value than the row says.\n",
        pages.table(head, totals),
        f"\nUnlisted differences: {sum(map(len, missing.values()))}.\n",
    ]
    for paper, listed in papers.items():
        parts.append(f"\n## {paper}\n\n`config/experiments/{paper}{settings.SUFFIX}.yaml`\n")
        head = ["setting", "key", "published", "here", "equal", "source", "remark"]
        parts.append(pages.table(head, [cells(row) for row in listed]))
    parts.append("\n## Kinds of sources\n")
    parts.append(pages.table(["kind", "meaning"], [list(pair) for pair in KINDS.items()]))
    return pages.finished(parts)


def faults(paper: str, rows: list[PublishedSetting]) -> list[str]:
    """Return the settings of a paper's study that its rows leave out or state wrongly."""
    study, _ = checked(ROOT / f"config/experiments/{paper}{settings.SUFFIX}.yaml")
    assert study is not None, paper
    return settings.unlisted(study, rows)


def total(paper: str, rows: list[PublishedSetting], missing: list[str]) -> list[str]:
    """Return the numbers of rows of one paper."""
    verdicts = [row.equal for row in rows]
    kinds = ("yes", "no", settings.NOT_STATED, settings.NOT_USED)
    return [f"[{paper}](#{paper})", *(str(verdicts.count(k)) for k in kinds), str(len(missing))]


def cells(row: PublishedSetting) -> list[str]:
    """Return the cells of one setting."""
    setting = f"{row.setting} (`{row.fusion}`)" if row.fusion else row.setting
    stated = row.published in (settings.NOT_STATED, settings.NOT_USED)
    verdict = "" if stated else row.equal
    source = f"{row.source} ({row.kind})" if row.source else ""
    key = f"`{row.key}`" if row.key else ""
    values = [shown(row, row.published), shown(row, row.ours)]
    return [setting, key, *values, verdict, source, pages.escaped(row.remark)]


def shown(row: PublishedSetting, text: str) -> str:
    """Return a value; those of a key as code."""
    plain = not row.key or text in (settings.NOT_STATED, settings.NOT_USED)
    return pages.escaped(text) if plain else f"`{text}`"
