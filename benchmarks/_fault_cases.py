"""The faults: what is damaged, which message appears and how the study ends."""

import contextlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from _fault_kills import killed
from _fault_place import RUN, TRAINED, Place, kill, said, until_works

Case = Callable[[Place], dict[str, str]]
Words = tuple[tuple[str, ...], ...]


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)


def damaged(harm: Callable[[Place], str], use: tuple[str, ...], mend: Words) -> Case:
    """Damage a file, use it, follow the message, and run the study again."""

    def case(place: Place) -> dict[str, str]:
        done = harm(place)
        code, printed = place.run(*use)
        mended = [place.run(*words)[0] for words in mend]
        jobs = place.due().total()
        last, _ = place.study()
        told = said(printed) or "it goes on"
        shown = "; ".join(f"`{' '.join(words)}`" for words in mend) or "by itself"
        return {"done": done, "seen": f"exit code {code}: {told}",
                "ended": f"{shown} (exit codes {mended}), then the study, {jobs} jobs: {last}",
                }  # fmt: skip

    return case


def cut_feature(place: Place) -> str:
    path = sorted((place.folder / "results/features/demo/mel_cnn").glob("*.times.npy"))[0]
    path = path.with_name(path.name.replace(".times.npy", ".npy"))
    path.write_bytes(path.read_bytes()[:-64])
    return "the last 64 bytes of a feature file cut off, then inference"


def flip_weights(place: Place) -> str:
    flip(place.folder / RUN / "best.safetensors", -50)
    return "one bit of best.safetensors flipped, then inference"


def flip_state(place: Place) -> str:
    flip(place.folder / RUN / "state.pt", -500)
    return "one bit of state.pt flipped, then the run trained again"


def edit_settings(place: Place) -> str:
    path = place.folder / RUN / "settings.json"
    path.write_text(path.read_text().replace('"lr": 0.001', '"lr": 0.1'))
    return "lr changed by hand in a run's settings.json, then scored"


def edit_traces(place: Place) -> str:
    import pandas as pd

    path = place.folder / RUN / "traces.parquet"
    table = pd.read_parquet(path)
    table.assign(valence=table["valence"] * 2).to_parquet(path, index=False)
    return "a run's predictions doubled by hand, then scored"


def twice(delay: bool) -> Case:
    """Start one study with two heads, at once or one after the other."""

    def case(place: Place) -> dict[str, str]:
        shutil.rmtree(place.folder / "results")
        jobs = place.due().total()
        first = place.head(cores=1)
        works = until_works(first, "media") if delay else False
        second = place.head(cores=1)
        told = {n: place.printed(job) for n, job in ((2, second), (1, first))}
        codes = {1: first.returncode, 2: second.returncode}
        refused = [n for n, code in codes.items() if code]
        heard = "; ".join(f"head {n}: {said(told[n])}" for n in refused) or "both went through"
        when = (
            f"while `avf media` of the first {'ran' if works else 'had run'}"
            if delay
            else "at once"
        )
        last, _ = place.study()
        return {"done": f"a study with {jobs} jobs left started by two heads, {when}",
                "seen": f"exit codes {codes[1]} and {codes[2]}; {heard}",
                "ended": f"a third call: {last}, {place.due().total()} jobs left"}  # fmt: skip

    return case


def mounted(kind: str) -> Case:
    """Run on a results folder that is full or read-only until it is repaired."""

    def case(place: Place) -> dict[str, str]:
        results, kept = place.folder / "results", place.folder / "kept"
        size_mb = 2 + sum(p.stat().st_size for p in results.rglob("*") if p.is_file()) // 2**20
        place.undo(*TRAINED)
        jobs = place.due().total()
        results.rename(kept)
        results.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={2 * size_mb}m", "tmpfs", str(results)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            return {"done": f"results {kind}", "seen": "skipped: mounting needs root", "ended": ""}
        try:
            shutil.copytree(kept, results, dirs_exist_ok=True)
            harm(results, kind)
            code, printed = place.run(*TRAIN)
            studied, _ = place.study()
            mend(results, kind)
            last, _ = place.study()
            shutil.copytree(results, kept, dirs_exist_ok=True)
        finally:
            subprocess.run(["umount", "-l", str(results)], check=False)
            results.rmdir()
            kept.rename(results)
        return {"done": f"results on a small disk that is {kind}, {jobs} jobs left: `avf train`, "
                "then the study", "seen": f"exit codes {code} and {studied}: {said(printed)}",
                "ended": f"mended, the same command: {last}"}  # fmt: skip

    return case


def harm(results: Path, kind: str) -> None:
    """Fill the disk to its last byte, or make it read-only."""
    if kind != "full":
        subprocess.run(["mount", "-o", "remount,ro", str(results)], check=True)
        return
    with contextlib.suppress(OSError), (results / "filler").open("wb") as file:
        while True:
            file.write(b"0" * 4096)
            file.flush()


def mend(results: Path, kind: str) -> None:
    if kind == "full":
        (results / "filler").unlink()
    else:
        subprocess.run(["mount", "-o", "remount,rw", str(results)], check=True)


def clock(days: int) -> Case:
    """Kill training, then date half of the results `days` from now."""

    def case(place: Place) -> dict[str, str]:
        place.undo(*TRAINED)
        job = place.head()
        works = until_works(job, "train")
        kill(job)
        at = time.time() + 86400 * days
        paths = sorted(p for p in (place.folder / "results").rglob("*") if p.is_file())
        for path in random.Random(3).sample(paths, len(paths) // 2):
            os.utime(path, (at, at))
        place.unlock()
        jobs, (code, printed) = place.due(), place.study()
        told, codes = said(printed), [code]
        if "`find " in told:  # what the message says to do, to the letter
            place.run("bash", "-c", told.split("`")[1])
        codes += [place.study()[0] for _ in range(2)]
        left = place.due().total()
        again = sum(jobs[rule] for rule in ("make_corpus", "media", "fit_encoder", "encode"))
        when = "in training" if works else "after training"
        seen = f"{jobs.total()} jobs to do, {again} done before"
        return {"done": f"killed {when}, half of the files then dated {days:+d} days, as after "
                "a jump of the clock", "seen": f"{seen}; {told}" if code else seen,
                "ended": f"the study three times: {codes}; then {left} jobs are left"}  # fmt: skip

    return case


INFER = ("avf", "infer", str(RUN), "--config", "tiny.yaml")
TRAIN = ("avf", "train", "demo", "ca", "--seed", "0", "--config", "tiny.yaml")
SCORE = ("avf", "score", "demo", "--config", "tiny.yaml")
ENCODE = (
    ("avf", "encode", "demo", "mel_cnn", "--config", "tiny.yaml"),
    ("avf", "index", "results/features/demo/mel_cnn"),
)
CASES = {
    "truncated feature file": damaged(cut_feature, INFER, ENCODE),
    "flipped byte in the weights": damaged(flip_weights, INFER, (TRAIN,)),
    "flipped byte in the state": damaged(flip_state, TRAIN, ()),
    "settings edited by hand": damaged(edit_settings, SCORE, (TRAIN,)),
    "predictions edited by hand": damaged(edit_traces, SCORE, (INFER,)),
    "two workflows at once": twice(delay=False),
    "two workflows, one a little later": twice(delay=True),
    "read-only results": mounted("read-only"),
    "disk full": mounted("full"),
    "clock ahead": clock(30),
    "clock behind": clock(-30),
    "kill -9": killed,
}
