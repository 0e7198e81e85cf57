"""Registry of figures: what each is called, which study has it and where the page shows it.

A new figure takes a file with its function and one entry here. The figures command, the page and
the workflow read this tuple. Nothing heavy is imported, because Snakemake reads it too.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from avfusion.config.sections import Task
from avfusion.config.study import Study
from avfusion.errors import ConfigError

PACKAGE = "avfusion.report.figures"


@dataclass(frozen=True)
class FigureSpec:
    """One kind of figure, drawn per corpus as `results/figures/{corpus}_{name}.svg` and `.png`.

    Parameters
    ----------
    name
        Kind of the figure and part of its file name.
    draw
        `"module:function"` below `avfusion.report.figures`. The function takes `CorpusFiles` and
        returns a figure and its caption, or None without data. With `copies` it takes their number
        too and yields such pairs. With `per_fusion` it yields (fusion, figure, caption). With
        `narrow` it takes `narrow=True` for the form with stacked panels.
    section
        Section of the page that shows the figure: scores, recalls, comparisons, protocols,
        robustness, gates, predictions or training.
    title, caption
        Words of Snakemake's report.
    tasks
        Tasks whose corpora have the figure.
    robustness
        Whether only a study with `robustness` has the figure.
    copies
        Number of numbered figures `{name}_1`, `{name}_2`, ...; 0 is one figure without a number.
    per_fusion
        Whether each fusion with data has its own figure `{name}_{fusion}`. Their number is known
        only after the runs, so the workflow does not list them.
    narrow
        Whether the page also has a form for phones, `{name}_narrow.svg`. The workflow does not list
        these either.
    of_videos
        Whether it shows ratings and predictions of single videos, which the terms of most corpora
        do not let you hand on.
    """

    name: str
    draw: str
    section: str
    title: str
    caption: str
    tasks: tuple[Task, ...] = ("ratings", "classes")
    robustness: bool = False
    copies: int = 0
    per_fusion: bool = False
    narrow: bool = False
    of_videos: bool = False

    @property
    def names(self) -> list[str]:
        """Names of the files of one corpus that are known before the runs."""
        if self.per_fusion:
            return []
        numbers = range(1, self.copies + 1)
        return [f"{self.name}_{number}" for number in numbers] if self.copies else [self.name]

    def function(self) -> Callable[..., Any]:
        """Return the function that draws the figure, imported on first use."""
        module, _, name = self.draw.partition(":")
        function: Callable[..., Any] = getattr(import_module(f"{PACKAGE}.{module}"), name)
        return function


FIGURES = (
    FigureSpec(
        "ccc",
        "ccc:draw_ccc",
        "scores",
        "Scores by fusion",
        "Mean CCC over training runs with its interval over videos (UA for classes). Small points "
        "are single runs. A fusion without a finished run reads “not run”.",
        narrow=True,
    ),
    FigureSpec(
        "differences",
        "ccc:draw_differences",
        "comparisons",
        "Differences to the best fusion",
        "The best fusion minus every other one, on the same resampled videos. A filled marker is a "
        "significant difference after Holm's correction within its family, with an interval that "
        "excludes zero. A hollow marker is not significant, which does not prove equality.",
        narrow=True,
    ),
    FigureSpec(
        "protocols",
        "protocols:draw_protocols",
        "protocols",
        "Scores under each protocol",
        "The same predictions scored under each named protocol, as mean CCC and as rank. Scores "
        "under different protocols are not comparable.",
        tasks=("ratings",),
        narrow=True,
    ),
    FigureSpec(
        "confusion",
        "confusion:draw_confusion",
        "recalls",
        "Confusion matrix",
        "Percentage of the videos of each true class (row) by predicted class (column), mean over "
        "runs, for the best fusions. The diagonal holds the recalls; their mean is UA.",
        tasks=("classes",),
    ),
    FigureSpec(
        "human_gain",
        "human_gain:draw_human_gain",
        "recalls",
        "Fusion gain of models and raters",
        "Score with sound and picture minus the better score of one of them, for human raters and "
        "for the fusion with the highest UA, with intervals over actors and trainings. Only "
        "corpora with human votes have it.",
        tasks=("classes",),
        per_fusion=True,
    ),
    FigureSpec(
        "curves",
        "training_curves:draw_curves",
        "training",
        "Training curves",
        "Training loss and validation score by epoch, one line per run. The marker is the epoch "
        "whose weights were kept, chosen on validation.",
        narrow=True,
    ),
    FigureSpec(
        "traces",
        "traces:draw_traces",
        "predictions",
        "Predictions over time",
        "Predictions against the gold standard for the videos with the highest, the median and the "
        "lowest CCC of the best fusion. The gold standard is shifted back by the annotation delay.",
        tasks=("ratings",),
        copies=3,
        narrow=True,
        of_videos=True,
    ),
    FigureSpec(
        "robust",
        "robustness:draw_robust",
        "robustness",
        "Scores on corrupted input",
        "CCC as one modality is corrupted at test time, with the same draw for every run. The "
        "band is the interval over videos.",
        tasks=("ratings",),
        robustness=True,
        narrow=True,
    ),
    FigureSpec(
        "gates",
        "gates:draw_gate_auroc",
        "gates",
        "Gates in planted spans",
        "Probability that a gate's weight is larger in a clip of a planted span than in a clean "
        "clip (AUROC; 0.5 is no response).",
        tasks=("ratings",),
        robustness=True,
    ),
    FigureSpec(
        "gates",
        "over_time:draw_over_time",
        "gates",
        "Gates and attention over time",
        "Gates and attention of one fusion on one video, above its predictions.",
        tasks=("ratings",),
        robustness=True,
        per_fusion=True,
        of_videos=True,
    ),
)
"""All figures, in the order in which they are drawn."""


def specs_of(study: Study, corpus: str) -> list[FigureSpec]:
    """Return the figures that a corpus of the study has."""
    task = study.task(corpus)
    return [
        spec for spec in FIGURES if task in spec.tasks and (study.robustness or not spec.robustness)
    ]


def figures_of(study: Study, corpus: str) -> list[str]:
    """Return the names of a corpus' figures, such as `"ccc"` and `"traces_1"`."""
    return [name for spec in specs_of(study, corpus) for name in spec.names]


