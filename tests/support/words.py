"""Networks of pictures and texts that tests write themselves: random weights, a tokenizer of single signs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

FAMILIES = ("clip", "metaclip2", "siglip", "siglip2", "naflex")
_SHAPE: dict[str, Any] = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
_SQUARE: dict[str, Any] = dict(image_size=64, patch_size=16)
MOST = 16  # tokens of a text, special ones among them
_SENTENCES = ["a boat on the sea", "ein Boot auf dem Meer", "the quick brown fox jumps over the lazy dog", "0123456789"]


def save_joint(folder: Path, family: str) -> torch.nn.Module:
    """A whole network of a family with its tokenizer and processor, as `save_pretrained` writes them. The same, in
    float64."""
    import transformers as T

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        tokenizer = _tokenizer(T, family)
        text = {**_SHAPE, "max_position_embeddings": MOST, "vocab_size": len(tokenizer)}
        special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
        if family in ("clip", "metaclip2"):
            config, model = (T.CLIPConfig, T.CLIPModel) if family == "clip" else (T.MetaClip2Config, T.MetaClip2Model)
            settings = config(projection_dim=24, text_config=text | special, vision_config=_SHAPE | _SQUARE)
        else:
            naflex = family == "naflex"
            config, model = (T.Siglip2Config, T.Siglip2Model) if naflex else (T.SiglipConfig, T.SiglipModel)
            vision = {"num_patches": 16, "patch_size": 16} if naflex else _SQUARE
            settings = config(text_config=text | special | {"projection_size": 32}, vision_config=_SHAPE | vision)
        module = model(settings).eval()
        for name, parameter in module.named_parameters():
            if "logit" in name:
                parameter.data.fill_(2.3 if "scale" in name else -4.5)
            elif parameter.ndim > 1:
                parameter.data.normal_(std=parameter.shape[-1] ** -0.5 if parameter.ndim == 2 else 0.05)
    module.save_pretrained(folder)
    _processor(T, family, tokenizer).save_pretrained(folder)
    return module.double()


def _processor(T: Any, family: str, tokenizer: Any) -> Any:
    size = {"height": 64, "width": 64}
    if family in ("clip", "metaclip2"):
        return T.CLIPProcessor(T.CLIPImageProcessor(size={"shortest_edge": 64}, crop_size=size), tokenizer)
    if family == "naflex":
        return T.Siglip2Processor(T.Siglip2ImageProcessor(patch_size=16, max_num_patches=16), tokenizer)
    return T.SiglipProcessor(T.SiglipImageProcessor(size=size), tokenizer)


def _tokenizer(T: Any, family: str) -> Any:
    """SigLIP's have no mask among their answers, as those that are published."""
    if family == "clip":
        from ingest.vision.words.tiny import clip_tokenizer

        return clip_tokenizer(MOST)
    if family == "metaclip2":
        signs = [(sign, -3.0) for sign in sorted({*"".join(_SENTENCES).replace(" ", "▁"), "é", "ש", "🚢"})]
        vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *signs, ("<mask>", 0.0)]
        return T.XLMRobertaTokenizer(vocab=vocabulary)
    if family == "siglip":
        return _sentencepiece(T)
    from ingest.vision.words.tiny import siglip_tokenizer

    return siglip_tokenizer()


def _sentencepiece(T: Any) -> Any:
    import tempfile

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_SENTENCES), model_writer=model, vocab_size=60, hard_vocab_limit=False,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spiece.model"
        file.write_bytes(model.getvalue())
        return T.SiglipTokenizer(str(file), model_input_names=["input_ids"])
