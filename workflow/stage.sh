#!/usr/bin/env bash
# Run one stage of dvc.yaml: `workflow/stage.sh TARGET…`. Results that DVC fetched are taken over first.
set -euo pipefail
force=()
if [ -f results/settings/jobs.json ] && [ -z "$(ls -A .snakemake/metadata 2>/dev/null)" ]; then
  mapfile -t stale < <(avf adopt --stale "$@")
  [ "${#stale[@]}" -eq 0 ] || force=(--forcerun "${stale[@]}")
fi
mkdir -p results/grids results/robustness/demo # DVC expects these folders even if the study leaves them empty
exec snakemake --profile workflow/profiles/local --quiet host reason "${force[@]}" -- "$@"
