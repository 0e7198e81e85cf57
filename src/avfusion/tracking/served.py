"""What `mlflow.pyfunc.load_model` runs: this file as text, beside weights; nothing is unpickled."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel


class ServedModel(PythonModel):
    """MLflow's side of `avfusion.runs.serve.Served`."""

    def load_context(self, context: Any) -> None:
        """Open the weights that were logged with this file."""
        from avfusion.runs.serve import Served

        self.served = Served.open(Path(context.artifacts["weights"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """A column a target for every row; `avfusion.runs.serve.Served.predict` says what it expects."""
        return self.served.predict(model_input)


mlflow.models.set_model(ServedModel())
