"""The workflow: what it would run, what it runs again and why, and how its rules are written."""

import json
import re
import shlex
import zipfile

import pandas as pd
import pytest
import yaml

ACCEPTED = {"Specify a conda environment or container for each rule."}
"""What `snakemake --lint` may say: all rules share one locked environment, made by `make env`."""


@pytest.fixture
def rules(project):
    """Rule -> its text, of every rule that runs a command."""
    found = {}
    for path in sorted((project / "workflow/rules").glob("*.smk")):
        for text in re.split(r"(?m)^(?=rule )", path.read_text())[1:]:
            if "shell:" in text:
                found[re.match(r"rule (\w+):", text)[1]] = text
    assert len(found) > 10
    return found


def test_every_rule_says_what_it_does_and_what_it_takes(rules):
    for name, text in rules.items():
        assert text.split("\n")[1].strip().startswith('"""'), name
        for part in ("log:", "benchmark:", "threads:", "mem_mb=", "runtime="):
            assert part in text, f"{name} has no {part}"


def test_every_rule_is_one_avf_command_seen_and_logged(rules):
    for name, text in rules.items():
        command = "".join(re.findall(r'"(.*?)"\n', text[text.index("shell:") :]))
        assert re.match(r"avf [a-z-]+ ", command), name
        logged = command.endswith(" 2>&1 | tee {log:q}")
        assert logged or name == "train", name  # `avf train` writes a log per run
        assert command.count("avf ") == 1, name


@pytest.mark.parametrize("name", ["train", "grid_point", "encode", "media", "corrupt"])
def test_a_long_job_has_one_output_so_that_a_kill_cannot_leave_some(rules, name):
    """Snakemake removes the outputs of a killed job; of several, one may be written after that."""
    outputs = re.search(r"    output:.*?\n(?=    \w+:)", rules[name], flags=re.S)[0]
    assert outputs.count("<results>/") == 1, outputs


def test_the_snakefile_fits_on_a_screen(project):
    assert len((project / "workflow/Snakefile").read_text().splitlines()) < 40


def test_only_common_reads_the_config(project):
    for path in (project / "workflow/rules").glob("*.smk"):
        reads = re.search(
            r"(?<!avfusion\.)\bconfig\b(?!/)",
            re.sub(r'""".*?"""', "", path.read_text(), flags=re.S),
        )
        assert bool(reads) == (path.name == "common.smk"), path.name


def test_lint_says_nothing_beyond_what_is_accepted(copy):
    printed = copy.snakemake("--lint", good=False)
    said = set(re.findall(r"(?m)^    \* (.+?):?$", printed))
    assert said == ACCEPTED


def test_the_study_is_one_job_a_fusion_or_one_a_run(copy):
    study = yaml.safe_load((copy.folder / "config/config.yaml").read_text())
    encoders = study["features"]["audio"] + study["features"]["video"]
    shards = study["corpora"]["demo"]["shards"]
    jobs = copy.jobs("all")
    fusions = len(study["fusions"]) + 1  # and ridge
    assert jobs["train"] == fusions
    assert jobs["media"] == shards
    fits = len(encoders) * len(study["encoder_seeds"])
    assert jobs["encode_fits"] == shards * len(encoders)
    assert jobs["fit_encoders"] == len(encoders), "both encoders are fitted"
    assert {jobs[name] for name in ("make_corpus", "score", "tables", "figures", "page")} == {1}
    copy.edit("config/config.yaml", "\nseeds:", "\ntraining_jobs: run\nseeds:")
    apart = copy.jobs("all")
    assert apart["train"] == fusions * len(study["seeds"])
    assert (apart["fit_encoder"], apart["encode"]) == (fits, shards * fits)
    assert apart["feature_index"] == fits
    assert apart.keys() & {"fit_encoders", "encode_fits", "feature_indexes_of_fits"} == set()


@pytest.mark.parametrize("profile", ["slurm", "workflow/profiles/local", "workflow/profiles/ci"])
def test_a_profile_is_understood(copy, profile):
    printed = copy.snakemake("--profile", profile, "-n", "corpus_all")
    assert "make_corpus" in printed


