"""What the frames of the pictures on the map mean: a column of the metadata, clusters, or how near words are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from dashboard.components import canvas
from dashboard.compute.clusters import Group
from dashboard.data import cache
from dashboard.data.layouts import CLUSTER
from dashboard.drawing import colours
from dashboard.state import filter_bar, widgets
from dashboard.state.widgets import Words
from dashboard.views.map.clusters import LEVEL, level
from ingest.vision.spaces import is_joint
from store.atlas import Layout
from store.counts import counted
from store.facets import TAG
from store.records import RunRecord
from store.texts import nearest_condition

WORDS = "words …"  # among the columns


def choices(run: RunRecord, columns: list[str]) -> list[str]:
    """What the frames can be coloured by."""
    return [*columns, *([WORDS] if is_joint(run.settings) else [])]


def is_of_tags(run: RunRecord, column: str) -> bool:
    """Whether a column is the tags of the pictures, and not metadata of that name."""
    return column == TAG and TAG not in cache.metadata_columns(run.collection)


def words_of(run: RunRecord, column: str | None) -> Words:
    """The words that the frames are coloured by, with the field for them and a way to filter by them."""
    if column != WORDS:
        return Words()
    asked = widgets.words_field(run)
    if len(asked.wanted) == 1 and not asked.unwanted:
        keep(run, asked)
    return asked


def keep(run: RunRecord, asked: Words) -> None:
    """The way from words to the filter: those pictures of the run that are nearest to them."""
    share = st.number_input("Nearest, in %", 0.1, 100.0, 10.0, 1.0, key="_map_nearest", format="%g")
    count = max(1, round(run.images * share / 100))
    text = asked.wanted[0].text
    st.button(
        f"Filter: the {counted(count, 'picture')} nearest to it",
        key="_map_filter_words",
        icon=":material/filter_alt:",
        on_click=filter_bar.set_sql,
        args=(nearest_condition(run.run_id, text, count),),
    )


def title(column: str | None, asked: Words) -> str | None:
    """What the colours mean, in words; None where there are none."""
    if column != WORDS:
        return column
    return f"percent of the pictures that are less like {asked}" if asked else None


def tint(
    layout: Layout, run: RunRecord, projection_id: int, column: str | None, asked: Words
) -> colours.Colours | None:
    """The colours of the frames, in the order of the layout."""
    if title(column, asked) is None:
        return None

    def make() -> colours.Colours:
        if column == WORDS:
            return colours.colour(nearness(run, layout, asked), "number")
        if column == CLUSTER and (found := cache.clusters(projection_id, level(projection_id))) is not None:
            return of_clusters(found.among(layout.ids), cache.cluster_groups(projection_id, found.level))
        assert column is not None
        if is_of_tags(run, column):
            tags = cache.tags_of(layout.ids)["tags"]
            return colours.colour([tuple(each) or None for each in tags], "text")
        values = cache.catalogue_with_labels(run).set_index("image_id")[column].reindex(layout.ids)
        kind = cache.columns_with_labels(run)[column]
        known = zip(values.astype(object), values.notna(), strict=True)
        return colours.colour([value if there else None for value, there in known], kind)

    return cache.remembered(make, "map", projection_id, layout.version, run.run_id, state(run, column, asked))


def of_clusters(of: np.ndarray, groups: Sequence[Group]) -> colours.Colours:
    """Colours of pictures by their clusters (n,), 0 for none: those that somebody gave, else one after the other."""
    names = {group.number: group.name for group in groups}
    own = {group.number: group.colour for group in groups if group.colour}
    found = colours.colour([names.get(number) for number in of.tolist()], "text")
    tints = [own.get(number, tint) for number, tint in zip(of.tolist(), found.of, strict=True)]
    by_name = {names[number]: colour for number, colour in own.items()} | {"not given": colours.UNKNOWN}
    none = {"not given": "in no cluster"}
    legend = [(none.get(name, name), by_name.get(name, tint), n) for name, tint, n in found.legend]
    return replace(found, of=tints, legend=legend)


def state(run: RunRecord, column: str | None, asked: Words) -> tuple[str, ...]:
    """What the colours depend on: the column, the words, and what people say where the column is tags, a vocabulary,
    which has thresholds, or clusters, which have names."""
    wanted, unwanted = (tuple(each.text for each in texts) for texts in (asked.wanted, asked.unwanted))
    return (
        column or "",
        *wanted,
        "unlike",
        *unwanted,
        cache.state() if column in (CLUSTER, TAG) or column in cache.vocabulary_columns(run) else "",
        str(st.session_state.get(LEVEL)) if column == CLUSTER else "",
    )


def nearness(run: RunRecord, layout: Layout, asked: Words) -> list[float | None]:
    """Of each picture of a layout how many percent of the run's pictures are less like the words; None for pictures
    without a feature, or where words cancel each other out."""
    from ingest.vision.words import scores

    ids, matrix = cache.features(run.run_id)
    direction = asked.direction()
    if direction is None:
        return [None] * len(layout.ids)
    known = dict(zip(ids.tolist(), scores.percentile(matrix @ direction).tolist(), strict=True))
    return [known.get(image_id) for image_id in layout.ids.tolist()]


def legend(tints: colours.Colours, column: str) -> canvas.Legend:
    """What the colours mean."""
    if tints.bar is None:
        return canvas.Legend(column, tints.legend)
    low, high = tints.bar
    marks = tints.ticks or [(value, f"{value:.6g}") for value in ([low, high] if high > low else [low])]
    ticks = [((value - low) / ((high - low) or 1), text) for value, text in marks]
    return canvas.Legend(column, tints.legend, ticks, colours.SCALE)
