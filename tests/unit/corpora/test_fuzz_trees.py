"""Test that `avf verify` ends in checks for truncated and overwritten annotation files."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.miniatures import miniatures, verify

TEXTS = {
    "affwild2": ("*/VA_Estimation_Challenge/*/*.txt", "names_of_videos*/*.txt", "*.txt"),
    "recola": ("ratings_*/*/*.arff", "ratings_*/*/*.csv"),
    "fatigue": ("manifest.csv",),
    "iemocap": (
        "Session1/dialog/EmoEvaluation/S*.txt", "Session1/dialog/transcriptions/*.txt",
        "Session2/sentences/ForcedAlignment/*/*.wdseg",
    ),
    "own": ("manifest.csv", "ratings/*"),
    "crema_d": ("processedResults/*.csv", "VideoDemographics.csv"),
}  # fmt: skip
SCRIBBLE = st.one_of(
    st.text(st.sampled_from("0123456789.,;:-[]\t\n /<>\"'abcnx@%"), max_size=40),
    st.sampled_from(["1e300", "nan", "\x00", "\n\n\n", ",,,,,", "-5", "٣", '"', "9" * 400, "é"]),
)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Corpus -> its folder and annotation files; verified once, so that films are known."""
    made = {}

    def get(corpus):
        if corpus not in made:
            folder, module = tmp_path_factory.mktemp(corpus), miniatures()[corpus]
            module.build(folder / "tree")
            assert verify(corpus, folder / "tree", module.OPTIONS, folder / "results")[0] == 0
            files = [p for pattern in TEXTS[corpus] for p in (folder / "tree").glob(pattern)]
            made[corpus] = folder, sorted({p for p in files if p.is_file()})
            assert len(made[corpus][1]) >= 1
        return made[corpus]

    return get


@pytest.mark.slow
@pytest.mark.parametrize(
    "corpus", [c if c == "own" else pytest.param(c, marks=pytest.mark.long) for c in TEXTS]
)
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_scribbled_annotation_ends_in_a_check_that_names_it_or_in_other_numbers(
    clean, corpus, data
):
    folder, files = clean(corpus)
    tree, options = folder / "tree", miniatures()[corpus].OPTIONS
    path = data.draw(st.sampled_from(files), label="file")
    raw = path.read_bytes()
    at = data.draw(st.integers(0, len(raw)), label="at")
    lost = data.draw(st.sampled_from([0, 1, 30, len(raw)]), label="bytes lost")
    text = data.draw(SCRIBBLE, label="scribble").encode()
    try:
        path.write_bytes(raw[:at] + text + raw[at + lost :])
        code, checks = verify(corpus, tree, options, folder / "results")
    finally:
        path.write_bytes(raw)
    failed = checks[checks["verdict"] == "FAIL"]
    assert code == int(len(failed) > 0)
    assert failed["found"].str.len().gt(0).all()
    assert failed["hint"].str.len().gt(0).all()
