#!/usr/bin/env bash
# Cancel the SLURM jobs that a killed Snakemake left in this folder; jobs of other folders keep running.
set -euo pipefail
command -v squeue >/dev/null || exit 0
here=$(pwd -P)
mine=()
while IFS='|' read -r number name folder; do
  if [[ $name == avf_* && $folder == "$here" ]]; then mine+=("$number"); fi
done < <(squeue --me -h -o '%i|%j|%Z')
((${#mine[@]})) || exit 0
echo "cancelling ${#mine[@]} jobs of $here: ${mine[*]}"
scancel "${mine[@]}"
for _ in {1..60}; do
  [[ -n $(squeue -h -j "$(IFS=,; echo "${mine[*]}")" -t R,CG,PD 2>/dev/null) ]] || exit 0
  sleep 1
done
echo "still ending after a minute: squeue --me" >&2
exit 1
