"""Faults of a folder of CREMA-D: one edit each, and the check that must report it."""

import csv
from collections.abc import Callable
from pathlib import Path

from support.miniatures import Fault
from support.miniatures._edits import copied, cut, gone

FILM = "VideoFlash/1001_IEO_HAP_HI.flv"
WAV = "AudioWAV/1001_IEO_HAP_HI.wav"
VOTES = "processedResults/tabulatedVotes.csv"
SUMMARY = "processedResults/summaryTable.csv"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 265922\n"
UNRATED = ("gold of train",)  # a film without times, or a clip without audio-visual votes
UNREAD = (*UNRATED, "votes per clip")  # the audio-visual row of a clip cannot be read


def cells(change: Callable[[dict[str, str]], dict[str, str] | None]) -> Callable[[Path], None]:
    """Return an edit of every row of the vote table; None removes the row."""

    def plant(root: Path) -> None:
        with (root / VOTES).open(newline="") as file:
            reader = csv.DictReader(file)
            changed = [new for row in reader if (new := change(row)) is not None]
        with (root / VOTES).open("w", newline="") as file:
            writer = csv.DictWriter(file, reader.fieldnames)
            writer.writeheader()
            writer.writerows(changed)

    return plant


def row(**values: str) -> Callable[[Path], None]:
    """Return an edit of the audio-visual row of 1002_IEO_HAP_HI; `key` is its first column."""
    named = {"" if column == "key" else column: text for column, text in values.items()}
    return cells(lambda old: old | named if _is_row(old) else old)


def _is_row(old: dict[str, str]) -> bool:
    return old["fileName"] == "1002_IEO_HAP_HI" and old[""].startswith("3")


def faults(options: dict) -> dict[str, Fault]:
    """Return all faults."""
    return {**_of_tables(options), **_of_media()}


def _of_tables(options: dict) -> dict[str, Fault]:
    unknown = options["expect"] | {"unusable": []}
    return {
        "no vote table": Fault(gone(VOTES), "tree", "no file processedResults/tabulatedVotes.csv"),
        "a column of the vote table lost": Fault(
            lambda root: (root / VOTES).write_text(
                (root / VOTES).read_text().replace("emoVote", "vote", 1)
            ),
            "tree", "no column 'emoVote'",
        ),
        "a word for a count": Fault(
            row(A="many"), "vote lines", "csv:159: 1002_IEO_HAP_HI: A is 'many'", also=UNREAD,
        ),
        "a row of no clip": Fault(
            row(fileName="1002_IEO_JOY_HI"), "vote lines", "'1002_IEO_JOY_HI' is not the name",
            also=UNREAD,
        ),
        "a key of no modality": Fault(
            row(key="500014"), "vote lines", "the key '500014' is not from 100001",
            also=UNREAD,
        ),
        "a word for a level": Fault(
            row(meanEmoResp="high"), "vote lines", "meanEmoResp is 'high'", also=UNREAD,
        ),
        "a row twice": Fault(
            row(key="200014"), "vote lines", "1002_IEO_HAP_HI (video) is listed twice",
            also=UNREAD,
        ),
        "a row lost": Fault(
            cells(lambda old: None if _is_row(old) else old), "votes per clip",
            "1002_IEO_HAP_HI: 2", "WARN", also=UNRATED,
        ),
        "a clip without votes": Fault(
            cells(lambda old: None if old["fileName"] == "1002_IEO_HAP_HI" else old), "clips",
            "71 clips of 6 actors",
            also=(*UNREAD, "clips per actor", "sentences", "emotions"),
        ),
        "an actor without votes": Fault(
            cells(lambda old: None if old["fileName"] < "1002" else old), "clips",
            "60 clips of 5 actors", also=(*UNREAD, "sentences", "emotions"),
        ),
        "another number of responses": Fault(
            row(numResponses="99"), "number of votes", "numResponses '99'", "WARN",
        ),
        "another winner": Fault(
            row(emoVote="S"), "winners of votes", "1002_IEO_HAP_HI: H, emoVote 'S'", "WARN",
        ),
        "another agreement": Fault(
            row(agreement="0.123"), "agreement", "agreement '0.123'", "WARN",
        ),
        "a level beyond the scale": Fault(
            row(meanEmoResp="140"), "gold range", "1002_IEO_HAP_HI (140 to 140)",
        ),
        "a level that no clip has": Fault(
            cells(lambda old: old | {"fileName": old["fileName"].replace("1003_TIE_ANG_XX",
                                                                         "1003_TIE_ANG_LO")}),
            "levels", "1003_TIE_ANG_LO", "WARN", also=("files", "gold of test", "votes per clip"),
        ),
        "votes for the next emotion": Fault(
            cells(_shifted), "human recognition", "8.3 / 61.6 / 67.0 %", "WARN",
            also=("summary table",),
        ),
        "an actor without demographics": Fault(
            lambda root: (root / "VideoDemographics.csv").write_text(
                (root / "VideoDemographics.csv").read_text().replace("1064,", "1065,")
            ),
            "demographics", "1064: 0", "WARN",
        ),
        "no demographics": Fault(
            gone("VideoDemographics.csv"), "demographics", "no such file", "WARN",
        ),
        "no summary table": Fault(gone(SUMMARY), "summary table", "no such file", "WARN"),
        "other winners in the summary table": Fault(
            lambda root: (root / SUMMARY).write_text(
                (root / SUMMARY).read_text().replace('"1002_IEO_SAD_LO","', '"1002_IEO_SAD_LO","F:')
            ),
            "summary table", "2 clips: 1002_IEO_SAD_LO, 1003_TIE_HAP_XX", "WARN",
        ),
        "clips that are known to be spoilt": Fault(
            lambda root: None, "unusable clips", "1064_IEO_DIS_MD is a minute long", "WARN",
            options=(("expect", unknown),),
        ),
    }  # fmt: skip


