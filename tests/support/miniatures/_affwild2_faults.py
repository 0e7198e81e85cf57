"""Faults of an Aff-Wild2 folder: one edit each, and the check that must report it."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from support.miniatures import Fault, _film
from support.miniatures._edits import copied, cut, gone, line, rows

TRACK = "6th_ABAW_Annotations/VA_Estimation_Challenge"
TRAIN, VALIDATION = f"{TRACK}/Train_Set", f"{TRACK}/Validation_Set"
LISTS = "names_of_videos_in_each_test_set"
TEST_LIST = f"{LISTS}/Valence_Arousal_Estimation_Challenge_test_set_release.txt"
TEMPLATE = "CVPR_6th_ABAW_VA_test_set_example.txt"
ROWS_OF = {"train": "rated rows of train", "validation": "rated rows of validation"}


def each_image(folder: str, content: bytes | None) -> Callable[[Path], None]:
    """Return an edit that overwrites all images of a folder, with smaller ones by default."""
    small = cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes()

    def plant(root: Path) -> None:
        for path in (root / folder).glob("0*.jpg"):
            path.write_bytes(small if content is None else content)

    return plant


def silenced(*paths: str, keep_s: float = 0.0) -> Callable[[Path], None]:
    """Return an edit that removes the sound after `keep_s` seconds from raw videos."""
    return lambda root: [_film.without_sound(root / path, keep_s) for path in paths]


def of_rows(says: str, text: str | None, also: tuple[str, ...] = ()) -> Fault:
    """Return a fault in the 8th line of a validation file."""
    path = f"{VALIDATION}/10-60-640x240.txt"
    return Fault(
        line(path, 8, text), "annotation rows", f"10-60-640x240.txt:8: {says}", also=(
            ROWS_OF["validation"], *also,
        ),
    )  # fmt: skip


def faults(frames: dict[str, int], expect: dict) -> dict[str, Fault]:
    """Return all faults; `expect` and `frames` are the counts of the clean miniature."""
    long, short = f"{TRAIN}/3-30-320x240.txt", f"{VALIDATION}/10-60-640x240.txt"
    other = {**expect, "frames": {**frames, "video4": 91}}
    next_to = "cropped_aligned/10-60-640x240"
    minus = lambda n: lambda lines: ["-5,-5"] * n + lines[n:]  # noqa: E731
    train, validation = ROWS_OF["train"], ROWS_OF["validation"]
    return {
        "edition not pinned": Fault(
            lambda root: None, "edition", "none", options=(("edition", ""),),
            also=(),
        ),
        "an annotation file missing": Fault(
            gone(f"{TRAIN}/video4.txt"), "trials of train", "4", "WARN", also=(train,)
        ),
        "a trial in train and validation": Fault(
            copied(f"{TRAIN}/video4.txt", f"{VALIDATION}/video4.txt"), "split overlap", "video4",
            also=("video names", "subject overlap", "trials of validation", validation),
        ),
        "a trial without its raw video": Fault(
            gone("batch1/video4.mp4"), "files", "video4.mp4", also=("raw videos",)
        ),
        "a raw video of other tracks missing": Fault(
            gone("batch1/200.avi"), "raw videos", "7; missing: 200", "WARN"
        ),
        "a raw video in two batches": Fault(
            copied("batch1/video4.mp4", "batch2/video4.mp4"), "raw videos once",
            "batch1/video4.mp4 and batch2/video4.mp4", "WARN",
        ),
        "a raw video cut off": Fault(
            cut("batch1/video4.mp4", 0.5), "containers", "video4.mp4", "WARN"
        ),
        "a raw video of 0 bytes": Fault(
            cut("batch1/video4.mp4", 0), "empty files", "video4.mp4", "WARN", also=("containers",)
        ),
        "a link to nowhere": Fault(
            lambda root: (root / "batch1/999.mp4").symlink_to(root / "none"), "readable files",
            "batch1/999.mp4", "WARN",
        ),
        "a row of three numbers": of_rows("expected two numbers", "0.1,0.2,0.3"),
        "a row of words": of_rows("not two numbers", "happy,calm"),
        "a row of NaN": of_rows("not two numbers", "nan,nan"),
        "a row out of range": of_rows("neither within", "1.001,0.2"),
        "a blank row in the middle": of_rows("expected two numbers, found ''", ""),
        "a decimal comma": of_rows("expected two numbers", "0,1,0,2"),
        "a row of other bytes": Fault(
            lambda root: (root / short).write_bytes((root / short).read_bytes() + b"\xff\xfe,1\n"),
            "annotation rows", "10-60-640x240.txt:123", 
        ),
        "no header": Fault(
            line(short, 1, "0.1,0.2"), "annotation rows", "10-60-640x240.txt:1: expected the header"
        ),
        "an empty annotation file": Fault(
            lambda root: (root / short).write_text(""), "annotation rows", "the file is empty",
            also=(validation, "gold of validation", "rows far from frames", "rows and images"),
        ),
        "five rows too many": Fault(
            rows(short, lambda lines: lines + lines[-5:]), "rows and frames", "10-60-640x240 +6",
            "WARN", also=(validation,),
        ),
        "a hundred rows too few": Fault(
            rows(long, lambda lines: lines[:-100]), "rows far from frames", "3-30-320x240 -99",
            also=(train, "rows and images"),
        ),
        "one rating fewer than published": Fault(
            rows(short, minus(2)), validation, "237", "WARN"
        ),
        "many ratings fewer than published": Fault(rows(long, minus(50)), train, "957"),
        "a trial without a rating": Fault(
            rows(f"{TRAIN}/video4.txt", minus(92)), "gold of train", "video4", also=(train,)
        ),
        "an image past the last row": Fault(
            copied(f"{next_to}/00001.jpg", f"{next_to}/00122.jpg"), "rows and images",
            "10-60-640x240 image 122 of 121", also=("images",),
        ),
        "an image without leading zeros": Fault(
            copied(f"{next_to}/00001.jpg", f"{next_to}/12.jpg"), "image names",
            "10-60-640x240/12.jpg", "WARN", also=("images",),
        ),
        "images counted from zero": Fault(
            copied(f"{next_to}/00001.jpg", f"{next_to}/00000.jpg"), "image names",
            "10-60-640x240/00000.jpg", "WARN", also=("images",),
        ),
        "an image in both siblings": Fault(
            copied(f"{next_to}/00001.jpg", "cropped_aligned_new_50_vids/10-60-640x240/00001.jpg"),
            "image siblings", "10-60-640x240", "WARN", also=("images",),
        ),
        "the second sibling not unpacked": Fault(
            gone("cropped_aligned_new_50_vids"), "image folders", "451", "WARN", also=("images",)
        ),
        "an image lost": Fault(gone(f"{next_to}/00007.jpg"), "images", "794", "WARN"),
        "more rated rows without image than published": Fault(
            lambda root: None, "rated rows of train without image", "616", "WARN",
            options=(("expect", {**expect, "bare_rows": {"train": 600}}),),
        ),
        "images of another size": Fault(
            each_image("cropped_aligned/105_right", None), "image sample", "64 x 64 px", "WARN"
        ),
        "images of 0 bytes": Fault(
            each_image("cropped_aligned/105_right", b""), "empty images", "105_right 91", "WARN",
            also=("image sample",),
        ),
        "sound lost": Fault(
            silenced("batch2/105.mp4", "batch1/7-25-320x240-2.avi"), "sound", "4 with, 3 without",
            "WARN",
        ),
        "sound cut short": Fault(
            silenced("batch2/10-60-640x240.mp4", keep_s=0.8), "length of sound",
            "10-60-640x240 -1", "WARN",
        ),
        "frames other than published": Fault(
            lambda root: None, "public frame counts", "video4 90 not 91", "WARN",
            options=(("expect", other),),
        ),
        "a test trial not in the list": Fault(
            line(TEST_LIST, 2, None), "template", "451", "WARN", also=("trials of test",)
        ),
        "the test list missing": Fault(
            gone(TEST_LIST), "trials of test", "0", "WARN", also=("template",)
        ),
        "a template row missing": Fault(line(TEMPLATE, 9, None), "template", "166", "WARN"),
        "a template row without an image": Fault(
            line(TEMPLATE, 9, "video5_2,0,0"), "template", f"{TEMPLATE}:9", "WARN"
        ),
        "the template missing": Fault(gone(TEMPLATE), "template", "none found", "WARN"),
        "a template of more rows than frames": Fault(
            rows(TEMPLATE, lambda lines: lines + [f"451/{r:05d}.jpg," for r in range(77, 90)]),
            "template rows and frames", "451 +14", "WARN", also=("template",),
        ),
        "annotations of two editions": Fault(
            copied(TRACK, "Third ABAW Annotations/6th/VA_Estimation_Challenge"), "tree", "several"
        ),
        "no annotations": Fault(gone(TRACK), "tree", "found none"),
        "two test lists": Fault(
            copied(TEST_LIST, f"old/{Path(TEST_LIST).name}"), "tree",
            "2 candidates for the test_list",
        ),
    }  # fmt: skip
