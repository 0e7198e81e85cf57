"""Test the page: complete, offline, escaped, without folders of the machine or video frames."""

import base64
import hashlib
import html
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from avfusion.config.baseline import REFERENCES
from avfusion.config.sections import CorpusEntry
from avfusion.io.redact import without_paths
from avfusion.registry import fusions
from avfusion.report import fusions as described
from avfusion.report.figures.write import write_figures
from avfusion.report.page import origin
from avfusion.report.page.write import write_page
from support.reported import reported

VOID = {"meta", "link", "br", "img", "hr", "input"}
NASTY = '<b onclick="x()">&'


class Reader(HTMLParser):
    """Reads a page as a browser would: its text, tags and attributes; refuses crossed tags."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.links, self.ids, self.words = [], [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        results = dict(attributes)
        names = ("src", "href", "srcset", "data", "action", "poster")
        self.links += [results[name] for name in names if name in results]
        self.ids += [results["id"]] if "id" in results else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(text)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def made(folder, *args, **options):
    study, layout = reported(folder, *args, **options)
    write_figures(study, layout)
    write_page(study, layout)
    return study, layout, layout.page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return made(folder, ("audio", "jca", "concat"), ("demo", "recola"), [("concat", 1)])


def test_the_page_is_whole_and_its_inner_links_lead_somewhere(page):
    reader = Reader(page[2])
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    for link in reader.links:
        assert link.startswith("#")
        assert link[1:] in reader.ids
    used = re.findall(r"url\((.*?)\)", page[2])
    assert all(target.startswith("#") and target[1:] in reader.ids for target in used)


def test_nothing_is_fetched_and_no_picture_is_embedded(page):
    reader = Reader(page[2])
    assert not {"img", "image", "link", "iframe", "audio", "video", "object", "embed"} & {
        *reader.tags
    }
    assert "http:" not in page[2]
    assert "https:" not in page[2]
    assert "data:" not in page[2]
    assert "base64" not in page[2]
    assert "default-src &#39;none&#39;" in page[2] or "default-src 'none'" in page[2]


def test_the_policy_of_the_page_allows_its_own_script_only(page):
    policy = html.unescape(re.search(r'Security-Policy" content="(.*?)"', page[2])[1])
    allowed = re.search(r"script-src (.*)", policy)[1].split()
    scripts = re.findall(r"<script>(.*?)</script>", page[2], re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in scripts]
    assert allowed == [f"'sha256-{digest.decode()}'" for digest in digests]


def test_every_headline_number_stands_in_the_page(page):
    study, layout, text = page
    scores = pd.read_csv(layout.tables / "scores.csv")
    scores = scores[(scores["corpus"] == "demo") & (scores["protocol"] == study.headline)]
    words = Reader(text).text
    for row in scores.itertuples():
        low, mean, high = (f"{v:.3f}".replace("-", "−") for v in (row.low, row.mean, row.high))
        assert f"{mean}" in words
        assert f"[{low}, {high}]" in words
    assert f"{int(scores['videos'].iloc[0])} videos scored" in words


def test_what_is_missing_is_named_with_its_reason(page):
    words = Reader(page[2]).text
    assert "concat seed 1" in words
    assert "avf train demo concat --seed 1" in words
    assert "test_04 test media test_04.mp4: no video stream." in words
    assert "recola (not run)" in words
    assert "recola: not run, nothing at data/recola (avf obtain recola)." in words


def test_comparisons_are_put_into_words(page):
    _, layout, text = page
    pairs = pd.read_csv(layout.tables / "comparisons.csv")
    pairs = pairs[pairs["target"] == "mean"]
    best = pairs.loc[pairs["exploratory"], "fusion"].iloc[0]
    declared = pairs[~pairs["exploratory"]]
    known = [{row.fusion, row.other} for row in declared.itertuples()]
    explored = [
        row.verdict
        for row in pairs[pairs["exploratory"] & (pairs["fusion"] == best)].itertuples()
        if {row.fusion, row.other} not in known
    ]
    words = Reader(text).text
    assert len(declared)
    assert all(words.count(verdict) == 1 for verdict in [*declared["verdict"], *explored])


def test_a_synthetic_corpus_is_named_as_such_before_the_first_number(page):
    words = Reader(page[2]).text
    assert "demo is a synthetic corpus" in words[: words.index("CCC of")]
    assert "videos of the synthetic corpus demo" in words
    assert "recola is a synthetic corpus" not in words


def test_words_are_explained_where_they_first_occur(page):
    words = Reader(page[2]).text
    for term in ("CCC (concordance correlation coefficient) measures", "gold standard is the"):
        assert term in words
        first = words.lower().index(term.partition(" (")[0].partition(" is ")[0].lower())
        assert words.lower().index(term.lower()) - first < 600


def test_train_scores_stand_next_to_test_scores(page):
    study, layout, text = page
    runs = pd.read_csv(layout.tables / "runs.csv")
    runs = runs[(runs["protocol"] == study.headline) & (runs["target"] == "mean")]
    means = runs.groupby(["fusion", "partition"])["ccc"].mean().unstack()
    words = Reader(text).text
    for row in means.itertuples():
        gap = f"{row.train - row.test:+.3f}".replace("-", "−")
        assert f"{row.train:.3f} {gap}" in words


def test_figures_are_described_and_follow_the_theme(page):
    text = page[2]
    drawings = re.findall(r"<svg [^>]*>", text)
    assert len(drawings) == 2 * (4 + 3)  # side by side, and stacked for phones
    assert all(re.search(r'role="img" aria-label="[^"]{20,}"', drawing) for drawing in drawings)
    inside = "".join(re.findall(r"<svg .*?</svg>", text, flags=re.DOTALL))
    assert re.findall(r"#[0-9a-f]{6}\b", inside) == []
    for name in set(re.findall(r"var\((--[a-z0-9]+)\)", text)):
        assert f"{name}:" in text


def test_no_folder_of_this_machine_appears(tmp_path):
    study, layout = reported(tmp_path / "own", ("audio", "jca"), lost=[("jca", 0)])
    entry = CorpusEntry(root="/home/ann/secret place/corpora/demo")
    changes = {"corpora": {"demo": entry}, "results": str(layout.results)}
    study = study.model_copy(update=changes)
    write_figures(study, layout)
    write_page(study, layout)
    text = layout.page.read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert "/home/ann" not in text
    assert "jca seed 0" in text


def test_code_from_outside_is_named_where_numbers_come_from(tmp_path, monkeypatch):
    study, layout = reported(tmp_path, ("audio", "jca"))
    uses = {"fusion mine": "lab.fusions:Wide 1.2"}
    monkeypatch.setattr(type(study), "outside", lambda _: uses)
    write_page(study, layout)
    text = Reader(layout.page.read_text(encoding="utf-8")).text
    assert "Code from outside avfusion: fusion mine = lab.fusions:Wide 1.2." in text


def test_names_are_text_not_markup(tmp_path):
    study, layout = reported(tmp_path, ("audio", "jca"))
    row = {"video": NASTY, "partition": "test", "stage": "media", "reason": "</td><script>"}
    pd.DataFrame([row]).to_csv(layout.scores("demo") / "missing.csv", index=False)
    study.fusions[NASTY] = {}
    write_page(study, layout)
    text = layout.page.read_text(encoding="utf-8")
    assert Reader(text).text.count(NASTY) >= 2  # the video and the fusion
    assert NASTY not in text
    assert text.count("<script>") == 1


def test_checks_that_do_not_pass_are_shown(tmp_path):
    study, layout = reported(tmp_path, ("audio",))
    columns = ["name", "verdict", "expected", "found", "hint", "certainty"]
    rows = [
        ("videos", "PASS", "11", "11", "", "by definition"),
        ("subjects apart", "WARN", "0 shared", "1 shared", "Look at s03.", "paper"),
    ]
    pd.DataFrame(rows, columns=columns).to_csv(layout.checks("demo"), index=False)
    write_page(study, layout)
    words = Reader(layout.page.read_text(encoding="utf-8")).text
    assert "made 2 checks ." in words or "made 2 checks." in words
    assert "subjects apart WARN 0 shared 1 shared Look at s03." in words


def test_a_study_of_which_nothing_ran_still_has_a_page(tmp_path):
    _, layout, _ = made(tmp_path, ("audio",), lost=[("audio", 0), ("audio", 1)])
    words = Reader(layout.page.read_text(encoding="utf-8")).text
    assert "demo (not run)" in words
    assert "2 runs were asked for, none was scored" in words


def test_the_page_is_the_same_twice(page, monkeypatch):
    study, layout, _ = page
    monkeypatch.setattr(origin, "code", lambda: "one commit")
    texts = []
    for _ in range(2):
        write_page(study, layout)
        texts.append(layout.page.read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    assert "one commit" in texts[0]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/data/corpora/a.mp4 is torn", "…/a.mp4 is torn"),
        (r"C:\Users\ann\a.mp4", "…/a.mp4"),
        ("see `~/study/results/x.csv`", "see `…/x.csv`"),
        ("results/runs/jca/seed0 at 25/s, and/or", "results/runs/jca/seed0 at 25/s, and/or"),
    ],
)
def test_only_folders_are_taken_out_of_a_text(given, kept):
    assert without_paths(given) == kept


def test_every_fusion_has_its_full_name_and_source(page):
    for text in (page[2], (page[1].tables / "fusions.md").read_text()):
        assert "Joint cross-attention (JCA)" in text
        assert "Each modality is compared with the audio-visual concatenation" in text
        assert "arXiv:2203.14779" in text


@pytest.mark.parametrize("kind", fusions.names())
def test_every_fusion_of_the_registry_can_be_described(kind):
    assert described.title(kind)
    assert len(described.idea(kind)) > 20
    assert described.source(kind)


def test_every_reference_is_described():
    assert set(described.references(REFERENCES)) == set(REFERENCES)