def test_a_rule_made_of_another_gets_its_gpu(project):
    profile = project / "workflow/profiles/slurm/config.v9+.yaml"
    resources = yaml.safe_load(profile.read_text())["set-resources"]
    text = "".join(path.read_text() for path in (project / "workflow/rules").glob("*.smk"))
    made = dict(re.findall(r"^use rule (\w+) as (\w+)", text, flags=re.M))
    assert {"train", "encode", "fit_encoder"} <= made.keys()
    for rule, other in made.items():
        assert resources.get(other) == resources.get(rule), f"Snakemake goes by name: {other}"


def test_a_training_job_requests_what_its_fusion_takes_on_its_device(copy):
    base = (copy.folder / "config/config.yaml").read_text()
    wide = "encoders:\n  mel_cnn: {dim: 512}\n  face_cnn: {dim: 512}\n"
    study = base[: base.index("encoders:")] + wide + base[base.index("\nwindows:") :]
    study = study.replace("  jca: {}", "  dense_joint: {}").replace("videos: 160", "videos: 90000")
    (copy.folder / "large.yaml").write_text(study)
    requests, first = {}, {}
    for device in ("&gpu {slurm_partition: cpu}", "&gpu {slurm_partition: gpu, gpu: threads}"):
        copy.edit_profile(device)
        printed = copy.snakemake(
            *("--profile", "slurm", "--configfile", "large.yaml", "-n", "-p", "train_all")
        )
        job = r"wildcards: corpus=demo, fusion=(\w+)\n\s+priority: (\S+)\n.*resources: (.*)"
        found = re.findall(job, printed)
        first[device] = max(found, key=lambda job: float(job[1]))[0]
        requests[device] = {n: int(re.search(r"runtime=(\d+)", text)[1]) for n, _, text in found}
    cpu, gpu = requests.values()
    assert set(first.values()) == {"dense_joint"}, "which takes longest"
    assert cpu["dense_joint"] > 20 * cpu["concat"]
    assert gpu["dense_joint"] < cpu["dense_joint"] / 2


def test_a_wrong_config_is_refused_with_its_sentence_alone(copy):
    copy.edit("config/config.yaml", "  jca: {}", "  jca: {hiden: 3}")
    printed = copy.snakemake("-n", "all", good=False)
    assert "fusions.jca has no option 'hiden'. Did you mean 'hidden'?" in printed
    assert "ConfigError" not in printed


def test_a_later_instance_of_one_root_waits_for_the_first_as_a_whole(copy):
    """One edge a job: an edge to every shard makes the graph of ten folds twice as dear."""
    again = "  again: {is: demo, root: data/demo, options: {videos: 160, seconds: 8, seed: 7}}\n"
    copy.edit("config/config.yaml", "\nfeatures:", f"\n{again}\nfeatures:")
    copy.edit("config/config.yaml", "video: [face_cnn]", "video: [face_expression]")
    printed = copy.snakemake("-n", "all")
    for stage in ("media/{}", "features/{}/face_expression"):
        own, first = (f"results/{stage.format(name)}/" for name in ("again", "demo"))
        inputs = re.findall(rf"input: (.*)\n    output: {own}shard", printed)
        assert len(inputs) == 2
        for line in inputs:
            assert [p for p in line.split(", ") if p.startswith(first)] == [f"{first}index.parquet"]


@pytest.mark.slow
def test_a_grid_adds_its_points_and_one_choice_of_its_fusion_alone(copy):
    plain = copy.jobs("all")
    copy.edit(
        "config/config.yaml", "  jca: {}", "  jca: {grid: {hidden: [8, 16], train.lr: [0.1]}}"
    )
    jobs = copy.jobs("all")
    assert jobs == plain | {"grid_point": 2, "choose": 1}
    copy.edit("config/config.yaml", "\nseeds:", "\ngrid: {train.lr: [0.1, 0.2]}\nseeds:")
    count = len(yaml.safe_load((copy.folder / "config/config.yaml").read_text())["fusions"])
    assert copy.jobs("all") == plain | {"grid_point": 2 * count, "choose": count}


