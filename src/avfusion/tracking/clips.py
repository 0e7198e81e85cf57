"""Register a bundle as a model that MLflow serves for clips, without pickle.

A version holds the folder of the bundle, the source of the modules that predict a clip, and the
networks that find faces and speech. It loads where avfusion is not installed.
"""

import logging
import shlex
import time
from functools import partial
from pathlib import Path
from typing import Any

from avfusion.errors import AvfError
from avfusion.io.stamped import content_key
from avfusion.layout import Layout
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.frame import OPTIONS, columns_of
from avfusion.prediction.prediction import UNLIKE
from avfusion.registry import encoders, fusions
from avfusion.tracking.code import ServedCode
from avfusion.tracking.connection import address, opened, short
from avfusion.tracking.store import Store, texts
from avfusion.tracking.versions import add, content, listed, point, write_model

log = logging.getLogger(__name__)

SERVED = "tracking/served_clips.py"


def register_bundle(bundle: Bundle, layout: Layout, store: str | None = None) -> str | None:
    """Register a bundle as `avfusion-<corpus>-clips`, with the alias `best`.

    A version with the same bundle and code is not made again. If the store is down, a warning names
    the command that registers the bundle later.

    Parameters
    ----------
    bundle
        The bundle.
    layout
        Paths of the results.
    store
        Tracking URI; by default $MLFLOW_TRACKING_URI, else results/mlflow.db.

    Returns
    -------
    str or None
        URI of the version; None if the store is down.
    """
    corpus = bundle.document.corpus.name
    uri, shown = address(store, layout)
    try:
        with opened(uri, corpus, layout) as records:
            return _register(bundle, records)
    except AvfError:
        raise
    except Exception as error:  # MLflow raises many kinds, and the bundle is complete without it
        log.warning(
            "%s: not registered in %s (%s). The bundle is complete without it. When the store is "
            "back: avf bundle --check %s --register --results %s%s",
            *(bundle.folder, shown, short(error, uri)),
            *(shlex.quote(str(path)) for path in (bundle.folder, layout.results)),
            " --store URI" if store else "",
        )
        return None


def save(bundle: Bundle, folder: Path) -> None:
    """Write a bundle as an MLflow model that `mlflow.pyfunc.load_model` opens."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
    from mlflow.types.schema import AnyType

    document = bundle.document
    features = [column for columns in columns_of(bundle).values() for column in columns]
    numbers = ["time_s", *features]
    inputs: list[ColSpec | TensorSpec] = [
        *(ColSpec("string", name, required=False) for name in ("path", "video")),
        *(ColSpec("double", name, required=False) for name in numbers),
        *(ColSpec(AnyType(), name, required=False) for name in OPTIONS),  # 1 and None are seconds
    ]
    targets = [f"{name}{part}" for name in document.targets for part in ("", "_low", "_high")]
    kinds = {str: "string", float: "double"}
    params = [ParamSpec(name, kinds[kind], None) for name, kind in OPTIONS.items()]
    outputs = Schema([ColSpec("double", name) for name in (*targets, UNLIKE)])
    write_model(
        folder,
        SERVED,
        {"bundle": bundle.folder},
        code_of(bundle),
        ModelSignature(Schema(inputs), outputs, ParamSchema(params)),
        model_config={"weights": {}},
    )


def code_of(bundle: Bundle) -> ServedCode:
    """Return the code that predicts clips with a bundle."""
    document = bundle.document
    used = {entry.settings.class_ for entry in document.encoders.values()}
    entries = ((fusions, document.class_), *((encoders, name) for name in sorted(used)))
    return ServedCode(("avfusion.prediction.frame",), entries)


def _register(bundle: Bundle, store: Store) -> str:
    document = bundle.document
    name = f"avfusion-{store.corpus}-clips"
    key = content_key(bundle.id.encode(), *content(code_of(bundle), SERVED))
    about: dict[str, Any] = {"key": key, "study_id": store.study, "bundle": bundle.id}
    about |= {"fusion": document.fusion, "members": len(document.members)}
    about |= {"data_hash": document.corpus.data_hash, "shareable": document.shareable}
    version = next((v for v, tags in listed(store, name).items() if tags.get("key") == key), None)
    if version is None:
        card = (bundle.folder / "card.md").read_text(encoding="utf-8")
        version = add(store, name, _record(bundle, store, key), partial(save, bundle), about, card)
    point(store, name, version)
    return f"models:/{name}/{version}"


def _record(bundle: Bundle, store: Store, key: str) -> str:
    """Return the ID of the record that holds the files of a version, below that of the study."""
    document = bundle.document
    studies = store.of_kind("study").items()
    parent = next((i for i, tags in studies if tags.get("current") == "True"), None)
    about = {"kind": "bundle", "fusion": document.fusion, "data_hash": document.corpus.data_hash}
    tags = texts({**about, "bundle": bundle.id, "mlflow.parentRunId": parent})
    ident, changed = store.start(f"bundle {document.fusion}", key, key, tags)
    if changed:
        scores = {
            f"{score.partition}/{score.protocol}/ccc_{target}": value
            for score in document.scores
            for target, value in score.ccc.items()
        }
        rows = [(name, value, 0) for name, value in scores.items()]
        store.close(ident, key, {}, rows, int(time.time() * 1000))
    return ident
