"""What runs again after a change of code: the jobs that use what was changed, and no others."""

import pytest

TINY = ("--configfile", "tiny.yaml")
SCORED = {"score", "robust_part", "robust", "tables", "figures", "page", "record", "all"}
"""Scoring and all that follows from it."""


@pytest.fixture
def due(tiny):
    """Rule -> jobs that would run; nothing before anything is changed."""

    def jobs():
        return tiny.jobs("all", options=TINY)

    assert jobs() == {}
    return jobs


def append(study, path, text):
    with (study.folder / "src/avfusion" / path).open("a") as file:
        file.write(text)


@pytest.mark.long
def test_an_unused_function_next_to_the_bootstrap_trains_nothing_again(tiny, due):
    append(tiny, "evaluation/inference.py", "\n\ndef unused():\n    return 1\n")
    assert set(due()) <= SCORED


def test_a_change_of_the_bootstrap_scores_again_and_trains_nothing(tiny, due):
    tiny.edit("src/avfusion/evaluation/inference.py", "def draw(", "def draw_more(")
    append(tiny, "evaluation/inference.py", "\n\ndraw = draw_more\n")
    assert {"tables", "figures", "page"} <= set(due()) <= SCORED


def test_a_constant_in_the_downloader_runs_nothing_again(tiny, due):
    append(tiny, "corpora/obtain/client.py", "\nEXTRA_TRIES = 3\n")
    tiny.edit("src/avfusion/corpora/obtain/connection.py", "TRIES = 6", "TRIES = 7")
    assert due() == {}


@pytest.mark.long
def test_a_change_of_augmentation_trains_only_the_runs_that_use_it(tiny, due):
    tiny.edit("tiny.yaml", "  ca: {}", "  ca: {train: {corrupt: {audio_missing: 0.5}}}")
    tiny.snakemake("--cores", "2", *TINY, "--", "all")
    assert due() == {}
    path = "src/avfusion/runs/augment.py"
    tiny.edit(path, "def corrupted_batch(", "def corrupted(")
    append(tiny, "runs/augment.py", "\n\ncorrupted_batch = corrupted\n")
    jobs = due()
    assert jobs["train"] == 1
    assert set(jobs) <= {"train", *SCORED}


@pytest.mark.long
def test_a_change_of_a_protocol_trains_only_the_runs_whose_epoch_it_chooses(tiny, due):
    rule = "{train: {targets: separate, select: {protocol: smoothed}}}"
    tiny.edit("tiny.yaml", "  ca: {}", f"  ca: {rule}")
    tiny.snakemake("--cores", "2", *TINY, "--", "all")
    assert due() == {}
    run = tiny.folder / "results/runs/demo/ca/seed0"
    assert {path.name for path in run.iterdir() if path.is_dir()} == {"valence", "arousal"}
    tiny.edit("config/protocols/smoothed.yaml", "valence: 20", "valence: 10")
    jobs = due()
    assert jobs["train"] == 1
    assert set(jobs) <= {"train", *SCORED}
    tiny.edit("config/protocols/pooled.yaml", "clip: [-1, 1]", "clip: [-1, 0.9]")
    assert due()["train"] == 1


def test_a_removed_file_of_features_is_noticed_and_made_again_once(tiny, due):
    files = (tiny.folder / "results/features/demo").glob("*/*.npy")
    path = next(path for path in sorted(files) if not path.name.endswith(".times.npy"))
    content = path.read_bytes()
    path.unlink()
    jobs = due()
    assert jobs.get("encode", 0) + jobs.get("encode_fits", 0) == 1
    tiny.snakemake("--cores", "2", *TINY, "--", "features_all")
    assert path.read_bytes() == content
    assert tiny.jobs("features_all", options=TINY) == {}
