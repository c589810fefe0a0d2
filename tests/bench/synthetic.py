"""Collections that nobody collected, as large as one likes: the thumbnails of the sample paintings repeated with jitter,
clusters of points as UMAP leaves them, vectors that fit to the points, and metadata of every type."""

from __future__ import annotations

import hashlib
import io
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from ingest import atlas
from store import connection, results, write
from store.maps import FUSED, AttentionMaps
from store.records import FrameRecord, HeadStats, ImageRecord, Results, Run

PAINTINGS = Path(__file__).parents[2] / "examples" / "paintings"
VARIANTS = 12  # of each painting
SIDE = 192  # of a thumbnail, in pixels
LAYERS, HEADS, DIM = 12, 6, 384  # as ViT-S has
CHUNK = 10_000
SCHOOLS = ("Flemish", "Florentine", "Dutch", "Edo", "French", "Venetian", "unknown")


@dataclass(frozen=True)
class Thumb:
    """A JPEG and its size in pixels."""

    jpeg: bytes
    width: int
    height: int


def make(db: Path, n: int, seed: int = 0, stats: bool = False) -> float:
    """Writes a database of n pictures with vectors, two layouts and an atlas, and if `stats` with numbers about every
    head and a rollout; returns the seconds that the atlas took. The network is said to be the packaged one."""
    random = np.random.default_rng(seed)
    thumbs = variants(random)
    centres, which, xy = clusters(n, random)
    directions = random.normal(size=(len(centres), DIM))
    run = Run("none", "0" * 64, LAYERS, HEADS, DIM, 14, 1, "crop", 224, {"title": "synthetic", "model": "packaged"}, {})
    with connection.writing(db) as con:
        collection = write.add_collection(con, "synthetic", "/nowhere")
        number = write.add_run(con, collection, run)
    ids = np.empty(n, np.int64)
    for start in range(0, n, CHUNK):
        part = range(start, min(start + CHUNK, n))
        records = [record(at, thumbs[random.integers(len(thumbs))], int(which[at])) for at in part]
        vectors = directions[which[part.start : part.stop]] + 0.8 * random.normal(size=(len(part), DIM))
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        with connection.writing(db) as con:
            here = np.array(list(write.add_images(con, collection, records).values()))
            frames = [FrameRecord(int(image_id), 0, 0, 100, 100, 16, 16) for image_id in here]
            found = [head_stats(here, random)] if stats else []
            maps = [rollouts(here, random)] if stats else []
            results.add_results(con, number, Results(here, vectors, frames, maps, found))
        ids[part.start : part.stop] = here
    with connection.writing(db) as con:
        for method, angle in (("umap", 0.0), ("tsne", 1.0)):
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            write.add_projection(con, number, method, {"synthetic": True}, ids, xy @ turn)
    began = time.perf_counter()
    atlas.make(db, number)
    return time.perf_counter() - began


def variants(random: np.random.Generator) -> list[Thumb]:
    """The paintings, each cut and lit in VARIANTS ways."""
    made = []
    for file in sorted(PAINTINGS.glob("*.jpg")):
        with Image.open(file) as opened:
            picture = opened.convert("RGB")
        picture.thumbnail((2 * SIDE, 2 * SIDE))
        for _ in range(VARIANTS):
            cut = (random.uniform(0, 0.25, 4) * [*picture.size, *picture.size]).astype(int)
            part = picture.crop((cut[0], cut[1], picture.width - cut[2], picture.height - cut[3]))
            part.thumbnail((SIDE, SIDE))
            data = io.BytesIO()
            ImageEnhance.Brightness(part).enhance(random.uniform(0.7, 1.3)).save(data, "JPEG", quality=80)
            made.append(Thumb(data.getvalue(), *part.size))
    return made


def record(number: int, thumb: Thumb, cluster: int) -> ImageRecord:
    """The image of this number, with metadata that follow its cluster in part."""
    facts = {
        "title": f"Picture {number}",
        "artist": f"Artist {cluster % 40 if number % 3 else number % 2000}",
        "school": SCHOOLS[cluster % 7 if number % 4 else number % 7],
        "year": 1400 + (cluster * 37 + number * 7919 % 90) % 500,
        "height_cm": round(20 + number * 104729 % 2800 / 10, 1),
        "inventory": f"INV {number * 15485863 % 10**7:07d}",
    }
    if not number % 10:
        del facts["year"]
    sha = hashlib.sha256(f"{number}".encode()).hexdigest()
    size = (len(thumb.jpeg), 0.0, facts, thumb.jpeg, thumb.width, thumb.height)
    return ImageRecord(f"{number}.jpg", sha, 4 * thumb.width, 4 * thumb.height, *size)


def head_stats(ids: np.ndarray, random: np.random.Generator) -> HeadStats:
    """Numbers about every head of every image."""
    layers, heads = np.divmod(np.arange(LAYERS * HEADS), HEADS)
    columns = ("distance", "distance_share", "distance_raw", "entropy", "mass_cls", "mass_patches", "peak")
    values = {name: random.random(len(ids) * LAYERS * HEADS, dtype=np.float32) for name in columns}
    return HeadStats(np.repeat(ids, len(layers)), np.tile(layers, len(ids)), np.tile(heads, len(ids)), values)


def rollouts(ids: np.ndarray, random: np.random.Generator) -> AttentionMaps:
    """A map of each image, with a bright spot somewhere."""
    y, x = np.mgrid[:16, :16]
    places = random.uniform(0, 16, (2, len(ids), 1, 1))
    weights = np.exp(-((y - places[0]) ** 2 + (x - places[1]) ** 2) / 20).astype(np.float32)
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    layers, heads = np.full(len(ids), LAYERS - 1), np.full(len(ids), FUSED)
    return AttentionMaps(weights, layers, heads, ids, "rollout")


def clusters(n: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres (k, 2), the cluster of each point (n,) and the points (n, 2): clusters of many sizes, little between."""
    count = max(4, int(np.sqrt(n) / 3))
    centres, spread = random.uniform(0, 20, (count, 2)), random.gamma(2.0, 0.25, count)
    which = random.choice(count, n, p=random.dirichlet(np.full(count, 1.5)))
    return centres, which, centres[which] + random.normal(size=(n, 2)) * spread[which, None]
