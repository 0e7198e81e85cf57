"""A bundle: a folder with everything that predicts for a clip.

It holds no code. It may name classes of avfusion and of installed packages that declare them
(`avfusion.fusions`, `avfusion.encoders`). Any other class is built only with `trust_code`.

bundle.json              settings, calibration, scores and terms (`document.Document`)
card.md                  the same for people
members/<n>.safetensors  weights of the trained runs
encoders/<name>/         weights that were fitted, and statistics of the training features
check/                   a small clip and what is predicted for it
onnx/                    graphs of members and encoders, if they were asked for
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.base import FittableEncoder, build
from avfusion.errors import BundleError
from avfusion.io.atomic import file_digest
from avfusion.layout import Layout
from avfusion.prediction.document import SCHEMA_VERSION, Document, File
from avfusion.prediction.outlook import Outlook
from avfusion.prediction.place import NAME
from avfusion.runs.serve import Served


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Attributes
    ----------
    folder
        Its folder.
    document
        The contents of bundle.json.
    id
        SHA-256 of bundle.json, which holds that of every other file.
    files
        Encoder -> file of published weights of the user, where it lies here.
    """

    folder: Path
    document: Document
    id: str
    files: Mapping[str, Path]

    @classmethod
    def open(
        cls,
        folder: str | Path,
        files: Mapping[str, Path] | None = None,
        trust_code: bool = False,
    ) -> "Bundle":
        """Open a bundle and check every file of it.

        Parameters
        ----------
        folder
            Folder with bundle.json.
        files
            Encoder -> file of its published weights, if it does not lie where it lay in training.
        trust_code
            Whether classes that no installed package declares may be imported and built.

        Raises
        ------
        BundleError
            If there is no bundle, it is of another schema version, a file is missing or changed, or
            it names a class of code that is not trusted.
        """
        folder = Path(folder)
        path = folder / NAME
        try:
            raw = path.read_bytes()
            given = json.loads(raw)
        except FileNotFoundError:
            raise BundleError(
                f"{folder}: no bundle there (no {NAME}). Run `make demo`, which makes one of the "
                f"demo corpus, or `avf bundle RUNS --out {folder}`."
            ) from None
        except (OSError, ValueError) as error:
            raise BundleError(f"{path}: {type(error).__name__}: {error}. Copy it again.") from None
        version = given.get("schema_version") if isinstance(given, dict) else None
        if version != SCHEMA_VERSION:
            raise BundleError(
                f"{path}: schema version {version}, but this avfusion reads {SCHEMA_VERSION}. Make "
                f"it again with `avf bundle`, or install the version that it names in `made_by`."
            )
        try:
            document = Document.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise BundleError(f"{path}: {place}: {first['msg']}. Copy it again.") from None
        bundle = cls(folder, document, hashlib.sha256(raw).hexdigest(), dict(files or {}))
        bundle._refuse_changed()
        if not trust_code:
            bundle._refuse_code()
        return bundle

    @property
    def name(self) -> str:
        """Corpus, fusion and number of members: `demo/jca, 6 members`."""
        document = self.document
        return f"{document.corpus.name}/{document.fusion}, {len(document.members)} members"

    def summary(self) -> dict[str, Any]:
        """Return what every prediction says about its model."""
        return {"name": self.name, "id": self.id, **self.document.summary()}

    @cached_property
    def members(self) -> list[Served]:
        """The trained runs."""
        fusion = self.document.class_
        return [Served.open(self.path(each.weights), fusion) for each in self.document.members]

    @property
    def read(self) -> list[str]:
        """Encoders that predictions depend on; a run may have others that its fusion ignores."""
        listed = {name for names in self.document.features.values() for name in names}
        return [name for name in self.document.encoders if name in listed]

    @cached_property
    def encoders(self) -> dict[str, Any]:
        """Encoder -> the encoder, ready to encode; only those of `read`."""
        return {name: self.encoder(name) for name in self.read}

    @cached_property
    def outlooks(self) -> dict[str, Outlook]:
        """Encoder -> what its features look like in training."""
        listed = self.document.encoders.items()
        return {name: Outlook.read(self.path(entry.outlook)) for name, entry in listed}

    def path(self, file: File) -> Path:
        """Return the path of a file of the bundle."""
        return self.folder / file.path

    def settings_of(self, encoder: str) -> EncoderSettings:
        """Return the settings of an encoder, with the user's file of weights."""
        settings = self.document.encoders[encoder].settings
        if encoder not in self.files:
            return settings
        return settings.updated(options={**settings.options, "path": str(self.files[encoder])})

    def encoder(self, name: str) -> Any:
        """Build an encoder and load its weights."""
        entry, settings = self.document.encoders[name], self.settings_of(name)
        encoder = build(settings)
        if entry.weights is not None:
            cast(FittableEncoder, encoder).load(self.path(entry.weights), settings)
        return encoder

    def note(self, encoder: str, layout: Layout) -> None:
        """Let an encoder with the user's weights check and read them; notes go below `layout`."""
        note = getattr(self.encoders[encoder], "note", None)
        if note is not None:
            note("clip", self.settings_of(encoder), layout)

    def _refuse_code(self) -> None:
        """Refuse classes that are named by a place in code, which anything could be."""
        named = [
            self.document.class_,
            *(e.settings.class_ for e in self.document.encoders.values()),
        ]
        for name in named:
            if ":" in name:
                raise BundleError(
                    f"{self.folder}: uses the class {name}, which no installed package declares. "
                    f"Building it runs its code. If you know it, repeat the command with "
                    f"--trust-code (in Python: trust_code=True)."
                )

    def _refuse_changed(self) -> None:
        for file in _files(self.document):
            path = self.path(file)
            if ".." in Path(file.path).parts or Path(file.path).is_absolute():
                raise BundleError(f"{self.folder}: names a file outside of it: {file.path!r}.")
            if not path.is_file():
                raise BundleError(f"{path}: missing. Copy the complete folder of the bundle again.")
            if file_digest(path).hex() != file.sha256:
                raise BundleError(
                    f"{path}: changed since the bundle was made (SHA-256 differs from {NAME}). "
                    f"Copy the bundle again, or make it again with `avf bundle`."
                )


def _files(document: Document) -> list[File]:
    files = [member.weights for member in document.members]
    for entry in document.encoders.values():
        files += [entry.outlook, *([entry.weights] if entry.weights else [])]
    files += document.onnx.files if document.onnx else []
    return files + ([document.check.clip, document.check.expected] if document.check else [])
