"""Write the people of a video into its record: the followed face of each frame, and two tables."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from avfusion.media.follow import appearances
from avfusion.media.people import Cast, Search
from avfusion.media.writer import FACE_COLUMNS, RecordWriter, crop_name

NO_FACE = (float("nan"),) * len(FACE_COLUMNS)


_BATCH = 2048


_TRACKS = pa.schema(
    [
        *(("person", pa.int32()), ("shot", pa.int32())),
        *(("start_s", pa.float64()), ("end_s", pa.float64()), ("frames", pa.int32())),
        *((name, pa.float32()) for name in ("score", "x", "y", "w", "h", "speaking")),
        ("followed", pa.int32()),
    ]
)


def write(writer: RecordWriter, pictures: Search, roles: Cast, rule: str) -> int:
    """Write frames with the followed face, and the tables of people; return frames with a face.

    With the rule "all", the pictures of the others are stored as well.
    """
    rows, mine = roles.seen.rows, np.flatnonzero(roles.chosen)
    # Of each frame, its number of faces and the row of the followed one; -1 is none.
    counts = np.full(len(pictures.times_s), -1, np.int32)
    counts[np.array(pictures.looked, int)] = pictures.spool.counts
    followed = np.full(len(counts), -1, np.int32)
    followed[rows["frame"][mine]] = mine
    for index, time_s in enumerate(pictures.times_s):
        at = followed[index]
        numbers = NO_FACE if at < 0 else _numbers(rows[at])
        crop = None if at < 0 else pictures.spool.jpeg(rows[at])
        count = None if counts[index] < 0 else int(counts[index])
        writer.add_frame((time_s, count, *numbers), crop)
    if rule == "all":
        for at in np.flatnonzero(~roles.chosen & (roles.seen.people >= 0)):
            name = crop_name(int(rows["frame"][at]), int(roles.seen.people[at]))
            writer.add_crop(name, pictures.spool.jpeg(rows[at]))
    _write_faces(writer, roles)
    _write_tracks(writer, roles)
    return len(mine)


def _numbers(row: Any) -> tuple[float, ...]:
    return (float(row["score"]), *row["box"].tolist(), *row["points"].ravel().tolist())


def _write_faces(writer: RecordWriter, roles: Cast) -> None:
    """Write people.parquet: one row per face and frame, in order of time."""
    integers = ("person", pa.int32()), ("shot", pa.int32()), ("frame", pa.int32())
    real = [(name, pa.float32()) for name in (*FACE_COLUMNS, "speaking")]
    schema = pa.schema([*integers, ("time_s", pa.float64()), *real, ("followed", pa.bool_())])
    at = np.flatnonzero(roles.seen.people >= 0)
    with pq.ParquetWriter(writer.folder / "people.parquet", schema, use_dictionary=False) as file:
        for begin in range(0, max(1, len(at)), _BATCH):
            part = at[begin : begin + _BATCH]
            rows = roles.seen.rows[part]
            columns = [
                roles.seen.people[part],
                roles.seen.shots[part],
                rows["frame"],
                rows["time_s"],
            ]
            columns += [rows["score"], *rows["box"].T, *rows["points"].reshape(-1, 10).T]
            columns += [roles.speaking[part], roles.chosen[part]]
            arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
            file.write_table(pa.table(arrays, schema=schema))


def _write_tracks(writer: RecordWriter, roles: Cast) -> None:
    """Write tracks.parquet: one row per person and shot, in order of time."""
    lists: dict[str, list[Any]] = {name: [] for name in _TRACKS.names}
    seen = roles.seen
    for rows in appearances(seen, np.flatnonzero(seen.people >= 0)):
        faces, spoken = seen.rows[rows], roles.speaking[rows]
        known = spoken[np.isfinite(spoken)]
        values = (
            *(int(seen.people[rows[0]]), int(seen.shots[rows[0]])),
            *(float(faces["time_s"][0]), float(faces["time_s"][-1]), len(rows)),
            *(float(faces["score"].mean()), *faces["box"].mean(0).tolist()),
            *(float(known.mean()) if len(known) else float("nan"), int(roles.chosen[rows].sum())),
        )
        for name, value in zip(lists, values, strict=True):
            lists[name].append(value)
    pq.write_table(pa.table(lists, schema=_TRACKS), writer.folder / "tracks.parquet")
