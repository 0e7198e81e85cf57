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
    from avfusion.lineage.trace import trace

    found = trace(args.table, args.row, args.column)
    print(json.dumps(found, indent=2) if args.json else "\n".join(_lines(found)))
    states = [found["table"]["state"], *found["files"].values()]
    states += [state for run in found["runs"] for state in run["files"].values()]
    return int(any(state.startswith(("STALE", "gone")) for state in states))


def _lines(found: dict[str, Any]) -> list[str]:
    table, made, runs = found["table"], found["made"], found["runs"]
    lines = [f"{table['path']}, row {table['row']}: {table['state']}"]
    lines += [f"  {name}: {value}" for name, value in found["row"].items()]
    if found["cell"]:
        lines.append(f"cell {found['cell']['column']}: {found['cell']['value']}")
    lines += _seeds(found)
    lines.append(f"tables made by commit {made['commit']}{', dirty' if made['dirty'] else ''}")
    alike = _alike([_facts(run) for run in runs]) if len(runs) > 1 else {}
    if alike:
        lines += ["", f"all {len(runs)} runs", *_told(alike)]
    for run in runs:
        own = {name: value for name, value in _facts(run).items() if name not in alike}
        lines += ["", f"run {_near(run['folder'])}"]
        lines += [f"  {name}: {state}" for name, state in run["files"].items()]
        lines += _told(own)
    lines += ["", "corpus, features and scores"]
    lines += [f"  {_near(path)}: {state}" for path, state in found["files"].items()]
    elsewhere = any("…/" in line for line in found["commands"])
    said = "made by, from the videos on and in one shard"
    said += " (…/: a folder of the machine that made it; put your own)" * elsewhere
    lines += ["", said, *(f"  {line}" for line in found["commands"])]
    if any("settings" in run for run in runs):
        lines += ["", f"one run again, compared: avf repeat {_near(runs[0]['folder'])}"]
    return lines


def _seeds(found: dict[str, Any]) -> list[str]:
    """The score of each seed, and how the row's mean follows from them."""
    rows, row = found["seeds"], found["row"]
    lines = [
        f"seed {own['seed']}: {metric} {own[metric]:.6f}, {own['videos']} videos, "
        f"{own['frames']} frames"
        for own in rows
        for metric in ("ccc", "recall")
        if own.get(metric) is not None
    ]
    if len(lines) > 1 and "mean" in row:
        whose = "videos, or subjects where `statistics.unit` says so"
        lines.append(f"mean and sd are of these {len(lines)} seeds; low and high over {whose}")
    return lines


def _facts(run: dict[str, Any]) -> dict[str, Any]:
    """What is said of a run beside its files, a setting an entry."""
    said = {k: v for k, v in run.items() if k not in ("folder", "files", "train", "settings")}
    said |= {"features_sha256": said.pop("features")} if "features" in said else {}
    return {**{f"settings.{k}": v for k, v in run.get("settings", {}).items()}, **said}


def _alike(facts: list[dict[str, Any]]) -> dict[str, Any]:
    """What all runs share."""
    first, *others = facts
    return {k: v for k, v in first.items() if all(k in o and o[k] == v for o in others)}


def _told(facts: dict[str, Any]) -> list[str]:
    return [f"  {name}: {json.dumps(value)}" for name, value in facts.items()]


def _near(path: str) -> str:
    """The path as seen from here, where it lies below."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
