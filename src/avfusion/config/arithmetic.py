"""The arithmetic that a config file states, read without checking the rest of it."""

from pathlib import Path

from avfusion.arithmetic import Arithmetic
from avfusion.io.yaml import read_mapping

BASE = Path("config/config.yaml")


def stated(path: Path) -> Arithmetic:
    """Return `arithmetic` of a config file; a file without fusions has that of the base study.

    Raises
    ------
    ConfigError
        If a file is not YAML.
    """
    given = read_mapping(path)
    if "arithmetic" not in given and "fusions" not in given and BASE.is_file():
        given = read_mapping(BASE)
    return "portable" if given.get("arithmetic") == "portable" else "fast"
