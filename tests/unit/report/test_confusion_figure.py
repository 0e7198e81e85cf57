"""The figure of confusion matrices can be read, however many classes there are."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

from avfusion.corpora.crema_d.votes import EMOTIONS as SIX
from avfusion.corpora.iemocap.release import CLASSES
from avfusion.corpora.ravdess.tree import EMOTIONS as EIGHT
from avfusion.report.figures.confusion import _panel
from avfusion.report.figures.style import drawing


@pytest.mark.parametrize(
    "names",
    [
        *(
            ("a", "b"),
            tuple(SIX.values()),
            EIGHT,
            *(tuple(names) for names in CLASSES.values() if names),
        ),
        tuple(f"class{k}" for k in range(12)),
    ],
    ids=len,
)
def test_names_of_classes_do_not_touch_each_other(names):
    with drawing():
        figure = Figure(figsize=(8.2, 3.85), layout="constrained")
        axis = figure.subplots(1, 2)[0]
        _panel(axis, np.eye(len(names)), names, "#333333")
        figure.draw_without_rendering()
        labels = axis.get_xticklabels()
        assert [label.get_text() for label in labels] == list(names)
        boxes = [label.get_window_extent() for label in labels]
    if any(label.get_rotation() for label in labels):
        step = (boxes[-1].x1 - boxes[0].x1) / (len(names) - 1)
        height = min(label.get_fontsize() for label in labels) * figure.dpi / 72
        assert step * np.sin(np.pi / 4) > height
    else:
        gaps = [right.x0 - left.x1 for left, right in pairwise(boxes)]
        assert min(gaps) > 0
