"""Findings about files of word vectors: present, and with the SHA-256 that the config states."""

from collections.abc import Iterator
from pathlib import Path

from avfusion.config.study import Study
from avfusion.doctor.finding import Finding
from avfusion.encoders.vectors import check
from avfusion.errors import AvfError
from avfusion.io.atomic import file_digest
from avfusion.registry import encoders


def findings(study: Study) -> Iterator[Finding]:
    """Yield a finding per encoder of the study that reads word vectors from a file."""
    for name in study.features.encoders:
        kind = study.encoder_class(name)
        if not encoders.known(kind) or "vocabulary" not in encoders.options(kind):
            continue
        options = study.encoder_options(name)
        vocabulary, expected = options.get("vocabulary"), options.get("sha256", "").lower()
        files = Path(options.get("path", "")), Path(vocabulary) if vocabulary else None
        try:
            path, _ = check(*files, name)
        except AvfError as error:
            text, _, remedy = str(error).partition(". ")
            yield Finding("MISSING", "vectors", text, remedy)
            continue
        if expected and file_digest(path).hex() != expected:
            text = f"{path} has another SHA-256 than the config states"
            remedy = f"download it again, or correct encoders.{name}.sha256"
            yield Finding("MISSING", "vectors", text, remedy)
        else:
            text = "with the stated SHA-256" if expected else "not checked, no sha256 is given"
            yield Finding("OK", "vectors", f"{path}, {text}")
