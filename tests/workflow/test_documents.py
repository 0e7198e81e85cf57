"""Documents match the code: generated parts are fresh, links lead somewhere, the site builds."""

import importlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(DOCS.rglob("*.md")),
    *sorted(ROOT.glob("config/**/*.md")),
]
GENERATED = [
    DOCS / "reference" / f"{name}.md"
    for name in ("cli", "config", "files", "protocols", "fusions", "published-settings")
]
GENERATED += (DOCS / "results").glob("*.md")


MODULES = ("build", "cluster", "pages", "pictures")


@pytest.fixture(scope="module")
def generators():
    """Name -> module of docs/."""
    sys.path.insert(0, str(DOCS))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(DOCS))


def test_generated_pages_are_fresh(generators):
    stale = [
        name
        for name, text in generators["build"].generated().items()
        if (DOCS / name).read_text() != text
    ]
    assert not stale, "Run: make docs"


def test_formats_in_the_guide_are_fresh(generators):
    guide = (DOCS / "how-to" / "predict.md").read_text()
    listed = generators["pages"].formats_table()
    assert generators["build"].filled(guide, "formats", listed) == guide, "Run: make docs"


def test_hours_in_the_guide_to_clusters_are_fresh(generators):
    guide = (DOCS / "how-to" / "cluster.md").read_text()
    planned = generators["cluster"].table()
    assert generators["build"].filled(guide, "plan", planned) == guide, "Run: make docs"
    assert "| `tbiom2023_jca` |" in planned


def test_pictures_are_fresh(generators):
    for name in ("stages", "layers"):
        picture = (DOCS / "images" / f"{name}.svg").read_text()
        assert getattr(generators["pictures"], name)() == picture, "Run: make docs"


def test_every_fusion_in_the_table_has_a_source(generators):
    rows = generators["pages"].fusion_table().splitlines()[2:]
    assert [row for row in rows if row.split("|")[3].strip() == ""] == []


def test_words_on_keys_are_of_keys_that_exist(generators):
    pages = generators["pages"]
    page = pages.config_page()
    for key in [*pages.RUNS_AGAIN, *pages.MEANINGS]:
        section, _, name = key.rpartition(".")
        part = page.split(f"## Keys of `{section}`" if section else "## Top level")
        part = page.split(f"entry of `{section}`") if len(part) == 1 else part
        assert f"| `{name}` |" in part[1].split("\n## ")[0], key


def test_every_argument_of_a_command_has_a_meaning(generators):
    page = generators["pages"].cli_page()
    assert len(re.findall(r"^## avf ", page, flags=re.MULTILINE)) > 20
    empty = re.findall(r"^\| `[^`]+` \|[^|]*\| +\|$", page, flags=re.MULTILINE)
    assert not empty, "pages.POSITIONALS"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    local = [t for t in targets if not t.startswith(("http:", "https:", "mailto:"))]
    broken = []
    for target in local:
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


def anchors(path):
    """Anchors of a page's headings, as the site names them."""
    from markdown.extensions.toc import slugify

    found = set()
    for heading in re.findall(r"^#+ +(.+)$", path.read_text(), flags=re.MULTILINE):
        given = re.search(r"\{#([\w-]+)\}\s*$", heading)
        found.add(given[1] if given else slugify(re.sub(r"[`*]", "", heading), "-"))
    return found


def test_the_readme_is_one_screen():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 80


@pytest.mark.parametrize(
    "path",
    [path for path in DOCUMENTS if path not in GENERATED],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_lines_wrap_and_table_cells_hold_phrases(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", "", text, flags=re.DOTALL)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    cells = [cell.strip() for row in rows for cell in re.split(r"(?<!\\)\|", row)]
    assert [cell for cell in cells if len(cell) > 120] == []
    text = re.sub(r"\]\([^)\s]+\)", "]", text)  # an address cannot wrap
    lines = [line for line in text.splitlines() if not line.startswith(("|", "!["))]
    assert [line for line in lines if len(line) > 100 and " " in line.strip()] == []


def test_every_planted_fault_is_on_its_page_and_named():
    from support.miniatures import miniatures

    page = (DOCS / "results" / "planted-faults.md").read_text()
    for corpus, module in miniatures().items():
        part = page.split(f"## {corpus}\n")[1].split("\n## ")[0]
        rows = [line.split("|") for line in part.splitlines() if line.startswith("| ")]
        said = {row[1].strip(): row[-2].strip() for row in rows[1:]}
        assert said == dict.fromkeys(module.FAULTS, "yes"), "python docs/faults.py"
        assert "False alarms on the clean tree: 0." in part


class Requests(HTMLParser):
    """Addresses that a browser asks for to show a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        named = ["src", "srcset", "poster", "data"] if tag not in ("a", "meta") else []
        if tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            named.append("href")
        self.found += [given[name] for name in named if given.get(name)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_built_site_asks_no_host(site):
    asked = []
    for path in site.rglob("*.html"):
        requests = Requests()
        requests.feed(path.read_text())
        asked += [f"{path.name}: {r}" for r in requests.found if re.match(r"(https?:)?//", r)]
    for path in site.rglob("*.css"):
        urls = re.findall(r"(?:url\(|@import\s+)[\"']?((?:https?:)?//[^\"')]+)", path.read_text())
        asked += [f"{path.name}: {url}" for url in urls]
    assert not asked
    assert not list(site.rglob("*.py"))
    assert "mermaid" not in "".join(path.read_text() for path in site.rglob("*.html"))


@pytest.mark.slow
def test_the_api_page_shows_the_contracts(site):
    page = (site / "reference" / "api.html").read_text()
    contracts = (
        "avfusion.corpora.base.Corpus.videos",
        "avfusion.encoders.base.Encoder.encode",
        "avfusion.fusion.base.Fusion",
        "avfusion.training.losses.ccc_loss",
        "avfusion.metrics.ccc",
        "avfusion.evaluation.crossed.difference",
        "avfusion.protocols.protocol.apply",
        "avfusion.config.study.Study",
        "avfusion.config.jobs.RunSettings",
        "avfusion.layout.Layout.run",
    )
    assert [name for name in contracts if f'id="{name}"' not in page] == []
