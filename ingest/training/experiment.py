"""Experiments: a grid of trainings, each with several seeds, on generated pictures or on a folder."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PositiveInt, field_validator

from ingest.errors import SourceError
from ingest.report import Report
from ingest.synth.megapixel import Megapixel, side_of_ratio, write_megapixel
from ingest.training.config import IPSConfig
from ingest.training.ips import Training, train_ips
from ingest.training.reading import checked, read_yaml
from ingest.vision.backbones import BackboneError
from ingest.vision.training.settings import Strict
from store import training
from store.connection import reading
from store.counts import counted

MADE = "generated"  # stands for the folder of the generated pictures until its name is known


class SynthSettings(Strict):
    """The pictures of `synth megapixel`, as its options: `canvas` is a side or (width, height), `digit` a side in
    pixels, or `ratio` the share of the canvas in percent."""

    train: PositiveInt = 5000
    test: PositiveInt = 1000
    canvas: PositiveInt | tuple[PositiveInt, PositiveInt] = 1500
    digit: PositiveInt | None = None
    ratio: Annotated[float, Field(gt=0, le=100)] | None = None
    noise: Annotated[int, Field(ge=0)] = 50
    noise_kind: str = "bezier"
    noise_size: PositiveInt | None = None
    thickness: Annotated[float, Field(gt=0)] = 1.925
    digits: str | None = None

    def pictures(self, seed: int) -> Megapixel:
        """What the generator takes. SourceError for what does not go together."""
        if self.digit is not None and self.ratio is not None:
            raise SourceError("synth.digit and synth.ratio say the same in two ways; give one of them.")
        canvas = (self.canvas, self.canvas) if isinstance(self.canvas, int) else self.canvas
        digit = side_of_ratio(self.ratio, canvas) if self.ratio is not None else self.digit or 28
        digits = Path(self.digits).expanduser() if self.digits else None
        return Megapixel(canvas, digit, self.noise, self.noise_kind, self.noise_size, self.thickness, digits, seed)


class ExperimentConfig(Strict):
    """`base` are the settings of `train ips`; `grid` gives some of them, and of `synth`, several values: each
    combination is trained with each of the `seeds`, which draw the pictures, their choice, and the first weights."""

    base: dict[str, Any]
    synth: SynthSettings | None = None
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0, 1, 2)

    @field_validator("seeds")
    @classmethod
    def _differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"each seed stands there once, not {', '.join(map(str, seeds))}")
        return seeds


@dataclass(frozen=True)
class Cell:
    """One training of an experiment: what varies, and what that makes of its settings."""

    values: Mapping[str, Any]
    seed: int
    config: IPSConfig
    synth: SynthSettings | None

    @property
    def name(self) -> str:
        """The name of its folder."""
        words = [f"{key.rpartition('.')[2]}={json.dumps(value)}" for key, value in self.values.items()]
        return re.sub(r"[^\w.=,-]+", "", ",".join([*words, f"seed={self.seed}"]))

    def parameters(self) -> dict[str, Any]:
        """What a figure may be drawn over."""
        short = [key.rpartition(".")[2] for key in self.values]
        own = {
            name if short.count(name) == 1 else key: value
            for (key, value), name in zip(self.values.items(), short, strict=True)
        }
        if self.synth is not None:
            own["object_ratio"] = float(f"{100 * self.synth.pictures(self.seed).ratio:.4g}")
        if self.config.data.train_size is not None:
            own["train_size"] = self.config.data.train_size
        return own


def read_experiment(path: Path) -> list[Cell]:
    """All trainings of an experiment, every one of them checked. SourceError with a sentence."""
    own = checked(read_yaml(path), ExperimentConfig, path.name)
    cells = []
    for values, seed in itertools.product(_combinations(own.grid), own.seeds):
        settings = {"base": own.base, "synth": own.synth.model_dump(exclude_none=True) if own.synth else {}}
        settings = json.loads(json.dumps(settings))
        settings["base"].setdefault("training", {})["seed"] = seed
        if own.synth is not None:
            settings["base"].setdefault("data", {})["folder"] = MADE
            settings["base"]["data"].setdefault("boxes", "boxes")
        for key, value in values.items():
            _set(settings["synth"] if key.startswith("synth.") else settings["base"], key.removeprefix("synth."), value)
        if own.synth is None and settings["synth"]:
            raise SourceError(f"{path.name}: the grid varies synth, and there is no section synth.")
        synth = checked(settings["synth"], SynthSettings, f"{path.name}, synth") if own.synth else None
        config = checked(settings["base"], IPSConfig, f"{path.name}, {_shown(values)}")
        if synth is not None:
            synth.pictures(seed)
        cells.append(Cell(values, seed, config, synth))
    return cells


def run_experiment(db: Path, path: Path, folder: Path, device: str, report: Report) -> dict[str, Any]:
    """Train what is not trained yet; one that fails is reported, and the others go on. Returns the counts and, for each
    combination, the metrics of the test with their spread over the seeds."""
    cells, name = read_experiment(path), path.stem
    counts: dict[str, Any] = {"new": 0, "already": 0, "failed": 0}
    for number, cell in enumerate(cells, 1):
        report.log(f"{number} of {len(cells)}: {_shown({**cell.values, 'seed': cell.seed})}")
        try:
            job = Training(
                db, _with_pictures(cell, folder, report), name, folder / cell.name, device, name, cell.parameters()
            )
            if _is_done(job):
                counts["already"] += 1
                continue
            train_ips(job, report)
            counts["new"] += 1
        except (SourceError, BackboneError, ValueError) as error:
            report.log(f"failed: {cell.name}: {error}")
            counts["failed"] += 1
    with reading(db) as con:
        results = training.results(con, name, f"{folder.resolve()}{os.sep}")
    return {"db": str(db), "experiment": name, **counts, "results": results}


def _combinations(grid: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _set(settings: dict[str, Any], key: str, value: Any) -> None:
    """Set training.epochs in nested settings, making the sections on the way."""
    *sections, last = key.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
    settings[last] = value


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in values.items()) or "base"


def _with_pictures(cell: Cell, folder: Path, report: Report) -> IPSConfig:
    """The settings with the folder of the cell's pictures, which are made if they are not there yet."""
    if cell.synth is None:
        return cell.config
    synth = cell.synth
    pictures = synth.pictures(cell.seed)
    mark = hashlib.sha256(f"{pictures} {synth.train} {synth.test}".encode()).hexdigest()[:12]
    place = folder / "pictures" / f"{pictures.digit}px-{pictures.noise}n-seed{cell.seed}-{mark}"
    with report.progress(synth.train + synth.test, "drawing") as advance:
        write_megapixel(place, pictures, {"train": synth.train, "test": synth.test}, advance)
    return cell.config.model_copy(update={"data": cell.config.data.model_copy(update={"folder": str(place)})})


def _is_done(job: Training) -> bool:
    """Whether this very training is through."""
    if not job.db.exists():
        return False
    with reading(job.db) as con:
        done = training.finished(con, "ips", str(job.folder.resolve()))
    wanted = job.config.model_dump(mode="json")
    return any(json.loads(each["config"]) == wanted for each in done)


def describe(results: list[dict[str, Any]]) -> list[str]:
    """A line for each combination: `digit 8, train_size 50: majority accuracy 0.31 ± 0.04 (3 seeds)`."""
    lines = []
    for each in results:
        shown = [f"{m['task']} {m['metric']} {m['mean']:.3f} ± {m['spread']:.3f}".strip() for m in each["metrics"]]
        seeds = counted(each["seeds"], "seed")
        lines.append(f"{_shown(json.loads(each['parameters']))} ({seeds}): {', '.join(shown)}")
    return lines
