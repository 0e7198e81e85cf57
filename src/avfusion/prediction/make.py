"""Make a bundle from trained runs: copy weights, measure features, calibrate, score, describe."""

import json
import logging
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from avfusion.config import contexts, fits
from avfusion.config.jobs import RunRecord
from avfusion.config.study import Study
from avfusion.corpora.base import Corpus as CorpusClass
from avfusion.errors import BundleError
from avfusion.io.atomic import write_text
from avfusion.io.version import __version__
from avfusion.layout import Layout
from avfusion.media.new_record import take_name
from avfusion.prediction import evaluate, export
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.card import card
from avfusion.prediction.check import add_check
from avfusion.prediction.document import Corpus, Document, Encoder, Member
from avfusion.prediction.make_encoder import copied, encoder_of
from avfusion.prediction.place import NAME
from avfusion.registry import corpora
from avfusion.runs.files import (
    WEIGHTS,
    did_not_train,
    failure,
    predicts,
    read_settings,
    refuse_other_inputs,
)
from avfusion.runs.predictor import reads

log = logging.getLogger(__name__)


def make(
    runs: Sequence[Path],
    out: Path,
    study: Study,
    layout: Layout,
    shareable: bool | None = None,
    onnx: bool = False,
) -> Bundle:
    """Make a bundle of runs of one fusion on one corpus.

    Parameters
    ----------
    runs
        Folders of runs, or of a fusion with its runs below.
    out
        Folder of the bundle, which must not exist or be a bundle; it appears when it is complete.
    study
        The study of the runs.
    layout
        Its paths.
    shareable
        True declares that the bundle may be handed on. By default it may be if the terms of the
        corpus allow that.
    onnx
        Whether to write ONNX graphs of members and encoders too.

    Raises
    ------
    AvfError
        If a package that writes graphs is not installed.
    BundleError
        If the runs do not belong together, are not finished, or read what a clip does not have; if
        the terms forbid to hand models on; or if `out` holds something else.
    CorpusError
        If the data or the features have changed since a run was trained.
    """
    if onnx:
        export.require()
    if out.exists() and not (out / NAME).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise BundleError(f"{out}: exists and is no bundle. Name another folder with --out.")
    folders = list(_folders(runs))
    records = _together(folders, layout)
    first = records[0]
    corpus = _corpus(study, first, layout)
    may = _may_share(corpus, study.corpus_class(first.corpus), shareable)
    out.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=f"{out.name}.half", dir=out.parent))
    try:
        document = _document(folders, records, study, layout, half, corpus, may)
        _write(document, half)
        bundle = Bundle.open(half, trust_code=True)  # the code of this study has trained it
        added: dict[str, Any] = {"check": add_check(bundle)}
        added |= {"onnx": export.export(bundle)} if onnx else {}
        document = document.model_copy(update=added)
        _write(document, half)
        half.chmod(0o755)
        take_name(half, out)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return Bundle.open(out, trust_code=True)


def _write(document: Document, folder: Path) -> None:
    write_text(folder / NAME, json.dumps(document.model_dump(mode="json"), indent=1) + "\n")
    write_text(folder / "card.md", card(document))


def _folders(runs: Sequence[Path]) -> list[Path]:
    """Return the folders of runs; the folder of a fusion stands for its runs."""
    folders: list[Path] = []
    for run in runs:
        below = sorted(run.glob("seed*"), key=lambda path: (len(path.name), path.name))
        if not (run / "settings.json").is_file() and not below:
            raise BundleError(
                f"{run}: not the folder of a run or of a fusion. Name one such as "
                f"results/runs/demo/jca or results/runs/demo/jca/seed0."
            )
        folders += below or [run]
    return list(dict.fromkeys(folder.resolve() for folder in folders))


def corpus_of(run: Path) -> str:
    """Return the corpus that a run, or the runs of a fusion, were trained on."""
    return read_settings(_folders([run])[0]).corpus


def _finished(folder: Path) -> RunRecord:
    record = read_settings(folder)
    if not predicts(folder):
        raise BundleError(f"{folder}: {failure(folder) or 'not finished'}. Run `{record.command}`.")
    if marks := did_not_train(folder):
        log.warning("%s did not train: %s", folder, "; ".join(marks))
    return record


def _together(folders: Sequence[Path], layout: Layout) -> list[RunRecord]:
    """Return the records of finished runs of one model, on the features that are here now."""
    records = [_finished(folder) for folder in folders]
    first = _alike(records, folders)
    now = json.loads(layout.card(first.corpus).read_text())["data_hash"]
    for folder, record in zip(folders, records, strict=True):
        refuse_other_inputs(record, now, folder, layout)
    return records


