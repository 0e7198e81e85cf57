"""What a training run takes: it follows fusion, options, widths, windows, epochs and batch.

    seconds of a window = base_s (D / 64)^p (T / 16)^q

base_s, p and q come from training steps of the class at D, T = 64, 16; 512, 16 and 64, 64. All are
multiplied by `free`, because the machine was shared when they were measured. A prediction takes a
third of a step. A run that stops early takes less.
"""

import math
from typing import NamedTuple

from avfusion.config.study import Study
from avfusion.config.widths import literals, width
from avfusion.errors import AvfError
from avfusion.planning import rates
from avfusion.planning.sizes import Size
from avfusion.registry import fusions

USUAL_WIDTH = 512
"""Width of an encoder that is known only when its files are read."""
FORWARD = 1 / 3
"""Share of a training step that a prediction takes."""
REPEATS = ("recursions", "stages", "layers", "depth")
"""Options that say how often a fusion applies a part of itself."""
FEATURE_BYTES, BASELINE_BYTES, MB = 2, 4, 1e6
"""Bytes of a feature as stored, and after the mean of its video was subtracted."""
COPIES = 2
"""Copies of all features: those of each video, while they are joined (`windows.join`)."""
CLOSED_FORM_PER_S = 2e10
"""Operations per second behind the products of a solution in closed form."""


class Run(NamedTuple):
    """What one training run takes."""

    seconds: float
    mb: float
    measured: bool


def run_of(study: Study, corpus: str, fusion: str, size: Size) -> Run:
    """Return what one run of a fusion takes on one core.

    Parameters
    ----------
    study
        The study.
    corpus, fusion
        Names of entries.
    size
        What the corpus holds; its length must be known.
    """
    cuts, train = study.windows, study.train_rule(fusion, corpus)
    steps = max(round(cuts.clip_s / cuts.hop_s), 1)
    windows = size.windows(cuts.clips, cuts.advance, steps, cuts.hop_s)
    rows, widths = size.rows(cuts.hop_s), widths_of(study, fusion)
    value_bytes = BASELINE_BYTES if train.baseline == "video" else FEATURE_BYTES
    held_mb = COPIES * rows * sum(widths) * value_bytes / MB
    base_mb, base_s = rates.memory_mb("train"), rates.per_unit_s("train")
    if study.closed_form(fusion):
        solve_s = 2 * rows * sum(widths) ** 2 / CLOSED_FORM_PER_S
        return Run(base_s + solve_s, base_mb + held_mb, True)
    step_s, step_mb, measured = step_of(study, fusion, sum(widths) / len(widths), cuts.clips)
    epoch = windows * (size.share("train") + FORWARD * size.share("validation"))
    models = 2 if train.targets == "separate" else 1
    seconds = models * (train.epochs * epoch + FORWARD * windows) * step_s
    return Run(base_s + seconds, base_mb + held_mb + step_mb * train.batch, measured)


def step_of(study: Study, fusion: str, wide: float, clips: int) -> tuple[float, float, bool]:
    """Return seconds and MB per window of a training step, and whether the class was measured.

    wide: mean width of the modalities.
    """
    kind, options = study.fusion_class(fusion), study.fusion_options(fusion)
    step, measured = rates.fusion(kind)
    shapes = rates.rates()["shapes"]
    (base_d, base_t), (wide_d, _), (_, long_t) = (shapes[n] for n in ("base", "wide", "long"))
    in_width = math.log(step["wide_s"] / step["base_s"]) / math.log(wide_d / base_d)
    in_time = math.log(step["long_s"] / step["base_s"]) / math.log(long_t / base_t)
    seconds = step["base_s"] * (wide / base_d) ** max(in_width, 0.0)
    seconds *= (clips / base_t) ** max(in_time, 0.0)
    mb = step["wide_mb"] / rates.rates()["batch"] * max(wide / wide_d, 1) * max(clips / base_t, 1)
    slower = rates.rates()["portable"] if study.arithmetic == "portable" else 1.0
    seconds *= rates.rates()["free"] * slower
    factor = repeats(kind, options)
    if isinstance(options.get("wraps"), str):
        inner = study.model_copy(update={"fusions": {"inner": {"is": options["wraps"]}}})
        more_s, more_mb, known = step_of(inner, "inner", wide, clips)
        seconds, mb, measured = seconds + more_s, mb + more_mb, measured and known
    return factor * seconds, factor * mb, measured


def repeats(kind: str, options: dict[str, object]) -> float:
    """Return how many times more often than by default a fusion applies a part of itself."""
    defaults = literals(fusions.options(kind)) if fusions.known(kind) else {}
    factor = 1.0
    for name in REPEATS:
        given, usual = options.get(name), defaults.get(name)
        if isinstance(given, int) and isinstance(usual, int) and given > usual > 0:
            factor *= given / usual
    return factor


def widths_of(study: Study, fusion: str) -> list[int]:
    """Return the width of each modality that a fusion reads."""
    names = study.run_features(fusion).by_modality.values()
    return [sum(width_of(study, name) for name in encoders) for encoders in names]


def width_of(study: Study, encoder: str) -> int:
    """Return the width of an encoder; `USUAL_WIDTH` if only its files tell it."""
    try:
        return width(study, encoder) or USUAL_WIDTH
    except (AvfError, OSError):  # the job itself says what is wrong with its files
        return USUAL_WIDTH
