"""Every example of docs/how-to/extend.md, taken from the page as it stands, in one study."""

import json
import re
import shutil

import pandas as pd
import pytest

BLOCK = re.compile(r'```(?:python|yaml|text) title="([^"]+)"\n(.*?)```', re.DOTALL)
KINDS = ("fusions", "encoders", "corpora", "losses")


@pytest.fixture
def extended(tiny, project):
    """The tiny study's folder with every file of the page, and a corpus of the page's form."""
    folder = tiny.folder
    for title, text in BLOCK.findall((project / "docs/how-to/extend.md").read_text()):
        name, _, registry = title.partition(": ")
        path = folder / name
        if registry:
            tiny.edit(name, f"{registry} = (\n", f"{registry} = (\n{text}")
        else:
            assert not path.exists(), f"{name} is a new file"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    manifest = pd.read_parquet(folder / "results/manifest/demo/manifest.parquet")
    media = pd.read_parquet(folder / "results/media/demo/index.parquet").set_index("video")
    gold = pd.read_parquet(folder / "results/manifest/demo/gold.parquet")
    usable = manifest[manifest["video"].map(media["status"]) == "ok"]
    takes = {"train": "train", "validation": "validation", "test": "train"}
    for number, (partition, source) in enumerate(takes.items()):
        rows = usable[usable["partition"] == source]
        row = rows.iloc[-1 if partition == "test" else 0]
        place = folder / "data/interviews" / partition
        place.mkdir(parents=True)
        shutil.copy(folder / "data/demo" / row["path"], place / f"person{number}.mp4")
        ratings = gold.loc[gold["video"] == row["video"], ["time_s", "valence", "arousal"]]
        ratings.to_csv(place / f"person{number}.csv", index=False)
    return tiny


def test_the_page_has_a_complete_example_of_each_kind(project):
    titles = dict(BLOCK.findall((project / "docs/how-to/extend.md").read_text()))
    assert {f"my_lab/{kind}.py" for kind in KINDS} <= titles.keys()
    for kind in ("figures", "tables"):
        files = [title for title in titles if title.startswith(f"src/avfusion/report/{kind}/")]
        assert len(files) == 2, "its own file and one line of the registry"


def test_every_example_of_the_page_runs_in_one_study(extended):
    options = ("--configfile", "config/my_study.yaml")
    printed = extended.snakemake("--cores", "2", *options, "--", "all")
    uses = {
        "corpus interviews": "my_lab.corpora:Interviews",
        "encoder loudness": "my_lab.encoders:Loudness",
        "fusion weighted_sum": "my_lab.fusions:WeightedSum",
        "loss my_lab.losses:squared_error": "my_lab.losses:squared_error",
    }
    for use, origin in uses.items():
        assert f"{use} = {origin}" in printed
    results = extended.folder / "results"
    run = results / "runs/interviews/weighted_sum/seed0/settings.json"
    assert json.loads(run.read_text())["outside"].keys() == uses.keys()
    scored = {"ridge", "concat", "weighted_sum"}
    assert set(pd.read_csv(results / "tables/scores.csv")["fusion"]) == scored
    assert len(pd.read_csv(results / "tables/epochs.csv")) == 3
    assert (results / "figures/interviews_epochs.png").stat().st_size > 0
    assert "Number of epochs until training stopped" in (results / "report.html").read_text()
    assert extended.jobs("all", options=options) == {}
