"""The settings of a self-supervised training, its presets, and how options of the command line change them."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, PrivateAttr

from ingest.errors import SourceError
from ingest.training.reading import checked, read_yaml
from ingest.vision.training.settings import Strict
from ingest.vision.training.ssl.settings import OptimisationSettings, SSLSettings

# What is not said by a configuration or an option. `digits`: a small network from random weights, for small binary
# pictures; `fine-tune`: from the packaged weights, at sizes for machines without a GPU; `study`: the study of cluttered
# digits as it was published (a GPU is wanted).
PRESETS: dict[str, dict[str, Any]] = {
    "digits": {
        "model": {
            "name": "timm:vit_tiny_patch16_224",
            "arguments": {"embed_dim": 64, "depth": 3, "num_heads": 4, "patch_size": 4},
        },
        "head": {"hidden": 256, "bottleneck": 64, "outputs": 256, "batch_norm": True},
        "loss": {"kind": "nce"},
        "views": {
            "size": 28,
            "views": 1,
            "branches": "different",
            "augmentation": {"preset": "binary", "scale": [0.7, 1.0], "blur": 0.0},
        },
        "training": {
            "epochs": 30,
            "batch_size": 128,
            "learning_rate": 0.002,
            "final_learning_rate": 0.000001,
            "warmup_epochs": 4,
            "final_weight_decay": 0.04,
            "momentum": 0.9,
            "clip_each": "all",
            "freeze_last_layer": 0,
        },
    },
    "fine-tune": {
        "model": {"name": "packaged", "weights": "pretrained"},
        "head": {"hidden": 1024, "outputs": 1024, "batch_norm": True},
        "loss": {"kind": "nce"},
        "views": {"size": 112, "views": 1, "branches": "different"},
        "training": {
            "epochs": 10,
            "batch_size": 32,
            "learning_rate": 0.00002,
            "final_learning_rate": 0.0000001,
            "warmup_epochs": 1,
            "final_weight_decay": 0.04,
            "momentum": "auto",
        },
    },
    "study": {
        "model": {"name": "timm:vit_small_patch8_224.dino", "weights": "pretrained", "drop_path": 0.1},
        "head": {"hidden": 512, "bottleneck": 256, "outputs": 1024},
        "loss": {"kind": "nce", "views": "concatenated"},
        "views": {
            "size": 224,
            "views": 1,
            "branches": "different",
            "mean": [0.13, 0.13, 0.13],
            "std": [0.3, 0.3, 0.3],
            "augmentation": {"preset": "binary"},
        },
        "training": {
            "epochs": 40,
            "batch_size": 128,
            "learning_rate": 0.0001,
            "final_learning_rate": 0.00000001,
            "warmup_epochs": 3,
            "momentum": 0.995,
        },
    },
}

# Options of the command line, and what they set.
OPTIONS = {
    "collection": "data.collection",
    "limit": "data.limit",
    "label": "data.label",
    "model": "model.name",
    "weights": "model.weights",
    "loss": "loss.kind",
    "size": "views.size",
    "augment": "views.augmentation.preset",
    "epochs": "training.epochs",
    "batch_size": "training.batch_size",
    "learning_rate": "training.learning_rate",
    "seed": "training.seed",
    "probe_every": "probes.every",
    "probes": "probes.count",
    "probe_names": "probes.names",
}


class SSLDataSettings(Strict):
    """What is trained with: a `source` as `run` takes it, the `table` that describes it (the folder's metadata.csv
    unless said), and the first `limit` pictures. `label` is a column by which k-NN accuracy is measured; nothing is
    learned from it. Of a folder of `synth cluttered` each view has clutter of its own where `redraw` says so, and with
    `clutter and place` its digit lies elsewhere too."""

    source: str
    collection: str | None = None
    table: str | None = None
    label: str | None = None
    limit: PositiveInt | None = None
    redraw: Literal["nothing", "clutter", "clutter and place"] = "nothing"


class ProbeSettings(Strict):
    """Pictures whose attention is stored `every` so many epochs (0: never), under a run of that epoch's own: `count` of
    them, spread over the collection, or those with these `names`."""

    every: Annotated[int, Field(ge=0)] = 0
    count: PositiveInt = 8
    names: tuple[str, ...] = ()
    methods: tuple[str, ...] = ("cls", "rollout")


class SSLConfig(SSLSettings):
    """All of a self-supervised training: pictures, network, head, loss, views, optimisation, probes."""

    data: SSLDataSettings
    probes: ProbeSettings = ProbeSettings()
    _usual_batch: bool = PrivateAttr(False)

    def for_pictures(self, count: int, processes: int) -> SSLConfig:
        """The same, with a smaller batch if there are fewer pictures, unless somebody has asked for this one."""
        own = self.training
        most = count // own.accumulate // processes * processes
        if not self._usual_batch or own.batch_size <= most or most < 2:
            return self
        return self.model_copy(update={"training": own.model_copy(update={"batch_size": most})})


def read_ssl_config(path: Path | None, options: Mapping[str, Any]) -> SSLConfig:
    """The settings of a YAML file, or of none, with `options` by their dotted names (training.epochs) in place of what
    it says; those that are None count as not given. SourceError with a sentence for all that is wrong."""
    content = read_yaml(path) if path else {}
    said = content.pop("preset", None if path else "fine-tune")
    preset = options.get("preset") or said
    for name, value in options.items():
        if value is not None and name != "preset":
            _set(content, name, value)
    return with_preset(content, preset, path.name if path else "train ssl")


def with_preset(content: dict[str, Any], preset: str | None, source: str) -> SSLConfig:
    """The settings, and where they say nothing those of the preset. SourceError with a sentence, in which `source` is
    where they come from."""
    given = content.get("training")
    said = set(given) if isinstance(given, dict) else set()
    if preset is not None:
        content = _over(_preset(preset), content)
    if isinstance(content.get("training"), dict) and "warmup_epochs" not in said:
        _shorten_warmup(content["training"])
    if not isinstance(content.get("data"), dict) or not content["data"].get("source"):
        raise SourceError("Which pictures? Name a folder:  python -m ingest train ssl FOLDER  (or data: source: …)")
    config = checked(content, SSLConfig, source)
    config._usual_batch = "batch_size" not in said
    return config


def _shorten_warmup(training: dict[str, Any]) -> None:
    """A warm-up that nobody has asked for is no reason against a short training."""
    usual, epochs = (training.get(n, OptimisationSettings.model_fields[n].default) for n in ("warmup_epochs", "epochs"))
    if isinstance(epochs, int) and isinstance(usual, int | float) and usual >= epochs > 0:
        training["warmup_epochs"] = epochs / 5


def _preset(name: Any) -> dict[str, Any]:
    if name not in PRESETS:
        near = difflib.get_close_matches(str(name), PRESETS, 1)
        hint = f"; perhaps {near[0]} is meant" if near else ""
        raise SourceError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}{hint}.")
    return copy.deepcopy(PRESETS[name])


def _set(content: dict[str, Any], name: str, value: Any) -> None:
    *sections, last = name.split(".")
    for section in sections:
        inner = content.get(section)
        content[section] = dict(inner) if isinstance(inner, dict) else {}
        content = content[section]
    content[last] = value


def _over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The settings above, and where they say nothing those below. Another network takes nothing of the preset's own."""
    model = above.get("model")
    if isinstance(model, dict) and model.get("name", below["model"]["name"]) != below["model"]["name"]:
        below = {**below, "model": {}}
    return _merged(below, above)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(below)
    for name, value in above.items():
        inner = found.get(name)
        found[name] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return found
