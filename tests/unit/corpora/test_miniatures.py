"""`avf verify` names every planted fault of every miniature, and alone; a clean tree is left be."""

import shutil

import pytest

from support.miniatures import alarms, miniatures, verify

FAULTS = [(corpus, name) for corpus, module in miniatures().items() for name in module.FAULTS]


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    """Corpus -> its clean tree and what `avf verify` remembers of it, made once."""
    made = {}

    def make(corpus):
        if corpus not in made:
            folder = tmp_path_factory.mktemp(corpus)
            module = miniatures()[corpus]
            module.build(folder / "tree")
            made[corpus] = verify(corpus, folder / "tree", module.OPTIONS, folder / "results")
            made[corpus] += (folder,)
        return made[corpus]

    return make


@pytest.mark.parametrize("corpus", miniatures())
def test_a_clean_tree_raises_no_alarm(clean, corpus):
    code, checks, _ = clean(corpus)
    assert alarms(checks).empty
    assert code == 0


@pytest.mark.parametrize("corpus", miniatures())
def test_no_two_checks_have_one_name(clean, corpus):
    _, checks, _ = clean(corpus)
    assert checks.index.is_unique, checks.index[checks.index.duplicated()]


@pytest.mark.parametrize(("corpus", "fault"), FAULTS, ids=lambda x: x.replace(" ", "_"))
def test_each_planted_fault_is_named(clean, corpus, fault, tmp_path):
    module, planted = miniatures()[corpus], miniatures()[corpus].FAULTS[fault]
    shutil.copytree(clean(corpus)[2], tmp_path, dirs_exist_ok=True)  # with times: digests are kept
    planted.plant(tmp_path / "tree")
    options = {**module.OPTIONS, **dict(planted.options)}
    code, checks = verify(corpus, tmp_path / "tree", options, tmp_path / "results")
    raised = alarms(checks)
    assert set(raised.index) == {planted.check, *planted.also}
    assert raised.loc[planted.check, "verdict"] == planted.verdict
    assert planted.says in raised.loc[planted.check, "found"]
    assert raised["hint"].ne("").all()
    assert code == (raised["verdict"] == "FAIL").any()
