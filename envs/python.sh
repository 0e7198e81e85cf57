#!/usr/bin/env bash
# Prints the Python that .venv is made from: 3.11 or 3.12, able to make a virtual environment.
set -euo pipefail

found=()
for name in ${PYTHON:-python3.12 python3.11 python3}; do
  version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
  if [[ $version != 3.11 && $version != 3.12 ]]; then
    found+=("$name is $version")
  elif ! "$name" -c 'import ensurepip, venv' 2>/dev/null; then
    found+=("$name ($version) cannot make a virtual environment: apt-get install python$version-venv")
  else
    command -v "$name"
    exit 0
  fi
done

{
  echo "avfusion needs Python 3.11 or 3.12 with venv. Found: ${found[*]:-none}."
  echo "Debian 12: apt-get install python3 python3-venv. Ubuntu 24.04: the same."
  echo "Elsewhere: install either, then say  make env PYTHON=/path/to/python3.12"
} >&2
exit 1
