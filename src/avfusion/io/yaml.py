"""Read YAML files of a study; duplicate keys are refused with both line numbers."""

from pathlib import Path
from typing import Any

import yaml

from avfusion.errors import ConfigError

_MOST_BYTES = 16 << 20
_MOST_NODES = 1_000_000
"""Values of a file after its aliases are put in; a few lines can state 10^9."""


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    ConfigError
        If the file is missing, not YAML, not a mapping, or has a duplicate key, or if its aliases
        stand for too many values.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file. Run in the project's root, or name another file.")
    if path.stat().st_size > _MOST_BYTES:
        raise ConfigError(f"{path}: {path.stat().st_size:,} bytes, expected a file of settings.")
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 (byte {error.start:,}). Save it as UTF-8.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: its brackets are nested too deeply.") from None
    except (ValueError, OverflowError) as error:  # 2024-99-99, or an integer of 5,000 digits
        reason = f"{error}".partition(";")[0]
        raise ConfigError(f"{path}: a value cannot be read: {reason}. Quote it.") from None
    except _DuplicateKeyError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(raw).__name__}.")
    return raw


class _DuplicateKeyError(Exception):
    """A mapping has a duplicate key, which YAML forbids and PyYAML accepts."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that checks the keys of every mapping."""

    def get_single_node(self) -> yaml.Node | None:
        """Compose the document; refuse it if its aliases stand for too many values."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None and _values(node, {}) > _MOST_NODES:
            raise yaml.YAMLError(f"its aliases stand for more than {_MOST_NODES:,} values")
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Construct the mapping of a node; raise `_DuplicateKeyError` for a duplicate key."""
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge" or not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in first:
                raise _DuplicateKeyError(
                    f"key {key.value!r} is in line {first[key.value]} and again in line {line}, "
                    f"which would silently replace the first. Remove one."
                )
            first[key.value] = line
        return super().construct_mapping(node, deep)


def _values(node: yaml.Node, known: dict[int, int | None]) -> int:
    """Return the number of values below a node, each alias counted with all that it stands for."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    counted = known.get(id(node), 0)
    if counted is None:
        raise yaml.YAMLError("a value holds itself")
    if not counted:
        known[id(node)] = None  # being counted
        pairs = node.value if isinstance(node, yaml.MappingNode) else [(n,) for n in node.value]
        counted = known[id(node)] = 1 + sum(_values(inner, known) for p in pairs for inner in p)
    return counted
