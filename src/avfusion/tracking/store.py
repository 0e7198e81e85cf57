"""One study's records of one corpus in an MLflow store.

The `key` of a record is written last, so a record with a key is complete. A record with the
requested key is kept; one without a key, from a job that was stopped, is deleted. The record of
another training is kept with `current` False, so that two trainings can be compared.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.tracking.addresses import shown
from avfusion.tracking.moved import FOLDER, gone
from avfusion.tracking.place import FILE, experiment_name, store_folder

log = logging.getLogger(__name__)

WITH_FILES = ("run", "study")
"""Kinds of records that have artifacts."""

Tags = dict[str, str]
PARAMS, METRICS = 100, 800  # MLflow's limits for one call: 100, and 1000 in all


class Store:
    """The MLflow experiment of a corpus, and the records of one study in it.

    Parameters
    ----------
    uri
        Tracking URI of the store.
    corpus
        Name of the corpus; the experiment is named after it and the study's folder.
    study
        ID of the study; records of other studies are not changed.
    layout
        Paths of the results.

    Raises
    ------
    AvfError
        If the experiment was deleted.
    """

    def __init__(self, uri: str, corpus: str, study: str, layout: Layout) -> None:
        from mlflow import MlflowClient

        self.corpus, self.study = corpus, study
        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        name = experiment_name(corpus, layout)
        experiment = self.client.get_experiment_by_name(name)
        if experiment and experiment.lifecycle_stage == "deleted":
            raise AvfError(_deleted(name, corpus, experiment.experiment_id, uri, layout))
        place = (store_folder(layout) / FOLDER / name).resolve().as_uri()
        self.experiment = (
            experiment.experiment_id
            if experiment
            else self.client.create_experiment(name, None if uri.startswith("http") else place)
        )
        self.known: dict[str, Tags] = {}  # run id -> its tags
        self.lost: set[str] = set()  # run ids whose artifacts are gone from this machine
        page: str | None = None
        while page != "":
            runs = self.client.search_runs(
                [self.experiment], f"tags.study_id = '{study}'", max_results=1000, page_token=page
            )
            self.known |= {run.info.run_id: dict(run.data.tags) for run in runs}
            self.lost |= {
                run.info.run_id
                for run in runs
                if run.data.tags.get("kind") in WITH_FILES and gone(run.info.artifact_uri)
            }
            page = runs.token or ""

    def start(
        self, name: str, key: str, trained: str, tags: Tags, began_ms: int | None = None
    ) -> tuple[str, bool]:
        """Return the ID of the record called `name`, and whether it is new and must be filled."""
        same = [i for i, known in self.known.items() if known.get("mlflow.runName") == name]
        for ident in same:
            if self.known[ident].get("key") == key and ident not in self.lost:
                for other in set(same) - {ident}:  # of another branch, whose turn it was
                    self.tag(other, {"current": "False"})
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
        """Upload files, each into a folder with the name of its own folder."""
        for path in paths:
            self.client.log_artifact(ident, str(path), path.parent.name)

    def close(
        self,
        ident: str,
        key: str,
        params: Mapping[str, str],
        metrics: Iterable[tuple[str, float, int]],
        ended_ms: int,
        status: str = "FINISHED",
    ) -> None:
        """Write parameters, metrics as (name, value, step) and the key, and end the record.

        A call takes long compared with what it writes, so each holds as much as is allowed. MLflow
        writes the tags of a call last, and so the key.
        """
        from mlflow.entities import Metric, Param, RunTag

        all_params = [Param(name, value) for name, value in params.items()]
        all_metrics = [Metric(name, value, ended_ms, step) for name, value, step in metrics]
        calls = max(1, -(-len(all_params) // PARAMS), -(-len(all_metrics) // METRICS))
        self.client.set_terminated(ident, status, ended_ms)
        for i in range(calls):
            self.client.log_batch(
                ident,
                all_metrics[i * METRICS : (i + 1) * METRICS],
                all_params[i * PARAMS : (i + 1) * PARAMS],
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
        """Return run ID -> tags of the study's records of this kind."""
        return {ident: tags for ident, tags in self.known.items() if tags.get("kind") == kind}


def _deleted(name: str, corpus: str, ident: str, uri: str, layout: Layout) -> str:
    file = store_folder(layout) / FILE
    address = f"sqlite:///{file}" if uri == f"sqlite:///{file.resolve()}" else shown(uri)
    return (
        f"the experiment {name!r} was deleted on MLflow's page. To restore it with its runs, run "
        f"`mlflow experiments restore --experiment-id {ident}` with "
        f"MLFLOW_TRACKING_URI={address}, then `avf record {corpus} --results {layout.results}`."
    )


def texts(values: Mapping[str, Any]) -> Tags:
    """Return values as tags, without those that are None."""
    return {name: str(value) for name, value in values.items() if value is not None}