def test_settings_of_results_keep_the_order_of_the_config(copy):
    """Fusions and corruptions are not sorted."""
    names = ["lstm", "jca", "ca"]
    raw = yaml.safe_load((copy.folder / "config/config.yaml").read_text())
    levels = {"video_missing": [0.5], "audio_missing": [0.5]}
    raw |= {"fusions": {name: {} for name in names}, "robustness": levels}
    (copy.folder / "study.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    printed = copy.snakemake("-n", "-p", "all", "--configfile", "study.yaml")
    (path,) = set(re.findall(r"avf report --only tables .*--settings (\S+)", printed))
    names = ["ridge", *names]
    assert list(json.loads((copy.folder / path).read_text())["fusions"]) == names
    for command in ("robust demo --results", "score demo", "record demo"):
        (path,) = set(re.findall(rf"avf {command} .*--settings (\S+)", printed))
        settings = json.loads((copy.folder / path).read_text())
        assert settings["fusions"] == names
        assert list(settings.get("robustness", levels)) == list(levels)


def test_a_key_given_twice_is_refused_by_the_workflow_too(copy):
    copy.edit("config/config.yaml", "  jca: {}", "  jca: {}\n  jca: {hidden: 3}")
    assert "key 'jca' is in line" in copy.snakemake("-n", "all", good=False)


def test_folders_with_spaces_reach_every_command_whole(copy):
    copy.edit("config/config.yaml", "corpora:\n", "results: my results\ncorpora:\n")
    copy.edit("config/config.yaml", "root: data/demo", "root: my (own) data/demo")
    printed = copy.snakemake("-n", "-p", "all")
    commands = [shlex.split(line) for line in re.findall(r"\bavf [a-z-]+ .* tee .*", printed)]
    assert len(commands) > 15
    for words in commands:
        assert words[-2] == "tee"
        assert words[-1].startswith("my results/logs/")
        if "--results" in words:
            assert words[words.index("--results") + 1] == "my results"
    assert any(words[1] == "index" and words[2].startswith("my results/") for words in commands)
    (made,) = [words for words in commands if words[1] == "make-corpus"]
    settings = copy.folder / made[made.index("--settings") + 1]
    assert json.loads(settings.read_text())["root"] == "my (own) data/demo"


def test_a_real_study_outlives_a_bad_video_and_runs_again_only_what_changed(tiny):
    options = ("--configfile", "tiny.yaml")
    results = tiny.folder / "results"
    manifest = pd.read_parquet(results / "manifest/demo/manifest.parquet")
    bad = manifest.loc[manifest["partition"] == "test", "video"].iloc[0]
    media = pd.read_parquet(results / "media/demo/index.parquet").set_index("video")
    assert media.loc[bad, "status"] == "failed"
    assert (media.drop(bad)["status"] == "ok").all()
    assert json.loads((results / "mlflow.demo.json").read_text())["recorded"]
    for name in ("tables/scores.md", "figures/demo_ccc.png", "report.html"):
        assert (results / name).stat().st_size > 0
    tiny.snakemake("--cores", "1", *options, "--report", "report.zip", "--", "all")
    names = zipfile.ZipFile(tiny.folder / "report.zip").namelist()
    assert any(name.endswith(".html") for name in names)

    def due():
        return tiny.jobs("all", options=options)

    after = {"score": 1, "tables": 1, "figures": 1, "page": 1, "record": 1, "all": 1}
    after |= {"robust_part": 2, "robust": 1}
    assert due() == {}, "a second run does nothing"
    tiny.edit("tiny.yaml", "ca: {}", "ca: {stages: 2}")
    assert due() == {"train": 1, **after}, "an option re-runs its fusion only"
    tiny.edit("tiny.yaml", "ca: {stages: 2}", "ca: {}")
    tiny.edit("tiny.yaml", "epochs: 3}", "epochs: 4}")
    again = {"train": 3, "grid_point": 2, "choose": 1}
    assert due() == {**again, **after}, "training settings re-run training only"
    tiny.edit("tiny.yaml", "epochs: 4}", "epochs: 3}")
    tiny.edit("src/avfusion/fusion/ca.py", '"""', '"""In other words: ')
    assert due() == {}, "words change nothing"
    tiny.edit("src/avfusion/fusion/ca.py", "    def attend(", "    extra = 1\n\n    def attend(")
    assert due() == {"train": 1, **after}, "an edited fusion trains again, alone"
