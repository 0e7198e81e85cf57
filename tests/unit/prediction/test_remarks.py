"""`avf predict` prints remarks: those about the model once, those about a clip with its name."""

from pathlib import Path

from avfusion.commands.predict import _remark
from avfusion.prediction.doubts import GENERATED
from avfusion.prediction.find import Clip
from avfusion.prediction.many import Outcome


def test_remarks_about_the_model_are_printed_once(capsys):
    said = set()
    for name in ("a.mp4", "b.wav"):
        clip = Clip(Path(name), Path(), name)
        _remark(Outcome(clip, remarks=(GENERATED, "No speech in the sound.")), said)
    assert capsys.readouterr().err.splitlines() == [
        f"  note: {GENERATED}",
        "  a.mp4: No speech in the sound.",
        "  b.wav: No speech in the sound.",
    ]
