"""The selected pictures, and their rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dashboard.data import cache
from store.counts import counted


@dataclass(frozen=True)
class Selection:
    """Pictures `ids` (n,) of a collection, out of those that could have been selected, `among` (m,), both int64 and
    ascending. `places` holds more columns to tell of them, indexed by image_id; `name` is for files; `sql` is the
    statement that found them, if one did."""

    collection: str
    ids: np.ndarray
    among: np.ndarray
    places: pd.DataFrame = field(default_factory=pd.DataFrame)
    name: str = "selection"
    sql: str = ""

    def rows(self) -> pd.DataFrame:
        """The rows of the catalogue, `places`, and where there are any tags, notes, and the names of the columns whose
        value was corrected."""
        rows = cache.catalogue(self.collection).set_index("image_id").loc[self.ids]
        more = self.places.reindex(self.ids) if len(self.places) else pd.DataFrame(index=rows.index)
        tags = cache.tags_of(self.ids)["tags"].str.join("; ").to_numpy()
        if (tags != "").any():
            more = more.assign(tags=tags)
        written = cache.notes(self.ids.tolist())
        if len(written):
            notes = written.groupby("image_id")["note"].agg("\n".join).reindex(self.ids).fillna("")
            more = more.assign(notes=notes.to_numpy())
        wrong = cache.corrections(self.collection)
        if len(wrong := wrong[wrong["image_id"].isin(self.ids)]):
            columns = wrong.groupby("image_id")["column"].agg("; ".join).reindex(self.ids).fillna("")
            more = more.assign(corrected=columns.to_numpy())
        return rows.drop(columns=more.columns, errors="ignore").join(more).rename_axis("image_id").reset_index()


def pictures(count: int) -> str:
    """How many, in words."""
    return counted(count, "picture")
