"""Which block, size and number of components find details best in a collection: measured on crops of its own pictures,
which are to be found again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ingest.vision.details.coding import PatchCoding, decode, encode, fit_coding
from ingest.vision.details.crops import DEGRADED, Crop, random_crops
from ingest.vision.geometry import fit_image

if TYPE_CHECKING:
    from ingest.vision.backbones import Backbone
    from ingest.vision.details.tokens import BlockTokens

PICTURES, CROPS = 40, 80  # that are measured on, at most
BYTES = 20_000  # of a picture's patches, at most
DIM = 64  # components, at most: more found no more
SIDES = (16, 24)  # of a picture, in patches of a square
PART_SIDES = (4, 6)  # of the part that is searched for
DEPTHS = (1 / 6, 5 / 6)  # of the network: earlier blocks see colours alone, later ones the whole picture
USUAL_DEPTH = 0.4  # of the block that is taken where nothing can be measured


@dataclass(frozen=True)
class Choice:
    """A way to make and code patch tokens, and how well it found crops again: `first`, the share of them whose picture
    came first, and `reciprocal_rank`, the mean of 1 / rank of the right picture; `bytes` of a picture's patches."""

    layer: int
    size: int
    query_size: int
    dim: int
    bytes: int
    first: float
    reciprocal_rank: float


def fit_for(backbone: Backbone) -> str:
    """How pictures are fitted for their patches: whole and in their own shape."""
    return "aspect" if backbone.any_grid else "pad"


def choose_coding(
    blocks: BlockTokens,
    pictures: Sequence[Image.Image],
    layer: int | None = None,
    size: int | None = None,
    advance: Callable[[int], object] = lambda n: None,
) -> PatchCoding:
    """The coding that finds most crops of these pictures again, fitted to their tokens; of a `layer` or `size` that is
    given, only what is left open is measured. What was measured stands in its report. `advance` is told how many
    pictures and crops are done. ValueError for no pictures, a layer that is not there or a size that does not fit.
    """
    if not pictures:
        raise ValueError("no picture could be read, so that nothing can be fitted to the collection")
    layers = _layers(blocks, layer)
    crops = random_crops(pictures, CROPS, DEGRADED) if len(pictures) > 1 else []
    found: list[tuple[Choice, PatchCoding]] = []
    queries: dict[int, list[list[np.ndarray]]] = {}
    for side, part_sides in _sides(blocks.backbone, size):
        grids = _tokens(blocks, pictures, layers, side, advance)
        for part_side in part_sides:
            if part_side not in queries:
                queries[part_side] = _tokens(blocks, [crop.picture for crop in crops], layers, part_side, advance)
            for number, each in enumerate(layers):
                dim = _dim(max(len(tokens[number]) for tokens in grids))
                coding = fit_coding(
                    np.concatenate([tokens[number] for tokens in grids]),
                    dim, each, fit_for(blocks.backbone), side, part_side,
                )  # fmt: skip
                own, asked = ([tokens[number] for tokens in some] for some in (grids, queries[part_side]))
                found.append((_measured(coding, own, asked, crops), coding))
    return _chosen(found, len(pictures), len(crops), layer)


def _layers(blocks: BlockTokens, layer: int | None) -> list[int]:
    known = blocks.layers
    if layer is not None:
        if layer not in known:
            raise ValueError(
                f"there is no block {layer} to take patches from: this network has {known[0]} to {known[-1]}"
            )
        return [layer]
    low, high = (depth * len(known) for depth in DEPTHS)
    return [known[place] for place in range(len(known)) if low <= place < high] or list(known[:1])


def _sides(backbone: Backbone, size: int | None) -> list[tuple[int, tuple[int, ...]]]:
    """The sides of pictures in pixels that come into question, each with the sides of parts."""
    patch = backbone.patch
    if not backbone.any_grid:
        own = backbone.rule.size
        if size not in (None, own):
            raise ValueError(f"{backbone.title} takes pictures of {own} pixels alone; leave the size out")
        return [(own, (own,))]
    if size is not None and (size < patch or size % patch):
        raise ValueError(f"a size of {size} is not a multiple of this network's patch of {patch} pixels")
    parts = tuple(side * patch for side in PART_SIDES)
    return [(side, parts) for side in ([side * patch for side in SIDES] if size is None else [size])]


