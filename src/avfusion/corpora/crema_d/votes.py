"""Read how people judged the clips of CREMA-D: votes, levels, and how many were right.

`processedResults/tabulatedVotes.csv` has one row per clip and modality. Its key is 100000 times the
modality (1 voice, 2 face, 3 both) plus the number of the clip. A clip is named after its actor,
sentence, emotion and level, such as `1001_IEO_HAP_LO`.
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from avfusion.corpora.formats.table import NUMBER, read_sheet, short

EMOTIONS = {
    "ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad",
}  # fmt: skip
"""Emotion in the name of a clip -> class."""


LETTERS = dict(zip("ADFHNS", EMOTIONS.values(), strict=True))
"""Column of the vote table -> class."""


SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
"""Sentence in the name of a clip -> its words."""


GRADED = "IEO"
"""The sentence that was spoken at three levels."""


MODALITIES = {1: "audio", 2: "video", 3: "both"}
"""Modality in the key of a row -> its name here."""


COLUMNS = ("clip", "modality", "emotion", "responses", "right", "level")
"""Columns of `CremaD.votes`."""


NO_VOTE = -1.0  # a mean level of no response


_NEEDED = (*LETTERS, "fileName", "numResponses", "agreement", "emoVote", "meanEmoResp")
_SUMMARY = {"audio": "VoiceVote", "video": "FaceVote", "both": "MultiModalVote"}
_HINT = "Run: avf obtain crema_d --accept-licence"
_KEY = re.compile(r"([123])\d{5}", flags=re.ASCII)
_SLACK = 1e-3  # of shares, which the table rounds
_NAME = re.compile(
    rf"(\d{{4}})_({'|'.join(SENTENCES)})_({'|'.join(EMOTIONS)})_(LO|MD|HI|XX?)", flags=re.ASCII
)


@dataclass(frozen=True, order=True)
class Clip:
    """One clip, as its name describes it; `emotion` is the intended class."""

    name: str
    actor: int
    sentence: str
    emotion: str
    level: str


def clip_of(name: str) -> Clip | None:
    """Return the clip of a name, or None if it is no such name.

    One recording of the release is named `1040_ITH_SAD_X.wav`, and its film `1040_ITH_SAD_XX.flv`.
    Both are the clip `1040_ITH_SAD_XX`.

    >>> clip_of("1040_ITH_SAD_X").name
    '1040_ITH_SAD_XX'
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    actor, sentence, emotion, level = match.groups()
    level = "XX" if level == "X" else level
    full_name = f"{actor}_{sentence}_{emotion}_{level}"
    return Clip(full_name, int(actor), sentence, EMOTIONS[emotion], level)


@dataclass
class Votes:
    """Contents of the vote table.

    Attributes
    ----------
    table
        One row per clip and modality: `COLUMNS`, `winners` (letters of the classes with most
        votes, joined by `:`), and a column per class with its share of the responses.
    faults
        Rows that cannot be read, beginning with `file:line:`.
    sums, winners, shares
        Rows that can be read, but whose `numResponses`, `emoVote` or `agreement` differs from
        their votes.
    """

    table: pd.DataFrame
    faults: list[str] = field(default_factory=list)
    sums: list[str] = field(default_factory=list)
    winners: list[str] = field(default_factory=list)
    shares: list[str] = field(default_factory=list)


def read_votes(path: Path, name: str) -> Votes:
    """Read the vote table.

    Parameters
    ----------
    path
        The file.
    name
        Name of the file in messages.

    Raises
    ------
    CorpusError
        If there is no such file, or it lacks a column.
    """
    sheet = read_sheet(path, name, _NEEDED, _HINT)
    votes = Votes(pd.DataFrame(), sheet.faults)
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for where, cells in sheet.rows:
        row = _row(cells, sheet.columns[0])
        if isinstance(row, str):
            votes.faults.append(f"{where}: {row}")
            continue
        key = str(row["clip"]), str(row["modality"])
        if key in rows:
            votes.faults.append(f"{where}: {key[0]} ({key[1]}) is listed twice")
            continue
        rows[key] = row
        _compare(votes, where, cells, row)
    votes.table = pd.DataFrame(
        list(rows.values()), columns=[*COLUMNS, "winners", *LETTERS.values()]
    )
    return votes


