"""`avf plan` and the workflow: the same jobs, and hours near those of a finished study."""

import json
from collections import Counter

import pytest

FULL = """
training_jobs: run
train: {baseline: none}
encoder_seeds: [0, 4]
seeds: [0, 1]
robustness: {audio_missing: [0.5], audio_late: [0.16, 0.32]}
corpora:
  demo: {root: data/demo, shards: 3, options: {videos: 5, seconds: 4, seed: 7}}
  again: {is: demo, root: data/demo, options: {videos: 5, seconds: 4, seed: 7}}
  people: {is: demo_people, root: data/people, task: verification, options: {people: 16}}
  away: {is: recola, root: data/recola, if_present: true}
fusions: {concat: {}, ca: {grid: {stages: [1, 2], train.lr: [0.1]}}}
"""
GRID = """
corpora: {demo: {root: data/demo, options: {videos: 5, seconds: 4, seed: 7}}}
fusions: {concat: {}, jca: {}}
grid: {train.lr: [0.1, 0.2]}
grid_seeds: [0, 1]
"""
STUDIES = {
    "demo": "",
    "grid": GRID,
    "full": FULL,
}


@pytest.mark.parametrize("name", STUDIES)
def test_the_plan_has_the_jobs_of_a_dry_run(copy, name):
    given, options = (), ()
    if STUDIES[name]:
        tiny = (copy.folder / "tiny.yaml").read_text()
        features = tiny[tiny.index("features:") : tiny.index("fusions:")]
        (copy.folder / "study.yaml").write_text(features + STUDIES[name])
        given, options = ("--config", "study.yaml"), ("--configfile", "study.yaml")
    planned = json.loads(copy.avf("plan", "--json", *given))
    jobs = Counter()
    for line in planned["jobs"]:
        jobs[line["rule"]] += line["jobs"]
    assert jobs == copy.jobs("all", options)
    assert planned["total"]["jobs"] == sum(jobs.values())
    assert planned["total"]["core_h"] > 0
