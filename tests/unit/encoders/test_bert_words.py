"""BERT's vectors of words: aligned, summed over layers, and equal to the equations."""

import json
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from avfusion.config import widths
from avfusion.config.study import Study
from avfusion.encoders import base
from avfusion.encoders.job import Job
from avfusion.encoders.stage import encode_shard
from avfusion.errors import AvfError, ConfigError
from avfusion.registry import encoders
from support import synthetic_media as media
from support import tiny_bert

WORDS = [("good0", 0.1, 0.4), ("bad2", 0.5, 0.9), ("don't", 1.0, 1.2), ("zebra", 2.1, 2.2)]


def vectors(folder, layers: list[int], count: int | None = None) -> np.ndarray:
    """The sum of some layers, averaged over the pieces of each word, from the equations."""
    w = load_file(folder / "model.safetensors")
    pieces = [tiny_bert.pieces_of("good0"), tiny_bert.pieces_of("bad2")]
    pieces += [[tiny_bert.PIECES.index("don"), tiny_bert.PIECES.index("'"),
                tiny_bert.PIECES.index("t")]]  # fmt: skip
    pieces += [tiny_bert.pieces_of("zebra")]
    numbers = [2, *(n for word in pieces for n in word), 3]
    states = tiny_bert.hidden_states(w, numbers)
    total = sum(states[layer] for layer in layers)[1:-1]
    ends = np.cumsum([len(word) for word in pieces])
    begins = [0, *ends[:-1]]
    return np.stack([total[b:e].mean(0).numpy() for b, e in zip(begins, ends, strict=True)])


@pytest.fixture
def transformers():
    return pytest.importorskip("transformers")


@pytest.mark.parametrize("layers", [[-1], [-3, -2, -1], [0, 3]])
def test_a_clip_has_the_mean_vector_of_its_words(layers, transformers, tmp_path):
    folder = tiny_bert.write_bert(tmp_path / "bert")
    expected = vectors(folder, layers)
    encoder = base.build(media.settings("bert_words", path=str(folder), layers=layers))
    record = media.transcript(WORDS, 3.0)
    ends_s = np.array([0.3, 0.64, 1.1, 1.9, 2.6, 2.99])
    found = encoder.encode(record, ends_s, 0.64)
    rows = [expected[[0]], expected[[0, 1]], expected[[1, 2]], None, expected[[3]], None]
    assert found.dtype == np.float32
    for row, words in zip(found, rows, strict=True):
        if words is None:
            assert np.isnan(row).all()
        else:
            np.testing.assert_allclose(row, words.mean(0), atol=1e-5)
    longer = base.build(
        media.settings("bert_words", path=str(folder), layers=layers, context_s=2.0)
    )
    found = longer.encode(record, ends_s[2:3], 0.64)
    np.testing.assert_allclose(found[0], expected[:3].mean(0), atol=1e-5)


def test_first_public_names_are_read(transformers, tmp_path):
    one = tiny_bert.write_bert(tmp_path / "new")
    two = tiny_bert.write_bert(tmp_path / "old", old_names=True)
    record, ends_s = media.transcript(WORDS, 3.0), np.array([0.64, 1.28])
    rows = [
        base.build(media.settings("bert_words", path=str(folder), layers=[-1])).encode(
            record, ends_s, 0.64
        )
        for folder in (one, two)
    ]
    np.testing.assert_array_equal(*rows)


def test_long_transcripts_go_through_the_network_in_parts(transformers, tmp_path):
    folder = tiny_bert.write_bert(tmp_path / "bert")
    encoder = base.build(media.settings("bert_words", path=str(folder), layers=[-1]))
    words = [(f"good{n % 3}", n, n + 0.8) for n in range(50)]  # 100 pieces, 38 at once
    ends_s = np.arange(50) + 0.9
    found = encoder.encode(media.transcript(words, 50.0), ends_s, 0.64)
    assert np.isfinite(found).all()
    alone = encoder.encode(media.transcript(words[19:38], 50.0), ends_s[19:38], 0.64)
    np.testing.assert_allclose(found[19:38], alone, atol=1e-6)


def test_a_study_writes_features_with_the_hash_of_the_model(transformers, tmp_path):
    folder = tiny_bert.write_bert(tmp_path / "bert")
    layout = media.make_corpus(tmp_path / "results", {"test": 1}, seconds=3)
    options = {"path": str(folder), "layers": [-1], "licence": "Apache-2.0"}
    settings = media.settings("bert_words", layout.results, **options)
    encode_shard("tiny", (0, 1), settings, layout)
    document = json.loads((layout.encoder("tiny", "bert_words") / "settings.json").read_text())
    weights = document["weights"]
    assert weights["file"] == "model.safetensors"
    assert weights["licence"] == "Apache-2.0"
    assert Job("tiny", settings, layout).weights_sha256 == weights
    assert weights["files"].keys() == {"config.json", "vocab.txt"}
    assert weights["preprocessing"]["layers"] == [-1]
    features = np.load(layout.features("tiny", "bert_words") / "test_0.npy")
    assert features.shape[1] == tiny_bert.WIDTH


def test_the_width_is_that_of_the_config(tmp_path):
    folder = tiny_bert.write_bert(tmp_path / "bert")
    study = Study(
        corpora={"demo": {"root": "data/demo"}},
        fusions={"concat": {}},
        features={"text": ["bert_words"]},
        encoders={"bert_words": {"path": str(folder)}},
    )
    assert widths.width(study, "bert_words") == tiny_bert.WIDTH
    assert widths.width(study.model_copy(update={"encoders": {}}), "bert_words") is None


@pytest.mark.parametrize("layers", [[], [-5], [4]])
def test_layers_that_do_not_exist_are_refused(layers, transformers, tmp_path):
    folder = tiny_bert.write_bert(tmp_path / "bert")
    with pytest.raises(ConfigError, match="bert_words: `layers` must be -4 to 3 each"):
        base.build(media.settings("bert_words", path=str(folder), layers=layers))


def test_a_folder_without_weights_or_a_wrong_hash_is_refused(tmp_path):
    with pytest.raises(AvfError, match=r"holds neither model.safetensors .*bert_words\.path"):
        base.build(media.settings("bert_words", path=str(tmp_path)))
    with pytest.raises(AvfError, match=r"Set encoders\.bert_words\.path"):
        base.build(media.settings("bert_words"))
    folder = tiny_bert.write_bert(tmp_path / "bert")
    with pytest.raises(AvfError, match=r"correct encoders\.bert_words\.sha256"):
        base.build(media.settings("bert_words", path=str(folder), sha256="0" * 64))


def test_an_absent_package_is_one_clear_message(tmp_path, monkeypatch):
    assert encoders.constant("bert_words", "extra") == "transformers"  # for `avf doctor`
    monkeypatch.setitem(sys.modules, "transformers", None)
    folder = tiny_bert.write_bert(tmp_path / "bert")
    with pytest.raises(AvfError) as error:
        base.build(media.settings("bert_words", path=str(folder)))
    assert str(error.value) == (
        "bert_words: needs the package transformers, which is not installed. Run: make extras"
    )


def test_the_base_model_has_the_published_number_of_weights(transformers):
    with torch.device("meta"):
        net = transformers.BertModel(transformers.BertConfig(), add_pooling_layer=False)
    assert sum(p.numel() for p in net.parameters()) == 109_482_240 - 768 * 768 - 768