def check_files(study: Study, corpora: Iterable[str]) -> None:
    """Check that no two figures of a study have the same file.

    Names of corpora and fusions are parts of it. Of the corpora `a` and `a_gates` with a fusion
    called `ccc`, gates of the first and scores of the second would both be `a_gates_ccc.svg`.

    Raises
    ------
    ConfigError
        If two figures would have the same file.
    """
    owners: dict[str, str] = {}
    for corpus in corpora:
        for spec in specs_of(study, corpus):
            names = [f"{spec.name}_{f}" for f in study.fusions] if spec.per_fusion else spec.names
            forms = [*names, *(f"{name}_narrow" for name in names if spec.narrow)]
            for stem in (f"{corpus}_{name}" for name in forms):
                shown = f"`{spec.title}` of {corpus}"
                if owners.setdefault(stem, shown) != shown:
                    raise ConfigError(
                        f"figures/{stem}.svg would be both {owners[stem]} and {shown}, because "
                        f"names of corpora and fusions are parts of the file names. Rename the "
                        f"corpus or the fusion in the config."
                    )


def title(name: str) -> str:
    """Return the title of a figure by its name.

    >>> title("ccc"), title("traces_2")
    ('Scores by fusion', 'Predictions over time 2')
    """
    spec = next(spec for spec in FIGURES if name in spec.names)
    return f"{spec.title} {name.rpartition('_')[2]}" if spec.copies else spec.title


def captions() -> dict[str, str]:
    """Return title -> caption of the figures that the workflow lists."""
    return {spec.title: spec.caption for spec in FIGURES if not spec.per_fusion}


def section(kind: str) -> str:
    """Return the section of the page that shows figures of this kind."""
    return next(spec.section for spec in FIGURES if spec.name == kind)


def shows_videos(corpus: str, kind: str, stem: str) -> bool:
    """Return whether a figure shows single videos.

    >>> shows_videos("demo", "traces", "demo_traces_1"), shows_videos("demo", "gates", "demo_gates")
    (True, False)
    """
    numbered = stem.startswith(f"{corpus}_{kind}_")
    return any(spec.of_videos and spec.name == kind and numbered for spec in FIGURES)


def code() -> list[str]:
    """Return the functions that draw, for `fingerprint`."""
    return sorted({f"{PACKAGE}.{spec.draw}" for spec in FIGURES})
