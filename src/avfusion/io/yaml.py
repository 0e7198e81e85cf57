"""YAML as a study's files are read: a key given twice is refused, with both line numbers."""

from pathlib import Path
from typing import Any

import yaml

from avfusion.errors import ConfigError


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a file holds; refuses other content and keys given twice."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file. Run from the project's root, or name one.")
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_OneOfEach)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None
    except _TwiceError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(raw).__name__}.")
    return raw


class _TwiceError(Exception):
    """A mapping has a key twice; YAML's own rule, which PyYAML does not enforce."""


class _OneOfEach(yaml.SafeLoader):
    """A safe loader that looks at every mapping before it is made."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node; refuses a second key of one name."""
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge" or not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in first:
                raise _TwiceError(
                    f"key {key.value!r} stands in line {first[key.value]} and again in line "
                    f"{line}, where it would silently replace the first. Remove one."
                )
            first[key.value] = line
        return super().construct_mapping(node, deep)