def _shifted(old: dict[str, str]) -> dict[str, str]:
    """Return a row of voices whose votes count for the next letter."""
    if not old[""].startswith("1"):
        return old
    letters = "ADFHNS"
    follows = dict(zip(letters, letters[1:] + letters[:1], strict=True))
    votes = {follows[letter]: old[letter] for letter in letters}
    winners = sorted(follows[letter] for letter in old["emoVote"].split(":") if letter)
    return old | votes | {"emoVote": ":".join(winners)}


def _of_media() -> dict[str, Fault]:
    return {
        "a film missing": Fault(
            gone(FILM), "files", "1001_IEO_HAP_HI.flv", also=(*UNRATED, "wavs with films"),
        ),
        "a wav missing": Fault(gone(WAV), "films with wavs", "1001_IEO_HAP_HI", "WARN"),
        "a film that is a pointer": Fault(
            lambda root: (root / FILM).write_text(POINTER), "LFS pointers", "1 pointers: Video",
            also=UNRATED,
        ),
        "a wav that is a pointer": Fault(
            lambda root: (root / WAV).write_text(POINTER), "LFS pointers", "1 pointers: AudioWAV",
        ),
        "a film empty": Fault(
            cut(FILM, 0), "films readable", "the file is empty", "WARN",
            also=(*UNRATED, "empty files"),
        ),
        "a film that is none": Fault(
            lambda root: (root / FILM).write_text("gone"), "films readable", "not a media", "WARN",
            also=UNRATED,
        ),
        "a film cut off": Fault(
            cut(FILM, 0.5), "length of wavs", "1001_IEO_HAP_HI by", "WARN",
        ),
        "a wav cut off": Fault(
            cut(WAV, 0.6), "length of wavs", "1001_IEO_HAP_HI by -0.32 s", "WARN",
        ),
        "a wav that is none": Fault(
            lambda root: (root / WAV).write_text("gone"), "form of wavs", "not a PCM wav", "WARN",
        ),
        "a stereo wav": Fault(_stereo, "form of wavs", "44100 Hz, 2 channel, 16 bit", "WARN"),
        "a film of another name": Fault(
            copied(FILM, FILM.replace("HAP", "JOY")), "file names", "1001_IEO_JOY_HI.flv", "WARN",
        ),
        "the folder twice": Fault(
            copied("VideoFlash", "CREMA-D-master/VideoFlash"), "one release", "VideoFlash/1001",
        ),
        "a download broken off": Fault(
            copied(FILM, f"{FILM}.part"), "unfinished downloads", f"{FILM}.part", "WARN",
        ),
        "an actor without films": Fault(
            lambda root: [path.unlink() for path in (root / "VideoFlash").glob("1076_*")],
            "actors with films", "1076", "WARN", also=("files", *UNRATED, "wavs with films"),
        ),
    }  # fmt: skip


def _stereo(root: Path) -> None:
    from support.miniatures import crema_d

    crema_d.wav(root / WAV, "1001_IEO_HAP_HI", 44100, 2)
