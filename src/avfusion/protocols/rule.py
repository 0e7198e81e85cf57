"""Settings of a scoring rule; `avfusion.protocols.protocol` loads and applies it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from avfusion.metrics.sums import CLASS_SUMS, SUMS


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Smoothing(_Settings):
    """A box filter over the frames of the gold; `zero` edges pull the ends towards 0."""

    valence: Annotated[int, Field(ge=1)] = Field(description="Frames of the box.")
    arousal: Annotated[int, Field(ge=1)] = Field(description="Frames of the box.")
    others: Annotated[int, Field(ge=1)] = Field(1, description="Frames for any other target.")
    edges: Literal["zero", "nearest"] = "nearest"

    def width(self, target: str) -> int:
        """Return the frames of the box for a target; 1 leaves it unchanged."""
        return {"valence": self.valence, "arousal": self.arousal}.get(target, self.others)


class Protocol(_Settings):
    """One scoring rule, read from `config/protocols/<name>.yaml`.

    A score is a function of sums per video (`sums`). The mean score is the mean over targets.
    """

    name: str
    description: str = Field(description="One sentence, shown above tables.")
    pooling: Literal["pooled", "per_video_mean", "recall"] = "pooled"
    unrated: Literal["drop", "zero", "hold"] = "drop"
    hold_frames: Annotated[int, Field(ge=1)] | None = Field(
        None, description="With `unrated: hold`, frames that keep ratings; later ones are (0, 0)."
    )
    delay: Literal["corpus", "none"] = "corpus"
    clip: tuple[float, float] | None = None
    smoothing: Smoothing | None = None
    rescale: Literal["gold_minmax_mean"] | None = None
    postprocess: Literal["avec"] | None = None
    step_s: Annotated[float, Field(gt=0)] | None = None
    leaks: bool = Field(False, description="The rule uses the gold it is scored on.")

    @property
    def metric(self) -> str:
        """Name of the score in tables."""
        return "recall" if self.pooling == "recall" else "CCC"

    @property
    def sums(self) -> tuple[str, ...]:
        """Columns of sums.parquet that determine the scores."""
        return CLASS_SUMS if self.pooling == "recall" else SUMS

    @property
    def stamp(self) -> str:
        """Name in tables; marks a rule that uses the gold that it is scored on."""
        return f"{self.name} (LEAKS GOLD)" if self.leaks else self.name
