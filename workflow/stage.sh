#!/usr/bin/env bash
# One stage of dvc.yaml: `workflow/stage.sh TARGET`. Where results were brought by DVC, they are taken over first.
set -euo pipefail
force=()
python workflow/adopt.py || force=(--forceall)
exec snakemake --profile workflow/profiles/local "${force[@]}" --quiet host reason -- "$1"