def _dim(patches: int) -> int:
    """How many components of a byte fit into BYTES for so many patches: a multiple of 8 where it can be."""
    most = max(1, min(DIM, BYTES // patches))
    return most // 8 * 8 or most


def _tokens(
    blocks: BlockTokens, pictures: Sequence[Image.Image], layers: list[int], side: int, advance: Callable
) -> list[list[np.ndarray]]:
    """Of each picture, fitted to this side, the tokens (patches, width) of each layer, without those of padding."""
    import torch

    backbone, found = blocks.backbone, []
    for picture in pictures:
        pixels, frame = fit_image(picture, backbone.rule, fit_for(backbone), side)
        tokens = blocks.read(backbone.pixels(torch.from_numpy(pixels.copy())[None]), layers)
        kept = frame.picture_cells(*picture.size).ravel()
        found.append([each[0].cpu().numpy()[kept] for each in tokens])
        advance(1)
    return found


def _measured(
    coding: PatchCoding, pictures: list[np.ndarray], parts: list[np.ndarray], crops: Sequence[Crop]
) -> Choice:
    """How well crops are found again by their patches alone, after these went through the coding."""
    stored = [coding.project(tokens[~coding.outliers(tokens)]) for tokens in pictures]
    size = round(float(np.mean([each.size for each in stored])))
    about = (coding.layer, coding.size, coding.query_size, coding.dim, size)
    if not crops:
        return Choice(*about, float("nan"), float("nan"))
    stored = [decode(*encode(each)) for each in stored]
    ranks = []
    for crop, tokens in zip(crops, parts, strict=True):
        part = coding.project(tokens)
        scores = np.array([(part @ each.T).max(axis=1).mean() if len(each) else -1 for each in stored])
        ranks.append(1 + int((scores > scores[crop.place]).sum()))
    places = np.array(ranks)
    return Choice(*about, round(float((places == 1).mean()), 4), round(float((1 / places).mean()), 4))


def _chosen(found: list[tuple[Choice, PatchCoding]], pictures: int, crops: int, layer: int | None) -> PatchCoding:
    if crops:
        # Of equals the smaller one, and of these the earlier block, which is computed sooner.
        ordered = sorted(found, key=lambda each: (-each[0].reciprocal_rank, each[0].bytes, each[0].layer))
    else:
        layers = sorted({choice.layer for choice, _ in found})
        usual = layers[round(USUAL_DEPTH * (len(layers) - 1))] if layer is None else layer
        ordered = sorted(found, key=lambda each: (each[0].layer != usual, each[0].bytes))
    best, coding = ordered[0]
    report: dict[str, Any] = {"pictures": pictures, "crops": crops, "chosen": vars(best)}
    report["measured"] = [vars(choice) for choice, _ in ordered] if crops else []
    return replace(coding, report=report)


def describe(report: dict[str, Any]) -> str:
    """What was chosen and by how much it won, in a sentence."""
    chosen = report["chosen"]
    what = (
        f"block {chosen['layer']}, pictures of {chosen['size']}² pixels, parts of {chosen['query_size']}², "
        f"{chosen['dim']} components of a byte each, {chosen['bytes'] / 1000:.1f} kB a picture"
    )
    if not report["crops"]:
        return f"{what}; taken without measuring, which needs two pictures"
    sentence = (
        f"{what}: by patches alone the right one of {report['pictures']} pictures comes first for "
        f"{chosen['first']:.0%} of {report['crops']} random crops"
    )
    other = next((each for each in report["measured"] if each["layer"] != chosen["layer"]), None)
    if other is None:
        return sentence
    margin = chosen["reciprocal_rank"] - other["reciprocal_rank"]
    return (
        f"{sentence}; the next best block, {other['layer']}, for {other['first']:.0%} (mean 1/rank {margin:.3f} less)"
    )
