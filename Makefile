# The ways in. `make` alone lists them; CORES, WORKERS and PYTHON can be given: `make demo CORES=8`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help env demo study test test-slurm unlock lint lock restore clean

CORES ?= $(shell nproc 2>/dev/null || echo 2)
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 3 ? n : 3)))
export PYTHON
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help: ## list these
	@grep -hE '^[a-z-]+:.*##' Makefile | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

env: .venv/.installed ## install the locked environment into .venv

.venv/.installed: envs/requirements.txt pyproject.toml
	@envs/install.sh

demo: env ## the whole study on the generated corpus, to results/report.html
	@snakemake --cores $(CORES) --keep-going --rerun-incomplete --show-failed-logs --quiet host reason rules -- all
	@echo; head -n 18 results/tables/scores.md; echo
	@ls results/tables/scores.md results/figures/*_ccc.png results/report.html

study: env ## every fusion, variant and control that the papers' claims need; uses the runs of demo again
	@snakemake --cores $(CORES) --configfile config/experiments/study.yaml --keep-going --rerun-incomplete \
	  --show-failed-logs --quiet host reason rules -- all
	@echo; sed -n '/^## /,/^- /p' results/tables/claims.md | grep -v '^- '
	@ls results/tables/claims.md results/tables/scores.md results/report.html

test: env ## the tests
	@pytest -n $(WORKERS)

test-slurm: env ## the study on a SLURM of its own: as typed, and hit by what clusters do to jobs
	@WORKERS=$(WORKERS) tests/slurm/run.sh || [[ $$? == 77 ]]

unlock: env ## after the head process was killed: cancel the jobs it left, and take its lock away
	@workflow/profiles/slurm/cancel.sh
	@snakemake --cores 1 --unlock

lint: env ## formatters and linters, changing nothing
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	pytest -q -k lint tests/workflow/test_workflow.py

lock: env ## renew envs/requirements.txt from requirements.in
	cd envs && uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --upgrade --no-header --no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt

restore: env ## fetch results that DVC stored; Snakemake then takes them for its own
	dvc pull
	@dvc status --quiet || { dvc status; echo "restore: what was pulled is of other code or settings than these; see above" >&2; exit 1; }
	python workflow/adopt.py --again
	snakemake --cores 1 --quiet host reason rules -- all

clean: ## remove results; corpora and the environment stay
	find results -mindepth 1 ! -name .gitkeep -delete
