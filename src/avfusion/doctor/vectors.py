"""Whether the files that encoders are pointed to are there, and the ones that are meant."""

from collections.abc import Iterator
from pathlib import Path

from avfusion.config.study import Study
from avfusion.encoders.vectors import check
from avfusion.errors import AvfError
from avfusion.io.atomic import file_digest
from avfusion.registry import encoders


def findings(study: Study) -> Iterator[tuple[str, str, str, str]]:
    """Verdict, subject, what was found and how to mend it, for each encoder with such a file."""
    for name in study.encoder_names():
        if "vocabulary" not in encoders.options(name):
            continue
        own = study.encoders.get(name, {})
        beside, wanted = own.get("vocabulary"), own.get("sha256", "").lower()
        try:
            path, _ = check(Path(own.get("path", "")), Path(beside) if beside else None)
        except AvfError as error:
            found, _, mend = str(error).partition(". ")
            yield "MISSING", "vectors", found, mend
            continue
        if wanted and file_digest(path).hex() != wanted:
            mend = f"fetch it again, or correct encoders.{name}.sha256"
            yield "MISSING", "vectors", f"{path} has another SHA-256 than stated", mend
        else:
            said = "with the SHA-256 stated" if wanted else "no sha256 is given to check it by"
            yield "OK", "vectors", f"{path}, {said}", ""
