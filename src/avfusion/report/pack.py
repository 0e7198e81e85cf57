"""Pack what may be handed on of a study: tables, figures, page, settings and seals.

Files are taken from a list of kinds that are known to hold numbers only. No face, sound, feature,
weight or rating is packed. Names, ratings and predictions of single videos are packed only of
corpora whose terms let models be handed on (`Corpus.models`), or by their owner's word.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from avfusion.config.study import Study
from avfusion.corpora.base import Corpus
from avfusion.errors import AvfError
from avfusion.io.atomic import file_digest, write_bytes
from avfusion.io.stamped import SEAL, digest
from avfusion.layout import Layout
from avfusion.lineage.tables import FILE, read_origins
from avfusion.registry import corpora
from avfusion.report.figures import catalogue
from avfusion.report.inputs import read_json
from avfusion.report.page.without_videos import render_without
from avfusion.report.page.write import render, settings_text
from avfusion.report.videos import Names

WHY = {
    "benchmarks": "times of this machine",
    "bundles": "models; a bundle for others is made with --shareable",
    "delays": "made on request only",
    "encoders": "weights that were fitted on the corpus",
    "examples": "predictions of a clip",
    "features": "derived from faces and voices",
    "grids": "weights and predictions of grid points",
    "logs": "may name folders of this machine",
    "manifest": "ratings and names of the corpus",
    "media": "faces and voices",
    "mlartifacts": "copies of what is packed, and weights",
    "robustness": "predictions and features of single videos",
    "runs": "weights and predictions; settings and training curves are packed",
    "scores": "sums of single videos",
    "settings": "may name folders of this machine; study.yaml has them without",
}
"""Folder of the results -> why its files are left out."""
LISTS = ("missing", "set_aside")
"""Settings of a run that list videos by name."""
OTHER = "not known to be free of personal data"
DATED = (1980, 1, 1, 0, 0, 0)
"""Date of every file of an archive, so that equal results have equal bytes."""


@dataclass
class Pack:
    """Files of an archive, and what was left out with the reason."""

    files: dict[str, bytes] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def closed(study: Study, with_names: Collection[str] = ()) -> dict[str, str]:
    """Return corpus -> its terms, where names and ratings of single videos stay here.

    Parameters
    ----------
    study
        The study.
    with_names
        Corpora whose names the user says may be handed on.

    Raises
    ------
    AvfError
        If the terms of such a corpus forbid it, or the study has no such corpus.
    """
    terms = {}
    for name in with_names:
        if name not in study.corpora:
            raise AvfError(f"--with-names {name}: the study has {', '.join(study.corpora)}.")
    for name in study.corpora:
        about = cast(type[Corpus], corpora.get(study.corpus_class(name)))
        if about.models == "no" and name in with_names:
            raise AvfError(
                f"--with-names {name}: its terms do not allow that. {about.sharing} Leave it out: "
                f"tables, figures of scores and the page are packed without names."
            )
        if about.models != "yes" and name not in with_names:
            terms[name] = about.sharing
    return terms


def pack(study: Study, layout: Layout, with_names: Collection[str] = ()) -> Pack:
    """Collect what may be handed on of a finished study.

    Parameters
    ----------
    study
        The study as its results state it.
    layout
        Paths of the results.
    with_names
        Corpora whose names and ratings of single videos the user says may be handed on.

    Raises
    ------
    AvfError
        If a table was edited since it was made, or the terms of a corpus forbid `with_names`.
    """
    terms = closed(study, with_names)
    names = Names.of(terms, layout)
    result = Pack()
    _add_tables(result, layout, names)
    _add_figures(result, layout, terms, names)
    _add_runs(result, study, layout, terms, names)
    for path in (layout.metrics, layout.plot):
        if path.is_file():
            _add(result, path.name, path.read_bytes(), names)
    _add(result, "study.yaml", settings_text(study).encode(), names)
    page = render_without(study, layout, names, terms) if terms else render(study, layout)
    _add(result, layout.page.name, page.encode(), names)
    known = {*WHY, "tables", "figures", layout.page.name, layout.metrics.name, layout.plot.name}
    for path in sorted(layout.results.iterdir()):
        if path.name in WHY:
            result.left_out[f"{path.name}/"] = WHY[path.name]
        elif path.name not in known and not path.name.startswith("."):
            result.left_out[path.name] = OTHER
    return result


def write(result: Pack, path: Path) -> None:
    """Write an archive with contents.json: a SHA-256 per file, and what was left out and why."""
    digests = {name: hashlib.sha256(raw).hexdigest() for name, raw in result.files.items()}
    listed = {"files": digests, "left_out": result.left_out}
    text = json.dumps(listed, indent=2, sort_keys=True) + "\n"
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, raw in sorted({**result.files, "contents.json": text.encode()}.items()):
            entry = zipfile.ZipInfo(name, DATED)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, raw)
    write_bytes(path, held.getvalue())


def _add(result: Pack, name: str, raw: bytes, names: Names) -> None:
    """Add a text, unless it names a video of a corpus that is closed.

    Names are replaced in text for people; sealed files and numbers are not changed.
    """
    text = raw.decode("utf-8", errors="replace")
    if names.named_in(text) and name.endswith((".md", ".tex")):
        text = names.replaced(text)
        raw = text.encode()
    corpus = names.named_in(text)
    if corpus:
        result.left_out[name] = f"names videos of {corpus}"
    else:
        result.files[name] = raw


def _add_tables(result: Pack, layout: Layout, names: Names) -> None:
    """Add the tables that provenance.json seals, in each of their forms."""
    sealed = read_origins(layout)["tables"]
    stems = {Path(name).stem for name in sealed}
    for path in sorted(layout.tables.iterdir()):
        name = f"tables/{path.name}"
        if path.suffix == ".csv" and sealed.get(path.name) not in (None, file_digest(path).hex()):
            raise AvfError(
                f"{path}: edited since it was made: its seal does not match. Run: avf report "
                f"--only tables"
            )
        if path.name == FILE or path.stem in stems:
            _add(result, name, path.read_bytes(), names)
        else:
            result.left_out[name] = f"{FILE} does not list it"


def _add_figures(result: Pack, layout: Layout, terms: dict[str, str], names: Names) -> None:
    """Add the figures that captions.json lists; those of single videos only of open corpora."""
    captions = read_json(layout.figures / "captions.json")
    naming = {
        _stem(path): corpus
        for path in layout.figures.glob("*.svg")
        if (corpus := names.named_in(path.read_text(encoding="utf-8", errors="replace")))
    }
    for path in sorted(layout.figures.iterdir()) if layout.figures.is_dir() else []:
        stem, name = _stem(path), f"figures/{path.name}"
        caption = captions.get(stem)
        if path.name == "captions.json":
            result.left_out[name] = "it also lists figures that are left out; the page has captions"
            continue
        if caption is None:
            result.left_out[name] = "captions.json does not list it"
        elif caption["corpus"] in terms and catalogue.shows_videos(
            caption["corpus"], caption["kind"], stem
        ):
            result.left_out[name] = f"ratings of single videos; {terms[caption['corpus']]}"
        elif stem in naming:
            result.left_out[name] = f"names videos of {naming[stem]}"
        else:
            result.files[name] = path.read_bytes()


def _stem(path: Path) -> str:
    """Return the name that all files of a figure share."""
    return path.stem.removesuffix("_narrow")


def _without_videos(raw: bytes) -> bytes:
    """Return the settings of a run, sealed, without the videos that it left out."""
    kept = {name: value for name, value in json.loads(raw).items() if name not in LISTS}
    kept.pop(SEAL, None)
    return (json.dumps(kept | {SEAL: digest(kept)}, indent=2) + "\n").encode()


def _add_runs(
    result: Pack, study: Study, layout: Layout, terms: dict[str, str], names: Names
) -> None:
    """Add sealed settings and training curves of the study's runs."""
    for corpus in study.corpora:
        for fusion in study.fusions:
            for seed in study.seeds:
                folder = layout.run(corpus, fusion, seed)
                for path in (folder / "settings.json", folder / "epochs.csv"):
                    if path.is_file():
                        name = path.relative_to(layout.results).as_posix()
                        raw, secret = path.read_bytes(), corpus in terms
                        is_json = path.suffix == ".json"
                        raw = _without_videos(raw) if secret and is_json else raw
                        _add(result, name, raw, names)
