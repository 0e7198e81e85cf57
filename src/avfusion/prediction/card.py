"""card.md of a bundle: what it is for, how good it is, and what limits it."""

from avfusion.prediction.document import Document, Score, coverage_text
from avfusion.registry import fusions

USE = (
    "Valence and arousal over time of one person who is seen and heard, as raters of the corpus "
    "would rate them. For research and for trying methods."
)
NOT_FOR = (
    "Decisions about people, such as in hiring, health, education or law. Ratings describe what "
    "others perceive and not what a person feels."
)


def card(document: Document) -> str:
    """Return the card in Markdown."""
    corpus = document.corpus
    may = "may be handed on" if document.shareable else "must not be handed on"
    lines = [
        f"# {corpus.name}: {document.fusion}, {len(document.members)} members",
        "",
        f"This bundle {may}. {corpus.sharing}",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in _about(document).items()),
        "",
        "## Intended use",
        "",
        f"{USE} Not for: {NOT_FOR[0].lower()}{NOT_FOR[1:]}",
        "",
        "## Scores",
        "",
        "Concordance correlation coefficient (CCC) of the mean over members, with an interval over "
        "people.",
        "",
        *_scores(document),
        "",
        "## Intervals",
        "",
        *intervals(document),
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in limits(document)),
        "",
        "## Licences",
        "",
        f"- Corpus: {corpus.licence}",
        f"- Weights: {corpus.sharing}",
        "- Code: avfusion, MIT.",
        *_foreign(document),
    ]
    return "\n".join(lines) + "\n"


def _about(document: Document) -> dict[str, str]:
    low, high = document.range
    windows = document.windows
    listed = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in document.features.items())
    return {
        "predicts": f"{', '.join(document.targets)}, each from {low:g} to {high:g}",
        "fusion": f"`{document.class_}`: {_title(document.class_)}",
        "step": f"every {windows.hop_s:g} s, from clips of {windows.clip_s:g} s in windows of "
        f"{windows.clips}",
        "encoders": listed,
        "arithmetic": document.arithmetic,
        "needs the complete clip": "; ".join(document.needs_all) or "no",
        "made by": f"avfusion {document.made_by}",
    }


def _scores(document: Document) -> list[str]:
    names = list(document.scores[0].ccc) if document.scores else []
    lines = [f"| partition | {' | '.join(names)} |", "|" + "---|" * (len(names) + 1)]
    return lines + [
        f"| {score.partition} | {' | '.join(_cell(score, name) for name in names)} |"
        for score in document.scores
    ]


def _cell(score: Score, name: str) -> str:
    ends = f" [{score.low[name]:.3f}, {score.high[name]:.3f}]" if name in score.low else ""
    return f"{score.ccc[name]:.3f}{ends}"


def intervals(document: Document) -> list[str]:
    """Return what the intervals mean and how often they held, in sentences."""
    calibration = document.calibration
    level = f"{100 * calibration.level:g} %"
    lines = [
        f"`low` and `high` are meant to hold the rating in {level} of the time. They come from the "
        f"spread of the members and were calibrated on {calibration.people} validation people, on "
        f"whom epochs were chosen too. The coverage on test people is the number to trust."
    ]
    coverage = calibration.coverage
    if coverage is None:
        return [*lines, "Their coverage was not measured: there is no test gold."]
    return [*lines, coverage_text(**coverage.model_dump())]


def score_text(document: Document) -> str:
    """Return what the test CCC is and its values, or "" without test gold."""
    test = next((score for score in document.scores if score.partition == "test"), None)
    if test is None:
        return ""
    measured = document.calibration.coverage
    people = "test people" if measured is None else f"{measured.people} test people"
    values = ", ".join(f"{key} {value:.3f}" for key, value in test.ccc.items())
    return f"CCC of the mean of its {len(document.members)} members on {people}: {values}"


def limits(document: Document) -> list[str]:
    """Return what limits the bundle, a sentence or two each."""
    corpus = document.corpus
    lines = [
        f"Trained on one corpus ({corpus.name}). Other languages, cultures, ages, cameras and "
        f"situations may give other errors, which are not measured.",
        "`unlike_training` above 1 says that features are far from those of training; below 1 is "
        "no guarantee.",
        "Intervals hold on average over people like those of the corpus, not for each person.",
    ]
    if corpus.generated:
        lines.insert(0, "Trained on generated clips: it knows nothing about real people.")
    return lines


def _foreign(document: Document) -> list[str]:
    """Return a line per encoder whose weights the user must supply."""
    lines = []
    for name, entry in document.encoders.items():
        sha256 = entry.settings.options.get("sha256")
        if sha256 and entry.weights is None:
            licence = entry.settings.options.get("licence", "not stated")
            lines.append(
                f"- `{name}`: weights are not part of the bundle. Supply the file with SHA-256 "
                f"`{sha256}` by `--weights {name}=FILE`; its licence: {licence}"
            )
    return lines


def _title(kind: str) -> str:
    return fusions.docstrings(kind)[1].split("\n\n")[0].replace("\n", " ").rstrip(".")
