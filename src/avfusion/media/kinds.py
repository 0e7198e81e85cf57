"""Recognise files that are no video: tables, arrays, archives, still pictures, playlists."""

from pathlib import Path

import av

from avfusion.errors import MediaError, NotVideoError

_MAGIC = {
    b"\x93NUMPY": "a NumPy array",
    b"PK\x03\x04": "a ZIP archive (also .npz, .xlsx, .docx)",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF",
    b"\x89HDF\r\n": "an HDF5 file",
    b"MATLAB 5.0": "a MATLAB file",
    b"PAR1": "a Parquet table",
    b"SQLite format": "a SQLite database",
}
_MEDIA = {
    b"RIFF": "a media file (AVI or WAV)",
    b"\x1aE\xdf\xa3": "a media file (Matroska or WebM)",
    b"OggS": "a media file (Ogg)",
    b"fLaC": "a media file (FLAC)",
    b"ID3": "a media file (MP3)",
    b"\x89PNG": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
}
_HEAD = 4096
_STILLS = {"image2", "image2pipe", "ico", "psd_pipe"}
_STILL_BRANDS = {"avif", "heic", "heix", "heim", "heis", "mif1", "mif2"}
"""What MP4 files of still pictures call themselves; sequences have other names."""


def refuse_other_kinds(path: Path) -> None:
    """Refuse a file whose first bytes show that it is no media file.

    Raises
    ------
    NotVideoError
        If it is a table, an array, an archive or another text.
    MediaError
        If it cannot be read at all.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise MediaError(
            f"{path}: cannot be read ({error.strerror}). Make it readable, or copy it again."
        ) from None
    refuse_other_head(path, head)


def refuse_other_head(path: Path, head: bytes) -> None:
    """Refuse a file by its first bytes, see `refuse_other_kinds`.

    Raises
    ------
    NotVideoError
        If it is a table, an array, an archive or another text.
    """
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            raise _refusal(path, kind)
    text = _text(head)
    if text is not None:
        raise _refusal(path, _kind_of_text(text))


def binary_kind(path: Path) -> str:
    """Return what a file is whose first bytes are those of a binary format; "" for others.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return "a media file (MP4 or MOV)"
    known = (_MAGIC | _MEDIA).items()
    return next((kind for magic, kind in known if head.startswith(magic)), "")


def refuse_other_formats(path: Path, container: av.container.InputContainer) -> None:
    """Refuse a container that FFmpeg opens but that holds no film.

    Raises
    ------
    NotVideoError
        If it is a still picture.
    """
    name = container.format.name
    if name in _STILLS or name.endswith("_pipe"):
        raise _refusal(path, f"a still picture ({name.removesuffix('_pipe')})")
    brand = container.metadata.get("major_brand", "")
    if brand in _STILL_BRANDS:
        raise _refusal(path, f"a still picture ({brand.upper()})")


def _refusal(path: Path, kind: str) -> NotVideoError:
    return NotVideoError(
        f"{path}: not a media file but {kind}. Name a video or sound file instead, or leave it out."
    )


def _text(head: bytes) -> str | None:
    """Return the first bytes as text, or None if they are none."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[: len(head) // 2 * 2].decode("utf-16", "ignore")
    if b"\x00" in head:
        return None
    text = head.decode("utf-8", "replace")
    # The last character may be cut; a media file has many bytes that are no UTF-8.
    printable = sum(c.isprintable() or c in "\t\r\n" for c in text if c != "\ufffd")
    return text if printable >= len(text) - 1 else None


def _kind_of_text(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()] or [text]
    lines = lines[:-1] if len(lines) > 2 else lines  # the last one may be cut
    if lines[0].startswith(("#EXTM3U", "ffconcat", "[playlist]")):
        return "a list of other files"
    if lines[0].lstrip().startswith(("<", "{")):
        return "a text (XML, HTML or JSON)"
    if "git-lfs" in lines[0]:
        return "a Git LFS pointer (run `git lfs pull`)"
    for mark in ",;\t":
        columns = {line.count(mark) + 1 for line in lines}
        if len(lines) > 1 and len(columns) == 1 and columns != {1}:
            return f"a table with {columns.pop()} columns"
    return "a text"
