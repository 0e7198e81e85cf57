"""One study's records of one corpus in an MLflow store: each whole, or replaced.

A record is whole once it has its `key`, which is written last. One with the key that is asked for
is left as it is; one without, cut short by a kill, goes. What was trained otherwise stays, marked
`current` False, so that two trainings can be compared.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from avfusion.layout import Layout

log = logging.getLogger(__name__)


Tags = dict[str, str]


PARAMS, METRICS = 100, 800  # MLflow's limits for one call: 100, and 1000 in all


class Store:
    """The experiment called as the corpus; records of other studies in it are left alone."""

    def __init__(self, uri: str, corpus: str, study: str, layout: Layout) -> None:
        from mlflow import MlflowClient

        self.corpus, self.study = corpus, study
        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        found = self.client.get_experiment_by_name(corpus)
        place = (layout.results / "mlartifacts" / corpus).resolve().as_uri()
        self.experiment = (
            found.experiment_id
            if found
            else self.client.create_experiment(corpus, None if uri.startswith("http") else place)
        )
        self.known: dict[str, Tags] = {}  # run id -> its tags
        page: str | None = None
        while page != "":
            runs = self.client.search_runs(
                [self.experiment], f"tags.study_id = '{study}'", max_results=1000, page_token=page
            )
            self.known |= {run.info.run_id: dict(run.data.tags) for run in runs}
            page = runs.token or ""

    def start(
        self, name: str, key: str, trained: str, tags: Tags, began_ms: int | None = None
    ) -> tuple[str, bool]:
        """The record called `name`, and whether it is to be filled."""
        same = [i for i, known in self.known.items() if known.get("mlflow.runName") == name]
        for ident in same:
            if self.known[ident].get("key") == key:
                self.tag(ident, {**tags, "current": "True"})
                return ident, False
        for ident in same:
            known = self.known[ident]
            if "key" in known and known.get("trained") != trained:
                self.tag(ident, {"current": "False"})
            else:
                self.client.delete_run(ident)
                del self.known[ident]
        shown = {"corpus": self.corpus, "study_id": self.study, "trained": trained}
        shown |= {"mlflow.runName": name, "current": "True", **tags}
        run = self.client.create_run(self.experiment, began_ms, tags=shown, run_name=name)
        self.known[run.info.run_id] = shown
        return run.info.run_id, True

    def files(self, ident: str, paths: Iterable[Path]) -> None:
        """Copy files, each into a folder called as its own."""
        for path in paths:
            self.client.log_artifact(ident, str(path), path.parent.name)

    def close(
        self,
        ident: str,
        key: str,
        params: Mapping[str, str],
        metrics: Iterable[tuple[str, float, int]],
        ended_ms: int,
        how: str = "FINISHED",
    ) -> None:
        """Write parameters, and metrics as (name, value, step); then the record is whole.

        A call takes long beside what it writes, so as much as may goes into each. MLflow writes a
        call's tags after all else, so that the key comes last.
        """
        from mlflow.entities import Metric, Param, RunTag

        asked = [Param(name, value) for name, value in params.items()]
        found = [Metric(name, value, ended_ms, step) for name, value, step in metrics]
        calls = max(1, -(-len(asked) // PARAMS), -(-len(found) // METRICS))
        self.client.set_terminated(ident, how, ended_ms)
        for i in range(calls):
            self.client.log_batch(
                ident,
                found[i * METRICS : (i + 1) * METRICS],
                asked[i * PARAMS : (i + 1) * PARAMS],
                [RunTag("key", key)] if i == calls - 1 else [],
            )
        self.known[ident]["key"] = key

    def tag(self, ident: str, tags: Tags) -> None:
        """Set the tags that differ."""
        for name, value in tags.items():
            if self.known[ident].get(name) != value:
                self.client.set_tag(ident, name, value)
                self.known[ident][name] = value

    def of_kind(self, kind: str) -> dict[str, Tags]:
        """Run id -> tags of the study's records of this kind."""
        return {ident: tags for ident, tags in self.known.items() if tags.get("kind") == kind}


def texts(values: Mapping[str, Any]) -> Tags:
    """Tags from values; what is None is left out."""
    return {name: str(value) for name, value in values.items() if value is not None}
