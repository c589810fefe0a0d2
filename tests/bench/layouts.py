"""How long layouts take and how faithful they are: `python -m tests.bench.layouts [--sizes 10000 100000] [--only NAME ...]`.

Vectors as networks give them: groups of groups, each spread along a few directions of its own. Trustworthiness says how
far what is near in the layout is near among the vectors too, continuity the reverse (Venna and Kaski 2001), both of 15
neighbours, over a sample of the points with all points as their possible neighbours.

Of more vectors than `ingest.layouts.MOST` ours lay out a sample, as `python -m ingest project` does, and no library is
measured. PaCMAP is measured where it is installed; it is no part of the project's set-up.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable

import numpy as np

from ingest import clustering
from ingest import layouts as made
from ingest.vision.projections import projections
from tests.bench.report import update
from tests.bench.timing import table

DIM, NEIGHBOURS, ASKED = 384, 15, 1000
AIMS = {("UMAP", 100_000): "≤ 120", ("t-SNE", 100_000): "≤ 180"}
SIZES = (10_000, 100_000)
Lay = Callable[[np.ndarray], np.ndarray]


def measure(sizes: tuple[int, ...] = SIZES, only: tuple[str, ...] = ()) -> str:
    """The table, each layout in turn."""
    rows = []
    for size in sizes:
        vectors = groups(size)
        for name, lay in layouts(size).items():
            if only and name not in only:
                continue
            began, processor = time.perf_counter(), time.process_time()
            points = np.asarray(lay(vectors), dtype=np.float64)
            seconds, processor = time.perf_counter() - began, time.process_time() - processor
            trust, continuity = faithfulness(vectors, points)
            began = time.perf_counter()
            clustering.find_levels(points, clustering.settings_of(len(clustering.places(points).xy)))
            clusters = time.perf_counter() - began
            aim = AIMS.get((name, size), "")
            figures = [
                f"{seconds:.1f}",
                aim,
                f"{processor:.1f}",
                f"{trust:.4f}",
                f"{continuity:.4f}",
                f"{clusters:.1f}",
            ]
            rows.append([f"{size:,}", name, *figures])
            print(rows[-1], flush=True)
    title = "Layouts" if max(sizes) <= made.MOST else "Layouts of a sample"
    return (
        f"## {title}\n\nVectors of {DIM} numbers in groups of groups, cosine distances. Seconds by the clock and of the "
        f"processor, all threads; trustworthiness and continuity of {NEIGHBOURS} neighbours, of {ASKED:,} points against all; "
        "and the seconds of HDBSCAN over the layout. UMAP and t-SNE are those of `python -m ingest project`; beside them the "
        "libraries with what they do unasked.\n\n"
        + table(["pictures", "layout", "s", "aim", "CPU s", "trustworthiness", "continuity", "clusters s"], rows)
    )


def layouts(size: int) -> dict[str, Lay]:
    """What lays out, by name: ours, and libraries as they come."""
    found: dict[str, Lay] = {projection.title: _ours(key, size) for key, projection in projections().items()}
    if size > made.MOST:
        return found
    found |= {"umap-learn, all threads": _umap, "openTSNE, exaggeration for large sets": _opentsne}
    if importlib.util.find_spec("pacmap"):
        found["PaCMAP"] = _pacmap
    return found


def _ours(key: str, size: int) -> Lay:
    lay_out, settings = projections()[key].lay_out, made.settings_of(key, size)
    return lambda vectors: made.lay_out(lay_out, vectors, settings).points


def _umap(vectors: np.ndarray) -> np.ndarray:
    from umap import UMAP

    return UMAP(metric="cosine", n_neighbors=NEIGHBOURS).fit_transform(vectors)


def _opentsne(vectors: np.ndarray) -> np.ndarray:
    from openTSNE import TSNE

    # Kobak and Berens 2019: a perplexity of 30, a learning rate of n / 12, and an exaggeration that stays.
    return np.asarray(TSNE(metric="cosine", exaggeration=2, n_jobs=-1, random_state=0).fit(vectors))


def _pacmap(vectors: np.ndarray) -> np.ndarray:
    from pacmap import PaCMAP

    return PaCMAP(distance="angular", random_state=0).fit_transform(vectors)


def groups(size: int, seed: int = 0) -> np.ndarray:
    """Vectors (size, DIM) float32 of length 1: 400 groups in 20, of very different sizes, each along 8 directions."""
    random = np.random.default_rng(seed)
    above = random.normal(size=(20, DIM))
    centres = above[random.integers(0, 20, 400)] + 0.6 * random.normal(size=(400, DIM))
    along = 0.35 * random.normal(size=(400, 8, DIM))
    of = random.choice(400, size, p=random.dirichlet(np.ones(400)))
    vectors = np.empty((size, DIM), np.float32)
    for start in range(0, size, 10_000):
        here = of[start : start + 10_000]
        spread = np.einsum("ij,ijk->ik", random.normal(size=(len(here), 8)), along[here])
        vectors[start : start + 10_000] = centres[here] + spread + 0.25 * random.normal(size=(len(here), DIM))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def faithfulness(
    vectors: np.ndarray, points: np.ndarray, k: int = NEIGHBOURS, asked: int = ASKED
) -> tuple[float, float]:
    """Trustworthiness and continuity of points (n, 2) for vectors (n, d) of length 1 and their cosine distances; ranks
    are among all n, of `asked` of them that are drawn."""
    count = len(vectors)
    drawn = np.random.default_rng(1).choice(count, min(asked, count), replace=False)
    intruders = strangers = 0
    for place in drawn:
        above = 1 - vectors @ vectors[place]
        below = ((points - points[place]) ** 2).sum(axis=1)
        above[place] = below[place] = np.inf
        near_above, near_below = np.argpartition(above, k)[:k], np.argpartition(below, k)[:k]
        intruders += np.maximum(0, _ranks(above, near_below) - k).sum()
        strangers += np.maximum(0, _ranks(below, near_above) - k).sum()
    scale = 2 / (len(drawn) * k * (2 * count - 3 * k - 1))
    return float(1 - scale * intruders), float(1 - scale * strangers)


def _ranks(distances: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The rank of each of some places by distance, the nearest being 1."""
    return np.array([1 + int((distances < distances[place]).sum()) for place in places])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--only", nargs="+", default=[], help="names of layouts")
    arguments = parser.parse_args()
    found = measure(tuple(arguments.sizes), tuple(arguments.only))
    print(found)
    update([found])


if __name__ == "__main__":
    main()
