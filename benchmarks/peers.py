"""Compare processor time with peers that do the same work.

    python benchmarks/peers.py --out benchmarks/results/peers.json [--envs FOLDER] [--rounds N]

Published training loops are plain PyTorch and run in this process. MMSA, mediapipe and openSMILE
are installed into environments of their own below FOLDER, which needs a package index and some GB.
The row of a peer that does not run here says why. About 5 minutes without installation.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import _loops
from _models import model
from _peers import AbsentError, Place
from _transcriptions import published_dca, published_dense, published_jca
from _turns import alternate, say, timed
from avfusion.encoders import base
from avfusion.media.clips import clip_ends
from avfusion.media.faces import Finder
from avfusion.media.store import MediaRecord
from avfusion.training.loop import deterministic
from epoch import CLIPS, WIDTH, made
from machine import finish
from support import people_videos, synthetic_media

DENSE = {"wraps": "dense_joint", "inner": {"depth": 2}}
LOOPS = {
    "JCA (CVPR Workshops 2022)": ("jca", {}, published_jca),
    "dense joint model (ICASSP 2023)": ("dense_joint", {}, published_dense),
    "DCA (ICME 2024)": ("dca", DENSE, published_dca),
}
FRAMES, PIXELS = 40, 640
SOUND_S, HIDDEN, LAYERS = 60.0, 512, 2
Took = list[float]
Row = dict[str, str]


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--envs", type=Path, help="folder of the peers' environments")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--windows", type=int, default=128, help="of an epoch")
    parser.add_argument("--only", nargs="*", default=["sound", "loops", "mmsa", "faces"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        place = Place((args.envs or scratch / "envs").resolve())
        place.folder.mkdir(parents=True, exist_ok=True)
        parts: dict[str, Callable[[], Iterator[Row]]] = {
            "loops": partial(loops, scratch, args.windows, args.rounds),
            "mmsa": partial(mmsa, scratch, place, args.windows, args.rounds),
            "faces": partial(faces, scratch, place, args.rounds),
            "sound": partial(sound, scratch, place, args.rounds),
        }
        rows: list[Row] = []
        for part in args.only:
            for row in parts[part]():
                say(f"{row['measure']}: {row['peer']} / avfusion: {row['found']}")
                rows.append(row)
            if args.out:  # what is finished stays if a later part is stopped
                finish(described(rows, args.windows), args.out)


def described(rows: list[Row], windows: int) -> dict[str, object]:
    """Return the result with what its rows compare."""
    return {
        "title": "Next to peers",
        "what": "`found` is the processor time of a peer divided by that of avfusion for the same "
        "work, all threads together: a ratio of medians; for published loops, which run in the "
        "same process by turns, the median of ratios with minimum and maximum. Above 1, avfusion "
        "needs less. The published loops are written from equations in plain PyTorch and use the "
        "weights of our models; neither the authors' code nor their data is used. An epoch has "
        f"{windows} windows of {CLIPS} clips, {WIDTH} + {WIDTH} features, in batches of "
        f"{_loops.BATCH}, and validation on half as many. Accuracy is not compared.",
        "rows": rows,
    }


def loops(scratch: Path, count: int, rounds: int) -> Iterator[Row]:
    """Compare an epoch of our training loop with one of the published loops."""
    windows = made(scratch, 1)
    train = _loops.some(windows, 0, count)
    validation = _loops.some(windows, count, count + count // 2)
    batches = _loops.loader(train, shuffle=True), _loops.loader(validation, shuffle=False)
    for name, (fusion, options, form) in LOOPS.items():
        with deterministic(0):
            our = model(fusion, WIDTH, CLIPS, dropout=0.6, **options)
            plain = _loops.Published(our, form)
            same(our, plain, validation)
            turns = {
                "ours": partial(_loops.ours, our, train, validation),
                "published": partial(_loops.published, plain, *batches),
            }
            took = alternate(turns, rounds, "cpu")
        busy = {turn: [processor for _, processor in each] for turn, each in took.items()}
        work = f"an epoch of training, {name}"
        yield compared(work, "published loop", busy["published"], busy["ours"], paired=True)


def same(our: torch.nn.Module, plain: _loops.Published, windows: object) -> None:
    """Refuse to compare models that predict something else."""
    batch = windows.batch(torch.arange(8))
    with torch.no_grad():
        off = (our.eval()(*batch.inputs)[0] - plain.eval()(batch.audio, batch.video)).abs().max()
    if not off < 1e-4:
        raise SystemExit(f"The published form differs from the model by {off:.1e}.")


def mmsa(scratch: Path, place: Place, count: int, rounds: int) -> Iterator[Row]:
    """Compare an epoch of MMSA's EF_LSTM with one of our LSTM of the same size."""
    windows = made(scratch, 1)
    validation = _loops.some(windows, count, count + count // 2)
    work = f"an epoch of training, LSTM over both modalities ({LAYERS} layers of {HIDDEN})"
    with deterministic(0):
        our = model("lstm", WIDTH, CLIPS, dropout=0.6, hidden=HIDDEN, layers=LAYERS)
        train = partial(_loops.ours, our, _loops.some(windows, 0, count), validation)
        mine = [each for _, each in alternate({"ours": train}, rounds, "cpu")["ours"]]
    sizes = (count, CLIPS, 2 * WIDTH, _loops.BATCH, HIDDEN, rounds)
    yield peer(work, "MMSA, EF_LSTM", mine, partial(place.run, "training_mmsa", "MMSA", *sizes))


def faces(scratch: Path, place: Place, rounds: int) -> Iterator[Row]:
    """Compare how long finding faces takes in the same pictures."""
    shot = people_videos.Shot(("newton",), FRAMES)
    images = np.stack(people_videos.images([shot], width=PIXELS)[0])  # (N, H, W, 3)
    np.save(scratch / "frames.npy", images)
    finder = Finder(0.6)
    found = sum(bool(finder.find(image)[0]) for image in images)
    mine = [timed(lambda: [finder.find(i) for i in images], "cpu")[1] for _ in range(rounds)]
    high, wide = images.shape[1:3]
    work = f"finding faces in {FRAMES} pictures of {wide} x {high}"
    given = scratch / "frames.npy", rounds
    peers = {
        # Later versions bring no detector along.
        "mediapipe, short range": ("faces_mediapipe", "mediapipe<0.10.22"),
    }
    for name, (script, package) in peers.items():
        row = peer(work, name, mine, partial(place.run, script, package, *given))
        yield row | {"avfusion": f"{row['avfusion']}, {found} with a face"}


def sound(scratch: Path, place: Place, rounds: int) -> Iterator[Row]:
    """Compare features of the same sound."""
    rng = np.random.default_rng(0)
    synthetic_media.make_record(scratch / "record", synthetic_media.course(rng, SOUND_S), rng)
    record = MediaRecord.open(scratch / "record")
    rate_hz = 16_000
    samples, _ = record.waveform(0.0, record.duration_s, rate_hz)
    np.save(scratch / "sound.npy", samples)
    settings = synthetic_media.settings("mel_cnn")
    ends_s = clip_ends(record.duration_s, settings.windows.hop_s)
    mine: dict[str, Took] = {}
    for name, options in {"mel_cnn": {}, "opensmile": {"level": "lld"}}.items():
        try:
            encoder = base.build(synthetic_media.settings(name, **options))
        except Exception as error:  # the extra package is not installed
            say(f"{name}: {error}")
            continue
        if encoder.fitted:
            encoder.net = encoder.new_net(settings).eval().requires_grad_(False)
        work = partial(encode, encoder, scratch / "record", ends_s)
        timed(work, "cpu")
        with deterministic(0):
            mine[name] = [timed(work, "cpu")[1] for _ in range(rounds)]
    given = scratch / "sound.npy", rate_hz, rounds
    run = partial(place.run, "sound_opensmile", "opensmile", *given)
    ways = {
        "mel_cnn": f"features of {SOUND_S:g} s of sound: eGeMAPS descriptors / spectra and mel_cnn",
        "opensmile": f"eGeMAPS descriptors of {SOUND_S:g} s of sound, package / adapter with clips",
    }
    for name, work in ways.items():
        if name not in mine:
            reason = "not run: the extra package opensmile is not installed"
            yield {"measure": work, "peer": "openSMILE", "found": reason}
            continue
        yield peer(work, "openSMILE", mine[name], run)


def encode(encoder: object, folder: Path, ends_s: np.ndarray) -> None:
    """Encode a record as if it was opened first; what was computed of it is not kept."""
    clip_s = synthetic_media.settings("mel_cnn").windows.clip_s
    encoder.encode(MediaRecord.open(folder), ends_s, clip_s)


def peer(work: str, name: str, mine: Took, run: Callable[[], dict]) -> Row:
    """Return the row of a peer that runs in another process, or why it does not run."""
    try:
        result = run()
    except AbsentError as error:
        return {
            "measure": work,
            "peer": name,
            "found": f"not run: {error}",
            "avfusion": seconds(mine),
            "peer needs": "",
        }
    row = compared(work, name, result["processor_s"], mine, paired=False)
    if "found" in result:
        row["peer needs"] += f", {result['found']} with a face"
    return row


def compared(work: str, name: str, theirs: Took, mine: Took, *, paired: bool) -> Row:
    """Return the row of two lists of processor seconds."""
    ratio = f"{statistics.median(theirs) / statistics.median(mine):.2f}"
    if paired:
        each = [their / our for their, our in zip(theirs, mine, strict=True)]
        ratio = f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"
    return {
        "measure": work,
        "peer": name,
        "found": ratio,
        "avfusion": seconds(mine),
        "peer needs": seconds(theirs),
    }


def seconds(took: Took) -> str:
    """Return the median of processor seconds as text."""
    return f"{statistics.median(took):.3g} s"


if __name__ == "__main__":
    main()
