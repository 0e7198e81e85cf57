#!/usr/bin/env bash
# One stage of dvc.yaml: `workflow/stage.sh TARGET…`. Where results were brought by DVC, they are taken over first.
set -euo pipefail
force=()
python workflow/adopt.py || force=(--forceall)
mkdir -p results/grids results/robustness/demo # empty where the study has none, and a version all the same
exec snakemake --profile workflow/profiles/local "${force[@]}" --quiet host reason -- "$@"
