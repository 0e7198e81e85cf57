"""Write a prediction in several formats, with a JSON file that says what its numbers mean."""

import difflib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avfusion.errors import AvfError
from avfusion.io.atomic import write_text
from avfusion.prediction.formats.catalogue import FORMATS
from avfusion.prediction.formats.describe import description, description_text
from avfusion.prediction.formats.names import stem_of
from avfusion.prediction.prediction import Prediction


def write(
    prediction: Prediction,
    folder: Path,
    formats: Sequence[str],
    embed: bool = False,
    stem: str = "",
) -> list[Path]:
    """Write `<name of the clip>.<ending>` for each format, and last the JSON file.

    Each file is complete or absent. The JSON file marks that all others are complete: it is removed
    first and written last. It lists the files under `files`, with those of an earlier call for the
    same prediction.

    Parameters
    ----------
    prediction
        What was predicted for the clip.
    folder
        Where to write; it is created.
    formats
        Names in `FORMATS`.
    embed
        Whether the page includes the clip; otherwise it refers to the clip where it is.
    stem
        Name of the files without their ending; by default that of the clip.

    Returns
    -------
    list of Path
        The files written, the JSON file last.

    Raises
    ------
    AvfError
        If a format is unknown or needs a package that is not installed, or if the folder holds the
        predictions of another clip of the same name.
    """
    check_formats(formats)
    stem = stem or stem_of(prediction.clip["name"])
    marker = folder / f"{stem}.json"
    earlier = _earlier(marker, prediction)
    marker.unlink(missing_ok=True)
    written = []
    for name, form in FORMATS.items():
        if name in formats:
            path = folder / f"{stem}.{form.ending}"
            form.function()(prediction, path, embed)
            written.append(path)
    names = list(dict.fromkeys([*earlier, *(path.name for path in written)]))
    write_text(marker, description_text({**description(prediction), "files": names}))
    return [*written, marker]


def check_formats(names: Sequence[str]) -> None:
    """Refuse names that are not in `FORMATS`."""
    for name in (name for name in names if name not in FORMATS):
        near = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise AvfError(f"No format named {name!r}.{hint} Known: {', '.join(FORMATS)}.")


def _earlier(marker: Path, prediction: Prediction) -> list[str]:
    """Return the files of an earlier call for the same prediction that are still there.

    Raises
    ------
    AvfError
        If the marker is of another clip.
    """
    try:
        facts: dict[str, Any] = json.loads(marker.read_text(encoding="utf-8"))
        clip, files = facts["clip"], facts["files"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError):
        return []  # not written by this function completely; it is replaced
    ours = description(prediction)["clip"]
    if clip.get("path") != ours.get("path") and clip.get("sha256") != ours.get("sha256"):
        raise AvfError(
            f"{marker}: holds the predictions of another clip, {clip.get('path')}, and "
            f"{ours.get('path')} would replace them. Write to another folder, or rename a clip."
        )
    if facts.get("key") != prediction.key:
        _remove(marker, files)
        return []
    return [name for name in files if (marker.parent / name).exists()]


def _remove(marker: Path, names: Sequence[str]) -> None:
    """Remove the files of another prediction, so that none is taken for one of this."""
    stem = marker.name.removesuffix(".json")
    for name in names:
        path = marker.with_name(name)
        if Path(name).name != name or not name.startswith(f"{stem}."):
            continue  # not written by `write`
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
