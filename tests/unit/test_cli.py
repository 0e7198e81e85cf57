"""`avf` refuses in one plain line, with exit code 1 and no traceback."""

import pytest

from avfusion import cli


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "demo", "jca", "--settings", "{"], "--settings: not JSON"),
        (["train", "demo", "jca", "--settings", "no.json"], "neither JSON nor a file"),
        (["train", "demo", "jca", "--config", "no.yaml"], "no.yaml: no such file"),
        (["media", "demo", "--shard", "2"], "--shard '2': expected i/n, such as 0/2"),
        (["media", "demo", "--shard", "2/2"], "i must lie in 0"),
        (["verify", "dmeo"], "lists no corpus 'dmeo', only: demo"),
        (["media", "dmeo"], "lists no corpus 'dmeo', only: demo. Did you mean 'demo'?"),
        (["media", "dmeo", "--settings", "{}"], "lists no corpus 'dmeo', only: demo"),
        (["train", "dmeo", "jca"], "lists no corpus 'dmeo', only: demo"),
        (["train", "demo", "jac"], "lists no fusion 'jac', only: "),
        (["choose", "demo", "jac"], "lists no fusion 'jac', only: "),
        (["robust", "dmeo"], "lists no corpus 'dmeo', only: demo"),
        (["submit", "demo", "jac"], "lists no fusion 'jac', only: "),
        (["robust", "demo", "--results", "nowhere"], "no such file. Run `avf verify demo`"),
        (["index", "nowhere"], "no complete set of shards"),
    ],
)
def test_a_wrong_word_is_answered_in_one_line(words, said, capsys, monkeypatch, project):
    monkeypatch.chdir(project)
    assert cli.main(words) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"avf {words[0]}: ")
    assert said in error
    assert "Traceback" not in error


def test_ctrl_c_says_that_the_same_command_goes_on(capsys, monkeypatch):
    def stop(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("avfusion.commands.schema.run", stop)
    assert cli.main(["schema"]) == 130
    assert "the same command goes on from here" in capsys.readouterr().err


def test_every_command_explains_itself(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    listed = capsys.readouterr().out
    for name in ("doctor", "verify", "media", "encode", "train", "score", "report", "record"):
        assert f"    {name} " in listed
