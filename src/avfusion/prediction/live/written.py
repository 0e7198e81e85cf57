"""Write the rows of a live prediction as they come, and what they mean at the end."""

from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.errors import AvfError
from avfusion.io.atomic import write_text
from avfusion.prediction.doubts import FAR, LEAST_S
from avfusion.prediction.formats.describe import description, description_text, persons
from avfusion.prediction.formats.names import stem_of
from avfusion.prediction.live.follow import Update
from avfusion.prediction.live.reach import Reach
from avfusion.prediction.prediction import Doubt, Prediction

MOST = 1000
"""Most entries of each list of the description, so that memory does not grow with time."""


class Written:
    """The files `<name>.live.csv` and `<name>.live.json` of one recording.

    Parameters
    ----------
    folder
        Folder of the files; it is created with the first rows.
    name
        Name of the recording.
    reach
        What an update reads.

    Raises
    ------
    AvfError
        If the rows of another recording are there, which cannot be predicted again.
    """

    def __init__(self, folder: Path, name: str, reach: Reach) -> None:
        stem = stem_of(name)
        self.table, self.about = folder / f"{stem}.live.csv", folder / f"{stem}.live.json"
        self._reach = reach
        self.rows = 0
        self._last: Prediction | None = None
        self._persons: list[int] = []
        self._doubts: list[Doubt] = []
        self._gaps: list[tuple[float, float, str]] = []
        self._remarks: dict[str, None] = {}
        self._left_out = 0
        if self.table.exists():
            raise AvfError(
                f"{self.table}: holds the rows of an earlier recording. Move it, or name another "
                f"folder with --out."
            )

    def add(self, update: Update) -> pd.DataFrame:
        """Append the new rows of an update, and return them."""
        span, hop_s = update.span, self._reach.hop_s
        if span.first > span.skipped:
            self.miss(span.skipped * hop_s, span.first * hop_s, "slower than real time")
        if update.prediction is None:
            self.miss(span.first * hop_s, span.last * hop_s, update.reason)
            return pd.DataFrame()
        table = update.prediction.table
        numbers = span.begin + 1 + pd.RangeIndex(len(table)).to_numpy()
        new = (numbers > span.first) & (numbers <= span.last)
        rows = table.assign(time_s=numbers * hop_s)[new]
        self._append(rows)
        self._note(update, update.prediction, rows)
        return rows

    def miss(self, start_s: float, end_s: float, reason: str) -> None:
        """Note that the rows of a time are absent."""
        if self._gaps and self._gaps[-1][1:] == (start_s, reason):
            start_s = self._gaps.pop()[0]
        self._keep(self._gaps, (start_s, end_s, reason))

    def close(self, clip: dict[str, Any], options: dict[str, Any], remarks: list[str]) -> None:
        """Write the description; nothing without a row."""
        if self._last is None:
            return
        absent = [f"no rows from {a:.2f} to {b:.2f} s: {why}" for a, b, why in self._gaps]
        stated = [*remarks, *absent, *self._remarks]
        if self._left_out:
            stated.append(f"{self._left_out} more doubts, gaps or remarks are not listed")
        facts = description(self._last) | {
            "clip": clip,
            "rows": self.rows,
            "persons": self._persons,
            "doubts": [doubt._asdict() for doubt in self._doubts],
            "remarks": stated,
            "options": options,
            "files": [self.table.name],
        }
        write_text(self.about, description_text(facts))

    def _append(self, rows: pd.DataFrame) -> None:
        first = self._last is None
        self.table.parent.mkdir(parents=True, exist_ok=True)
        with self.table.open("x" if first else "a", encoding="utf-8", newline="") as file:
            rows.to_csv(file, index=False, header=first, lineterminator="\r\n")
        self.rows += len(rows)

    def _note(self, update: Update, prediction: Prediction, rows: pd.DataFrame) -> None:
        self._last = prediction
        self._persons = self._persons or persons(prediction)
        for remark in prediction.remarks:
            if remark not in self._remarks and remark != FAR:  # that is of a span
                if len(self._remarks) < MOST:
                    self._remarks[remark] = None
                else:
                    self._left_out += 1
        start_s, end_s = (row * self._reach.hop_s for row in (update.span.first, update.span.last))
        for doubt in prediction.doubts:
            begins_s = max(start_s, doubt.start_s + update.begins_s)
            ends_s = min(end_s, doubt.end_s + update.begins_s)
            if ends_s > begins_s + 1e-6:
                self._doubt(doubt._replace(start_s=begins_s, end_s=ends_s))

    def _doubt(self, doubt: Doubt) -> None:
        """Note a doubt; one that goes on where another one ended extends it."""
        for index, other in enumerate(self._doubts):
            same = (other.reason, other.track_id) == (doubt.reason, doubt.track_id)
            if same and abs(other.end_s - doubt.start_s) < LEAST_S / 2:
                self._doubts[index] = other._replace(end_s=doubt.end_s)
                return
        self._keep(self._doubts, doubt)

    def _keep(self, listed: list[Any], entry: Any) -> None:
        listed.append(entry)
        if len(listed) > MOST:
            del listed[0]
            self._left_out += 1
