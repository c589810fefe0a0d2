"""A bright object on a plain ground, at forty places: how often is a map's greatest weight on it?

The table is printed (`pytest -s tests/vision/test_planted.py`), and the README quotes it. Two of its rows are
checked on fewer pictures each time.
"""

import numpy as np
import pytest
import torch

from ingest.vision.attention.daam import accumulate
from ingest.vision.explaining import Asked, explain_pictures
from ingest.vision.targets import Bank, make_target

PLACES, SIDE, PATCH, RADIUS = 40, 224, 14, 14
GRID = SIDE // PATCH
# What the README says of these: all forty.
QUOTED = (
    "CLS rows, mean of the heads of the last four layers",
    "rollout",
    "DAAM, label-free, all blocks added",
    "Chefer, label-free",
    "gradient rollout, label-free",
)


def planted(count: int) -> tuple[torch.Tensor, np.ndarray]:
    """Pictures (count, SIDE, SIDE, 3) uint8 and the patches that the object touches (count, GRID, GRID)."""
    random = np.random.default_rng(20)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    pictures, touched = [], []
    for _ in range(count):
        row, col = random.uniform(RADIUS, SIDE - RADIUS, 2)
        inside = (y - row) ** 2 + (x - col) ** 2 <= RADIUS**2
        ground = np.full((SIDE, SIDE, 3), random.integers(60, 110), np.uint8)
        ground[inside] = (250, 235, 160)
        pictures.append(ground)
        touched.append(inside.reshape(GRID, PATCH, GRID, PATCH).any(axis=(1, 3)))
    return torch.from_numpy(np.stack(pictures)), np.stack(touched)


def found_share(maps: np.ndarray, touched: np.ndarray) -> float:
    """The share of maps (n, patches) whose greatest weight lies on a touched patch (n, rows, cols)."""
    best = maps.reshape(len(maps), -1).argmax(axis=1)
    return float(touched.reshape(len(maps), -1)[np.arange(len(maps)), best].mean())


@pytest.mark.slow
def test_the_object_is_found_far_more_often_than_by_chance_by_all_methods(packaged):
    pictures, touched = planted(PLACES)
    plain = ["cls", "rollout", "received"]
    gathered: dict[str, list] = {}
    batches = pictures.split(8)
    looks = [explain_pictures(packaged, batch, [Asked(key) for key in plain]) for batch in batches]
    bank = Bank(np.arange(PLACES), torch.cat([look.features for look in looks]).numpy())
    target = make_target("neighbours:20", packaged, bank)
    for number, (batch, look) in enumerate(zip(batches, looks, strict=True)):
        ids = list(range(8 * number, 8 * number + len(batch)))
        explained = ["daam", "chefer", "gradient_rollout"]
        told = explain_pictures(packaged, batch, [Asked(key) for key in explained], target, image_ids=ids)
        cls, rollout, received, daam, chefer, gradient = (found.weights.numpy() for found in [*look.maps, *told.maps])
        by_layer = cls.reshape(len(batch), 12, 6, -1)
        for name, maps in {
            "CLS rows, mean of the heads of the last four layers": by_layer[:, -4:].mean(axis=(1, 2)),
            "CLS rows, mean of the heads of the last layer": by_layer[:, -1].mean(axis=1),
            "attention received, mean of the heads of the last layer": received.reshape(by_layer.shape)[:, -1].mean(
                axis=1
            ),
            "rollout": rollout[:, -1],
            "DAAM, label-free, all blocks added": np.stack([accumulate(each)[-1] for each in daam]),
            "Chefer, label-free": chefer[:, -1],
            "gradient rollout, label-free": gradient[:, -1],
        }.items():
            gathered.setdefault(name, []).append(maps)
    found = {name: found_share(np.concatenate(maps), touched) for name, maps in gathered.items()}
    found["a patch at random"] = float(touched.mean())
    print(f"\nShare of {PLACES} places where the greatest weight lies on the object (packaged weights)")
    for name, share in found.items():
        print(f"{share:6.0%}  {name}")
    assert found["a patch at random"] < 0.05
    assert all(found[name] > 0.8 for name in QUOTED)


def test_the_object_is_found_far_more_often_than_by_chance(packaged):
    pictures, touched = planted(8)
    look = explain_pictures(packaged, pictures, [Asked("cls")])
    target = make_target("neighbours:5", packaged, Bank(np.arange(8), look.features.numpy()))
    told = explain_pictures(packaged, pictures, [Asked("daam")], target, image_ids=list(range(8)))
    late = look.maps[0].weights.numpy().reshape(8, 12, 6, -1)[:, -4:].mean(axis=(1, 2))
    gathered = np.stack([accumulate(each)[-1] for each in told.maps[0].weights.numpy()])
    assert touched.mean() < 0.05
    assert found_share(late, touched) > 0.8 and found_share(gathered, touched) > 0.8


def test_a_share_counts_only_what_lies_on_the_object():
    touched = np.zeros((2, 2, 3), bool)
    touched[:, 1, 2] = True
    maps = np.zeros((2, 6))
    maps[0, 5], maps[1, 4] = 1, 1
    assert found_share(maps, touched) == 0.5
