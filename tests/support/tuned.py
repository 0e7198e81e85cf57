"""Set-up and checks of networks whose last blocks are fitted on a small corpus."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from avfusion.config.jobs import EncoderSettings
from avfusion.config.study import Study
from avfusion.encoders.job import Job
from avfusion.encoders.stage import fit
from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.lineage.commands import steps
from avfusion.media.store import MediaRecord
from avfusion.training import loop
from support import synthetic_media as media

FIT = {"epochs": 1, "most": 6, "batch": 3, "lr": 1e-2, "fit_hz": 1.0}
"""Options of a short fit."""
RELEASED = {"release_when": "epochs", "release_after": 1}
"""Options that release a block after each epoch."""


def make_corpus(folder: Path) -> Layout:
    """Two train videos and one of validation, of 3 s."""
    return media.make_corpus(folder, {"train": 2, "validation": 1}, seconds=3)


def make_record(folder: Path, seconds: float) -> MediaRecord:
    rng = np.random.default_rng(3)
    return media.make_record(folder, media.course(rng, seconds), rng)


def fit_tiny(layout: Layout, given: EncoderSettings) -> Path:
    """Fit the encoder `mine`; return its folder."""
    fit("tiny", given.updated(root=layout.results), layout)
    return layout.encoder("tiny", "mine")


def stage_states(folder: Path, stages: int) -> Iterator[dict]:
    """Yield the state that each stage of a fit in stages left."""
    for stage in range(stages):
        raw = (folder / f"stage{stage}" / "state.pt").read_bytes().partition(b"\n")[2]
        (folder / "raw.pt").write_bytes(raw)
        yield torch.load(folder / "raw.pt", weights_only=True)


def check_killed_fit(given: EncoderSettings, place: Path, patch: pytest.MonkeyPatch) -> None:
    """A fit that is killed after its first epoch, and run again, gives the same files."""
    complete, killed = (make_corpus(place / name) for name in "ab")
    fit_tiny(complete, given)
    save = loop.save_state

    def save_then_die(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    patch.setattr(loop, "save_state", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        fit_tiny(killed, given)
    patch.undo()
    fit_tiny(killed, given)
    for name in ("best.safetensors", "epochs.csv"):
        one, other = (layout.encoder("tiny", "mine") / name for layout in (complete, killed))
        assert one.read_bytes() == other.read_bytes()


def check_frozen(given: EncoderSettings, layout: Layout, keys: set[str]) -> None:
    """A model without tuned blocks is not fitted; its note, with these keys, is kept."""
    with pytest.raises(AvfError, match="is pretrained"):
        fit_tiny(layout, given)
    note = Job("tiny", given.updated(root=layout.results), layout).weights_sha256
    assert set(note) == keys
    document = json.loads((layout.encoder("tiny", "mine") / "settings.json").read_text())
    assert document == {"settings": given.lasting, "weights": json.loads(json.dumps(note))}


def study_with(modality: str, **entry) -> Study:
    """A study with the encoder `mine`."""
    return Study(
        corpora={"demo": {"root": "data/demo"}},
        fusions={"concat": {}},
        features={modality: ["mine"]},
        encoders={"mine": entry},
    )


def check_fitted(study: Study, expected: bool) -> None:
    """The study, and its commands, state whether `mine` is fitted."""
    assert study.fitted("mine") is expected
    commands = [step.words for step in steps("demo", study, "results")]
    assert ("avf fit-encoder demo mine" in commands) is expected
