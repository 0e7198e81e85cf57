#!/usr/bin/env bash
# `make test-slurm`: a SLURM of its own, the tests of this folder on it, and nothing left behind.
# Ends with 77 where the packages cannot be installed. WORKERS tests run at a time.
set -euo pipefail
cd "$(dirname "$0")/../.."
lab=tests/slurm/lab.sh

AVF_LAB=$(mktemp -d "${TMPDIR:-/tmp}/avf-slurm.XXXXXX")
export AVF_LAB
"$lab" install || { code=$?; rmdir "$AVF_LAB"; exit "$code"; }
ended() {
  local code=$?
  "$lab" down || true
  if ((code == 0)); then rm -rf "$AVF_LAB"; else echo "test-slurm: what it did lies in $AVF_LAB" >&2; fi
}
trap ended EXIT
trap 'exit 143' TERM INT HUP
"$lab" up
"$lab" status
pytest -n "${WORKERS:-3}" --dist load -v "$@" tests/slurm
