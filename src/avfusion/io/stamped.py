"""Write and read records and tables with their origin and a checksum of their content."""

import hashlib
import json
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from avfusion.errors import DamagedError
from avfusion.io.atomic import replacing, write_text

SEAL = "seal"


_KEY = b"avfusion"


def digest(record: Any) -> str:
    """Return the SHA-256 of a JSON-ready value; the order of keys does not matter.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def listing_digest(listed: dict[str, str]) -> str:
    """Return the SHA-256 of a mapping in its order, such as video -> digest of its features."""
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def write_sealed(path: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON with a checksum of its content."""
    record = {name: value for name, value in record.items() if name != SEAL}
    write_text(path, json.dumps(record | {SEAL: digest(record)}, indent=2) + "\n")


def read_sealed(path: Path, mend: str) -> dict[str, Any]:
    """Read a record of `write_sealed`.

    Parameters
    ----------
    path
        The file.
    mend
        What to do if the file is damaged, for the error message.

    Raises
    ------
    DamagedError
        If the file is missing, damaged, or was edited.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        seal = record.pop(SEAL, None)
    except FileNotFoundError:
        raise DamagedError(f"{path}: file not found. {mend}") from None
    except (ValueError, AttributeError) as error:
        raise DamagedError(f"{path}: damaged, not JSON ({error}). {mend}") from None
    if seal != digest(record):
        raise DamagedError(
            f"{path}: edited or damaged since it was written: its seal does not match. Change "
            f"settings in the config, not here. {mend}"
        )
    return record


def write_stamped(table: pd.DataFrame, path: Path, origin: dict[str, Any]) -> None:
    """Write Parquet with its origin and a checksum of its content in the metadata."""
    made = pa.Table.from_pandas(table, preserve_index=False)
    stamp = {"origin": origin, "content": table_digest(made.to_pandas())}
    made = made.replace_schema_metadata({**(made.schema.metadata or {}), _KEY: json.dumps(stamp)})
    with replacing(path) as half:
        pq.write_table(made, half)


def read_stamped(path: Path, mend: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a table of `write_stamped`.

    Parameters
    ----------
    path
        The file.
    mend
        What to do if the file is damaged, for the error message.

    Returns
    -------
    table : DataFrame
    origin : dict
        As given to `write_stamped`.

    Raises
    ------
    DamagedError
        If the file is missing, damaged, was edited, or has no stamp.
    """
    try:
        made = pq.read_table(path)
        stamp = json.loads((made.schema.metadata or {})[_KEY])
        table = made.to_pandas()
        if table_digest(table) == stamp["content"]:
            return table, stamp["origin"]
        problem = "its content does not match its checksum"
    except KeyError:
        problem = "it has no stamp of its origin"
    except (OSError, ValueError, pa.ArrowException) as error:
        problem = f"{type(error).__name__}: {error}"
    raise DamagedError(f"{path}: edited or damaged since it was written: {problem}. {mend}")


def weights_digest(path: Path) -> str:
    """Return the checksum of the weights from the file's header, without reading the tensors.

    Raises
    ------
    DamagedError
        If the file was not written by `checkpoint.save_weights`, or is damaged.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(min(length, path.stat().st_size)))
            return json.loads(header["__metadata__"]["avfusion"])["sha256"]
        except (ValueError, KeyError, TypeError):
            raise DamagedError(f"{path}: damaged, or not weights that avfusion wrote.") from None


def tensors_digest(path: Path) -> str:
    """Return the SHA-256 of the tensors of a safetensors file, without its metadata.

    Raises
    ------
    DamagedError
        If the file is damaged.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(min(length, path.stat().st_size)))
            header.pop("__metadata__", None)
        except (ValueError, AttributeError):
            raise DamagedError(f"{path}: damaged, or not weights that avfusion wrote.") from None
        tensors = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        tensors.update(file.read())
    return tensors.hexdigest()


def table_digest(table: pd.DataFrame) -> str:
    """Return the SHA-256 of names, types and values, independent of the file's layout."""
    head = json.dumps([[str(name), str(table[name].dtype)] for name in table])
    rows = pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes()
    return hashlib.sha256(head.encode() + rows).hexdigest()


@runtime_checkable
class _Tensor(Protocol):
    """What `content_hash` needs of a torch tensor, so that torch need not be imported."""

    def cpu(self) -> Any: ...

    def numpy(self) -> Any: ...


def content_hash(*parts: Any) -> str:
    """Return the SHA-256 of tensors and JSON-ready values, in their order."""
    digest = hashlib.sha256()
    for part in parts:
        is_tensor = isinstance(part, _Tensor)
        digest.update(part.cpu().numpy().tobytes() if is_tensor else json.dumps(part).encode())
    return digest.hexdigest()


def content_key(*parts: bytes) -> str:
    """Return a hash of the parts, 16 hexadecimal digits."""
    lengths = b"".join(len(part).to_bytes(8, "big") for part in parts)
    return hashlib.sha256(lengths + b"".join(parts)).hexdigest()[:16]
