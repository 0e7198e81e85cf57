"""Write the rows of a prediction as CSV and as Parquet, all of them and unrounded.

The first line of the CSV file is the names of the columns, and there is no comment line. Names are
the same in every format and need no quotes in pandas, R and spreadsheets: `table.valence_low` and
`table$valence_low` work. Units in the names (`valence (-1 to 1)`) would break this, and a comment
line needs an option in pandas and R and fills the first cell of a spreadsheet. A name with a unit
ends in it (`time_s`). Ranges, units and meanings of all columns are in the JSON file next to it.
"""

import json
from pathlib import Path

from avfusion.io.atomic import replacing, write_bytes
from avfusion.prediction.formats.describe import description
from avfusion.prediction.prediction import Prediction


def write_csv(prediction: Prediction, path: Path, embed: bool) -> None:
    """Write `csv_text` as UTF-8."""
    del embed
    write_bytes(path, csv_text(prediction).encode())


def csv_text(prediction: Prediction) -> str:
    """Return the rows as CSV (RFC 4180); an empty cell is a missing value."""
    text: str = prediction.table.to_csv(index=False, lineterminator="\r\n")
    return text


def write_parquet(prediction: Prediction, path: Path, embed: bool) -> None:
    """Write Parquet; the schema's metadata has the description under `avfusion`.

    The metadata of each field has its meaning and, of targets, its range.
    """
    del embed
    import pyarrow as pa
    from pyarrow import parquet

    facts = description(prediction)
    table = pa.Table.from_pandas(prediction.table, preserve_index=False)
    schema = pa.schema(
        [field.with_metadata(_texts(facts["columns"][field.name])) for field in table.schema],
        metadata={**(table.schema.metadata or {}), b"avfusion": json.dumps(facts).encode()},
    )
    with replacing(path) as half:
        parquet.write_table(table.cast(schema), half, write_page_checksum=True)


def _texts(entry: dict[str, object]) -> dict[str, str]:
    """Return metadata of a field: texts only."""
    return {key: v if isinstance(v, str) else json.dumps(v) for key, v in entry.items()}
