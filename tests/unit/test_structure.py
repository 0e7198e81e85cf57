"""How the package is built: few files in its root, no import circle, plain names."""

import ast
import re
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

WORDS = {"own", "found", "said", "told", "whole"}
"""Words that say nothing of what a name holds."""
ALLOWED = {
    ("corpora/check.py", "found"),  # a column of checks.csv
    ("corpora/own/checks.py", "own_checks"),  # `own` is the name of a corpus
    ("training/distributed.py", "of_whole_batches"),  # a batch is whole or cut off
}
DOCUMENT = re.compile(r"\b(?:benchmarks|config|docs|src|workflow)/[\w./-]+\.(?:md|py|smk|yaml)\b")
MODULE = re.compile(r"(?<![\w/.-])[a-z_]\w*/\w+\.py\b")


@pytest.fixture(scope="module")
def graph():
    """Module -> modules that it imports, imports for typing and inside functions included."""
    built = grimp.build_graph("avfusion", exclude_type_checking_imports=False, cache_dir=None)
    return {module: built.find_modules_directly_imported_by(module) for module in built.modules}


def test_the_root_of_the_package_holds_ten_files_at_most(project):
    files = [path.name for path in (project / "src/avfusion").iterdir() if path.is_file()]
    assert len(files) <= 10, files
    assert "py.typed" in files, "type checkers of other projects read the annotations"


def test_no_module_imports_itself_through_others(graph):
    assert len(graph) > 200
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_a_circle_would_be_found():
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()


def test_names_say_what_they_hold(project):
    bad = []
    allowed = set()
    package = project / "src/avfusion"
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            for name in _named(node):
                if not WORDS.intersection(name.split("_")):
                    continue
                if (place, name) in ALLOWED:
                    allowed.add((place, name))
                else:
                    bad.append(f"{place}:{node.lineno} {name}")
    assert bad == []
    assert allowed == ALLOWED


@pytest.mark.parametrize("folder", ["src", "config", "workflow"])
def test_documents_and_modules_that_are_named_exist(project, folder):
    """In messages, docstrings and comments."""
    roots = ("benchmarks", "config", "docs", "src", "workflow")
    files = [path.as_posix() for root in roots for path in (project / root).rglob("*")]
    absent = []
    for path in sorted((project / folder).rglob("*")):
        if path.suffix in (".py", ".yaml", ".smk", ".rst"):
            text = path.read_text(encoding="utf-8")
            for name in [*DOCUMENT.findall(text), *MODULE.findall(text)]:
                if not any(file.endswith(f"/{name}") for file in files):
                    absent.append(f"{path}: {name}")
    assert absent == []


def _named(node):
    """Names that a node of the syntax tree gives to something."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return [node.attr]
    return [node.arg] if isinstance(node, ast.arg) else []
