"""The option `expect` of corpora with a release: counts that replace those of the release."""

from dataclasses import fields
from typing import Any

from avfusion.errors import ConfigError


def refuse_unknown(corpus: str, kind: type, given: dict[str, Any]) -> None:
    """Raise ConfigError if `given` has a key that is no field of the dataclass `kind`.

    The field `given` tells whether some counts come from the config; it is no key.
    """
    known = {field.name for field in fields(kind)} - {"given"}
    if strange := sorted(set(given) - known):
        raise ConfigError(
            f"{corpus}: expect has {strange[0]!r}; expected only {', '.join(sorted(known))}."
        )
