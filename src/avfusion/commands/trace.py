"""`avf trace`: from a row of a table to the runs, files and commands behind it."""

import argparse
import json
from pathlib import Path
from typing import Any

HELP = "Say which runs, files, code and commands are behind a row of a table."
STAGE = 62


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("table", type=Path, help="a CSV in results/tables, such as scores.csv")
    sub.add_argument("--row", type=int, required=True, help="1 is the first below the heading")
    sub.add_argument("--column", help="one cell of that row")
    sub.add_argument("--json", action="store_true", help="everything, to be read by programs")


def run(args: argparse.Namespace) -> int:
    """Do it; 1 where something on disk is not what the table was made from."""
    from avfusion.trace import trace

    found = trace(args.table, args.row, args.column)
    print(json.dumps(found, indent=2) if args.json else "\n".join(_lines(found)))
    states = [found["table"]["state"], *found["files"].values()]
    states += [state for run in found["runs"] for state in run["files"].values()]
    return int(any(state.startswith(("STALE", "gone")) for state in states))


def _lines(found: dict[str, Any]) -> list[str]:
    table, made = found["table"], found["made"]
    lines = [f"{table['path']}, row {table['row']}: {table['state']}"]
    lines += [f"  {name}: {value}" for name, value in found["row"].items()]
    if found["cell"]:
        lines.append(f"cell {found['cell']['column']}: {found['cell']['value']}")
    lines += [
        f"seed {row['seed']}: {metric} {row[metric]:.6f}, {row['videos']} videos, "
        f"{row['frames']} frames"
        for row in found["seeds"]
        for metric in ("ccc", "recall")
        if row.get(metric) is not None
    ]
    lines.append(f"tables made by commit {made['commit']}{', dirty' if made['dirty'] else ''}")
    for run in found["runs"]:
        lines += ["", f"run {run['folder']}"]
        lines += [f"  {name}: {state}" for name, state in run["files"].items()]
        lines += [
            f"  {name}: {json.dumps(run[name])}"
            for name in run
            if name not in ("folder", "files", "train")
        ]
    lines += ["", "corpus, features and scores"]
    lines += [f"  {path}: {state}" for path, state in found["files"].items()]
    elsewhere = any("…/" in line for line in found["commands"])
    said = "made by" + (" (…/: a folder of the machine that made it; put your own)" * elsewhere)
    return [*lines, "", said, *(f"  {line}" for line in found["commands"])]
