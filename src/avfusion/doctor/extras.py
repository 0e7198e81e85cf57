"""Findings about optional packages that the encoders of a study need; none is imported."""

import importlib.util
from collections.abc import Iterator

from avfusion.config.study import Study
from avfusion.doctor.finding import Finding
from avfusion.encoders.extras import INSTALL
from avfusion.registry import encoders


def findings(study: Study) -> Iterator[Finding]:
    """Yield a finding per optional package; classes state it in the attribute `extra`."""
    users: dict[str, list[str]] = {}
    for name in study.features.encoders:
        kind = study.encoder_class(name)
        extra = encoders.constant(kind, "extra") if encoders.known(kind) else None
        if extra is not None:
            users.setdefault(extra, []).append(name)
    for extra, names in users.items():
        listed = ", ".join(names)
        if importlib.util.find_spec(extra) is None:
            text = f"{extra} is not installed; {listed} needs it"
            yield Finding("MISSING", "extras", text, INSTALL)
        else:
            yield Finding("OK", "extras", f"{extra} for {listed}")
