# Common tasks; `make` lists them. CORES, WORKERS and PYTHON can be set: `make demo CORES=8`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help env extras demo real study test test-slow test-long test-slurm unlock lint docs lock restore clean

CORES ?= $(shell nproc 2>/dev/null || echo 2)
# One more than the cores: many tests wait for a server, a clock or a process.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 3 ? n + 1 : 4)))
export PYTHON
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*##' Makefile | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

env: .venv/.installed ## install the locked environment into .venv

.venv/.installed: envs/requirements.txt pyproject.toml
	@envs/install.sh

extras: .venv/.extras ## add the optional packages of some encoders to .venv

.venv/.extras: .venv/.installed envs/extras.txt
	@envs/install.sh extras

demo: env ## run the study on the generated corpus, to results/report.html
	@snakemake --cores $(CORES) --keep-going --rerun-incomplete --show-failed-logs --quiet host reason rules -- all example_all
	@echo; head -n 18 results/tables/scores.md; echo
	@ls results/tables/scores.md results/figures/*_ccc.png results/report.html results/examples/demo/clip.html
	@echo; echo "Your own clip: . .venv/bin/activate; avf predict CLIP.mp4"

REAL = config/experiments/real.yaml
real: env ## download six actors of RAVDESS (3.1 GB, CC BY-NC-SA 4.0) and run the study on them
	@snakemake --cores $(CORES) --configfile $(REAL) --keep-going --rerun-incomplete --show-failed-logs \
	  --quiet host reason rules -- all
	@echo; head -n 18 results/real/tables/scores.md; echo
	@ls results/real/tables/scores.md results/real/figures/*.png results/real/report.html

study: env ## run every fusion, variant and control of the papers' claims, and verification
	@snakemake --cores $(CORES) --configfile config/experiments/study.yaml --keep-going --rerun-incomplete \
	  --show-failed-logs --quiet host reason rules -- all
	@snakemake --cores $(CORES) --configfile config/experiments/verification_demo.yaml --keep-going \
	  --rerun-incomplete --show-failed-logs --quiet host reason rules -- all
	@echo; sed -n '/^## /,/^- /p' results/study/tables/claims.md | grep -v '^- '
	@grep 'EER' results/verification_demo/tables/verification.md | head -n 2
	@ls results/study/tables/claims.md results/study/tables/scores.md results/study/report.html \
	  results/verification_demo/tables/verification.md results/verification_demo/report.html

test: env ## run the fast tests
	@pytest -n $(WORKERS) -m "not slow" --durations=30

test-slow: env ## run the slow tests, which make whole studies
	@pytest -n $(WORKERS) --dist loadscope -m "slow and not long" --durations=30  # a module's studies are made once

test-long: env ## run the slow and SLURM tests that CI leaves out
	@pytest -n $(WORKERS) --dist loadscope -m long --durations=30
	@WORKERS=$(WORKERS) tests/slurm/run.sh -m long || [[ $$? == 77 ]]

test-slurm: env ## run the study on a private SLURM, with a job and a head that are stopped
	@WORKERS=$(WORKERS) tests/slurm/run.sh -m "not long" || [[ $$? == 77 ]]

unlock: env ## cancel the jobs of a killed Snakemake and remove its lock
	@workflow/profiles/slurm/cancel.sh
	@snakemake --cores 1 --unlock

lint: env ## check format, style, words, imports between packages, types and rules; change nothing
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	lint-imports
	mypy
	pytest -q tests/workflow/test_words.py
	pytest -q -k lint tests/workflow/test_workflow.py

docs: env ## build the documentation into site/
	python docs/build.py
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict
	@ls site/index.html

lock: env ## update envs/requirements.txt from requirements.in, and extras.txt from extras.in
	cd envs && uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --upgrade --no-header --no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt
	cd envs && uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-header --no-emit-index-url --no-emit-find-links --constraints requirements.txt \
	  $$(sed -nE 's/^([a-z0-9._-]+)==.*/--no-emit-package \1/p' requirements.txt) extras.in -o extras.txt

restore: env ## fetch results that DVC stored, and register them with Snakemake
	dvc pull
	avf adopt
	snakemake --cores 1 --quiet host reason rules -- all

clean: ## remove results, but neither corpora nor the environment
	find results -mindepth 1 ! -name .gitkeep -delete
