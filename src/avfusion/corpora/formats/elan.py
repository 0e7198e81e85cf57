"""Read ratings annotated in ELAN: time-aligned annotations of tiers named after the targets.

Format: EAF 2.x and 3.0 (Max Planck Institute for Psycholinguistics). A document with a DOCTYPE is
refused before any of its content is used. ELAN writes none, and entities can expand without limit.
"""

from dataclasses import dataclass, field
from xml.parsers import expat

from avfusion.corpora.formats.ratings import Ratings, no_ratings
from avfusion.corpora.formats.spans import Span, beyond, held, overlaps
from avfusion.corpora.formats.table import BLANK, NUMBER, short
from avfusion.errors import CorpusError
from avfusion.registry import near


class _RefusedError(Exception):
    """The document is not one that ELAN writes."""


@dataclass
class _Document:
    """State of the parser.

    `slots` has times in ms, `tiers` the annotations (line, start slot, end slot, text), and
    `referring` the lines of annotations without times.
    """

    slots: dict[str, float | None] = field(default_factory=dict)
    tiers: dict[str, list[tuple[int, str, str, str]]] = field(default_factory=dict)
    referring: dict[str, list[int]] = field(default_factory=dict)
    tier: str = ""
    open: tuple[int, str, str] | None = None
    text: list[str] | None = None


def read_eaf(raw: bytes, name: str, targets: tuple[str, ...], hz: float) -> Ratings:
    """Read an ELAN document.

    Parameters
    ----------
    raw
        Content of the file.
    name
        Name of the file in messages.
    targets
        Names of the tiers.
    hz
        Instants per second.

    Returns
    -------
    Ratings
        One column per target, with the value of the annotation at each instant, NaN elsewhere.
        A document that cannot be read is a fault.
    """
    parser, document = expat.ParserCreate(), _Document()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = lambda tag, attributes: _start(document, parser, tag, attributes)
    parser.EndElementHandler = lambda tag: _end(document, tag)
    parser.CharacterDataHandler = lambda text: _text(document, text)
    try:
        parser.Parse(raw, True)
    except (expat.ExpatError, LookupError, ValueError, _RefusedError) as error:
        return no_ratings(f"{name}:{parser.CurrentLineNumber}: not an ELAN document ({error})")
    missing = [target for target in targets if target not in document.tiers]
    if missing:
        known = ", ".join(document.tiers) or "none"
        hint = near(missing[0], document.tiers)
        return no_ratings(f"{name}:1: no tier {missing[0]!r}, only: {known}.{hint}")
    faults: list[str] = []
    spans = {target: _spans(document, target, name, faults) for target in targets}
    if not any(spans.values()) and not faults:
        faults.append(f"{name}: no annotation")
    try:
        table = held(spans, hz)
    except CorpusError as error:
        return no_ratings(f"{name}: {error}")
    values = table[list(targets)].to_numpy(float)
    return Ratings(table["time_s"].to_numpy(float), values, targets, faults=faults)


def _refuse(*_: object) -> None:
    raise _RefusedError("it declares a document type or entities")


def _start(
    document: _Document, parser: expat.XMLParserType, tag: str, attributes: dict[str, str]
) -> None:
    """Process the start of an element."""
    if tag == "HEADER" and attributes.get("TIME_UNITS", "milliseconds") != "milliseconds":
        raise _RefusedError(f"times are in {attributes['TIME_UNITS']}; ELAN can save milliseconds")
    if tag == "MEDIA_DESCRIPTOR" and attributes.get("TIME_ORIGIN", "0") != "0":
        raise _RefusedError("its media have an offset; save it without one in ELAN")
    if tag == "TIME_SLOT":
        value = attributes.get("TIME_VALUE", "")
        document.slots[attributes.get("TIME_SLOT_ID", "")] = (
            float(value) if value.isdecimal() else None
        )
    elif tag == "TIER":
        document.tier = attributes.get("TIER_ID", "")
        document.tiers.setdefault(document.tier, [])
    elif tag == "ALIGNABLE_ANNOTATION":
        ends = attributes.get("TIME_SLOT_REF1", ""), attributes.get("TIME_SLOT_REF2", "")
        document.open = (parser.CurrentLineNumber, *ends)
    elif tag == "REF_ANNOTATION":
        document.referring.setdefault(document.tier, []).append(parser.CurrentLineNumber)
    elif tag == "ANNOTATION_VALUE" and document.open:
        document.text = []


def _end(document: _Document, tag: str) -> None:
    """Keep an annotation when its element ends; without a value it is unrated."""
    if tag == "ALIGNABLE_ANNOTATION" and document.open:
        text = "".join(document.text or []).strip()
        document.tiers.setdefault(document.tier, []).append((*document.open, text))
        document.open, document.text = None, None


def _text(document: _Document, text: str) -> None:
    """Collect the text of the value that is being read."""
    if document.text is not None:
        document.text.append(text)


def _spans(document: _Document, target: str, name: str, faults: list[str]) -> list[Span]:
    """Return the annotations of one tier; add those that are not ratings to `faults`."""
    spans = []
    faults += [
        f"{name}:{line}: tier {target}: an annotation without times of its own; give the tier a "
        "type without a stereotype in ELAN"
        for line in document.referring.get(target, [])
    ]
    for line, first, last, text in document.tiers[target]:
        start_ms, end_ms = document.slots.get(first), document.slots.get(last)
        if start_ms is None or end_ms is None or not start_ms < end_ms:
            faults.append(f"{name}:{line}: tier {target}: an annotation without a place in time")
        elif wrong := beyond(Span(start_ms / 1000, end_ms / 1000, 0.0)):
            faults.append(f"{name}:{line}: tier {target}: {wrong}")
        elif text.lower() in BLANK:
            spans.append(Span(start_ms / 1000, end_ms / 1000, float("nan")))
        elif not NUMBER.fullmatch(text):
            faults.append(f"{name}:{line}: tier {target}: {short(text)} is no number")
        else:
            spans.append(Span(start_ms / 1000, end_ms / 1000, float(text)))
    faults += [
        f"{name}: tier {target}: two annotations at {b.start_s:g} s" for _, b in overlaps(spans)
    ]
    return spans
