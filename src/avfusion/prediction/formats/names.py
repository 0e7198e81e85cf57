"""Names of the files of one clip, and its name as text."""

import hashlib
import os
import re

_MOST_BYTES = 180
"""File systems allow 255 bytes; endings and the names of temporary files take up to 60."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def stem_of(name: str) -> str:
    """Return the name of a clip's files without their ending.

    The clip's ending is left out. Slashes and control characters become `_`. A name that a shell
    would read as an option, or that would be hidden, gets a `_` in front. A long name is cut, and a
    hash of all of it keeps it different from others.

    Examples
    --------
    >>> stem_of("talk 1.mp4"), stem_of("-rf.mp4"), stem_of("a/b.mp4")
    ('talk 1', '_-rf', 'a_b')
    >>> len(stem_of("x" * 250 + ".mp4"))
    180
    """
    stem = _CONTROL.sub("_", os.path.splitext(name.replace("/", "_").replace("\\", "_"))[0])
    if not stem or stem[0] in "-.~ ":
        stem = f"_{stem}"
    code = os.fsencode(stem)
    if len(code) <= _MOST_BYTES:
        return stem
    mark = f"~{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
    return code[: _MOST_BYTES - len(mark)].decode(errors="ignore") + mark


def as_text(name: str) -> str:
    """Return a name for people to read: no control characters, and no bytes that are no Unicode.

    >>> as_text("a\\udcffb\\nc")
    'a\ufffdb c'
    """
    return _CONTROL.sub(" ", name).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
