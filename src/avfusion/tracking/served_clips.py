"""Code that `mlflow.pyfunc.load_model` runs for a bundle: this file as text, and no pickle."""

import multiprocessing
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel


class ServedClips(PythonModel):
    """MLflow's interface to `avfusion.prediction.frame.predict_frame`."""

    def load_context(self, context: Any) -> None:
        """Open the bundle that was logged with this file, and check its files.

        `model_config={"weights": {"vggish": "/path"}}` says where published weights lie that the
        bundle only names.
        """
        from avfusion.prediction.api import load_bundle

        weights = (context.model_config or {}).get("weights") or {}
        # Its classes are part of the logged model, and loading that runs this file already.
        self.bundle = load_bundle(Path(context.artifacts["bundle"]), weights, trust_code=True)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return predictions for clips or for features (see `predict_frame`)."""
        from avfusion.prediction.frame import predict_frame

        if "path" in model_input:
            _start_readers()
        return predict_frame(self.bundle, model_input, params)


def _start_readers() -> None:
    """Start the server of the processes that read clips without an avfusion that is installed.

    The server would import it early, and a process would then not use the code of the model.
    """
    multiprocessing.set_forkserver_preload(["cv2", "torch"])
    forkserver.ensure_running()


mlflow.models.set_model(ServedClips())
