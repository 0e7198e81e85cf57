"""Faults of an IEMOCAP release: one edit each, and the check that must report it."""

import shutil
from collections.abc import Callable
from pathlib import Path

from support.miniatures import Fault
from support.miniatures._edits import copied, cut, gone

RATED = "Session2/dialog/EmoEvaluation/Ses02F_impro01.txt"
WORDS = "Session3/dialog/transcriptions/Ses03F_impro01.txt"
WAVS = "Session1/sentences/wav/Ses01M_script01_1b"
WAV = f"{WAVS}/Ses01M_script01_1b_M000.wav"
FILMS = "Session1/dialog/avi/DivX"
FILM = f"{FILMS}/Ses01F_impro01.avi"
LOST = ("turns", "classes")  # other checks that fail with an unreadable turn


def edited(path: str, turn: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    """Return an edit of the line that describes a turn; an empty line is removed."""

    def plant(root: Path) -> None:
        lines = (root / path).read_bytes().decode("latin-1").split("\n")
        at = next(i for i, line in enumerate(lines) if turn in line)
        lines[at : at + 1] = [new for new in [change(lines[at])] if new]
        (root / path).write_bytes("\n".join(lines).encode("latin-1"))

    return plant


def rated(change: Callable[[str], str]) -> Callable[[Path], None]:
    """Return an edit of the summary line of Ses02F_impro01_F001, the third turn, an angry one."""
    return edited(RATED, "Ses02F_impro01_F001", change)


def faults() -> dict[str, Fault]:
    """Return all faults."""
    return {**_of_texts(), **_of_media()}


def _of_texts() -> dict[str, Fault]:
    return {
        "an evaluation missing": Fault(
            gone(RATED), "dialogs", "2/1/2/2/2", also=(*LOST, "rated films", "unlisted files"),
        ),
        "an evaluation empty": Fault(
            cut(RATED, 0), "evaluation lines", "Ses02F_impro01.txt: no turn",
            also=(*LOST, "unlisted files"),
        ),
        "an evaluation in another session": Fault(
            copied(RATED, RATED.replace("Session2", "Session1")), "file names",
            "Session1/dialog/EmoEvaluation/Ses02F", "WARN",
        ),
        "a session twice": Fault(
            lambda root: shutil.copytree(root / "Session4", root / "copy/Session4"),
            "one release", "Session4",
        ),
        "a turn lost": Fault(rated(lambda line: ""), "turns", "16/15/16", also=("classes",)),
        "a turn of another class": Fault(
            rated(lambda line: line.replace("\tang\t", "\tneu\t")), "classes", "ang: 9 for 10",
        ),
        "a class that is none": Fault(
            rated(lambda line: line.replace("\tang\t", "\tangry\t")), "evaluation lines",
            "'angry' is not a class", also=LOST,
        ),
        "blanks for tabs": Fault(
            rated(lambda line: line.replace("\t", "    ")), "evaluation lines",
            "Ses02F_impro01.txt:17: not '[start", also=LOST,
        ),
        "a word for a rating": Fault(
            rated(lambda line: line.replace("[5.5000", "[high")), "evaluation lines",
            "txt:17: not '[start", also=LOST,
        ),
        "a bracket lost": Fault(
            rated(lambda line: line[1:]), "evaluation lines", "txt:17: not '[start", also=LOST,
        ),
        "a turn of another dialog": Fault(
            rated(lambda line: line.replace("Ses02F", "Ses03F")), "evaluation lines",
            "Ses03F_impro01_F001 is not a turn of Ses02F_impro01", also=LOST,
        ),
        "a turn twice": Fault(
            rated(lambda line: f"{line}\n{line}"), "evaluation lines", "is listed twice",
        ),
        "start and end exchanged": Fault(
            rated(lambda line: line.replace("[2.", "[9.", 1)), "evaluation lines",
            "F001 ends before it starts", also=LOST,
        ),
        "a rating beyond the scale": Fault(
            rated(lambda line: line.replace("[5.5000", "[6.0000")), "gold range", "F001",
        ),
        "a line of no kind": Fault(
            rated(lambda line: f"{line}\nD-E2: what"), "other lines", "txt:18", "WARN",
        ),
        "a turn moved": Fault(
            rated(lambda line: line.replace("[2.", "[2.3", 1)), "length of wavs", "F001", "WARN",
            also=("transcript times",),
        ),
        "a transcript missing": Fault(gone(WORDS), "turns in words", "Ses03F", "WARN"),
        "a transcript line without times": Fault(
            edited(WORDS, "impro01_M001", lambda line: line.replace("[", "")), "transcript lines",
            "Ses03F_impro01.txt:6: not 'turn", "WARN", also=("turns in words",),
        ),
        "a transcript of other times": Fault(
            edited(WORDS, "impro01_M001", lambda line: line.replace("-00", "-10")),
            "transcript times", "M001", "WARN",
        ),
        "an alignment broken": Fault(
            edited("Session5/sentences/ForcedAlignment/Ses05F_impro01/Ses05F_impro01_F000.wdseg",
                   "LAUGHTER", lambda line: line.replace("29", "x")),
            "aligned words", "F000.wdseg:4", "WARN",
        ),
    }  # fmt: skip


def _of_media() -> dict[str, Fault]:
    return {
        "a turn's wav missing": Fault(gone(WAV), "wavs", "script01_1b_M000", "WARN"),
        "a turn's wav cut off": Fault(
            cut(WAV, 0.5), "length of wavs", "M000 by -0.31 s", "WARN",
        ),
        "a turn's wav that is none": Fault(
            lambda root: (root / WAV).write_text("gone"), "form of wavs",
            "M000: not a PCM wav", "WARN",
        ),
        "a stereo wav of a turn": Fault(
            copied("Session1/dialog/wav/Ses01F_impro01.wav", WAV), "form of wavs",
            "16000 Hz, 2 channel", "WARN",
        ),
        "a dialog's wav cut off": Fault(
            cut("Session4/dialog/wav/Ses04F_impro01.wav", 0.6), "turns within dialogs",
            "Ses04F_impro01: 6.73 of 4.14", "WARN",
        ),
        "a film missing": Fault(gone(FILM), "files", "Ses01F_impro01.avi"),
        "a film empty": Fault(
            cut(FILM, 0), "films readable", "Ses01F_impro01.avi", also=("empty files",),
        ),
        "a film cut off": Fault(
            cut(FILM, 0.5), "length of films", "Ses01F_impro01", "WARN",
        ),
        "a film of one actor": Fault(_one_actor, "two halves", "Ses01F_impro01: 160x120", "WARN"),
        "a film nobody rated": Fault(
            copied(FILM, FILM.replace("impro01", "impro09")), "rated films", "Ses01F_impro09",
            "WARN", also=("unlisted files",),
        ),
        "a film of another name": Fault(
            copied(FILM, FILM.replace("impro01", "improv1")), "file names", "improv1", "WARN",
            also=("unlisted files",),
        ),
        "sound of another length in all turns": Fault(
            lambda root: [cut(str(path.relative_to(root)), 0.8)(root)
                          for path in sorted((root / WAVS).glob("*.wav"))],
            "length of wavs", "and 3 more", "WARN",
        ),
    }  # fmt: skip


def _one_actor(root: Path) -> None:
    from support.miniatures import iemocap

    iemocap.film(root / FILM, "Ses01F_impro01", halves=1)
