"""`avf verify` names what is wrong with a tree, and says nothing about a clean one."""

import numpy as np
import pandas as pd
import pytest

from avfusion.config.jobs import CorpusSettings
from avfusion.corpora import base, verify
from avfusion.errors import ConfigError, CorpusError
from avfusion.fingerprint import used
from avfusion.layout import Layout
from avfusion.registry import corpora
from avfusion.schemas import GOLD, MANIFEST, TRUTH

WAVE = np.sin(np.arange(50) / 8) * 0.5


class Small(base.Corpus):
    """Six files of nonsense bytes: to verify, a broken video is a video."""

    name = "small"
    delay_s = {"valence": 2.0, "arousal": 2.2}  # noqa: RUF012
    rating_hz = 25.0
    licence = "none"
    obtain = "Run `fetch small`."

    def videos(self):
        return pd.read_csv(self.root / "manifest.csv")

    def gold(self):
        return pd.read_csv(self.root / "gold.csv")

    def truth(self):
        return pd.read_csv(self.root / "truth.csv")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr(type(corpora), "get", lambda _, name: {"small": Small}[name])
    root = tmp_path / "small"
    (root / "videos").mkdir(parents=True)
    names = [f"v{i}" for i in range(6)]
    for name in names:
        (root / "videos" / f"{name}.mp4").write_bytes(f"not a video: {name}".encode())
    parts = ["train", "train", "train", "validation", "test", "test"]
    rows = {
        "video": names,
        "path": [f"videos/{n}.mp4" for n in names],
        "partition": parts,
        "subject": [f"s{i}" for i in range(6)],
        "voice": [f"voice{i}" for i in range(6)],
        "transcript": None,
    }
    pd.DataFrame(rows).to_csv(root / "manifest.csv", index=False)
    gold = [
        pd.DataFrame({"video": n, "time_s": np.arange(50) / 25, "valence": WAVE, "arousal": -WAVE})
        for n in names
    ]
    pd.concat(gold).to_csv(root / "gold.csv", index=False)
    spans = pd.DataFrame([("v4", 0.5, 1.0, "audio", "muted")], columns=list(TRUTH))
    spans.to_csv(root / "truth.csv", index=False)
    return root


def edit(path, change):
    table = pd.read_csv(path)
    changed = change(table)
    (table if changed is None else changed).to_csv(path, index=False)


def verdicts(tree):
    """Exit code and the checks that are not PASS, by name."""
    layout = Layout(tree.parent / "results")
    code = verify.verify("small", CorpusSettings(class_="small", root=tree), layout)
    table = pd.read_csv(layout.checks("small"), keep_default_na=False).set_index("name")
    return code, table[table["verdict"] != "PASS"]


def set_cell(row, column, value):
    def change(table):
        table.loc[row, column] = value

    return change


