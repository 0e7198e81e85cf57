"""Runs that did not train, as remarks next to the fusions of tables, sentences and the page."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.runs.files import did_not_train, predicts

MOST = 6
"""Most runs whose reasons a caveat lists."""


@dataclass(frozen=True)
class Marks:
    """Which runs of a corpus, or of several folds, did not train.

    Attributes
    ----------
    runs
        Fusion -> number of its finished runs.
    reasons
        Fusion -> run ("seed 0", or "fold1 seed 0") -> reasons why it did not train.
    """

    runs: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, corpora: Iterable[str], study: Study, layout: Layout) -> "Marks":
        """Read fit.json of every finished run of some corpora."""
        runs = dict.fromkeys(study.fusions, 0)
        reasons: dict[str, dict[str, list[str]]] = {name: {} for name in study.fusions}
        corpora = list(corpora)
        for corpus in corpora:
            for fusion, seed in ((f, s) for f in study.fusions for s in study.seeds):
                folder = layout.run(corpus, fusion, seed)
                if predicts(folder):
                    runs[fusion] += 1
                    name = f"seed {seed}" if len(corpora) == 1 else f"{corpus} seed {seed}"
                    if why := did_not_train(folder):
                        reasons[fusion][name] = why
        return cls(runs, {name: rows for name, rows in reasons.items() if rows})

    def count(self, fusion: str) -> int:
        """Return the number of runs that did not train."""
        return len(self.reasons.get(fusion, {}))

    def remark(self, fusion: str) -> str:
        """Return "did not train (1 of 3 runs)"; empty if all runs trained.

        >>> Marks({"jca": 3}, {"jca": {"seed 0": ["kept epoch 1 of 11"]}}).remark("jca")
        'did not train (1 of 3 runs)'
        """
        count, runs = self.count(fusion), self.runs.get(fusion, 0)
        return f"did not train ({count} of {runs} run{'s' if runs > 1 else ''})" if count else ""

    def named(self, fusion: str) -> str:
        """Return a fusion with its remark: "jca, which did not train (1 of 3 runs),"."""
        remark = self.remark(fusion)
        return f"{fusion}, which {remark}," if remark else fusion

    def qualified(self, sentence: str, fusions: Iterable[str]) -> str:
        """Add to a sentence about some fusions which of them did not train.

        >>> marks = Marks({"jca": 1}, {"jca": {"seed 0": ["kept epoch 1 of 11"]}})
        >>> marks.qualified("audio beats jca.", ["audio", "jca"])
        'audio beats jca. But jca did not train (1 of 1 run).'
        """
        parts = [f"{name} {self.remark(name)}" for name in fusions if self.remark(name)]
        return f"{sentence} But {' and '.join(parts)}." if parts else sentence

    def caveats(self) -> list[str]:
        """Return a caveat that lists the runs that did not train, with their reasons."""
        listed = [
            f"{fusion} {run} ({'; '.join(why)})"
            for fusion, rows in self.reasons.items()
            for run, why in rows.items()
        ]
        if not listed:
            return []
        more = f" and {len(listed) - MOST} more (fit.json of each run)"
        shown = ", ".join(listed[:MOST]) + (more if len(listed) > MOST else "")
        runs = "1 run" if len(listed) == 1 else f"{len(listed)} runs"
        return [
            f"{runs} did not train: {shown}. A difference to these fusions may come from their "
            f"training and not from the fusion."
        ]

    def of_pairs(self, pairs: pd.DataFrame) -> pd.DataFrame:
        """Add to comparisons the column `did_not_train`, and remarks to their verdicts."""
        if not len(pairs):
            return pairs
        each = list(zip(pairs["fusion"], pairs["other"], pairs["verdict"], strict=True))
        names = [
            [name for name in (first, second) if self.count(name)] for first, second, _ in each
        ]
        verdicts = [self.qualified(text, (first, second)) for first, second, text in each]
        return pairs.assign(verdict=verdicts, did_not_train=[" ".join(row) for row in names])
