"""Examples of the documents: settings load, commands and paths exist, options are complete."""

import re
import shlex
from itertools import pairwise

import pytest
import yaml

from avfusion import __version__, registry
from avfusion.cli import _parser
from avfusion.config.load import load
from support.scratch import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs" / "index.md",
    *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
]
BLOCK = re.compile(r'^ *```(\w+)(?: title="(.+?)")?\n(.*?)^ *```', re.DOTALL | re.MULTILINE)
PREFIXES = ("src", "config", "workflow", "tests", "docs", "envs", "benchmarks")
PATH = re.compile(rf"`((?:{'|'.join(PREFIXES)})/[\w./+-]+)`")
WRITTEN = (
    "config/my_study.yaml",
    "config/experiments/my_clips.yaml",
    "config/experiments/my_features.yaml",
    "config/experiments/mine.yaml",
)
"""Files that the reader of a page writes."""
LICENSED = {
    "Aff-Wild2": "affwild2",
    "RECOLA": "recola",
    "IEMOCAP": "iemocap",
    "The arrays of AMH": "iemocap_arrays",
    "Fatigue": "fatigue",
}


def blocks(kind):
    """Yield (page, title, text) of every block of a kind."""
    for page in PAGES:
        for found, title, text in BLOCK.findall(page.read_text()):
            if found == kind:
                yield page, title, text


def commands():
    """Yield (page, words) of every shell command, also of those that read from another one."""
    for page, _, text in blocks("sh"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words:
                end = words.index("|") if "|" in words else len(words)
                if words[0] != "sudo":
                    yield page, words[:end]
                words = words[end + 1 :]


def named(case):
    page, *rest = case
    return f"{page.name}: {' '.join(str(part) for part in rest)}"[:60]


@pytest.mark.parametrize("case", [*blocks("yaml")], ids=named)
def test_settings_in_a_page_are_valid(case, monkeypatch):
    monkeypatch.chdir(ROOT)
    _, title, text = case
    if title == "config/my_study.yaml":
        pytest.skip("names classes of the page; tests/workflow/test_extending.py runs it")
    load({**yaml.safe_load((ROOT / "config/config.yaml").read_text()), **yaml.safe_load(text)})


@pytest.mark.parametrize("case", [c for c in commands() if c[1][0] == "avf"], ids=named)
def test_avf_commands_in_a_page_exist(case):
    _, words = case
    args = _parser().parse_args(words[1:])
    assert str(args.config) in WRITTEN or (ROOT / args.config).is_file()


def test_other_commands_in_pages_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    folder = ROOT / "workflow"
    rules = " ".join(p.read_text() for p in [folder / "Snakefile", *folder.glob("rules/*.smk")])
    for page, words in commands():
        if words[0] == "make":
            assert {w for w in words[1:] if "=" not in w} <= targets, (page.name, words)
        if words[0] == "snakemake":
            options = dict(pairwise(words))
            assert words[-1] in re.findall(r"^rule (\w+):", rules, re.MULTILINE), (page.name, words)
            file = options.get("--configfile", "config/config.yaml")
            lists = words.index("--configfile") if "--configfile" in words else len(words)
            assert "--" in words[lists:] or lists > len(words) - 3 or words[lists + 2][0] == "-", (
                page.name, words, "--configfile takes all words up to the next option",
            )  # fmt: skip
            assert file in WRITTEN or (ROOT / file).is_file(), (page.name, words)
            assert (ROOT / options.get("--profile", ".")).is_dir(), (page.name, words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_in_a_page_exist(page):
    paths = set(PATH.findall(page.read_text())) - set(WRITTEN)
    places = "src/avfusion/fusion/weighted_sum.py", "src/avfusion/corpora/"
    assert [p for p in paths if not (ROOT / p).exists() and p not in places] == []


@pytest.mark.parametrize("heading", LICENSED)
def test_options_of_a_licensed_corpus_are_listed(heading):
    page = (ROOT / "docs/how-to/licensed-corpora.md").read_text()
    part = re.split(r"^#+ ", page.split(f"# {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    listed = table_names(part)
    assert listed == set(registry.corpora.options(LICENSED[heading])) - {"root"}


def test_options_of_own_clips_are_listed():
    page = (ROOT / "docs/tutorials/own-clips.md").read_text()
    assert table_names(page) == set(registry.corpora.options("own")) - {"root"}


def table_names(text):
    """Return the names in the first column of the table with the heading Option."""
    rows = text.split("| Option | ")[1].split("\n\n")[0].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_fusion_and_run_of_the_page_on_models_can_be_used(monkeypatch, tmp_path):
    titled = {title: text for _, title, text in blocks("python")}
    monkeypatch.chdir(tmp_path)
    exec(compile(titled["use_fusion.py"], "use_fusion.py", "exec"), {})


def test_every_document_states_the_version_of_the_package():
    changes = (ROOT / "CHANGELOG.md").read_text()
    released = re.search(r"^## \[([\d.]+)\] - (\S+)$", changes, re.MULTILINE)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert released[1] == citation["version"] == __version__
    assert released[2] == str(citation["date-released"])
    assert "## [Unreleased]" in changes


def test_the_public_checks_run_commands_of_the_makefile():
    checks = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["checks"]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    matrix = checks["strategy"]["matrix"]
    assert {"lint", "test", "test-slow", "docs"} == set(matrix["command"]) <= targets
    assert matrix["python"] == ["3.11", "3.12"]
