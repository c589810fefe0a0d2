"""A TextTower: the half of a network that reads texts."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ingest.vision.backbones.backbone import BackboneError
from ingest.vision.words.scores import TextError

BATCH = 64  # texts


class NoTextTower(BackboneError):
    """A run or network that cannot be searched by words; the message says what to type."""


@dataclass(frozen=True)
class TextTower:
    """The text half of a network, loaded by `load_text_tower`.

    `kind` is "siglip" or "clip", `dim` the numbers of the space that texts share with pictures, `most` the tokens that
    are read of a text, its special ones among them. What a cosine is multiplied by is `logit_scale`, and `logit_bias`
    is added to it, None of CLIP. Safe to share between threads.
    """

    key: str
    title: str
    kind: str
    dim: int
    most: int
    logit_scale: float
    logit_bias: float | None
    module: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    device: str = "cpu"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """The vectors of texts, float32 (n, dim), L2-normalised: what `get_text_features` of transformers gives.

        Longer texts are cut at `most` tokens: `cut` says which. TextError for an empty text.
        """
        texts = [self._prepared(text) for text in texts]
        vectors = np.empty((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), BATCH):
            vectors[start : start + BATCH] = self._batch(texts[start : start + BATCH])
        return vectors

    def cut(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that are longer than `most` tokens, of which `encode` reads the beginning alone."""
        prepared = [self._prepared(text) for text in texts]
        with self._lock:
            lengths = [len(self.tokenizer(text, truncation=False, verbose=False)["input_ids"]) for text in prepared]
        return [text for text, length in zip(texts, lengths, strict=True) if length > self.most]

    def described(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Of each text what is stored of it: `text`, `vector`, `model`, `logit_scale`, `logit_bias`, whether it was
        `cut`. TextError for an empty text."""
        cut = set(self.cut(texts))
        about = {"model": self.key, "logit_scale": self.logit_scale, "logit_bias": self.logit_bias}
        pairs = zip(texts, self.encode(texts), strict=True)
        return [{"text": text, "vector": vector, "cut": text in cut, **about} for text, vector in pairs]

    def _prepared(self, text: str) -> str:
        text = text.encode(errors="replace").decode().strip()  # half characters, which no tokenizer takes
        if not text:
            raise TextError('there are no words in an empty text; type some, such as "a boat"')
        # SigLIP was trained with small letters, and not all of its published tokenizers make them.
        return text.lower() if self.kind == "siglip" else text

    @torch.inference_mode()
    def _batch(self, texts: list[str]) -> np.ndarray:
        # SigLIP was trained with all texts filled up to one length, and reads the filling.
        padding = "max_length" if self.kind == "siglip" else True
        with self._lock:
            found = self.tokenizer(
                texts, padding=padding, truncation=True, max_length=self.most, return_tensors="pt", verbose=False
            )
        names = ("input_ids",) if self.kind == "siglip" else ("input_ids", "attention_mask")
        inputs = {name: found[name].to(self.device) for name in names if name in found}
        features = self.module.get_text_features(**inputs).pooler_output.float()
        return torch.nn.functional.normalize(features, dim=-1).cpu().numpy()
