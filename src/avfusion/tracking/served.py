"""Code that `mlflow.pyfunc.load_model` runs: this file as text, next to weights, no pickle."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel


class ServedModel(PythonModel):
    """MLflow's interface to `avfusion.runs.serve.Served`."""

    def load_context(self, context: Any) -> None:
        """Open the weights that were logged with this file."""
        from avfusion.runs.serve import Served

        self.served = Served.open(Path(context.artifacts["weights"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a column per target, with a row per row of the input (see `Served.predict`)."""
        return self.served.predict(model_input)


mlflow.models.set_model(ServedModel())
