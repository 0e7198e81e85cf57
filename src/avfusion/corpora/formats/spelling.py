"""Compare names that look the same: Unicode forms of files, and spellings of one person."""

import os
import re
import unicodedata
from pathlib import Path, PurePosixPath


def normal(text: str) -> str:
    """Return a text in Unicode's composed form (NFC).

    macOS stores "ü" as "u" and a combining mark (NFD); tables usually hold one character.

    >>> normal("ju\u0308rgen") == "j\u00fcrgen"
    True
    """
    return unicodedata.normalize("NFC", text)


def on_disk(root: Path, path: str) -> tuple[str, str]:
    """Return the spelling that a file below the root has on disk, and a fault.

    Parameters
    ----------
    root
        Folder of the corpus.
    path
        Relative path of a table, in any Unicode form.

    Returns
    -------
    tuple of str
        The path on disk, or `path` if there is no such file; and why it is ambiguous, or "".
    """
    parts: list[str] = []
    for part in PurePosixPath(path).parts:
        same = _same_form(root.joinpath(*parts), part)
        if len(same) > 1:
            bytes_of = " and ".join(str(os.fsencode(name))[2:-1] for name in same)
            return path, (
                f"{normal(path)!r} is {len(same)} files whose names differ only in their Unicode "
                f"form ({bytes_of}); rename one of them"
            )
        parts.append(same[0] if same else part)
    return "/".join(parts), ""


def _same_form(folder: Path, name: str) -> list[str]:
    """Return the names in a folder that are `name` in some Unicode form, ascending."""
    if name.isascii():  # it has one form; "" and ".." are faults of another check
        return [name]
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(one for one in names if normal(one) == normal(name))


def collision_key(name: str) -> str:
    """Return a key that two names share if some file systems take them for one.

    macOS and Windows ignore case; macOS ignores the Unicode form as well.

    >>> collision_key("Anna_1") == collision_key("anna_1")
    True
    """
    return normal(normal(name).casefold())


def person_key(name: str) -> str:
    """Return a key that two spellings of one person share.

    Case, Unicode form, blanks, punctuation and zeros before a number make no difference.

    >>> {person_key(name) for name in ("subject 1", "Subject_01", "subject1 ")}
    {'subject 1'}
    >>> person_key("s1_10") == person_key("s11_0")
    False
    """
    text = unicodedata.normalize("NFKC", name).casefold()
    text = unicodedata.normalize("NFC", text)
    words: list[str] = []
    was_number = True
    for token in re.findall(r"\d+|[^\W\d_]+", text):
        if token.isdigit():
            words.append(token.lstrip("0") or "0")
        elif was_number:
            words.append(token)
        else:
            words[-1] += token
        was_number = token.isdigit()
    return " ".join(words) or text
