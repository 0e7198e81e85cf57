#!/usr/bin/env bash
# Run one stage of dvc.yaml: `workflow/stage.sh TARGET…`. Results that DVC fetched are registered first.
set -euo pipefail
force=()
python workflow/adopt.py || force=(--forceall)
mkdir -p results/grids results/robustness/demo # DVC expects these folders even if the study leaves them empty
exec snakemake --profile workflow/profiles/local "${force[@]}" --quiet host reason -- "$@"
