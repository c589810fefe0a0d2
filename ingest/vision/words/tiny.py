"""The text towers of `tiny:clip` and `tiny:siglip`: random weights and tokenizers of single signs, all made here."""

from __future__ import annotations

import math
from typing import Any

import torch

from ingest.vision.backbones.tiny import SHARED

MOST = 32  # tokens
_SHAPE: dict[str, Any] = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
_SCALES = {"clip": {"logit_scale": math.log(100)}, "siglip": {"logit_scale": math.log(20), "logit_bias": -4.0}}


def tiny_tower(name: str) -> tuple[Any, Any]:
    """The whole tiny network `name` (a key of `SHARED`) and its tokenizer; the weights are the same each time."""
    import transformers

    tokenizer = clip_tokenizer(MOST) if name == "clip" else siglip_tokenizer()
    special = {f"{each}_token_id": getattr(tokenizer, f"{each}_token_id") for each in ("bos", "eos", "pad")}
    text = {**_SHAPE, **special, "max_position_embeddings": MOST, "vocab_size": len(tokenizer)}
    vision = {**_SHAPE, "image_size": 56, "patch_size": 14}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(21)
        if name == "clip":
            config = transformers.CLIPConfig(projection_dim=SHARED[name], text_config=text, vision_config=vision)
            module = transformers.CLIPModel(config)
        else:
            text["projection_size"] = SHARED[name]
            module = transformers.SiglipModel(transformers.SiglipConfig(text_config=text, vision_config=vision))
        for key, parameter in module.named_parameters():
            if parameter.ndim == 2:  # with small random weights all texts would be alike
                parameter.data.normal_(std=0.5 if ".self_attn." in key else parameter.shape[1] ** -0.5)
    for key, value in _SCALES[name].items():
        getattr(module, key).data.fill_(value)
    return module, tokenizer


def clip_tokenizer(most: int) -> Any:
    """CLIP's tokenizer with no word in its vocabulary: every byte of a text is a token."""
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    signs = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<|startoftext|>", "<|endoftext|>", *signs, *(f"{sign}</w>" for sign in signs)]
    return CLIPTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, model_max_length=most)


def siglip_tokenizer() -> Any:
    """The tokenizer of SigLIP 2 with no word in its vocabulary: a sign of ASCII is a token, of others each byte is."""
    from transformers import Siglip2Tokenizer

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    pieces = [*special, "▁", *map(chr, range(33, 127)), *(f"<0x{byte:02X}>" for byte in range(256))]
    # As published: a mask would hide the padding that the network was trained with.
    return Siglip2Tokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)},
        padding_side="right",
        model_input_names=["input_ids"],
        add_bos_token=False,
        add_eos_token=True,
    )
