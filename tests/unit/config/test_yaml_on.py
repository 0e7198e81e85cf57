"""The key `on` in a YAML file: YAML 1.1 reads it as true, quoted or not it means the key."""

import pytest

from avfusion.config.load import load


@pytest.mark.parametrize("key", ["on", "'on'"])
def test_a_key_named_on_needs_no_quotes(key, tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(
        "corpora: {demo: {root: data/demo}}\nfusions: {concat: {}}\n"
        f"train: {{select: {{{key}: train_subjects}}, schedule: {{is: plateau, {key}: loss}}}}\n"
    )
    train = load(file).train
    assert (train.select.on, train.schedule.on) == ("train_subjects", "loss")
