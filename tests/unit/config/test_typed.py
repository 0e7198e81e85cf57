"""Options are checked against their annotations, read as text."""

import pytest

from avfusion.config.option_types import misfit


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        ("int", [0, -3], [1.0, "1", None, True]),
        ("float", [0.5, 2], ["0.5", False, None]),
        ("bool", [True], [1, "yes"]),
        ("str", ["a"], [1, None]),
        ("Path", ["a/b"], [3]),
        ("int | None", [None, 3], ["x", 1.5]),
        ("Optional[int]", [None, 3], ["x"]),
        ("Union[int, str]", [3, "x"], [1.5]),
        ("Literal['row', 1]", ["row", 1], ["col", True, 2]),
        ("list[float]", [[], [1, 2.5]], [[1, "x"], 3, (1,)]),
        ("tuple[int, str]", [[1, "a"]], [[1], [1, 2], "ab"]),
        ("tuple[int, ...]", [[], [1, 2]], [[1, "a"]]),
        ("dict[str, int]", [{"a": 1}], [{"a": "b"}, {1: 1}, []]),
        ("dict[str, Any] | None", [{"a": []}, None], [3]),
        ("'int'", [3], ["x"]),
        ("Unknown", [3, "x", None], []),
    ],
)
def test_what_fits_passes_and_what_does_not_is_named(annotation, good, bad):
    assert [misfit(annotation, value) for value in good] == [""] * len(good)
    for value in bad:
        assert repr(value) in misfit(annotation, value), value
