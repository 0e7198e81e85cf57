"""The results of a finished study as data frames."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.api.predicted import predictions
from avfusion.api.saved import read_study
from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.evaluation import difference, estimates
from avfusion.evaluation.difference import Difference
from avfusion.evaluation.headline import Headline, read_headline
from avfusion.evaluation.scored import read_rules, read_scored, read_scores
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN
from avfusion.registry import near
from avfusion.report.marks import Marks


def load_study(
    results: str | PathLike[str] = "results", config: str | PathLike[str] | None = None
) -> "StudyResults":
    """Read a finished study.

    Parameters
    ----------
    results
        Results folder of the study. `make demo` makes `results`.
    config
        YAML file of the study, by default the settings that its results hold. A config that was
        changed after the study gives other numbers than its report.

    Returns
    -------
    StudyResults
        Scores, comparisons and predictions.

    Raises
    ------
    AvfError
        If the folder or the settings are missing, or no corpus is scored.
    """
    layout = Layout(Path(results))
    return StudyResults(read_study(layout, None if config is None else Path(config)), layout)


class StudyResults:
    """Scores, comparisons and predictions of a finished study.

    Estimates are computed from the stored sums of the runs, with the functions and settings of the
    report, so they are its numbers. A corpus is read when it is first asked for, and kept.

    Parameters
    ----------
    study
        Settings of the study.
    layout
        Paths of the results folder.

    Raises
    ------
    AvfError
        If no corpus of the study is scored.
    """

    def __init__(self, study: Study, layout: Layout) -> None:
        self.study, self.layout = study, layout
        self._headlines: dict[str, Headline] = {}
        if not self.corpora:
            path = layout.scores(next(iter(study.corpora))) / "scores.parquet"
            raise AvfError(
                f"{layout.results}: no corpus is scored, such as by {path}. Corpora of the study: "
                f"{', '.join(study.corpora)}. Run: snakemake all"
            )

    def __repr__(self) -> str:
        fusions = ", ".join(self.fusions)
        return f"<study in {self.layout.results}: {', '.join(self.corpora)}; fusions {fusions}>"

    @property
    def corpora(self) -> list[str]:
        """Corpora of the study that are scored."""
        return [
            name
            for name in self.study.corpora
            if (self.layout.scores(name) / "scores.parquet").is_file()
        ]

    @property
    def fusions(self) -> list[str]:
        """Fusions of the study, in its order."""
        return list(self.study.fusions)

    def scores(self) -> pd.DataFrame:
        """Return the score of every run.

        Returns
        -------
        DataFrame
            `corpus, fusion, seed, partition, protocol, target, ccc, mae, rmse, frames, videos,
            missing, note`: a row per run, protocol, partition and target, and one for the mean over
            targets. `ccc` is NaN if `note` states why; `mae` and `rmse` are in the unit of the
            corpus. Where classes are predicted, `recall` replaces the three.
        """
        tables = [read_scores(name, self.layout) for name in self.corpora]
        return pd.concat(tables, ignore_index=True)

    def estimates(self, protocol: str | None = None) -> pd.DataFrame:
        """Return the score of each fusion over its trainings, with its interval.

        Parameters
        ----------
        protocol
            A protocol of the study, by default its headline protocol.

        Returns
        -------
        DataFrame
            As tables/scores.csv: a row per corpus, fusion and target, best mean first. `mean` and
            `sd` are over trainings, `low` and `high` the interval over people and trainings.

        Raises
        ------
        AvfError
            If the study has no such protocol.
        """
        tables = []
        for corpus in self.corpora:
            study = self.study.scoped(corpus)
            head = self._headline(corpus)
            name = study.headline if protocol is None else protocol
            if name == study.headline:
                tables.append(head.scores)
                continue
            rules = {rule.name: rule for rule in read_rules(corpus, study, self.layout)}
            rule = rules[_known("protocol", name, list(rules))]
            part = head.scored.partition
            tables.append(
                estimates.estimates(read_scored(corpus, study, self.layout, rule, part), study)
            )
        return pd.concat(tables, ignore_index=True)

    def comparisons(self) -> pd.DataFrame:
        """Return all comparisons under the headline protocol, as tables/comparisons.csv.

        Returns
        -------
        DataFrame
            A row per corpus, family, target and pair of fusions. The declared family `baselines`
            comes first, then `pairs` and `references`, which are exploratory. Holm's correction
            (`p_holm`) is within a family and target. `difference` is the score of `fusion` minus
            that of `other`.
        """
        tables = []
        for corpus in self.corpora:
            marks = self._marks(corpus)
            tables += [marks.of_pairs(table) for table in self._headline(corpus).compared()]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def compare(self, a: str, b: str, corpus: str | None = None, target: str = MEAN) -> Difference:
        """Compare two fusions as the report does, under the headline protocol.

        Parameters
        ----------
        a, b
            Names of fusions, or one of the rows `average`, `best_single`, `stack` and `oracle`.
        corpus
            Name of the corpus; needed if several are scored.
        target
            Target, or `mean` over targets.

        Returns
        -------
        Difference
            a minus b. If the comparison was declared, it is of that family (`baselines`), else of
            all pairs, which is exploratory. Printed, it is a sentence.

        Raises
        ------
        AvfError
            If the corpus, target or a fusion is unknown, or the two are not compared.

        Notes
        -----
        The first comparison of a study takes some seconds, because Holm's correction needs p of the
        whole family. Others follow at once.
        """
        name = self._one(corpus)
        head, study = self._headline(name), self.study.scoped(name)
        scored = head.scored
        for fusion in (a, b):
            _known("fusion", fusion, scored.fusions(study))
        _known("target", target, list(scored.targets))
        how = estimates.decision(scored, study.statistics)
        one = difference.between(head.compared(), (a, b), target, how, scored.unit_word)
        if one is None:
            raise AvfError(
                f"{name}: {a} and {b} are not compared. The report compares fusions with each "
                f"other and with the references; `comparisons()` lists all pairs."
            )
        marks = self._marks(name)
        marked = [fusion for fusion in (one.a, one.b) if marks.count(fusion)]
        return replace(one, sentence=marks.qualified(one.sentence, marked))

    def traces(
        self,
        corpus: str | None = None,
        fusion: str | Sequence[str] | None = None,
        seed: int | Sequence[int] | None = None,
        partition: str | None = "test",
        gold: bool = True,
    ) -> pd.DataFrame:
        """Return predictions over time, at the ends of clips.

        Parameters
        ----------
        corpus
            Name of the corpus; needed if several are scored.
        fusion, seed
            One or several, by default all of the study. A warning names runs without predictions.
        partition
            `train`, `validation` or `test`; None for all.
        gold
            Whether to add the gold, which reads the labels of the partition.

        Returns
        -------
        DataFrame
            `corpus, fusion, seed, partition, video, time_s`, `predicted_<target>` and
            `gold_<target>` of each target, in the unit of the corpus. `time_s` is the time of what
            is seen and heard, in seconds. Gold is that of `time_s` plus the annotation delay,
            linear between two ratings, and NaN where unrated. Predictions are NaN in a video
            without any input that the fusion reads.

        Raises
        ------
        AvfError
            If a name is unknown, no run has predictions, or the corpus has classes.
        """
        name = self._one(corpus)
        if self.study.task(name) == "classes":
            raise AvfError(
                f"{name}: predicts one class per video, so it has no traces. Read "
                f"{self.layout.run(name, self.fusions[0], self.study.seeds[0])}/classes.parquet."
            )
        fusions = self.fusions if fusion is None else np.atleast_1d(fusion).tolist()
        seeds = self.study.seeds if seed is None else np.atleast_1d(seed).tolist()
        for one in fusions:
            _known("fusion", one, self.fusions)
        for number in seeds:
            _known("seed", str(number), [str(known) for known in self.study.seeds])
        if partition is not None:
            _known("partition", partition, ["train", "validation", "test"])
        runs = [(one, number) for one in fusions for number in seeds]
        return predictions(name, runs, self.layout, partition, gold)

    def _headline(self, corpus: str) -> Headline:
        if corpus not in self._headlines:
            study = self.study.scoped(corpus)
            self._headlines[corpus] = read_headline(corpus, study, self.layout)
        return self._headlines[corpus]

    def _marks(self, corpus: str) -> Marks:
        return Marks.read([corpus], self.study, self.layout)

    def _one(self, corpus: str | None) -> str:
        """Return the corpus that is named, or the only one."""
        if corpus is None and len(self.corpora) == 1:
            return self.corpora[0]
        if corpus is None:
            raise AvfError(f"Several corpora are scored. Pass `corpus`: {', '.join(self.corpora)}.")
        if corpus in self.study.corpora and corpus not in self.corpora:
            raise AvfError(
                f"{corpus}: not scored in {self.layout.results}. Run: avf score {corpus}"
            )
        return _known("corpus", corpus, self.corpora)


def _known(kind: str, name: str, names: list[str]) -> str:
    """Return a name of the study; raise AvfError if it has none of this kind."""
    if name in names:
        return name
    raise AvfError(
        f"The study has no {kind} {name!r}.{near(name, names)} It has: {', '.join(names)}."
    )
