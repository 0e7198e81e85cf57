"""A miniature of VoxCeleb1: six people, two videos each, two utterances of 1.2 s per video.

Video ids have the characters of YouTube's; numbers of face folders are not padded; one folder of
faces is missing in the release as well, so the clean tree has it filled here.
"""

import wave
from pathlib import Path

import numpy as np

from support.miniatures import Fault
from support.miniatures._edits import copied, cut, gone, line

PEOPLE = {
    "id10001": ("A.J._Buckley", "dev"),
    "id10002": ("A.R._Rahman", "dev"),
    "id10003": ("Aamir_Khan", "dev"),
    "id10004": ("Aaron_Tveit", "dev"),
    "id10270": ("Eartha_Kitt", "test"),
    "id10271": ("Ebon_Moss-Bachrach", "test"),
}
VIDEOS = ("5r0dWxy17C8", "-a_Z9bQ0-xE")
SECONDS, HZ, FACES = 1.2, 16_000, 11
TESTED = ("id10270", "id10271")
OPTIONS = {
    "validation": 2,
    "expect": {"people": 6, "utterances": 24, "O": 10, "E": 6},
}
FACE = "unzippedIntervalFaces/data/{name}/1.6/{video}/{number}"


def trials(people: tuple[str, ...]) -> list[str]:
    """Return lines of trials between the people."""
    clips = [
        f"{person}/{video}/{n:05d}.wav" for person in people for video in VIDEOS for n in (1, 2)
    ]
    pairs = [(a, b) for i, a in enumerate(clips) for b in clips[i + 1 :]]
    same = [f"1 {a} {b}" for a, b in pairs if a[:7] == b[:7]][:5]
    return [*same, *[f"0 {a} {b}" for a, b in pairs if a[:7] != b[:7]][:5]]


def build(root: Path) -> None:
    """Write the clean tree; dev and test lie in folders of their own, the meta has CRLF."""
    import cv2

    rng = np.random.default_rng(0)
    for number, (person, (name, kind)) in enumerate(PEOPLE.items()):
        for video in VIDEOS:
            for clip in (1, 2):
                path = root / kind / "wav" / person / video / f"{clip:05d}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                tone = np.sin(2 * np.pi * (120 + 40 * number) * np.arange(SECONDS * HZ) / HZ)
                with wave.open(str(path), "wb") as file:
                    file.setparams((1, 2, HZ, 0, "NONE", ""))
                    file.writeframes((8000 * tone).astype("<i2").tobytes())
                folder = root / FACE.format(name=name, video=video, number=clip)
                folder.mkdir(parents=True)
                for face in range(FACES):
                    image = rng.integers(0, 40, (96, 96, 3), np.uint8) + np.uint8(30 * number)
                    image[:8] = 20 * face  # the place of the face in time
                    cv2.imwrite(str(folder / f"{face + 1}.jpg"), image)
    head = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"
    rows = [f"{person}\t{name}\tm\tUSA\t{kind}" for person, (name, kind) in PEOPLE.items()]
    (root / "vox1_meta.csv").write_bytes("\r\n".join([head, *rows, ""]).encode())
    (root / "veri_test2.txt").write_text("\n".join([*trials(TESTED), ""]))
    every = trials(("id10001", "id10270"))[:3] + trials(("id10001", "id10270"))[-3:]
    (root / "list_test_all2.txt").write_text("\n".join([*every, ""]))


LIST = "veri_test2.txt"
WAV = "test/wav/id10270/5r0dWxy17C8/00001.wav"
FIRST = "id10270/5r0dWxy17C8/00001.wav"
SECOND = "id10270/5r0dWxy17C8/00002.wav"
FAULTS = {
    "no meta file": Fault(gone("vox1_meta.csv"), "tree", "no vox1_meta.csv"),
    "meta with commas": Fault(
        line("vox1_meta.csv", 2, "id10001,A.J._Buckley,m,USA,dev\r"), "tree", "vox1_meta.csv:2"
    ),
    "no list of Vox1-O": Fault(gone(LIST), "tree", "no veri_test2.txt"),
    "the first list in place of the cleaned one": Fault(
        line(LIST, 1, f"1 {FIRST} {SECOND}\n1 {FIRST} id10270/-a_Z9bQ0-xE/00001.wav"),
        "trials of O", "11", "WARN",
    ),
    "a line of two words": Fault(
        line(LIST, 1, f"1 {FIRST}"), "lines of O", f"veri_test2.txt:1: '1 {FIRST}'"
    ),
    "a trial with the wrong label": Fault(
        line(LIST, 1, f"0 {FIRST} {SECOND}"), "labels of O",
        "id10270-5r0dWxy17C8-00001 id10270-5r0dWxy17C8-00002", also=("trial labels",),
    ),
    "an utterance missing": Fault(
        gone(WAV), "utterances of O", "id10270-5r0dWxy17C8-00001",
        also=("utterances", "trial videos", "trial labels"),
    ),
    "a person of the list in the set dev": Fault(
        line("vox1_meta.csv", 6, "id10270\tEartha_Kitt\tf\tUSA\tdev\r"), "sets",
        "id10270: dev", "WARN",
    ),
    "an id without a name": Fault(
        line("vox1_meta.csv", 7, None), "ids", "id10271",
        also=("faces", "names of faces"),
    ),
    "a folder of faces missing": Fault(
        gone(FACE.format(name="Aamir_Khan", video=VIDEOS[0], number=2)), "faces",
        "id10003-5r0dWxy17C8-00002", "WARN",
    ),
    "faces under another name": Fault(
        copied(FACE.format(name="Aamir_Khan", video=VIDEOS[0], number=2),
               FACE.format(name="Amir_Khan", video=VIDEOS[0], number=2)),
        "names of faces", "Amir_Khan", "WARN",
    ),
    "a sound file cut off": Fault(
        cut("dev/wav/id10001/5r0dWxy17C8/00001.wav", 0.0), "sound form",
        "00001.wav: cut off", "WARN", also=("empty files",),
    ),
    "one utterance too many": Fault(
        copied(WAV, "test/wav/id10270/5r0dWxy17C8/00003.wav"), "utterances", "25", "WARN",
        also=("faces",),
    ),
}  # fmt: skip
