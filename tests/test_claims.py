"""Claims: what was planted is found, what was not is not, and what cannot be told is said so."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from avfusion import claims, stats
from avfusion.claim_checks import check_claims, verdict
from avfusion.claim_findings import Finding, better
from avfusion.errors import ConfigError
from avfusion.layout import Layout
from avfusion.paired import How, difference, margin_p, trend
from avfusion.report._page_papers import papers
from avfusion.report._part import read_part
from avfusion.report.claims_table import write_claims
from avfusion.report.page import render
from avfusion.report.tables import write_tables
from avfusion.score import score_corpus
from synthetic_results import Plan, write_results

ROOT = Path(__file__).parents[1]
ERRORS = {
    "audio": 0.5,
    "video": 0.4,
    "concat": 0.3,
    "ca": 0.1,
    "jca": 0.28,
    "once": 0.45,
    "rjca": 0.3,
    "thrice": 0.1,
    "late": 0.1,
}
AREAS = ["corpus", "corruption", "target", "fusion", "other", "difference", "low", "high", "p"]
WORDS = {"says": "…", "source": "…", "corpora": []}
NO_AREAS = pd.DataFrame(columns=AREAS)


@pytest.fixture(scope="module", autouse=True)
def at_root():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


@pytest.fixture(scope="module")
def part(tmp_path_factory, at_root):
    """A scored study: `late` predicts what `ca` does, the other errors are those above."""
    layout = Layout(tmp_path_factory.mktemp("claims"))
    study = write_results(layout, Plan(errors=ERRORS, seeds=(0, 1))).model_dump()
    study["fusions"]["once"] = {"is": "rjca", "recursions": 1}
    study["fusions"]["thrice"] = {"is": "rjca", "recursions": 3}
    study["statistics"]["draws"] = 2048
    for seed in (0, 1):
        ours, other = (layout.run("demo", name, seed) for name in ("ca", "late"))
        shutil.copy2(ours / "traces.parquet", other / "traces.parquet")
    score_corpus("demo", study, layout)
    return read_part("demo", study, layout), study, layout


def checked(part, *given: dict, areas=NO_AREAS, **whole) -> pd.DataFrame:
    forms = {f"rjca_{n}": {"is": "rjca", "recursions": n} for n in (1, 2, 3, 4)}
    data = {"margin": 0.05, "forms": forms, **whole}
    data["claims"] = [{"name": f"c{i}", **WORDS, **claim} for i, claim in enumerate(given)]
    read = claims.Claims.model_validate(data)
    return check_claims(part[0].scored, part[1], read, areas)


def is_better(first: str, *others: str) -> dict:
    return {"kind": "better", "better": first, "worse": list(others)}


def test_a_planted_difference_is_supported_and_its_reverse_contradicted(part):
    table = checked(part, is_better("ca", "audio"), is_better("audio", "ca"))
    assert list(table["verdict"]) == ["supported", "contradicted"]
    assert table["effect"].sum() == pytest.approx(0)
    assert table.loc[0, "low"] > 0 > table.loc[1, "high"]


def test_a_difference_within_the_noise_cannot_be_told(part):
    (row,) = checked(part, is_better("concat", "jca")).itertuples()
    assert row.verdict == "cannot be told"
    assert row.low < 0 < row.high


def test_better_than_both_needs_both(part):
    both, one = checked(part, is_better("jca", "audio", "concat"), is_better("jca", "audio")).iloc
    assert (both.verdict, one.verdict) == ("cannot be told", "supported")
    assert both.quantity == "jca − concat"
    assert both.p >= one.p


def test_worse_than_either_contradicts_better_than_both(part):
    (row,) = checked(part, is_better("concat", "audio", "ca")).itertuples()
    assert row.verdict == "contradicted"
    assert row.quantity == "concat − ca"


def test_equality_is_shown_not_assumed(part):
    """Equal traces are equal; a wide interval around 0 is no equality; a gap beyond is unequal."""
    pairs = [["ca", "late"], ["concat", "jca"], ["ca", "audio"]]
    table = checked(part, *({"kind": "equivalent", "pair": pair} for pair in pairs))
    assert list(table["verdict"]) == ["supported", "cannot be told", "contradicted"]


def test_a_wider_margin_makes_equal_what_a_narrow_one_cannot_tell(part):
    pair = {"kind": "equivalent", "pair": ["concat", "jca"]}
    narrow, wide = checked(part, {**pair, "margin": 0.001}, {**pair, "margin": 0.5}).iloc
    assert (narrow.verdict, wide.verdict) == ("cannot be told", "supported")


def test_a_trend_is_found_with_each_step(part):
    up = {"kind": "trend", "along": ["rjca_1", "rjca_2", "rjca_3"]}
    down = {"kind": "trend", "along": ["rjca_3", "rjca_2", "rjca_1"]}
    first, second = checked(part, up, down).iloc
    assert (first.verdict, second.verdict) == ("supported", "contradicted")
    assert first.effect == pytest.approx(-second.effect)
    assert first.detail.startswith("each step adds up to thrice")
    assert second.detail.startswith("no first step that surely adds")


def test_robustness_reads_the_area_of_either_order(part):
    claim = {"kind": "robust", "better": "ca", "worse": "jca", "corruption": "audio_missing"}
    row = ["demo", "audio_missing", "mean", "jca", "ca", -0.1, -0.15, -0.05, 0.01]
    (found,) = checked(part, claim, areas=pd.DataFrame([row], columns=AREAS)).itertuples()
    assert (found.verdict, found.effect, found.low, found.high) == ("supported", 0.1, 0.05, 0.15)
    (absent,) = checked(part, claim).itertuples()
    assert absent.verdict == "not run"
    assert "no area of ca and jca" in absent.missing


def test_an_absent_fusion_is_not_run_and_says_what_to_add(part):
    table = checked(
        part,
        is_better("rjca_4", "rjca_1"),
        is_better("later", "ca"),
        forms={"rjca_4": {"is": "rjca", "recursions": 4}, "later": {"is": "not_yet"}}
        | {"rjca_1": {"is": "rjca", "recursions": 1}},
    )
    assert set(table["verdict"]) == {"not run"}
    assert table.loc[0, "missing"] == "no entry `rjca_4: {is: rjca, recursions: 4}` under fusions"
    assert table.loc[1, "missing"] == "this version has no fusion 'not_yet'"
    assert table["p_holm"].isna().all()


def test_holm_counts_the_claims_that_were_checked(part):
    alone = checked(part, is_better("ca", "audio"))
    among = checked(part, *[is_better("ca", "audio")] * 4, is_better("grjca", "audio"))
    assert among.loc[0, "p_holm"] == pytest.approx(4 * alone.loc[0, "p"])


def test_claims_and_comparisons_agree(part):
    """The same pair has the same difference, interval and p in both tables."""
    (row,) = checked(part, is_better("ca", "concat")).itertuples()
    pairs = part[0].mean_pairs.set_index(["fusion", "other"])
    pair = pairs.loc[("ca", "concat")]
    theirs = list(pair[["difference", "low", "high", "p"]])
    assert [row.effect, row.low, row.high, row.p] == pytest.approx(theirs)


def test_p_and_interval_must_agree():
    sure = Finding(p=0.01, sure_for=True)
    assert verdict(sure, 0.04, 0.05) == "supported"
    assert verdict(sure, 0.06, 0.05) == "cannot be told"
    assert verdict(Finding(p=0.01), 0.01, 0.05) == "cannot be told"


def sums(rng: np.random.Generator, videos: int, error: float) -> np.ndarray:
    """Sums (1, 2, V, 6) of a fusion with video-wide errors of that size."""
    gold = rng.normal(0, 1, (2, videos, 30))
    wrong = gold + rng.normal(0, error, (2, videos, 1)) + rng.normal(0, 0.3, gold.shape)
    each = [
        [stats.video_sums(p, g) for p, g in zip(*d, strict=True)]
        for d in zip(wrong, gold, strict=True)
    ]
    return np.array(each)[None]


def test_equal_fusions_are_seldom_told_apart():
    """Over 150 corpora in which nothing is planted, wrong verdicts stay near alpha."""
    rng = np.random.default_rng(3)
    how = How("pooled", 400, 0.05, 0)
    said = []
    for _ in range(150):
        each = {name: sums(rng, 12, 0.5) for name in "abc"}
        found = [better(["a", "b"], each, how), better(["a", "b", "c"], each, how)]
        said.append([verdict(f, f.p, how.alpha) != "cannot be told" for f in found])
    assert np.mean(said, axis=0).max() < 0.1


def test_a_difference_at_the_margin_is_seldom_called_equal():
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.02, 1000)
    values = 0.05 + rng.normal(0, 0.02, 400)
    wrong = [margin_p(v + noise, v, 20, 0.05) <= 0.05 for v in values if v < 0.05]
    assert sum(wrong) / 400 < 0.06


@pytest.mark.parametrize("videos", [4, 12, 60])
def test_equal_by_p_is_equal_by_interval(videos):
    """p <= alpha where the interval of level 1 - 2 alpha lies within the margin."""
    rng = np.random.default_rng(videos)
    for size in np.linspace(0.01, 0.05, 30):
        samples = rng.normal(0.005, size, 20_000)
        p = margin_p(samples, 0.005, videos, 0.05)
        low, high = stats.interval(samples, videos, 0.1)
        if abs(p - 0.05) > 0.002:
            assert (p <= 0.05) == (low > -0.05 and high < 0.05)


def test_the_trend_of_two_is_their_difference():
    rng = np.random.default_rng(1)
    rows, how = [sums(rng, 10, e) for e in (0.6, 0.3)], How("pooled", 2000, 0.05, 0)
    slope, gap = trend(rows, how), difference(rows[1], rows[0], how)
    assert [slope.value, slope.low, slope.high] == pytest.approx([gap.value, gap.low, gap.high])
    assert slope.p == pytest.approx(gap.p, abs=0.03)


def test_tables_say_what_was_found_and_what_was_not_run(part):
    own, study, layout = part
    write_claims([own], ["recola"], study, layout)
    table = pd.read_csv(layout.tables / "claims.csv")
    told = table.query("corpus == 'demo' and claim == 'ca_over_concat'")
    assert list(told["verdict"]) == ["supported"]
    assert set(table.query("corpus == 'recola'")["verdict"]) == {"not run"}
    text = (layout.tables / "claims.md").read_text()
    assert "15 claims, of them 15 not run" in text
    assert re.search(r"\*\*dca_improves_ca\*\*.*\*\*Not run\*\*: no entry `dca_ca", text)
    assert (layout.tables / "claims.tex").read_text().count(r"\begin{table}") == 1


def test_few_videos_for_many_claims_are_a_caveat(part):
    from avfusion.report.claims_table import caveats

    table = checked(part, *[is_better("ca", "audio")] * 3)
    assert caveats(table, part[1]) == []
    (said,) = caveats(table.assign(videos=5), part[1])
    assert "5 videos are few for 3 claims" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: trend", "kind: slope", "'slope'"),
        ("worse: [concat]", "worse: [conact]", "Did you mean 'concat'"),
        ("gate: random", "gates: random", "dca has no option 'gates'"),
        ("name: ca_over_concat", "name: jca_over_ca", "two claims are named 'jca_over_ca'"),
        ("margin: 0.05", "margin: -1", "margin: "),
    ],
)
def test_a_wrong_claims_file_is_refused(tmp_path, old, new, said):
    text = (ROOT / "config" / "claims.yaml").read_text()
    assert old in text
    (tmp_path / "claims.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=re.escape(said)):
        claims.load(tmp_path / "claims.yaml")


def test_the_page_shows_claims_and_published_numbers(part):
    _, study, layout = part
    write_tables(study, layout)
    page = render(study, layout)
    row = re.search(r"<tr><th scope=\"row\">Cross-attention predicts better than concat.*", page)
    assert row
    assert "supported" in row[0]
    assert "No fusion" not in page
    assert "277 published numbers; 0 have a counterpart here" in page
    assert "no entry grjca: {} under fusions" in page


def test_a_published_number_that_was_met_stands_open_on_the_page(part):
    """As if this study's corpus were the paper's."""
    _, study, layout = part
    table = pd.read_csv(layout.tables / "published.csv")
    at = table.index[(table["fusion"] == "ca") & (table["metric"] == "ccc")][0]
    ours = {"ours": 0.7, "low": 0.6, "high": 0.8, "verdict": "inside interval", "why": None}
    for name, value in ours.items():
        table[name] = table[name].astype(object)
        table.loc[at, name] = value
    found = papers(study, layout)["published"]
    assert found["met"] == []
    table.to_csv(layout.tables / "published.csv", index=False)
    (line,) = papers(study, layout)["published"]["met"]
    assert line["cells"][6:8] == ["0.700 [0.600, 0.800]", "inside interval"]
    assert "1 lie inside our interval" in papers(study, layout)["published"]["said"]


def test_a_page_without_these_tables_has_no_such_sections(part, tmp_path):
    _, study, _ = part
    assert papers(study, Layout(tmp_path)) == {"claims": [], "published": None}
