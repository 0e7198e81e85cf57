"""Encoders of the papers that this version does not have; planned_encoders.json lists them."""

import functools
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from avfusion.config.sections import Settings
from avfusion.config.study import Study
from avfusion.registry import encoders

FILE = Path(__file__).with_name("planned_encoders.json")


class PlannedEncoder(Settings):
    """An encoder that a paper uses and that this version does not have."""

    modality: Literal["audio", "video", "text"]
    width: int
    what: str
    papers: list[str]


@functools.cache
def planned() -> dict[str, PlannedEncoder]:
    """Return name -> description of the planned encoders, without those that exist by now."""
    listed = TypeAdapter(dict[str, PlannedEncoder]).validate_json(FILE.read_text(encoding="utf-8"))
    return {name: encoder for name, encoder in listed.items() if not encoders.known(name)}


def missing(study: Study) -> dict[str, str]:
    """Return encoder of the study -> message, of those that are planned.

    An entry under `encoders` that names another class by `is` is not missing.
    """
    names = dict.fromkeys([*study.features.encoders, *study.encoders])
    kinds = {name: study.encoder_class(name) for name in names}
    return {name: message(name, kind) for name, kind in kinds.items() if kind in planned()}


def message(name: str, kind: str) -> str:
    """Return what a planned encoder is and what to use instead."""
    encoder = planned()[kind]
    present = ", ".join(known for known in encoders.names() if _reads(known, encoder.modality))
    return (
        f"encoder {kind} is not part of this version: {encoder.what}; {encoder.width:,} features "
        f"per clip. List another under features.{encoder.modality} ({present}), or add "
        f"`{name}: {{is: package.module:Class}}` under encoders (docs/how-to/extend.md)."
    )


def _reads(encoder: str, modality: str) -> bool:
    """Return whether an encoder of this version reads recordings of a modality."""
    arrays = encoders.constant(encoder, "reads") == "arrays"
    return encoders.constant(encoder, "modality") == modality and not arrays
