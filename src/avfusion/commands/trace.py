"""`avf trace`: show the runs, files, code and commands behind a row of a table."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avfusion.commands.messages import say

if TYPE_CHECKING:
    from avfusion.lineage.trace import Trace, TracedRun

HELP = "Show the runs, files, code and commands behind a row of a table."
STAGE = 62


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("table", type=Path, help="a CSV in results/tables, such as scores.csv")
    sub.add_argument("--row", type=int, required=True, help="1 is the first below the heading")
    sub.add_argument("--column", help="one cell of that row")
    sub.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the trace; return 1 if a file on disk is not the one that the table was made from."""
    from avfusion.lineage.trace import trace

    result = trace(args.table, args.row, args.column)
    say(json.dumps(result, indent=2) if args.json else "\n".join(_lines(result)))
    states = [result["table"]["state"], *result["files"].values()]
    states += [state for run in result["runs"] for state in run["files"].values()]
    return int(any(state.startswith(("STALE", "gone")) for state in states))


def _lines(result: "Trace") -> list[str]:
    table, made, runs = result["table"], result["made"], result["runs"]
    lines = [f"{table['path']}, row {table['row']}: {table['state']}"]
    lines += [f"  {name}: {value}" for name, value in result["row"].items()]
    if result["cell"]:
        lines.append(f"cell {result['cell']['column']}: {result['cell']['value']}")
    lines += _seeds(result)
    lines.append(f"tables made by commit {made['commit']}{', dirty' if made['dirty'] else ''}")
    common = _common([_facts(run) for run in runs]) if len(runs) > 1 else {}
    if common:
        lines += ["", f"all {len(runs)} runs", *_listed(common)]
    for run in runs:
        lines += ["", f"run {_near(run['folder'])}"]
        lines += [f"  {name}: {state}" for name, state in run["files"].items()]
        lines += _listed({k: v for k, v in _facts(run).items() if k not in common})
    lines += ["", "corpus, features and scores"]
    lines += [f"  {_near(path)}: {state}" for path, state in result["files"].items()]
    heading = "made by these commands (bash), from the videos, in one shard"
    if any("…/" in line for line in result["commands"]):
        heading += " (…/ is a folder of the machine that made it; put your own)"
    lines += ["", heading, *(f"  {line}" for line in result["commands"])]
    if any("settings" in run for run in runs):
        lines += ["", f"to repeat one run and compare: avf repeat {_near(runs[0]['folder'])}"]
    return lines


def _seeds(result: "Trace") -> list[str]:
    """Return a line per seed with its score, and how the mean of the row follows from them."""
    metrics = [result["row"]["measure"]] if "measure" in result["row"] else ["ccc", "recall"]
    lines = [
        ", ".join(
            [f"seed {row['seed']}: {metric} {row[metric]:.6f}"]
            + [f"{row[n]} {n}" for n in ("videos", "frames", "trials") if row.get(n) is not None]
        )
        for row in result["seeds"]
        for metric in metrics
        if row.get(metric) is not None
    ]
    if len(lines) > 1 and "mean" in result["row"]:
        unit = result["row"].get("unit", "video")
        lines.append(
            f"mean and sd are of these {len(lines)} seeds; low and high are over {unit}s and "
            f"trainings"
        )
    return lines


def _facts(run: "TracedRun") -> dict[str, Any]:
    """Return what is known of a run besides its files; each setting is one entry."""
    left_out = ("folder", "files", "train", "settings")
    facts: dict[str, Any] = {k: v for k, v in run.items() if k not in left_out}
    if "features" in facts:
        facts["features_sha256"] = facts.pop("features")
    return {**{f"settings.{k}": v for k, v in run.get("settings", {}).items()}, **facts}


def _common(facts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the facts that are the same for all runs."""
    first, *others = facts
    return {k: v for k, v in first.items() if all(k in o and o[k] == v for o in others)}


def _listed(facts: Mapping[str, Any]) -> list[str]:
    return [f"  {name}: {json.dumps(value)}" for name, value in facts.items()]


def _near(path: str) -> str:
    """Return a path relative to the current folder if it is below it."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
