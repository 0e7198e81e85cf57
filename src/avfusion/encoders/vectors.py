"""Word vectors in a file of the user's: where each word's row lies, read when it is asked for.

Known: text, a word and its numbers a line (GloVe .txt; word2vec .vec or .txt, whose first line is
`words dim`), and safetensors with one matrix beside a vocabulary, a word a line. The file is gone
through once; what stays in memory is a place a word, not its numbers.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from avfusion.errors import AvfError

SET = "encoders.word_vectors"


class Vectors:
    """Rows of a file by word. sha256: of the file; dim: D; len: its different words."""

    def __init__(self, path: Path, vocabulary: Path | None = None) -> None:
        self.path, self.vocabulary = check(path, vocabulary)
        self._places: dict[str, int] = {}
        self._cased: dict[str, int] = {}
        digest = hashlib.sha256()
        if vocabulary:
            self.tensor, rows, self.dim = _matrix(path)
            self._note(_vocabulary(vocabulary, rows))
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
        else:
            announced, self.dim = _head(path)
            self._note(_lines(path, announced, self.dim, digest))
        self.sha256 = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._places.keys() | self._cased.keys())

    def find(self, words: Iterable[str]) -> dict[str, np.ndarray]:
        """Row float32 (D,) of each word that has one; a word is looked for in lower case."""
        places = {word: self._places.get(word, self._cased.get(word)) for word in set(words)}
        known = sorted((place, word) for word, place in places.items() if place is not None)
        read = self._of_matrix if self.vocabulary else self._of_text
        return dict(zip((word for _, word in known), read([p for p, _ in known]), strict=True))

    def _note(self, words: Iterator[tuple[str, int]]) -> None:
        """The first place of each word; one in lower case goes before others of its letters."""
        for word, place in words:
            lower = word.lower()
            (self._places if lower == word else self._cased).setdefault(lower, place)

    def _of_text(self, places: list[int]) -> Iterator[np.ndarray]:
        with self.path.open("rb") as file:
            for place in places:
                file.seek(place)
                numbers = _fields(file.readline())[-self.dim :]
                row = np.array([_number(text) for text in numbers], np.float32)
                if not np.isfinite(row).all():
                    raise _wrong(self.path, _line(self.path, place), "holds what is no number")
                yield row

    def _of_matrix(self, places: list[int]) -> Iterator[np.ndarray]:
        from safetensors import safe_open

        with safe_open(self.path, framework="pt") as file:
            rows = file.get_slice(self.tensor)
            for place in places:
                row = rows[place : place + 1][0].float().numpy()
                if not np.isfinite(row).all():
                    raise AvfError(f"{self.path}: row {place + 1} of {self.tensor} is not finite.")
                yield row


def check(path: Path, vocabulary: Path | None) -> tuple[Path, Path | None]:
    """Both files, if they are there and of a known kind; else says what to do."""
    if path == Path():
        raise AvfError(f"word_vectors: no file of vectors. Set {SET}.path, e.g. glove.6B.300d.txt.")
    for key, file in (("path", path), ("vocabulary", vocabulary)):
        if file is not None and not file.is_file():
            raise AvfError(f"{file}: no such file. Put it there, or correct {SET}.{key}.")
    if path.suffix in (".zip", ".gz"):
        unpack = "unzip" if path.suffix == ".zip" else "gunzip -k"
        raise AvfError(
            f"{path}: packed. Run `{unpack} {path}` and set {SET}.path to what it holds."
        )
    if path.suffix not in (".txt", ".vec", ".safetensors"):
        raise AvfError(
            f"{path}: neither .txt, .vec nor .safetensors. Save it as text (gensim: "
            f"`KeyedVectors.load_word2vec_format(path, binary=True).save_word2vec_format(txt)`)."
        )
    if (path.suffix == ".safetensors") != (vocabulary is not None):
        need = "needs" if vocabulary is None else "takes no"
        raise AvfError(f"{path}: {need} a vocabulary, a word a line. Mend {SET}.vocabulary.")
    return path, vocabulary


def _head(path: Path) -> tuple[int | None, int]:
    """How many words the first line announces, None if it is a word's; and D."""
    with path.open("rb") as file:
        fields = _fields(file.readline())
    if len(fields) == 2 and all(field.isdigit() for field in fields):
        return int(fields[0]), int(fields[1])
    if len(fields) < 2:
        raise _wrong(path, 1, "holds no word with numbers behind it")
    return None, len(fields) - 1


def _lines(path: Path, announced: int | None, dim: int, digest: Any) -> Iterator[tuple[str, int]]:
    """Each word and where its line begins; the digest is fed on the way."""
    place = words = number = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            digest.update(line)
            fields = _fields(line)
            if fields and (number > 1 or announced is None):
                words += 1
                yield _word(path, number, fields, dim), place
            place += len(line)
    if announced is not None and words != announced:
        raise _wrong(path, number, f"is the last: {words} words, but line 1 says {announced}")


def _word(path: Path, number: int, fields: list[bytes], dim: int) -> str:
    """A line's word, which may hold spaces; refuses a line of another width."""
    word = fields[:-dim] if dim else []
    if not word or (len(word) > 1 and math.isfinite(_number(word[-1]))):
        raise _wrong(path, number, f"has {len(fields) - 1} numbers, not {dim}")
    try:
        return b" ".join(word).decode()
    except UnicodeDecodeError:
        raise _wrong(path, number, "is not UTF-8") from None


def _vocabulary(path: Path, rows: int) -> Iterator[tuple[str, int]]:
    words = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if len(words) != rows:
        raise AvfError(f"{path}: {len(words)} words for {rows} vectors. Mend {SET}.vocabulary.")
    return ((word.strip(), place) for place, word in enumerate(words))


def _matrix(path: Path) -> tuple[str, int, int]:
    """Name, rows and width of the file's one matrix."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise AvfError(f"{path}: not safetensors ({error}). Fetch it again.") from None
    found = [(name, *shape) for name, shape in shapes.items() if len(shape) == 2 and min(shape)]
    if len(found) != 1:
        raise AvfError(f"{path}: {len(found)} matrices, expected one; it holds {shapes}.")
    return found[0]


def _fields(line: bytes) -> list[bytes]:
    return line.replace(b"\t", b" ").strip(b" \r\n").split(b" ") if line.strip() else []


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _line(path: Path, place: int) -> int:
    """The number of the line that begins at `place`."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if place <= 0:
                return number
            place -= len(line)
    return 1


def _wrong(path: Path, number: int, what: str) -> AvfError:
    return AvfError(
        f"{path}: line {number} {what}. A line is a word and its numbers, all of one length, with "
        f"spaces between. Mend the line, or fetch the file again."
    )
