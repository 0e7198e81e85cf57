#!/usr/bin/env bash
# Makes .venv exactly what envs/requirements.txt says, every file checked against its hash; avfusion itself is linked, not copied.
# `install.sh extras` adds what envs/extras.txt says to it.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=envs/requirements.txt extras=envs/extras.txt
unset PYTHONDONTWRITEBYTECODE PYTHONPATH # without bytecode every `snakemake` starts 3 s later

# uv does not read pip's settings: hand it the mirror and the certificates that pip was given.
setting() { .venv/bin/python -m pip config get "global.$1" 2>/dev/null || true; }
hand_settings() {
  local index cert
  index=${PIP_INDEX_URL:-$(setting index-url)}
  cert=${PIP_CERT:-$(setting cert)}
  [[ -z $index ]] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}
  [[ -z $cert ]] || export SSL_CERT_FILE=${SSL_CERT_FILE:-$cert}
  export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-300} VIRTUAL_ENV=$PWD/.venv
}

if [[ ${1:-} == extras ]]; then
  echo "extras: installing $(grep -c '^[a-z]' "$extras") locked packages"
  hand_settings
  .venv/bin/uv pip install --no-deps --require-hashes --compile-bytecode -r "$extras" ||
    .venv/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r "$extras"
  sha256sum "$extras" >.venv/.extras
  exit
fi

python=$(envs/python.sh)
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [[ $(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) != "$version" ]]; then
  echo "env: making .venv with Python $version ($python)"
  "$python" -m venv --clear .venv
fi
rm -f .venv/.installed .venv/.extras # the sync below removes what is not in the lock

echo "env: installing $(grep -c '^[a-z]' "$lock") locked packages; PyTorch is large, the first time takes minutes"
awk '/^uv==/ {on = 1} on {print} on && !/\\$/ {exit}' "$lock" >.venv/uv.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt

hand_settings
if ! .venv/bin/uv pip sync --require-hashes --compile-bytecode "$lock"; then
  echo "env: uv could not; pip takes over (slower)"
  .venv/bin/python -m pip install --disable-pip-version-check --require-hashes -r "$lock"
  .venv/bin/python -m compileall -q -j 0 .venv/lib >/dev/null || true # some packages carry Python 2 samples
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .

# `mlflow ui` from the activated environment opens this study's runs.
if ! grep -q MLFLOW_BACKEND_STORE_URI .venv/bin/activate; then
  echo "export MLFLOW_BACKEND_STORE_URI=\"sqlite:///$PWD/results/mlflow.db\"" >>.venv/bin/activate
fi
sha256sum "$lock" pyproject.toml >.venv/.installed
echo "env: ready; . .venv/bin/activate"
