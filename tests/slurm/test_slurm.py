"""The study on SLURM: undisturbed, and hit by what clusters do to jobs; the table is the same."""

import json

import pandas as pd


def test_the_study_runs_as_typed_from_a_fresh_clone(undisturbed):
    results = undisturbed.results
    for name in ("tables/scores.csv", "figures/demo_ccc.png", "report.html", "mlflow.demo.json"):
        assert (results / name).stat().st_size > 0
    states = undisturbed.jobs("")
    assert len(states) == 11
    assert set(states.values()) == {"COMPLETED"}


def test_a_job_finds_an_encoder_of_a_module_next_to_the_study(undisturbed):
    folder = undisturbed.results / "features/demo/level"
    index = pd.read_parquet(folder / "index.parquet")
    usable = index[index["status"] == "ok"]
    assert len(usable) > 2
    assert set(usable["dim"]) == {1}
    settings = json.loads((undisturbed.results / "runs/demo/ca/seed0/settings.json").read_text())
    assert settings["outside"] == {"encoder level": "lab_encoders:Level lab_encoders.py"}


def test_encoding_and_training_were_given_a_gpu_and_small_jobs_none(undisturbed):
    for rule, nodes in [("train", {"gpu1"}), ("encode", {"gpu1"}), ("media", {"cpu1", "cpu2"})]:
        found = {undisturbed.node(job) for job in undisturbed.jobs(f"{rule}_")}
        assert found
        assert found <= nodes, rule
    log = (undisturbed.results / "logs/train/demo.ca.seed0.log").read_text()
    assert "was given to this job, but PyTorch sees none; on the CPU" in log
    settings = json.loads((undisturbed.results / "runs/demo/ca/seed0/settings.json").read_text())
    assert settings["machine"]["gpu"] is None
    assert settings["machine"]["slurm_job"] in undisturbed.jobs("train_")
