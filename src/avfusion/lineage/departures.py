"""Find the first stage at which results differ from recorded digests."""

from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.lineage import digests
from avfusion.lineage.digests import FILE, Digests

_LISTED = 3


def compared(recorded: Digests, study: Study, layout: Layout) -> tuple[dict[str, bool], str]:
    """Compare finished results with recorded digests.

    Returns
    -------
    equal : dict
        Stage -> whether its numbers are the recorded ones, in the order of the pipeline; empty if
        the digests are of other settings.
    sentence : str
        The first stage that differs, and by how much the scores differ.

    Raises
    ------
    AvfError
        If a result is missing.
    """
    settings = digests.changed(recorded["settings"], study)
    if settings:
        more = f" and {len(settings) - _LISTED} more" if len(settings) > _LISTED else ""
        listed = ", ".join(settings[:_LISTED]) + more
        return {}, f"{FILE} is of other settings ({listed}), so nothing was compared"
    now = digests.stages(study, layout)
    equal = {stage: now.get(stage) == digest for stage, digest in recorded["stages"].items()}
    if all(equal.values()):
        return equal, f"all {len(equal)} stages equal those of {FILE}"
    first = next(stage for stage, same in equal.items() if not same)
    gap = _difference(recorded, study, layout)
    text = f"the first stage that differs from {FILE} is {first}; {gap}"
    if other := _other_code(recorded, study, first):
        text += f"; the digests are of other code (that of {other}), which may be the cause"
    return equal, text


def _other_code(recorded: Digests, study: Study, last: str) -> str:
    """Return the first stage, up to `last`, whose code is not the recorded one; "" if none is."""
    now = digests.code(study)
    for stage in recorded["stages"]:
        if now.get(stage) != recorded["code"].get(stage):
            return stage
        if stage == last:
            break
    return ""


def _difference(recorded: Digests, study: Study, layout: Layout) -> str:
    """Say how much the mean scores of fusions differ."""
    now = digests.scores(study, layout)
    gaps = {
        (fusion, target): abs(value - now[fusion][target])
        for fusion, targets in recorded["scores"].items()
        for target, value in targets.items()
        if target in now.get(fusion, {})
    }
    if not gaps:
        return "no scores can be compared"
    (fusion, target), gap = max(gaps.items(), key=lambda item: item[1])
    return f"test scores differ by at most {gap:.4f} CCC ({fusion}, {target})"