def test_a_clean_tree_gives_its_tables_and_no_alarm(tree):
    code, alarms = verdicts(tree)
    assert code == 0
    assert alarms.empty
    layout = Layout(tree.parent / "results")
    manifest = pd.read_parquet(layout.manifest("small"))
    assert list(manifest.columns) == [*MANIFEST, "sha256", "bytes"]
    assert manifest["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    gold = pd.read_parquet(layout.gold("small"))
    assert list(gold.columns) == [*GOLD, "valence", "arousal"]
    assert list(pd.read_parquet(layout.truth("small")).columns) == list(TRUTH)


def test_verifying_writes_nothing_into_the_corpus(tree):
    before = {p: p.stat().st_mtime_ns for p in tree.rglob("*")}
    verdicts(tree)
    assert {p: p.stat().st_mtime_ns for p in tree.rglob("*")} == before


def test_the_data_hash_follows_files_and_gold(tree):
    import json

    def data_hash():
        assert verdicts(tree)[0] == 0
        return json.loads(Layout(tree.parent / "results").card("small").read_text())["data_hash"]

    first = data_hash()
    assert data_hash() == first
    edit(tree / "gold.csv", set_cell(3, "valence", 0.123))
    second = data_hash()
    (tree / "videos" / "v0.mp4").write_bytes(b"another take")
    assert len({first, second, data_hash()}) == 3


FAULTS = {
    "a missing file": (
        lambda t: (t / "videos" / "v2.mp4").unlink(),
        ("files", "FAIL", "v2.mp4", "fetch small"),
    ),
    "a shared subject": (
        lambda t: edit(t / "manifest.csv", set_cell(4, "subject", "s0")),
        ("subject overlap", "FAIL", "s0", "move"),
    ),
    "a shared voice": (
        lambda t: edit(t / "manifest.csv", set_cell(3, "voice", "voice5")),
        ("voice overlap", "FAIL", "voice5", "move"),
    ),
    "a misspelt partition": (
        lambda t: edit(t / "manifest.csv", set_cell(0, "partition", "training")),
        ("partitions", "FAIL", "training", "partition"),
    ),
    "an empty partition": (
        lambda t: edit(t / "manifest.csv", set_cell(3, "partition", "train")),
        ("partitions", "FAIL", "validation 0", "partition"),
    ),
    "a video listed twice": (
        lambda t: edit(t / "manifest.csv", lambda m: pd.concat([m, m.iloc[:1]])),
        ("video names", "FAIL", "v0", "one row"),
    ),
    "a video named so that its folder is another": (
        lambda t: (
            edit(t / "manifest.csv", lambda m: m.replace("v4", "..")),
            edit(t / "gold.csv", lambda g: g.replace("v4", "..")),
            edit(t / "truth.csv", lambda s: s.replace("v4", "..")),
        ),
        ("names and paths", "FAIL", "'..' begins with a dot", "Rename"),
    ),
    "gold out of range": (
        lambda t: edit(t / "gold.csv", set_cell(60, "arousal", -5.0)),
        ("gold range", "FAIL", "v1", "NaN"),
    ),
    "times out of order": (
        lambda t: edit(t / "gold.csv", set_cell(110, "time_s", 0.0)),
        ("gold times", "FAIL", "v2", "Sort"),
    ),
    "a train video without gold": (
        lambda t: edit(t / "gold.csv", lambda g: g[g["video"] != "v1"]),
        ("gold of train", "FAIL", "v1", "fetch small"),
    ),
    "a test video without gold": (
        lambda t: edit(t / "gold.csv", lambda g: g[g["video"] != "v5"]),
        ("gold of test", "WARN", "v5", "predicted"),
    ),
    "an unlisted video": (
        lambda t: (t / "videos" / "stray.mp4").write_bytes(b"x"),
        ("unlisted files", "WARN", "stray.mp4", "left out"),
    ),
    "an empty video": (
        lambda t: (t / "videos" / "v1.mp4").write_bytes(b""),
        ("empty files", "WARN", "v1.mp4", "failed video"),
    ),
    "a lost transcript": (
        lambda t: edit(
            t / "manifest.csv", lambda m: m.assign(transcript=["words.csv"] + [None] * 5)
        ),
        ("transcripts", "WARN", "words.csv", "fetch small"),
    ),
    "gold of an unlisted video": (
        lambda t: edit(t / "gold.csv", lambda g: pd.concat([g, g.iloc[:5].assign(video="ghost")])),
        ("gold of unlisted", "WARN", "ghost", "ignored"),
    ),
    "a span that ends before it starts": (
        lambda t: edit(t / "truth.csv", set_cell(0, "end_s", 0.1)),
        ("planted spans", "FAIL", "v4", "truth"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_by_name_and_alone(tree, fault):
    plant, (name, verdict, message, hint) = FAULTS[fault]
    plant(tree)
    code, alarms = verdicts(tree)
    assert code == (verdict == "FAIL")
    assert list(alarms.index) == [name]
    assert alarms.loc[name, "verdict"] == verdict
    assert message in alarms.loc[name, "found"]
    assert hint in alarms.loc[name, "hint"]


def test_a_failed_corpus_leaves_its_checks_and_no_tables(tree):
    assert verdicts(tree)[0] == 0
    (tree / "videos" / "v2.mp4").unlink()
    assert verdicts(tree)[0] == 1
    layout = Layout(tree.parent / "results")
    assert layout.checks("small").is_file()
    assert not layout.manifest("small").exists()
    assert not layout.card("small").exists()


def test_a_corpus_that_is_not_there_says_how_to_get_it(tree, capsys):
    (tree / "videos").rename(tree.parent / "elsewhere")
    layout = Layout(tree.parent / "results")
    settings = CorpusSettings(class_="small", root=tree.parent / "nowhere")
    assert verify.verify("small", settings, layout) == 1
    assert "fetch small" in capsys.readouterr().out


def test_every_corpus_lists_its_options_without_being_imported():
    for name in corpora.names():
        assert "root" not in corpora.options(name)


def test_an_impossible_option_is_refused(tmp_path):
    from avfusion.corpora.demo.corpus import Demo

    with pytest.raises(ConfigError, match="videos is 2"):
        Demo(root=tmp_path, videos=2)
    with pytest.raises(ConfigError, match="even"):
        Demo(root=tmp_path, width=321)


def test_a_class_that_is_no_corpus_is_refused(tmp_path):
    settings = CorpusSettings(class_="argparse:Namespace", root=tmp_path)
    with pytest.raises(ConfigError, match="'mine': argparse:Namespace does not derive"):
        base.build("mine", settings)


def test_a_corpus_of_recordings_cannot_be_generated(tmp_path):
    settings = CorpusSettings(class_="recola", root=tmp_path)
    with pytest.raises(CorpusError, match="Run: avf obtain recola"):
        base.build("recola", settings).make()


@pytest.mark.parametrize("name", corpora.names())
def test_verifying_again_does_not_depend_on_how_files_are_downloaded(name):
    reached = used("avfusion.corpora.verify:verify", corpora.code(name))
    modules = {item.module for item in reached}
    assert not [name for name in modules if name.startswith("avfusion.corpora.obtain")]
    assert not [name for name in modules if name.endswith(".source") and ".corpora." in name]
