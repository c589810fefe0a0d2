"""An experiment on cluttered digits: what does a network attend to that was trained with other clutter in each view?

After the study at https://github.com/ge75her/Interpretability-of-self-attention-maps-in-self-supervised-representation-
learning. Networks are trained under several conditions with several seeds, and the attention of their last layer is
measured on pictures of the test, whose digits they have not seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, PositiveInt

from ingest.errors import SourceError
from ingest.models import load_backbone
from ingest.report import Report
from ingest.synth.cluttered import ClutteredSet, drawer, write_cluttered
from ingest.training.checkpoints import MODEL, write_atomically
from ingest.training.progress import seed_of
from ingest.training.reading import checked, read_yaml
from ingest.training.ssl.config import SSLConfig, with_preset
from ingest.training.ssl.training import SSLTraining, train_ssl
from ingest.vision.backbones import BackboneError
from ingest.vision.cluttered import BINARY, Clutter
from ingest.vision.evaluation.measures import by_patch, chance
from ingest.vision.evaluation.truth import of_mask, on_grid
from ingest.vision.explaining import Asked, explain_pictures
from ingest.vision.geometry import Frame
from ingest.vision.training.settings import Strict
from ingest.vision.training.ssl.metrics import knn_accuracy
from ingest.vision.training.ssl.network import make_branches
from ingest.vision.training.ssl.weights import to_bytes
from store.counts import counted

BATCH = 64
RESULTS = "results.json"
UNTRAINED = "random weights"
MEASURES = {
    "digit_share": "attention on the digit",
    "preference": "digit : clutter, per area",
    "pointing_game": "pointing game",
    "knn_accuracy": "k-NN accuracy",
}


class CluttersSettings(Strict):
    """The pictures: how many to `train` and to `test`, and what they are like, as the options of `synth cluttered`."""

    train: PositiveInt = 1437
    test: PositiveInt = 300
    canvas: tuple[PositiveInt, PositiveInt] = (28, 28)
    digit: PositiveInt = 16
    offset: Annotated[float, Field(ge=0, le=1)] = 1.0
    distractors: Annotated[int, Field(ge=0)] = 4
    distractor: PositiveInt = 5
    kind: str = "grey"

    def set_of(self, seed: int) -> ClutteredSet:
        """What the generator takes. ValueError for what does not go together."""
        own = self.model_dump(exclude={"train", "test"})
        return ClutteredSet(Clutter(**own), seed=seed)


class ClutterExperiment(Strict):
    """`base` are the settings of `train ssl`. Each of the `conditions` draws the views anew as it says, or is `random
    weights`: the first weights of the same seed, untrained. `seeds` draw the pictures, the first weights and the
    views."""

    pictures: CluttersSettings = CluttersSettings()
    base: dict[str, Any] = Field(default_factory=lambda: {"preset": "digits"})
    conditions: dict[str, Literal["random weights", "nothing", "clutter", "clutter and place"]]
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True)
class TestPictures:
    """Pictures of the test uint8 (n, height, width), the masks bool of their digits, and which digits they are (n,)."""

    pixels: np.ndarray
    masks: np.ndarray
    labels: np.ndarray


def read_clutter_experiment(
    path: Path, folder: Path = Path()
) -> tuple[ClutterExperiment, dict[tuple[str, int], SSLConfig]]:
    """An experiment, and the settings of each condition and seed. SourceError and ValueError with a sentence."""
    own = checked(read_yaml(path), ClutterExperiment, path.name)
    own.pictures.set_of(0)
    return own, {
        (condition, seed): _config(own, redraw, seed, folder, path.name)
        for seed in own.seeds
        for condition, redraw in own.conditions.items()
    }


def run_clutter_experiment(db: Path, path: Path, folder: Path, device: str, report: Report) -> dict[str, Any]:
    """Train what is not trained yet and measure all of it; one that fails is reported, and the others go on. Returns
    the counts, and of each condition every measure by seed; `results.json` in the folder holds the same."""
    own, configs = read_clutter_experiment(path, folder)
    results: dict[str, dict[int, dict[str, float]]] = {condition: {} for condition in own.conditions}
    failed = 0
    for (condition, seed), config in configs.items():
        report.log(f"{condition}, seed {seed}")
        out = folder / f"{condition.replace(' ', '-')}-seed{seed}"
        try:
            with report.progress(own.pictures.train, "drawing") as advance:
                write_cluttered(_place(folder, seed), own.pictures.set_of(seed), {"train": own.pictures.train}, advance)
            if own.conditions[condition] == UNTRAINED:
                _write_first_weights(config, out)
            else:
                train_ssl(SSLTraining(db, config, f"{path.stem}: {condition}, seed {seed}", out, device), report)
            results[condition][seed] = measure(out / MODEL, draw_test(own.pictures, seed), device)
        except (SourceError, BackboneError, ValueError) as error:
            report.log(f"failed: {condition}, seed {seed}: {error}")
            failed += 1
    write_atomically(folder / RESULTS, json.dumps(results, indent=2).encode())
    done = sum(map(len, results.values()))
    return {"db": str(db), "experiment": path.stem, "done": done, "failed": failed, "results": results}


def _place(folder: Path, seed: int) -> Path:
    return folder / f"pictures-seed{seed}"


def _config(own: ClutterExperiment, redraw: str, seed: int, folder: Path, source: str) -> SSLConfig:
    content = json.loads(json.dumps(own.base))
    preset = content.pop("preset", None)
    data = {"source": str(_place(folder, seed)), "redraw": "nothing" if redraw == UNTRAINED else redraw}
    content["data"] = {**content.get("data", {}), **data}
    content["training"] = {**content.get("training", {}), "seed": seed}
    return with_preset(content, preset, source)


def _write_first_weights(config: SSLConfig, folder: Path) -> None:
    """The network as a training with this seed begins."""
    torch.manual_seed(seed_of(config.training.seed, 0))
    _, teacher = make_branches(config, lambda key, weights: load_backbone(key, weights, None, "cpu"))
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / MODEL, to_bytes(teacher, config, folder.name, 0))


def draw_test(settings: CluttersSettings, seed: int) -> TestPictures:
    """Pictures of digits that no training has seen."""
    draw = drawer(settings.set_of(seed), "test")
    drawn = [draw(index) for index in range(settings.test)]
    masks = np.stack([each.mask for each in drawn if each.mask is not None])
    labels = np.array([int(each.row["digit"]) for each in drawn])
    return TestPictures(np.stack([each.pixels for each in drawn]), masks, labels)


def measure(model: Path, test: TestPictures, device: str) -> dict[str, float]:
    """MEASURES of a network, and `chance`, what the digit has of the pictures' area: of the CLS token's attention in
    the last layer, the mean over the heads. The preference is the attention on the digit's area over that on the
    clutter's: 1 where neither is preferred."""
    backbone = load_backbone(str(model), None, None, device)
    height, width = test.pixels.shape[1:]
    kept: list[tuple[float, ...]] = []
    features = []
    for start in range(0, len(test.pixels), BATCH):
        batch = torch.from_numpy(test.pixels[start : start + BATCH])[..., None].expand(-1, -1, -1, 3).contiguous()
        found = explain_pictures(backbone, batch, [Asked("cls")])
        (maps,) = found.maps
        last = np.array(maps.layers) == max(maps.layers)
        weights = maps.weights.numpy()[:, last].mean(axis=1).reshape(-1, 1, found.rows, found.cols)
        features.append(found.features.numpy() if found.features is not None else np.empty((0, backbone.dim)))
        frame = Frame(0, 0, width, height, found.rows, found.cols)
        for place, own in enumerate(weights, start):
            kept.append(_of_picture(own, test.pixels[place], test.masks[place], frame))
    share, digit_area, on_clutter, clutter_area, hit = np.array(kept).T
    return {
        "digit_share": float(share.mean()),
        "chance": float(digit_area.mean()),
        "preference": float((share.sum() / digit_area.sum()) / (on_clutter.sum() / clutter_area.sum())),
        "pointing_game": float(hit.mean()),
        "knn_accuracy": knn_accuracy(np.concatenate(features), test.labels),
    }


