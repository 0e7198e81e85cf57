"""Texts are in plain English: words and phrases that have a plainer form do not occur."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENDINGS = (".md", ".py", ".smk", ".yaml", ".yml", ".jinja", ".rst", ".toml", ".in", ".sh")

EVERYWHERE = {
    r"who(m)?ever": "name the reader: you, a user, a laboratory",
    r"anew": "again",
    r"(tell|told) apart": "no significant difference; distinguish",
    r"cannot be told": "undecided; not significant",
    r"(is|are|be|was) had": "is obtained, is available",
    r"nobody knows": "unknown",
    r"beside": "next to; compared with",
}
"""Pattern -> what to write instead."""

IN_DOCUMENTS = {
    r"nobody": "no person; or the passive",
    r"alike": "same, similar",
    r"alone": "only",
    r",? of which": "a sentence of its own",
}
"""Patterns that code may need, but documents do not."""

EXEMPT = {
    "tests/workflow/test_words.py": "lists the words",
    "docs/results": "generated from results that were measured under earlier names",
    "benchmarks/faults.md": "generated from results that were measured under earlier names",
    "config/published.csv": "quotes the papers",
}
"""Path -> reason; a folder stands for all its files."""


def texts():
    """Paths of the texts of the repository, relative to its root."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [path for path in listed.stdout.splitlines() if path.endswith(ENDINGS)]
    exempt = [path for path in paths if any(Path(path).is_relative_to(e) for e in EXEMPT)]
    return [p for p in paths if p not in exempt and (ROOT / p).is_file()]


def hits(text, patterns):
    """(line, words, what to write) of every occurrence, also across a line break."""
    found = []
    for pattern, better in patterns.items():
        spaced = pattern.replace(" ", r"\s+(?:#\s*)?")
        for match in re.finditer(rf"\b{spaced}\b", text, flags=re.IGNORECASE):
            line = text.count("\n", 0, match.start()) + 1
            found.append((line, " ".join(match[0].split()), better))
    return sorted(found)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Whoever wants it.", [1]),
        ("ca and jca are told\n# apart, anew.", [1, 2]),
        ("besides, aforesaid, newer", []),
    ],
)
def test_the_search_finds_words_and_not_parts_of_words(text, lines):
    assert [line for line, *_ in hits(text, EVERYWHERE)] == lines


def test_texts_are_in_plain_english():
    wrong = []
    for path in texts():
        patterns = EVERYWHERE | (IN_DOCUMENTS if path.endswith(".md") else {})
        text = (ROOT / path).read_text(encoding="utf-8")
        wrong += [f"{path}:{line}: {words!r}: {b}" for line, words, b in hits(text, patterns)]
    assert not wrong, "\n".join(["words with a plainer form:", *wrong])
