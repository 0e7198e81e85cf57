"""Findings about files of weights that encoders name: present, and with the stated SHA-256."""

from collections.abc import Iterator

from avfusion.config.study import Study
from avfusion.doctor.finding import Finding
from avfusion.errors import AvfError
from avfusion.registry import encoders


def findings(study: Study) -> Iterator[Finding]:
    """Yield a finding per encoder of the study whose weights are a file of the user."""
    for name in study.features.encoders:
        kind, options = study.encoder_class(name), study.encoder_options(name)
        if not encoders.known(kind) or not {"path", "licence"} <= encoders.options(kind).keys():
            continue
        if not options.get("path") and encoders.constant(kind, "fitted"):
            yield Finding("OK", "weights", f"{name} is trained from new weights")
            continue
        from avfusion.encoders.weights_file import WeightsFile

        given = options.get("sha256", "")
        file = WeightsFile(options.get("path", ""), given, entry=name)
        try:
            _ = file.sha256
        except AvfError as error:
            text, _, remedy = str(error).partition(". ")
            yield Finding("MISSING", "weights", text, remedy)
            continue
        text = "with the stated SHA-256" if given else "not checked, no sha256 is given"
        yield Finding("OK", "weights", f"{file.path}, {text}")
