"""What a comparison of two groups says, in words and in a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dashboard.compute.contrast import CLEAR, Contrast, permutation
from dashboard.compute.methods import in_words
from dashboard.drawing import panels
from dashboard.drawing.text import inputs
from dashboard.views.aggregate.comparison import Choice, GroupComparison, Settings
from dashboard.views.aggregate.figures import Unit
from dashboard.views.aggregate.groups import pictures
from store.records import RunRecord

FEW = 5  # pictures; the mean of fewer says little


def sentences(run: RunRecord, result: GroupComparison) -> list[str]:
    """Where the maps lie, and who is not in them."""
    cut = {
        "model": "each picture as the network's own processor prepares it",
        "crop": "the centre of each picture",
        "stretch": "each whole picture, squeezed into a square",
        "aspect": "each whole picture, whatever its shape",
        "pad": "each whole picture on a plain ground, which counts as 0, so that tall and wide pictures differ there",
    }.get(run.fit, "each picture")
    notes = [
        f"The maps lie in the frame of what the network saw, {cut}. The same patch is the same place relative to the "
        "edges of that frame in every picture. A line surrounds the patches that differ by more than chance."
    ]
    if result.grids > 1:
        grid = f"{result.contrast.rows} × {result.contrast.cols}"
        notes.append(
            f"The pictures have {result.grids} grids, each in the shape of its picture. Their maps were "
            f"brought onto one of {grid} patches: each weight is spread evenly over its patch, and sums stay the same."
        )
    for count, why in (
        (result.without, "without such a map"),
        (result.empty, "with an empty map"),
        (result.too_many, "by lot, since the others fill the memory"),
    ):
        if count:
            notes.append(f"Left out {why}: {pictures(count)}.")
    return notes


def conclusion(found: Contrast) -> str:
    """What the test says, as sentences."""
    row, col = found.peak()
    clear, p = int(found.clear().sum()), found.patches.overall
    if not clear:
        tried = "all divisions of these pictures into two such groups" if found.patches.every else "the shuffles"
        return (
            f"**No difference beyond chance** (p = {p_value(p)}): in {panels.percent(p)} of {tried} some patch differs "
            "as clearly as the clearest here."
        )
    more = "A" if found.grid(found.patches.difference)[row, col] > 0 else "B"
    place = panels.peak_place(np.abs(found.grid(found.patches.z)))
    return (
        f"**The groups differ** (p = {p_value(p)}), in {clear:,} of {found.rows * found.cols:,} patches by more than "
        f"chance, most clearly {place}, where {more} has more."
    )


def cautions(found: Contrast) -> list[str]:
    """What makes the test weak."""
    notes = []
    for letter, count in zip("AB", found.pictures, strict=True):
        if count < FEW:
            notes.append(f"Group {letter} holds only {pictures(count)}: too few to stand for their kind.")
    least = permutation.least_p(*found.pictures, found.patches.shuffles)
    if least >= CLEAR:
        notes.append(
            f"There are only {found.patches.shuffles + 1:,} ways to divide these pictures into two such groups, so p "
            f"cannot be smaller than {p_value(least)}: no difference can be told from chance."
        )
    return notes


def table(found: Contrast, unit: Unit) -> pd.DataFrame:
    """The clearest difference and the centres of mass of both groups' maps."""
    row, col = found.peak()
    at = found.patches.peak
    a, b = found.patches.mean_a[at], found.patches.mean_b[at]
    named, p = f"Clearest difference, row {row}, column {col}", found.patches.overall
    rows = [
        ("Pictures", *(f"{count:,}" for count in found.pictures), "", ""),
        (named, unit.say(a), unit.say(b), unit.signed(a - b), p_value(p)),
    ]
    for number, edge in enumerate(("top", "left")):
        a, b = found.centres.mean_a[number], found.centres.mean_b[number]
        gap, p = f"{'+' if a > b else '−'}{panels.percent(abs(a - b))}", found.centres.p[number]
        rows.append((f"Centre of the maps, from the {edge}", panels.percent(a), panels.percent(b), gap, p_value(p)))
    return pd.DataFrame(rows, columns=["", "A", "B", "A minus B", "p, corrected"])


def p_value(p: float) -> str:
    """With the digits that matter."""
    return f"{p:.2f}" if p >= 0.1 else f"{p:.3f}" if p >= 0.01 else f"{p:.1g}" if p < 0.001 else f"{p:.4f}"


def credit(run: RunRecord, choice: Choice, named: tuple[str, str], result: GroupComparison, settings: Settings) -> str:
    """Where the maps are from and how they were compared, for the page and for print."""
    method = choice.entry
    what = (
        f"{method.kind.capitalize()}: {method.title}{in_words(choice.method)}" if method else f"Map: {choice.method}."
    )
    target = " Explained: each picture's own target." if choice.target is None else ""
    target = f" Explained: {choice.target}." if choice.target else target
    heads = {"mean": ", mean of all heads", "max": ", maximum of all heads", None: ""}
    head = f", head {choice.head}" if isinstance(choice.head, int) else heads[choice.head]
    depth = ("Depth" if method is None else method.depth) if choice.head is None else "Layer"
    where = f" {depth} {choice.layer}{head}{' alone' * (choice.accumulates and choice.alone)}"
    if choice.accumulated:
        where = f" Accumulated to {depth.lower()} {choice.layer}: the sum of {depth.lower()}s 0 to {choice.layer}"
    found = result.contrast
    sizes = [
        f"{letter} = {name} ({pictures(count)})"
        for letter, name, count in zip("AB", named, found.pictures, strict=True)
    ]
    even = "Each map divided by its sum over the patches." if settings.even else "Maps as the method gave them."
    tried = (
        f"all {found.patches.shuffles + 1:,} divisions"
        if found.patches.every
        else f"{found.patches.shuffles:,} shuffles of the labels, seed {settings.seed}"
    )
    network = f"{run.title}, weights {run.weights_sha256[:8]}, run {run.run_id} of {run.collection}"
    return (
        f"{what}{target}{where}, counted from 0. {'; '.join(sizes)}. {even} Two-sided permutation test of the "
        f"difference of means, {tried}, p corrected for {found.rows * found.cols:,} patches by the maximum statistic, "
        f"the smallest p = {p_value(found.patches.overall)}; lines surround patches with p < {CLEAR:g}. "
        f"Network: {network}, {inputs.of_run(run)}."
    )
