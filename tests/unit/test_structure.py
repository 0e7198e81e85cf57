"""How the package is built: few files in its root, no import circle, plain names."""

import ast
import re
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

NAMES = re.compile(r"_?(own|found|said|told|whole)")
"""Names that say nothing of what they hold; `found` is a column of checks.csv."""


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
    for path in sorted((project / "src/avfusion").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for name in _named(node):
                if NAMES.fullmatch(name) and (path.name, name) != ("base.py", "found"):
                    bad.append(f"{path.relative_to(project)}:{node.lineno} {name}")
    assert bad == []


def _named(node):
    """Names that a node of the syntax tree gives to something."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return [node.attr]
    return [node.arg] if isinstance(node, ast.arg) else []
