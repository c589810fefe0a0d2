"""What each way of fitting costs and gives: how much of a picture is seen, whether artists are found, images a second."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ingest.runs import Settings
from ingest.sources.registry import list_source
from ingest.sources.request import Request
from ingest.vision.backbones import load
from ingest.vision.embedding import embed
from ingest.vision.geometry import FITS, Frame, fit_image
from ingest.vision.loader import decode
from ingest.workflow import observe_collection
from tests.bench.ingest_rate import PAINTINGS, Quiet, make_files
from tests.bench.timing import table

K = 5
TIMED = ("crop", "aspect")  # of stretch and pad the network's input is that of crop
RATED = 320  # files for each ingest: as many as fill most batches of one grid
ROUNDS = 3


def measure(model: str = "packaged", rounds: int = ROUNDS) -> str:
    """The table of all fits, each figure also as a multiple of crop's."""
    backbone = load(model)
    with (PAINTINGS / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pictures = [decode(PAINTINGS / row["file"]).image for row in rows]
    artists = [row["artist"] for row in rows]
    seen, found = {}, {}
    for fit in FITS:
        frames = [fit_image(picture, backbone.rule, fit)[1] for picture in pictures]
        seen[fit] = float(np.mean([seen_share(frame, *p.size) for frame, p in zip(frames, pictures, strict=True)]))
        found[fit] = same_artist(embed(backbone, pictures, fit), artists)
    rates = _rates(model, rounds)
    lines = [
        [fit, *_against(seen, fit, ".1%"), *_against(found, fit, ".1%"), *_against(rates, fit, ".1f")] for fit in FITS
    ]
    counted = sum(artists.count(artist) > 1 for artist in artists)
    texts = (
        f"{backbone.title}, {len(rows)} paintings. Seen: the share of a picture's area, mean. Same artist: of the {K} "
        f"nearest by cosine, or as many as the artist has other pictures here, the share by the same artist; mean over "
        f"the {counted} pictures whose artist has another. Images a second: `run` with cls, rollout and head_stats over "
        f"{RATED} JPEG files of many shapes, loading the network not counted, the mean of {rounds} rounds in which "
        f"{' and '.join(TIMED)} take turns; not measured for the others, whose input is as large as that of crop."
    )
    head = ["fit", "seen", "to crop", f"same artist at {K}", "to crop", "images/s", "to crop"]
    return f"## What the network sees\n\n{texts}\n\n" + table(head, lines)


def _against(values: dict[str, float], fit: str, pattern: str) -> list[str]:
    if fit not in values:
        return ["", ""]
    return [format(values[fit], pattern), f"{values[fit] / values['crop']:.2f}"]


def seen_share(frame: Frame, width: int, height: int) -> float:
    """The share of a picture of `width` × `height` that lies in the frame."""
    across = min(frame.x1, width) - max(frame.x0, 0)
    down = min(frame.y1, height) - max(frame.y0, 0)
    return across * down / (width * height)


def same_artist(vectors: np.ndarray, artists: Sequence[str], k: int = K) -> float:
    """Precision at k of vectors (n, dim), L2-normalised: mean over the pictures whose artist has another one. An artist
    with fewer than k others is asked for as many as there are, so that 1 can be reached."""
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")
    names = np.array(artists)
    shares = []
    for place, name in enumerate(names):
        others = int((names == name).sum()) - 1
        if others:
            nearest = order[place, : min(k, others)]
            shares.append(float((names[nearest] == name).mean()))
    return float(np.mean(shares))


def _rates(model: str, rounds: int) -> dict[str, float]:
    """Images per second of whole ingests with the fits TIMED, which take turns in being first."""
    rates: dict[str, list[float]] = {fit: [] for fit in TIMED}
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder) / "files", RATED)
        for turn in range(rounds):
            for fit in TIMED if turn % 2 == 0 else reversed(TIMED):
                db, report = Path(folder) / f"{fit}-{turn}.duckdb", Quiet()
                listing = list_source(db, Request(str(Path(folder) / "files")), report)
                settings = Settings(model=model, methods=("cls", "rollout"), fit=fit)
                counts = observe_collection(db, listing, settings, "run", report)
                assert counts["new"] == RATED, counts
                rates[fit].append(counts["images_per_second"])
    return {fit: float(np.mean(each)) for fit, each in rates.items()}


if __name__ == "__main__":
    print(measure())