def human_recognition(votes: pd.DataFrame, modality: str) -> dict[str, float]:
    """Return the share of responses that name the intended emotion.

    Parameters
    ----------
    votes
        Table with the columns `COLUMNS`, one row per clip and modality.
    modality
        `audio`, `video` or `both`.

    Returns
    -------
    dict
        `all` and each intended emotion -> share from 0 to 1; NaN without a response.

    Examples
    --------
    >>> rows = [["a", "audio", "sad", 8, 2, 50.0], ["b", "audio", "fear", 2, 2, 50.0]]
    >>> human_recognition(pd.DataFrame(rows, columns=COLUMNS), "audio")
    {'all': 0.4, 'fear': 1.0, 'sad': 0.25}
    """
    rows = votes[votes["modality"] == modality]
    counts = rows.groupby("emotion")[["right", "responses"]].sum()
    pairs = {"all": counts.sum(), **{str(emotion): row for emotion, row in counts.iterrows()}}
    return {
        name: float(row["right"] / row["responses"]) if row["responses"] else math.nan
        for name, row in pairs.items()
    }


def disagreements(votes: pd.DataFrame, path: Path, name: str) -> tuple[list[str], list[str]]:
    """Compare the winners of the vote table with those of `summaryTable.csv`.

    Parameters
    ----------
    votes
        Table of `read_votes`.
    path, name
        The summary table, and its name in messages.

    Returns
    -------
    tuple of list of str
        Clips with other winners in at least one modality, and rows that cannot be read.

    Raises
    ------
    CorpusError
        If there is no such file, or it lacks a column.
    """
    sheet = read_sheet(path, name, ("FileName", *_SUMMARY.values()), _HINT)
    keys = zip(votes["clip"], votes["modality"], strict=True)
    winners = dict(zip(keys, votes["winners"], strict=True))
    differing: list[str] = []
    for where, cells in sheet.rows:
        clip = clip_of(cells["FileName"])
        if clip is None:
            sheet.faults.append(f"{where}: {short(cells['FileName'])} is not the name of a clip")
            continue
        stated = {m: _letters(cells[column]) for m, column in _SUMMARY.items()}
        if any(winners.get((clip.name, m), text) != text for m, text in stated.items()):
            differing.append(clip.name)
    return differing, sheet.faults


def _row(cells: dict[str, str], first: str) -> dict[str, object] | str:
    """Return the values of a row, or what is wrong with it; `first` is the column of the key."""
    clip = clip_of(cells["fileName"])
    if clip is None:
        return f"{short(cells['fileName'])} is not the name of a clip"
    key = _KEY.fullmatch(cells[first])
    if key is None:
        return f"{clip.name}: the key {short(cells[first])} is not from 100001 to 399999"
    counts = {letter: _count(cells[letter]) for letter in LETTERS}
    if strange := [letter for letter, count in counts.items() if count is None]:
        return f"{clip.name}: {strange[0]} is {short(cells[strange[0]])}, which is no count"
    level = _number(cells["meanEmoResp"])
    if level is None:
        return f"{clip.name}: meanEmoResp is {short(cells['meanEmoResp'])}, which is no number"
    votes = {LETTERS[letter]: count or 0 for letter, count in counts.items()}
    total, most = sum(votes.values()), max(votes.values())
    winners = [letter for letter, of in LETTERS.items() if votes[of] == most and total]
    return {
        "clip": clip.name,
        "modality": MODALITIES[int(key[1])],
        "emotion": clip.emotion,
        "responses": total,
        "right": votes[clip.emotion],
        "level": math.nan if level == NO_VOTE else level,
        "winners": ":".join(winners),
        **{of: count / total if total else math.nan for of, count in votes.items()},
    }


def _compare(votes: Votes, where: str, cells: dict[str, str], row: dict[str, object]) -> None:
    """Note where the other columns of a row differ from its votes."""
    total, winners = row["responses"], str(row["winners"])
    named = f"{where}: {row['clip']}"
    if _count(cells["numResponses"]) != total:
        votes.sums.append(f"{named}: {total} votes, numResponses {short(cells['numResponses'])}")
    if _letters(cells["emoVote"]) != winners:
        votes.winners.append(f"{named}: {winners or 'no vote'}, emoVote {short(cells['emoVote'])}")
    if not winners:
        return
    share, stated = float(str(row[LETTERS[winners[0]]])), _number(cells["agreement"])
    if stated is None or not abs(stated - share) <= _SLACK:
        votes.shares.append(f"{named}: {share:.3f}, agreement {short(cells['agreement'])}")


def _letters(text: str) -> str:
    """Return the letters of winners in one order."""
    return ":".join(sorted(text.replace(" ", "").split(":")))


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _number(text: str) -> float | None:
    """Return a number; NaN for `NA`, the missing value of the table; None for something else."""
    if text == "NA":
        return math.nan
    value = float(text) if NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None
