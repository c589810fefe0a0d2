"""The trainings in the database in view, as the pages ask for them."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dashboard.data.cache.memory import ask, whole_numbers
from store import training


def trainings() -> list[dict[str, Any]]:
    """All trainings, the newest first, as the view training_runs has them, `parameters` and `config` read."""
    found = ask(training.trainings)
    return [{**each, **{name: json.loads(each[name]) for name in ("parameters", "config")}} for each in found]


def metrics(training_ids: Sequence[int]) -> pd.DataFrame:
    """training_id, epoch, split, task, metric, value of these trainings, in that order."""
    return ask(training.metrics, training_ids=whole_numbers(training_ids))


def examples(training_id: int) -> list[dict[str, Any]]:
    """Pictures of a training's test: name, width, height, jpeg, labels, predictions, boxes, patches."""
    found = ask(training.examples, training_id=training_id)
    return [{**each, **{name: json.loads(each[name]) for name in ("labels", "predictions", "boxes")}} for each in found]
