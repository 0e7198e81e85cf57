"""Word vectors in a file of the user: an index of the words, whose rows are read on demand.

Supported are text files with one word and its numbers per line (GloVe .txt; word2vec .vec or .txt,
whose first line is `words dim`), and safetensors with one matrix and a separate vocabulary, one
word per line. The file is scanned once; only the offset of each word stays in memory.
"""

import hashlib
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from avfusion.errors import AvfError
from avfusion.io.atomic import file_digest


class Vectors:
    """Rows of a file of vectors, by word.

    Parameters
    ----------
    path
        File of vectors: .txt, .vec or .safetensors.
    vocabulary
        For safetensors only: the words in the order of the rows, one per line.
    entry
        Name of the encoder in the study, for messages.

    Attributes
    ----------
    dim
        D, the length of a vector.
    sha256
        SHA-256 of the file of vectors.

    Raises
    ------
    AvfError
        If a file is missing, of an unknown kind or malformed.
    """

    def __init__(
        self, path: Path, vocabulary: Path | None = None, entry: str = "word_vectors"
    ) -> None:
        self.path, self.vocabulary = check(path, vocabulary, entry)
        self._places: dict[str, int] = {}
        self._cased: dict[str, int] = {}
        if self.vocabulary:
            self.tensor, rows, self.dim = _matrix(self.path)
            self._index(_vocabulary(self.vocabulary, rows, entry))
            self.sha256 = file_digest(self.path).hex()
        else:
            digest = hashlib.sha256()
            announced, self.dim = _head(self.path)
            self._index(_lines(self.path, announced, self.dim, digest))
            self.sha256 = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._places.keys() | self._cased.keys())

    def find(self, words: Iterable[str]) -> dict[str, np.ndarray]:
        """Return word -> vector float32 (D,) of the words, in lower case, that have one."""
        places = {word: self._places.get(word, self._cased.get(word)) for word in set(words)}
        known = sorted((place, word) for word, place in places.items() if place is not None)
        read = self._of_matrix if self.vocabulary else self._of_text
        return dict(zip((word for _, word in known), read([p for p, _ in known]), strict=True))

    def _index(self, words: Iterator[tuple[str, int]]) -> None:
        """Keep the first place of each word; a word in lower case has precedence over others."""
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
                    number = _line(self.path, place)
                    raise _wrong(self.path, number, "has a value that is not a finite number")
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


MOST_NUMBERS = 100_000
"""Most numbers of a word; published vectors have 50 to 1,024."""


def check(path: Path, vocabulary: Path | None, entry: str) -> tuple[Path, Path | None]:
    """Return both files, `~` expanded, after checking that they exist and are of a supported kind.

    Parameters
    ----------
    path
        File of vectors.
    vocabulary
        File of words, or None.
    entry
        Name of the encoder in the study, for messages.

    Raises
    ------
    AvfError
        With what to change in the config or to do with the file.
    """
    section = f"encoders.{entry}"
    if path == Path():
        raise AvfError(
            f"{entry}: no file of vectors is given. Set {section}.path, e.g. glove.6B.300d.txt."
        )
    path = Path(os.path.expanduser(path))
    vocabulary = None if vocabulary is None else Path(os.path.expanduser(vocabulary))
    for key, file in (("path", path), ("vocabulary", vocabulary)):
        if file is not None and not file.is_file():
            raise AvfError(f"{file}: file not found. Put it there, or correct {section}.{key}.")
    if path.suffix in (".zip", ".gz"):
        unpack = "unzip" if path.suffix == ".zip" else "gunzip -k"
        raise AvfError(
            f"{path}: compressed. Run `{unpack} {path}` and set {section}.path to the file "
            f"that it unpacks."
        )
    if path.suffix not in (".txt", ".vec", ".safetensors"):
        raise AvfError(
            f"{path}: neither .txt, .vec nor .safetensors. Save it as text (gensim: "
            f"`KeyedVectors.load_word2vec_format(path, binary=True).save_word2vec_format(txt)`)."
        )
    if (path.suffix == ".safetensors") != (vocabulary is not None):
        need = "needs" if vocabulary is None else "takes no"
        remedy = f"Correct {section}.vocabulary."
        raise AvfError(f"{path}: {need} a vocabulary, one word per line. {remedy}")
    return path, vocabulary


def _head(path: Path) -> tuple[int | None, int]:
    """Return the number of words that the first line announces, or None, and D."""
    with path.open("rb") as file:
        fields = _fields(file.readline())
    if len(fields) == 2 and all(field.isdigit() for field in fields):
        announced, dim = int(fields[0]), int(fields[1])
        if dim > MOST_NUMBERS or 2 * announced * max(1, dim) > path.stat().st_size:
            raise _wrong(path, 1, f"announces {announced} words of {dim} numbers, more than fit in")
        return announced, dim
    if len(fields) < 2:
        raise _wrong(path, 1, "holds no word followed by numbers")
    return None, len(fields) - 1


def _lines(
    path: Path, announced: int | None, dim: int, digest: "hashlib._Hash"
) -> Iterator[tuple[str, int]]:
    """Yield each word and the offset of its line; update the digest with every line."""
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
        raise _wrong(path, number, f"is the last: {words} words, but line 1 announces {announced}")


def _word(path: Path, number: int, fields: list[bytes], dim: int) -> str:
    """Return a line's word, which may hold spaces; raise for a line of another width."""
    word = fields[:-dim] if dim else []
    if not word or (len(word) > 1 and math.isfinite(_number(word[-1]))):
        raise _wrong(path, number, f"has {len(fields) - 1} numbers, not {dim}")
    try:
        return b" ".join(word).decode()
    except UnicodeDecodeError:
        raise _wrong(path, number, "is not UTF-8") from None


def _vocabulary(path: Path, rows: int, entry: str) -> Iterator[tuple[str, int]]:
    words = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if len(words) != rows:
        remedy = f"Correct encoders.{entry}.vocabulary."
        raise AvfError(f"{path}: {len(words)} words for {rows} vectors. {remedy}")
    return ((word.strip(), place) for place, word in enumerate(words))


def _matrix(path: Path) -> tuple[str, int, int]:
    """Return the name, rows and width of the only matrix of the file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise AvfError(f"{path}: not safetensors ({error}). Download it again.") from None
    matrices = [(name, *shape) for name, shape in shapes.items() if len(shape) == 2 and min(shape)]
    if len(matrices) != 1:
        raise AvfError(f"{path}: {len(matrices)} matrices, expected one. Its tensors are {shapes}.")
    return matrices[0]


def _fields(line: bytes) -> list[bytes]:
    return line.replace(b"\t", b" ").strip(b" \r\n").split(b" ") if line.strip() else []


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _line(path: Path, place: int) -> int:
    """Return the number of the line that begins at offset `place`."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if place <= 0:
                return number
            place -= len(line)
    return 1


def _wrong(path: Path, number: int, what: str) -> AvfError:
    return AvfError(
        f"{path}: line {number} {what}. A line must be a word and its numbers, separated by "
        f"spaces, as many as in the other lines. Correct the line, or download the file again."
    )
