"""The evaluations in the database in view, as the page Trust asks for them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dashboard.data.cache.memory import ask_cached, whole_numbers
from store import evaluations
from store.evaluations import StoredTruth


def of_run(run_id: int) -> list[dict[str, Any]]:
    """evaluation_id, truth, condition, images, left_out, settings, created_at of a run's evaluations, the newest
    first."""
    return ask_cached(evaluations.evaluations, run_id=run_id)


def results(evaluation_id: int) -> pd.DataFrame:
    """The rows of the view `evaluations` of one, the head -1 where maps belong to none."""
    return ask_cached(evaluations.results, evaluation_id=evaluation_id)


def examples(evaluation_id: int, method: str, target: str, layer: int, head: int, metric: str) -> pd.DataFrame:
    """image_id, split, value of the pictures behind one map, the highest first."""
    which = {"method": method, "target": target, "layer": layer, "head": head, "metric": metric}
    return ask_cached(evaluations.examples, evaluation_id=evaluation_id, **which)


def truths(evaluation_id: int, image_ids: Sequence[int]) -> dict[int, StoredTruth]:
    """{image_id: what is known of it} of these pictures."""
    return ask_cached(evaluations.truths, evaluation_id=evaluation_id, image_ids=whole_numbers(image_ids))
