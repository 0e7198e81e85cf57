"""The saved view of a study in MLflow: its fusions by rank, with the headline metrics."""

import json

from avfusion.tracking.addresses import shown
from avfusion.tracking.headline import Headline, name_of
from avfusion.tracking.store import Store

SHARED_VIEW = "mlflow.sharedViewState."
"""Tag of an experiment under which MLflow's page keeps a view that was shared."""

LOCAL = "http://127.0.0.1:5000"
"""Address of the page that `mlflow ui` serves."""

NOTE = 5000  # characters; MLflow's limit for a tag of an experiment

ABOUT = """
The run of a study has a run per fusion, and below it one per seed. `{score}` is the {what}; its
interval and the rank of the fusion follow. The tag `current` is True for runs of the present
config. Saved view, with the fusions by rank: add `?viewStateShareKey={study}` to the address of
this experiment.
"""


def save_view(store: Store, headline: Headline, findings: str, uri: str) -> str:
    """Write the saved view and the description of an experiment; return the view's address.

    Parameters
    ----------
    store
        The records of the study.
    headline
        What its records open with.
    findings
        What the study found, in Markdown.
    uri
        Tracking URI of the store.
    """
    kept = f"tags.study_id = '{store.study}' AND tags.kind = 'fusion' AND tags.current = 'True'"
    state = {
        "searchFilter": kept,
        "orderByKey": f"metrics.`{name_of('rank')}`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [f"metrics.`{name}`" for name in headline.columns()],
        "runsHiddenMode": "SHOW_ALL",
        "viewMaximized": True,
    }
    about = ABOUT.format(score=name_of("score"), what=headline.what, study=store.study)
    tags = {
        f"{SHARED_VIEW}{store.study}": json.dumps(state),
        "mlflow.note.content": f"{findings}\n{about}"[:NOTE],
    }
    known = store.client.get_experiment(store.experiment).tags
    for name, value in tags.items():
        if known.get(name) != value:
            store.client.set_experiment_tag(store.experiment, name, value)
    page = shown(uri) if uri.startswith("http") else LOCAL
    return f"{page}/#/experiments/{store.experiment}/runs?viewStateShareKey={store.study}"
