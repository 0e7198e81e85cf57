#!/usr/bin/env bash
# Run one stage of dvc.yaml: `workflow/stage.sh TARGET…`. Results that DVC fetched are taken over first.
set -euo pipefail
stale=.snakemake/avf_stale # what does not match; a later stage makes again what is still older
known=$(ls -A .snakemake/metadata 2>/dev/null || true)
if [ -f results/settings/jobs.json ] && { [ -z "$known" ] || [ -e "$stale.half" ]; }; then
  mkdir -p .snakemake
  : > "$stale.half" # left by a stop half-way: the next stage then starts again
  avf adopt --stale all > "$stale.list"
  mv "$stale.list" "$stale"
  rm "$stale.half"
fi
force=()
if [ -f "$stale" ]; then
  while IFS= read -r path; do
    [ "$stale" -ot "$path" ] || force+=("$path")
  done < "$stale"
fi
[ "${#force[@]}" -eq 0 ] || force=(--forcerun "${force[@]}")
mkdir -p results/grids results/robustness/demo # DVC expects these folders even if the study leaves them empty
exec snakemake --profile workflow/profiles/local --quiet host reason "${force[@]}" -- "$@"
