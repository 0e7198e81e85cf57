"""Records and tables that say what they were made from, and show when they were changed since."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from torch import Tensor

from avfusion.errors import DamagedError
from avfusion.io.atomic import replacing, write_text

SEAL = "seal"


_KEY = b"avfusion"


def digest(record: Any) -> str:
    """SHA-256 of a JSON-ready value; spaces and the order of keys do not count.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def listing_digest(listed: dict[str, str]) -> str:
    """SHA-256 of names and what stands beside each, such as videos and their features' digests.

    Their order counts.
    """
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def write_sealed(path: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON with a seal over its content."""
    record = {name: value for name, value in record.items() if name != SEAL}
    write_text(path, json.dumps(record | {SEAL: digest(record)}, indent=2) + "\n")


def read_sealed(path: Path, mend: str) -> dict[str, Any]:
    """The record that `write_sealed` wrote; refuses one edited since, saying how to `mend` it."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        seal = record.pop(SEAL, None)
    except FileNotFoundError:
        raise DamagedError(f"{path}: no such file, so nobody knows what it said. {mend}") from None
    except (ValueError, AttributeError) as error:
        raise DamagedError(f"{path}: damaged, not JSON any more ({error}). {mend}") from None
    if seal != digest(record):
        raise DamagedError(
            f"{path}: edited or damaged since it was written: its seal does not fit. Settings are "
            f"changed in the config, not here. {mend}"
        )
    return record


def write_stamped(table: pd.DataFrame, path: Path, origin: dict[str, Any]) -> None:
    """Write Parquet that carries what it was made from and a digest of its content."""
    made = pa.Table.from_pandas(table, preserve_index=False)
    stamp = {"origin": origin, "content": _content(made.to_pandas())}
    made = made.replace_schema_metadata({**(made.schema.metadata or {}), _KEY: json.dumps(stamp)})
    with replacing(path) as half:
        pq.write_table(made, half)


def read_stamped(path: Path, mend: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table and its origin; refuses one that was edited, damaged or written by others."""
    try:
        made = pq.read_table(path)
        stamp = json.loads((made.schema.metadata or {})[_KEY])
        table = made.to_pandas()
        if _content(table) == stamp["content"]:
            return table, stamp["origin"]
        found = "its content is not what its digest says"
    except KeyError:
        found = "it carries no stamp of what made it"
    except (OSError, ValueError, pa.ArrowException) as error:
        found = f"{type(error).__name__}: {error}"
    raise DamagedError(f"{path}: edited or damaged since it was written: {found}. {mend}")


def weights_digest(path: Path) -> str:
    """The checksum that `checkpoint.save_weights` put in the header; the tensors stay unread."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(min(length, path.stat().st_size)))
            return json.loads(header["__metadata__"]["avfusion"])["sha256"]
        except (ValueError, KeyError, TypeError):
            raise DamagedError(f"{path}: damaged or not ours; its header says nothing.") from None


def _content(table: pd.DataFrame) -> str:
    """SHA-256 over names, types and values, whatever the file's layout."""
    head = json.dumps([[str(name), str(table[name].dtype)] for name in table])
    rows = pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes()
    return hashlib.sha256(head.encode() + rows).hexdigest()


def content_hash(*parts: Any) -> str:
    """SHA-256 over tensors and JSON-ready values."""
    digest = hashlib.sha256()
    for part in parts:
        tensor = isinstance(part, Tensor)
        digest.update(part.cpu().numpy().tobytes() if tensor else json.dumps(part).encode())
    return digest.hexdigest()


def content_key(*parts: bytes) -> str:
    """A name for content: equal for equal parts, whatever their dates."""
    lengths = b"".join(len(part).to_bytes(8, "big") for part in parts)
    return hashlib.sha256(lengths + b"".join(parts)).hexdigest()[:16]
