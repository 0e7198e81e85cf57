"""No partition of any corpus shares a person, under any of its splits; where one must, it is told.

Read from the manifest that `avf verify` leaves, and against who the miniature says is in a video.
"""

import pandas as pd
import pytest

from avfusion.corpora.demo.corpus import Demo
from avfusion.layout import Layout
from support.miniatures import affwild2, alarms, fatigue, iemocap, own, recola, verify

SESSIONS = range(1, 6)
LEAVING_OUT = {f"iemocap, session {k} out": ("iemocap", {"fold": k}) for k in SESSIONS}
LEAVING_OUT |= {
    f"fatigue, subject {k} out": ("fatigue", {"split": "loso", "fold": k}) for k in range(1, 5)
}
SPLITS = {
    "affwild2": ("affwild2", {}),
    "recola, dev as test": ("recola", {}),
    "recola, official": ("recola", {"split": "official"}),
    "own, as given": ("own", {}),
    **{f"own, drawn by {seed}": ("drawn", {"seed": seed}) for seed in range(3)},
    **{f"fatigue, drawn by {seed}": ("fatigue", {"seed": seed}) for seed in range(3)},
    **LEAVING_OUT,
    "demo": ("demo", {}),
}
DEMO = {"videos": 5, "seconds": 4.0, "width": 160, "height": 120}
BASE = {
    "affwild2": affwild2.OPTIONS,
    "recola": recola.OPTIONS,
    "fatigue": fatigue.OPTIONS,
    "iemocap": iemocap.OPTIONS,
    "own": own.OPTIONS,
    "drawn": own.OPTIONS,
    "demo": DEMO,
}


def without_partitions(root):
    """Own clips whose manifest leaves the split to avf."""
    own.build(root)
    table = pd.read_csv(root / own.MANIFEST, dtype=str).drop(columns="partition")
    table.to_csv(root / own.MANIFEST, index=False)


BUILD = {
    "drawn": without_partitions,
    "demo": lambda root: Demo(root=root, **DEMO).make(),
    **{m.__name__.rpartition(".")[2]: m.build for m in (affwild2, recola, fatigue, iemocap, own)},
}
WHO = {  # video's path -> who is in it, as the miniature has it
    "fatigue": lambda row: fatigue.SEGMENTS[row.path][0],
    "own": lambda row: own.ROWS[row.path][0],
    "drawn": lambda row: own.ROWS[row.path][0],
    "iemocap": lambda row: f"{row.video[3:5]}{row.video[-4]}",
    "affwild2": lambda row: row.path.rpartition("/")[2].rpartition(".")[0],
    "recola": lambda row: row.video,
    "demo": lambda row: row.subject,
}


@pytest.fixture(scope="module")
def verified(tmp_path_factory):
    """Corpus and options -> exit code, checks, manifest; each tree is made and read once."""
    made = {}

    def get(name, options):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            BUILD[name](made[name] / "tree")
        corpus, results = {"drawn": "own"}.get(name, name), made[name] / "results"
        code, checks = verify(corpus, made[name] / "tree", {**BASE[name], **options}, results)
        return code, checks, pd.read_parquet(Layout(results).manifest(corpus))

    return get


@pytest.mark.parametrize(
    "split",
    [pytest.param(s, marks=[pytest.mark.slow] if s == "demo" else []) for s in SPLITS],
)
def test_no_partition_shares_a_person(verified, split):
    name, options = SPLITS[split]
    code, _, manifest = verified(name, options)
    assert code == 0
    who = pd.Series([WHO[name](row) for row in manifest.itertuples()])
    assert manifest["subject"].nunique() == who.nunique()
    parts = {part: set(who[manifest["partition"] == part]) for part in manifest["partition"]}
    assert set(parts) == {"train", "validation", "test"}
    assert sum(map(len, parts.values())) == len(set.union(*parts.values()))


@pytest.mark.parametrize("corpus", ["iemocap", "fatigue"])
def test_every_person_is_tested_in_exactly_one_fold(verified, corpus):
    tested = []
    for name, options in LEAVING_OUT.values():
        if name == corpus:
            manifest = verified(name, options)[2]
            tested += manifest["video"][manifest["partition"] == "test"].tolist()
    assert sorted(tested) == sorted(manifest["video"])


@pytest.mark.parametrize("fold", SESSIONS)
def test_random_folds_share_speakers_and_say_so(verified, fold):
    code, checks, manifest = verified("iemocap", {"fold": fold, "folds": "random"})
    assert manifest.groupby("subject")["partition"].nunique().max() > 1
    assert alarms(checks).loc["subject overlap", "verdict"] == "WARN"
    assert "in two" in checks.loc["subject overlap", "found"]
    assert code == 0


def test_a_given_split_that_shares_a_person_is_refused(tmp_path):
    own.build(tmp_path / "tree")
    path = tmp_path / "tree" / own.MANIFEST
    path.write_text(path.read_text().replace(",dan,test", ",anna,test"))
    code, checks = verify("own", tmp_path / "tree", own.OPTIONS, tmp_path / "results")
    assert code == 1
    assert checks.loc["subject overlap", "verdict"] == "FAIL"
    assert not Layout(tmp_path / "results").manifest("own").exists()
