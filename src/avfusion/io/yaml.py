"""Read YAML files of a study; duplicate keys are refused with both line numbers."""

from pathlib import Path
from typing import Any

import yaml

from avfusion.errors import ConfigError


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    ConfigError
        If the file is missing, not YAML, not a mapping, or has a duplicate key.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file. Run in the project's root, or name another file.")
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None
    except _DuplicateKeyError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(raw).__name__}.")
    return raw


class _DuplicateKeyError(Exception):
    """A mapping has a duplicate key, which YAML forbids and PyYAML accepts."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that checks the keys of every mapping."""

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
