"""Text that hypothesis writes into annotation files, and the lines that faults name."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from avfusion.errors import AvfError

TARGETS = ("valence", "arousal")
ODD = ["", " ", "nan", "?", "inf", "-inf", "1e400", "1e18", "-1", "0x1", "1_0", "٣", "0,1"]
ODD += ["a\x00b", "1e-400"]
CELL = st.one_of(
    st.floats(-2, 20).map(lambda x: f"{x:.3f}"), st.sampled_from(ODD), st.text(max_size=5)
)
PLAIN = CELL.filter(
    lambda text: not set(text) & set('\n\r",;\t\x00\x1c\x1d\x1e\x85\u2028\u2029\x0b\x0c')
)
ROW = st.lists(PLAIN, min_size=0, max_size=6)
few = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def fault_lines(faults: list[str], name: str) -> set[int]:
    """Return the lines that faults name; each fault begins with the file."""
    assert all(fault.startswith(name) for fault in faults), faults
    places = [fault.removeprefix(f"{name}:").split(":")[0] for fault in faults]
    return {int(place) for place in places if place.isdecimal()}


NAMES = st.sampled_from(["a.mp4", "b.mp4", "../c.mp4", "", "/d.mp4", "e\\f.mp4", "."])
NUMBER = st.sampled_from(["0", "1", "5.5", "1e9", "1e300", "-3", "x", "", "nan"])


def read_or_refusal(read):
    """Return what is read, or the message of the error."""
    try:
        return read()
    except AvfError as error:
        return str(error)
