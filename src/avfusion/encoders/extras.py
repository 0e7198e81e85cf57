"""Optional packages that adapters need; each is imported when its encoder is built."""

import importlib
from typing import Any

from avfusion.errors import AvfError

INSTALL = "make extras"
"""The command that installs all of them."""


def needed(package: str, entry: str) -> Any:
    """Import an optional package.

    Parameters
    ----------
    package
        Its name, the same for import and for installation.
    entry
        Name of the encoder in the study, for the message.

    Raises
    ------
    AvfError
        If it is not installed, or does not work with what is installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        lacks = "" if error.name == package else f" (it lacks {error.name})"
        raise AvfError(
            f"{entry}: needs the package {package}, which is not installed{lacks}. Run: {INSTALL}"
        ) from None
    except (ImportError, RuntimeError, OSError) as error:
        text = str(error).partition("\n")[0]
        raise AvfError(
            f"{entry}: the package {package} cannot be used ({text}). Run: {INSTALL}"
        ) from None
