"""Read IEMOCAP's EmoEvaluation files: the time, class and ratings of each turn, and its votes.

Every line is accounted for. A turn that cannot be read is reported with its file and line.
"""

import math
import re
from dataclasses import dataclass, field

from avfusion.media.transcript_formats import lines

CODES = ("neu", "fru", "ang", "sad", "exc", "hap", "sur", "fea", "oth", "dis", "xxx")
"""Class codes of the files; xxx means that the raters had no majority."""


DIALOG = re.compile(r"Ses0([1-5])([FM])_(?:impro|script)\d\d[ab]?(?:_\d[ab]?)?", flags=re.ASCII)


_TURN = re.compile(rf"({DIALOG.pattern})_([FM])\d\d\d", flags=re.ASCII)


_NUMBER = r"(-?\d+(?:\.\d+)?)"


_SUMMARY = re.compile(
    rf"\[{_NUMBER} - {_NUMBER}\]\t(\S+)\t(\S+)\t\[{_NUMBER}, {_NUMBER}, {_NUMBER}\]\s*",
    flags=re.ASCII,
)


_VOTE = re.compile(r"[CA]-[EFM]\d*:")


@dataclass(frozen=True)
class Turn:
    """One rated turn.

    vad: valence, arousal ("act" in the files) and dominance, on a scale of 1 to 5. Times are
    seconds in the dialog.
    """

    name: str
    start_s: float
    end_s: float
    code: str
    vad: tuple[float, float, float]

    @property
    def dialog(self) -> str:
        """Name of the dialog that contains the turn."""
        return self.name.rpartition("_")[0]

    @property
    def session(self) -> int:
        """Session number, 1 to 5."""
        return int(self.name[3:5])

    @property
    def speaker(self) -> str:
        """One of ten speakers: the session and F or M."""
        return f"{self.name[3:5]}{self.name.rpartition('_')[2][0]}"

    @property
    def half(self) -> str:
        """Half of the picture that shows the speaker; the actor with the markers is on the left.

        >>> Turn("Ses05M_script01_1b_M012", 0, 1, "neu", (3, 3, 3)).half
        'left'
        """
        return "left" if self.speaker[-1] == self.name[5] else "right"


@dataclass
class Evaluation:
    """Contents of one file.

    turns: in the order of the file. votes, heads: numbers of these lines. faults: messages that
    begin with `file:line:`. strange: `file:line` of lines of no known kind.
    """

    turns: list[Turn] = field(default_factory=list)
    votes: int = 0
    heads: int = 0
    faults: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)


def read_turns(raw: bytes, name: str, dialog: str) -> Evaluation:
    """Parse the bytes of one file.

    A line that describes a turn and cannot be read is a fault. A line that is not a turn, a vote
    or a heading is strange.
    """
    result, seen = Evaluation(), set()
    for at, line in enumerate(lines(raw), start=1):
        if not line.strip():
            continue
        if _VOTE.match(line):
            result.votes += 1
        elif line.startswith("%"):
            result.heads += 1
        elif line.startswith("[") or "\tSes" in line or line.startswith("Ses"):
            turn = _turn(line, dialog)
            if isinstance(turn, str):
                result.faults.append(f"{name}:{at}: {turn}")
            elif turn.name in seen:
                result.faults.append(f"{name}:{at}: {turn.name} is listed twice")
            else:
                seen.add(turn.name)
                result.turns.append(turn)
        else:
            result.strange.append(f"{name}:{at}")
    if not result.turns and not result.faults:
        result.faults.append(f"{name}: no turn")
    return result


def _turn(line: str, dialog: str) -> Turn | str:
    """Return the turn of a line, or what is wrong with the line."""
    match = _SUMMARY.fullmatch(line)
    if match is None:
        return "not '[start - end] TURN CODE [V, A, D]' separated by tabs"
    turn, code = match[3], match[4]
    start_s, end_s, valence, arousal, dominance = (float(match[i]) for i in (1, 2, 5, 6, 7))
    if not _TURN.fullmatch(turn):
        return f"{_short(turn)} is not the name of a turn"
    if turn.rpartition("_")[0] != dialog:
        return f"{turn} is not a turn of {dialog}"
    if code not in CODES:
        return f"{turn}: {_short(code)} is not a class"
    vad = valence, arousal, dominance
    if not all(map(math.isfinite, (start_s, end_s, *vad))) or not 0 <= start_s < end_s:
        return f"{turn} ends before it starts"
    return Turn(turn, start_s, end_s, code, vad)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
