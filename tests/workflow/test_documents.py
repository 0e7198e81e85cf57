"""The documents say what the code has: generated parts are fresh, links lead somewhere."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build", ROOT / "docs" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_lists_the_fusions_of_the_registry(build):
    readme = (ROOT / "README.md").read_text()
    assert build.filled(readme, "fusions", build.fusion_table()) == readme, "python docs/build.py"


def test_every_fusion_in_the_table_has_a_source(build):
    rows = build.fusion_table().splitlines()[2:]
    assert [row for row in rows if row.split("|")[3].strip() == ""] == []


def test_benchmarks_page_is_made_from_the_results(build):
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        assert build.section(path) in page


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_project_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)#]+)", path.read_text())
    local = [t for t in targets if not t.startswith(("http:", "https:", "mailto:"))]
    assert [t for t in local if not (path.parent / t).exists()] == []


def test_every_planted_fault_is_on_its_page_and_named():
    from support.miniatures import miniatures

    page = (ROOT / "docs" / "planted-faults.md").read_text()
    for corpus, module in miniatures().items():
        part = page.split(f"## {corpus}\n")[1].split("\n## ")[0]
        rows = [line.split("|") for line in part.splitlines() if line.startswith("| ")]
        said = {row[1].strip(): row[-2].strip() for row in rows[1:]}
        assert said == dict.fromkeys(module.FAULTS, "yes"), "python docs/faults.py"
        assert "False alarms on the clean tree: 0." in part
