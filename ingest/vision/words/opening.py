"""Loading text towers: of a run, or of a network by its key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingest.vision.backbones.checkpoint import reason_of
from ingest.vision.backbones.registry import PUBLISHED
from ingest.vision.backbones.tiny import SHARED
from ingest.vision.spaces import RECOMMENDED_FOR_WORDS, is_joint
from ingest.vision.words.tower import NoTextTower, TextTower

# Whole networks, by what transformers calls their type.
_WHOLE = {"clip": "CLIPModel", "metaclip_2": "MetaClip2Model", "siglip": "SiglipModel", "siglip2": "Siglip2Model"}
_ADVICE = f"make a run that can be: python -m ingest run FOLDER --model {RECOMMENDED_FOR_WORDS}"


def load_text_tower(of: Mapping[str, Any] | str, device: str = "cpu", offline: bool = False) -> TextTower:
    """The text tower that goes with a run's `settings`, or with a network's key; of its network the text half alone is
    kept in memory. `offline` never asks the hub.

    Raises NoTextTower with a sentence that says what to type: for a run whose features are in no space with texts, a
    network without a text tower, or one that cannot be had.
    """
    settings = {"model": of, "feature_space": "joint"} if isinstance(of, str) else of
    key = str(settings["model"])
    title = str(settings.get("title") or key)
    if not is_joint(settings):
        raise NoTextTower(f"the features of this run of {title} lie in no space with texts; {_ADVICE}")
    family, _, name = key.partition(":")
    if family == "tiny" and name in SHARED:
        from ingest.vision.words.tiny import tiny_tower

        return _tower(key, title, *tiny_tower(name), device)
    published = PUBLISHED.get(key)
    if family == "hf" and name:
        source = str(Path(name).expanduser()) if Path(name).expanduser().is_dir() else name
    elif published is not None and published.languages:
        source = published.repo
    else:
        raise NoTextTower(f"{title} has no text tower, so it cannot be searched by words; {_ADVICE}")
    return _tower(key, title, *_pretrained(source, title, offline), device)


def _pretrained(source: str, title: str, offline: bool) -> tuple[Any, Any]:
    """The text half of a network and its tokenizer, from a folder or the hub. No code that lies there is run."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    own = {"local_files_only": offline}
    try:
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False, **own)
        name = _WHOLE.get(config.model_type)
        if name is None:
            raise NoTextTower(f"{title} has no text tower that could be used; {_ADVICE}")
        half = text_half(getattr(transformers, name))
        module, info = half.from_pretrained(
            source, config=config, output_loading_info=True, trust_remote_code=False, **own
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False, **own)
    except NoTextTower:
        raise
    except Exception as error:  # what is wrong with a stranger's files, or on the way to them, can come up anywhere
        raise NoTextTower(
            f"the text tower of {title} could not be loaded ({reason_of(error).rstrip('.')}); with a connection, or "
            f"from a folder (--model hf:FOLDER), {_ADVICE}"
        ) from error
    missing = sorted(info["missing_keys"])
    if missing:  # the library fills them with random numbers
        raise NoTextTower(f"{title} lacks {len(missing)} weights of its text tower, such as {missing[0]!r}; {_ADVICE}")
    return module, tokenizer


def text_half(whole: Any) -> Any:
    """A network's class without what reads pictures, for which no memory is taken when it is loaded."""

    def __init__(self: Any, config: Any) -> None:
        whole.__init__(self, config)
        del self.vision_model

    return type(whole.__name__, (whole,), {"__init__": __init__, "__module__": whole.__module__})


def _tower(key: str, title: str, module: Any, tokenizer: Any, device: str) -> TextTower:
    for name in ("vision_model", "visual_projection"):
        if hasattr(module, name):
            delattr(module, name)
    module = module.float().eval().requires_grad_(False).to(device)
    text = module.config.text_config
    siglip = module.config.model_type.startswith("siglip")
    return TextTower(
        key=key,
        title=title,
        kind="siglip" if siglip else "clip",
        dim=int(text.projection_size if siglip else module.config.projection_dim),
        most=int(text.max_position_embeddings),
        logit_scale=float(module.logit_scale.exp()),
        logit_bias=float(module.logit_bias) if siglip else None,
        module=module,
        tokenizer=tokenizer,
        device=device,
    )
