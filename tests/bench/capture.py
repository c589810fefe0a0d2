"""What capturing attention costs, against the plain forward pass and against `output_attentions=True`."""

from __future__ import annotations

import statistics
from typing import Any

import torch

from ingest.vision.backbones import load, make_backbone
from ingest.vision.backbones.from_transformers import network_of, published_config, published_rule
from ingest.vision.backbones.registry import PUBLISHED
from ingest.vision.embedding import observe
from ingest.vision.explaining import Asked, explain_pictures
from ingest.vision.targets import DirectionTarget
from tests.bench.timing import ratio, table, take_turns

STATISTICS = "cls + rollout + head_stats"
DAAM = "DAAM, all blocks"
AIMS = {
    ("cls", 224): 1.05,
    ("cls", 518): 1.05,
    ("cls + rollout", 224): 1.12,
    ("cls + rollout", 518): 1.3,
    (STATISTICS, 224): 1.2,
    (STATISTICS, 518): 1.6,
    (DAAM, 224): 2.3,
}
ROUNDS = {224: 15, 518: 7}


def measure() -> str:
    """The table on this machine's CPU with the packaged weights."""
    backbone = load("packaged")
    eager = load("packaged")
    eager.network.module.set_attn_implementation("eager")
    parts = [rows_of(backbone, eager, size, batch, ROUNDS[size]) for size, batch in ((224, 8), (518, 2))]
    return (
        "## Capturing attention (CPU)\n\nDINOv2 ViT-S/14 (packaged weights), float32. Ratio to the plain forward pass, median of "
        "rounds in which the cases take turns.\n\n" + table(HEAD, [row for part in parts for row in part])
    )


def on_gpu() -> str:
    """The same on a GPU: ViT-B/14 with random weights of the published shape, bfloat16, and how busy the GPU is."""
    published = PUBLISHED["dinov2-base"]

    def build(implementation: str) -> Any:
        import transformers

        torch.manual_seed(0)
        config = published_config(published)
        module = transformers.Dinov2Model._from_config(config, attn_implementation=implementation)
        network = network_of(module, published_rule(published), "ViT-B/14")
        return make_backbone("bench", network, "").to("cuda", torch.bfloat16)

    backbone, eager = build("sdpa"), build("eager")
    rows = []
    for size, batch in ((224, 64), (518, 16)):
        rows += rows_of(backbone, eager, size, batch, 15, torch.cuda.synchronize, busy=True)
    return (
        f"## Capturing attention (GPU)\n\nViT-B/14 (DINOv2 shape), bfloat16, {torch.cuda.get_device_name()}. Ratio to the plain "
        "forward pass; busy: share of the wall time in which a kernel runs.\n\n" + table([*HEAD, "GPU busy"], rows)
    )


HEAD = ["input", "case", "images/s", "ratio", "aim"]


def rows_of(backbone: Any, eager: Any, size: int, batch: int, rounds: int, sync: Any = lambda: None, busy: bool = False) -> list[list[str]]:  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (batch, size, size, 3), dtype=torch.uint8, generator=generator)

    @torch.inference_mode()
    def with_output_attentions() -> None:
        module = eager.network.module
        found = module(pixel_values=eager.pixels(pictures), output_attentions=True).attentions
        torch.stack([layer[:, :, 0] for layer in found]).cpu()

    target = towards_the_mean(backbone)
    every = [Asked("daam"), Asked("chefer"), Asked("gradient_rollout")]
    cases = {
        "plain forward": lambda: observe(backbone, pictures),
        "cls": lambda: observe(backbone, pictures, ["cls"]),
        "cls + rollout": lambda: observe(backbone, pictures, ["cls", "rollout"]),
        STATISTICS: lambda: observe(backbone, pictures, ["cls", "rollout"], statistics=True),
        DAAM: lambda: explain_pictures(backbone, pictures, [Asked("daam")], target),
        "DAAM, Chefer, gradient rollout": lambda: explain_pictures(backbone, pictures, every, target),
        "output_attentions (eager)": with_output_attentions,
    }
    seconds = take_turns(cases, rounds, sync)
    rows = []
    for name in cases:
        aim = AIMS.get((name, size))
        rate = batch / statistics.median(seconds[name])
        row = [f"{size} px × {batch}", name, f"{rate:.1f}", f"{ratio(seconds, name, 'plain forward'):.2f}", f"≤ {aim}" if aim else ""]  # fmt: skip
        rows.append(row + ([f"{share_busy(cases[name]):.0%}"] if busy else []))
    return rows


def towards_the_mean(backbone: Any) -> DirectionTarget:
    """A target that costs nothing by itself."""
    direction = torch.full((backbone.dim,), backbone.dim**-0.5)
    return DirectionTarget("mean", lambda features, image_ids: direction.expand(len(features), -1))


def share_busy(case: Any) -> float:
    """Share of the wall time of five repetitions in which at least one kernel runs."""
    import time

    from torch.profiler import ProfilerActivity, profile

    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        began = time.perf_counter()
        for _ in range(5):
            case()
        torch.cuda.synchronize()
        wall = time.perf_counter() - began
    spans = sorted((e.time_range.start, e.time_range.end) for e in profiler.events() if e.device_type.name == "CUDA")
    busy, until = 0.0, float("-inf")
    for start, end in spans:
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return busy / 1e6 / wall
