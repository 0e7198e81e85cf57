"""BERT vectors of words, aligned to the clips in which the words are spoken.

Source   Devlin et al.: "BERT: Pre-training of Deep Bidirectional Transformers for Language
         Understanding", NAACL 2019; Praveen, Alam, CVPR Workshops 2024 (RJCMA).
File     A folder with config.json, the vocabulary, and model.safetensors or pytorch_model.bin, as
         the public models have (`bert.encoder.layer.0.…`; heads and the pooler are left out).

It is the encoder `transformers` for text, under the name that RJCMA's settings use. A word's vector
is the mean over its pieces of the sum of some hidden layers. As many words as fit go through the
network at a time, so a vector depends on words before and after. A clip's row is the mean over the
words that overlap (end - context_s, end]; NaN where no word overlaps the clip itself.
"""

from avfusion.encoders.transformers_folder import TransformersFolder
from avfusion.registry import encoders


@encoders.add("bert_words")
class BertWords(TransformersFolder):
    """The mean of BERT's vectors of a clip's words: 768 numbers for the base model.

    Parameters
    ----------
    path
        Folder of the model.
    sha256
        Expected SHA-256 of its file of weights.
    licence
        Terms of the weights, for the record.
    layers
        Hidden layers whose sum is a piece's vector; -1 is the last, 0 the embeddings.
    context_s
        Length of text that ends with the clip, in seconds; at least the clip. RJCMA: 0.
    """

    modality = "text"
    modalities = ()  # type: ignore[assignment]  # the study has no choice
    extra = "transformers"
    looks_ahead = True
    width_from = "avfusion.encoders.adapter_widths:transformers"

    def __init__(
        self,
        entry: str = "bert_words",
        *,
        path: str = "",
        sha256: str = "",
        licence: str = "",
        layers: list[int] | tuple[int, ...] = (-4, -3, -2, -1),
        context_s: float = 0.0,
    ) -> None:
        super().__init__(
            entry,
            "text",
            path=path,
            sha256=sha256,
            licence=licence,
            layers=layers,
            context_s=context_s,
        )
