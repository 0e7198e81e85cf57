"""Ratings that were annotated in ELAN: the time-aligned annotations of tiers named after targets.

Form: EAF 2.x and 3.0 (Max Planck Institute for Psycholinguistics). A document with a DOCTYPE is
refused before anything of it is used: ELAN writes none, and one can make a small file endless.
"""

from dataclasses import dataclass, field
from xml.parsers import expat

from avfusion.corpora.formats.ratings import Ratings, no_ratings
from avfusion.corpora.formats.spans import Span, beyond, held, overlaps
from avfusion.corpora.formats.table import _NUMBER, BLANK, short
from avfusion.registry import near


class _RefusedError(Exception):
    """The document is not one that ELAN writes."""


@dataclass
class _Document:
    """What the parser meets: time slots in ms, and (line, slot, slot, text) a tier."""

    slots: dict[str, float | None] = field(default_factory=dict)
    tiers: dict[str, list[tuple[int, str, str, str]]] = field(default_factory=dict)
    referring: dict[str, list[int]] = field(
        default_factory=dict
    )  # lines without times of their own
    tier: str = ""
    open: tuple[int, str, str] | None = None
    text: list[str] | None = None


def read_eaf(raw: bytes, name: str, targets: tuple[str, ...], hz: float) -> Ratings:
    """A column a target, held over each annotation at `hz` instants a second, NaN elsewhere."""
    parser, found = expat.ParserCreate(), _Document()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = lambda tag, own: _start(found, parser, tag, own)
    parser.EndElementHandler = lambda tag: _end(found, tag)
    parser.CharacterDataHandler = lambda text: found.text is not None and found.text.append(text)
    try:
        parser.Parse(raw, True)
    except (expat.ExpatError, LookupError, ValueError, _RefusedError) as error:
        return no_ratings(f"{name}:{parser.CurrentLineNumber}: not a document of ELAN ({error})")
    lost = [target for target in targets if target not in found.tiers]
    if lost:
        known = ", ".join(found.tiers) or "none"
        hint = near(lost[0], found.tiers)
        return no_ratings(f"{name}:1: no tier {lost[0]!r}, only: {known}.{hint}")
    faults: list[str] = []
    spans = {target: _spans(found, target, name, faults) for target in targets}
    if not any(spans.values()) and not faults:
        faults.append(f"{name}: no annotation")
    table = held(spans, hz)
    values = table[list(targets)].to_numpy(float)
    return Ratings(table["time_s"].to_numpy(float), values, targets, faults=faults)


def _refuse(*_: object) -> None:
    raise _RefusedError("it declares a document type or entities")


def _start(found: _Document, parser: expat.XMLParserType, tag: str, own: dict[str, str]) -> None:
    if tag == "HEADER" and own.get("TIME_UNITS", "milliseconds") != "milliseconds":
        raise _RefusedError(f"times are in {own['TIME_UNITS']}; ELAN can save milliseconds")
    if tag == "MEDIA_DESCRIPTOR" and own.get("TIME_ORIGIN", "0") != "0":
        raise _RefusedError("its media have an offset; save it without one in ELAN")
    if tag == "TIME_SLOT":
        value = own.get("TIME_VALUE", "")
        found.slots[own.get("TIME_SLOT_ID", "")] = float(value) if value.isdecimal() else None
    elif tag == "TIER":
        found.tier = own.get("TIER_ID", "")
        found.tiers.setdefault(found.tier, [])
    elif tag == "ALIGNABLE_ANNOTATION":
        ends = own.get("TIME_SLOT_REF1", ""), own.get("TIME_SLOT_REF2", "")
        found.open = (parser.CurrentLineNumber, *ends)
    elif tag == "REF_ANNOTATION":
        found.referring.setdefault(found.tier, []).append(parser.CurrentLineNumber)
    elif tag == "ANNOTATION_VALUE" and found.open:
        found.text = []


def _end(found: _Document, tag: str) -> None:
    """An annotation is whole where its element ends; without a value it is unrated."""
    if tag == "ALIGNABLE_ANNOTATION" and found.open:
        text = "".join(found.text or []).strip()
        found.tiers.setdefault(found.tier, []).append((*found.open, text))
        found.open, found.text = None, None


def _spans(found: _Document, target: str, name: str, faults: list[str]) -> list[Span]:
    """The annotations of one tier; those that are none go to `faults`."""
    spans = []
    faults += [
        f"{name}:{line}: tier {target}: an annotation without times of its own; give the tier a "
        "type without a stereotype in ELAN"
        for line in found.referring.get(target, [])
    ]
    for line, first, last, text in found.tiers[target]:
        start_ms, end_ms = found.slots.get(first), found.slots.get(last)
        if start_ms is None or end_ms is None or not start_ms < end_ms:
            faults.append(f"{name}:{line}: tier {target}: an annotation without a place in time")
        elif wrong := beyond(Span(start_ms / 1000, end_ms / 1000, 0.0)):
            faults.append(f"{name}:{line}: tier {target}: {wrong}")
        elif text.lower() in BLANK:
            spans.append(Span(start_ms / 1000, end_ms / 1000, float("nan")))
        elif not _NUMBER.fullmatch(text):
            faults.append(f"{name}:{line}: tier {target}: {short(text)} is no number")
        else:
            spans.append(Span(start_ms / 1000, end_ms / 1000, float(text)))
    faults += [
        f"{name}: tier {target}: two annotations at {b.start_s:g} s" for _, b in overlaps(spans)
    ]
    return spans