def _of_picture(weights: np.ndarray, pixels: np.ndarray, mask: np.ndarray, frame: Frame) -> tuple[float, ...]:
    """Of a map (1, rows, cols): its share on the digit, the digit's area, the same of the clutter, and whether it
    points at the digit."""
    height, width = mask.shape
    found = []
    for place in (mask, (pixels >= BINARY * 255) & ~mask):
        if not place.any():  # clutter that is all dark, or lies under the digit
            found.append((0.0, 0.0, 0.0))
            continue
        truth = on_grid(of_mask(place, width, height), frame, width, height)
        own = by_patch(weights, truth)
        found.append((own["relevance_mass"][0], chance(truth)["relevance_mass"], own["pointing_game"][0]))
    (share, area, hit), (on_clutter, clutter_area, _) = found
    return share, area, on_clutter, clutter_area, hit


def describe_clutter(results: Mapping[str, Mapping[int, Mapping[str, float]]]) -> list[str]:
    """A line for each condition, with the standard deviation over the seeds: `nothing (3 seeds): attention on the digit
    0.27 ± 0.10 (chance 0.12), …`."""
    lines = []
    for condition, by_seed in results.items():
        if not by_seed:
            continue
        parts = []
        for measure_, title in MEASURES.items():
            values = np.array([each[measure_] for each in by_seed.values()])
            spread = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
            beside = f" (chance {np.mean([each['chance'] for each in by_seed.values()]):.3f})"
            parts.append(f"{title} {values.mean():.3f}{spread}{beside if measure_ == 'digit_share' else ''}")
        lines.append(f"{condition} ({counted(len(by_seed), 'seed')}): {', '.join(parts)}")
    return lines
