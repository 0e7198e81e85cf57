"""The workflow as `snakedeploy deploy-workflow` uses it: a module, run in a folder of its own."""

import shutil

import pytest
import yaml

from support.scratch import ROOT, Copy

SNAKEFILE = """
from snakemake.utils import min_version


min_version("6.10.0")


configfile: "config/config.yaml"


module avfusion:
    snakefile:
        "{snakefile}"
    config:
        config


use rule * from avfusion
"""
"""What snakedeploy writes as workflow/Snakefile; it names a tag of a hosted repository."""


@pytest.fixture
def deployed(copy, tmp_path):
    """A folder with a copy of config/ and a Snakefile that uses the workflow as a module."""
    folder = tmp_path / "deployed"
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "workflow").mkdir()
    text = SNAKEFILE.format(snakefile=copy.folder / "workflow/Snakefile")
    (folder / "workflow/Snakefile").write_text(text)
    study = Copy(folder)
    study.env["PYTHONPATH"] = copy.env["PYTHONPATH"]
    return study


def test_a_deployed_workflow_plans_the_same_jobs(copy, deployed):
    jobs = copy.jobs("all")
    assert jobs["train"] > 1
    assert deployed.jobs("all") == jobs


@pytest.mark.slow
def test_a_deployed_workflow_reads_the_config_of_its_folder(copy, deployed):
    deployed.edit("config/config.yaml", "\nseeds: [0, 1, 2, 3, 4, 5]", "\nseeds: [7]")
    printed = deployed.snakemake("-n", "all")
    assert "runs/demo/ca/seed7/traces.parquet" in printed
    assert "seed0" not in printed
    deployed.edit("config/config.yaml", "  jca: {}", "  jca: {}\n  jca: {hidden: 3}")
    assert "key 'jca' is in line" in deployed.snakemake("-n", "all", good=False)


def test_the_study_in_dot_test_is_a_working_folder(copy):
    shutil.copytree(ROOT / ".test", copy.folder / ".test", symlinks=True)
    printed = copy.snakemake("-n", "--directory", ".test", "--", "all")
    assert "output: data/demo/corpus.json" in printed
    assert "results/runs/demo/ca/seed0/traces.parquet" in printed


def test_the_workflow_catalog_is_told_how_to_use_it(project):
    usage = yaml.safe_load((project / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    for name in ("workflow/Snakefile", "config/README.md"):
        assert (project / name).is_file(), "asked for by the catalog"