def _alike(records: Sequence[RunRecord], folders: Sequence[Path]) -> RunRecord:
    """Return the first record; refuse others that are not of the same model."""
    first = records[0]
    for record, folder in zip(records, folders, strict=True):
        for name in ("corpus", "fusion", "class_", "options", "windows", "train", "data_hash"):
            if getattr(record, name) != getattr(first, name):
                raise BundleError(
                    f"{folder}: `{name.rstrip('_')}` differs from that of {folders[0]}. A bundle "
                    f"holds seeds of one fusion on one corpus; make one bundle for each."
                )
    if first.task != "ratings":
        raise BundleError(
            f"{folders[0]}: predicts classes. A bundle predicts ratings over time; name a run of a "
            f"corpus with `task: ratings`."
        )
    return first


def _corpus(study: Study, record: RunRecord, layout: Layout) -> Corpus:
    if record.corpus not in study.corpora:
        raise BundleError(
            f"The config lists no corpus {record.corpus!r}, which the runs are of. Name the config "
            f"of their study with --config."
        )
    described = json.loads(layout.card(record.corpus).read_text())
    kind = study.corpus_class(record.corpus)
    about = cast(type[CorpusClass], corpora.get(kind))
    return Corpus(
        name=record.corpus,
        kind=kind,
        licence=described["licence"],
        generated=about.synthetic,
        sharing=about.sharing,
        data_hash=record.data_hash,
    )


def _may_share(corpus: Corpus, kind: str, wanted: bool | None) -> bool:
    """Return whether the bundle may be handed on."""
    rule = cast(type[CorpusClass], corpora.get(kind)).models
    if wanted and rule == "no":
        raise BundleError(
            f"{corpus.name}: a bundle for others cannot be made. {corpus.sharing} Leave out "
            f"--shareable for a bundle of your own. Settings, tables, figures and scores may be "
            f"shared."
        )
    return rule == "yes" if wanted is None else wanted


def _document(
    folders: Sequence[Path],
    records: Sequence[RunRecord],
    study: Study,
    layout: Layout,
    half: Path,
    corpus: Corpus,
    shareable: bool,
) -> Document:
    first = records[0]
    names = dict.fromkeys(name for record in records for name in record.features.encoders)
    entries = {name: encoder_of(name, first.corpus, study, layout, half) for name in names}
    members = [
        Member(
            weights=copied(folder / WEIGHTS, half, f"members/{number}.safetensors"),
            seed=record.seed,
            run=record.run,
        )
        for number, (folder, record) in enumerate(zip(folders, records, strict=True))
    ]
    card_of = json.loads(layout.card(first.corpus).read_text())
    evaluated = evaluate.evaluate(folders, records, study, layout)
    read = _read(records)
    return Document(
        made_by=__version__,
        shareable=shareable,
        corpus=corpus,
        fusion=first.fusion,
        class_=first.class_,
        targets=first.targets,
        range=first.value_range,
        delay_s=card_of["delay_s"],
        windows=first.windows,
        media=study.media_settings(first.corpus).media,
        arithmetic=study.arithmetic,
        features=read,
        encoders=entries,
        members=members,
        calibration=evaluated.calibration,
        scores=evaluated.scores,
        needs_all=_needs_all(
            first, {name: entries[name] for names in read.values() for name in names}
        ),
        outside=first.outside,
    )


def _read(records: Sequence[RunRecord]) -> dict[str, list[str]]:
    """Return modality -> encoders, of the modalities that the fusion reads."""
    listed: dict[str, dict[str, None]] = {}
    for record in records:
        for kind, names in record.features.by_modality.items():
            if names and kind in reads(record):
                listed.setdefault(kind, {}).update(dict.fromkeys(names))
    return {kind: list(names) for kind, names in listed.items()}


def _needs_all(record: RunRecord, entries: dict[str, Encoder]) -> list[str]:
    """Return the settings and encoders that need the complete clip, such as for its mean."""
    needs = ["train.baseline: video"] if record.train.baseline == "video" else []
    clip_s = record.windows.clip_s
    for name, entry in entries.items():
        if contexts.needs_all(entry.settings.class_, entry.settings.options, clip_s):
            needs.append(fits.split(name)[0])
    return list(dict.fromkeys(needs))
