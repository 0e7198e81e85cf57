"""A command that runs before the stage it needs names that stage's command in one message."""

import pytest

from avfusion import cli

CONFIG = """
results: {results}
corpora: {{mine: {{is: own, root: {root}}}}}
fusions: {{jca: {{}}}}
"""
COMMANDS = {
    "media mine": "avf verify mine",
    "fit-encoder mine mel_cnn": "avf verify mine",
    "encode mine mel_cnn": "avf media mine",
    "delay mine": "avf verify mine",
    "train mine jca": "avf verify mine",
    "score mine": "avf verify mine",
    "robust mine": "avf verify mine",
    "submit mine jca": "avf train mine jca",
    "export mine --audformat {folder}": "avf verify mine",
    "index {results}/media/mine --shards 1": "snakemake all",
}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[0])
def test_a_command_before_its_time_names_the_one_to_run(tmp_path, capsys, command):
    results = tmp_path / "results"
    (tmp_path / "clips").mkdir()
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG.format(results=results, root=tmp_path / "clips"))
    words = command.format(results=results, folder=tmp_path / "db").split()
    assert cli.main([*words, "--config", str(config)]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert COMMANDS[command] in lines[0]
