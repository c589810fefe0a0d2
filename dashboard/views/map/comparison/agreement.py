"""How much of each picture's neighbourhood two maps have in common: measured, said, drawn and taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard.compute.neighbours import maps
from dashboard.compute.neighbours.maps import Agreement, Search
from dashboard.data import cache
from dashboard.data.layouts import LayoutOptions
from dashboard.drawing import tables
from dashboard.drawing.charts import ACCENT, GREY
from dashboard.drawing.colours import UNKNOWN, Colours
from dashboard.selection import actions
from dashboard.selection.files import file_name
from dashboard.state import controls
from dashboard.views.map import window
from store.counts import counted
from store.records import RunRecord

COLUMN = "neighbourhood_agreement"  # in files
LISTED = 24  # pictures in the gallery
ENDS = {"least": "agree least", "most": "agree most"}
IN_FEATURES = (
    "Neighbours are the pictures whose features are most similar (cosine) in each run; where the maps have them plays "
    "no part."
)
IN_PLANES = "Neighbours are the pictures that lie nearest on each map."
FEW = "Fewer than three pictures are in both, too few to compare neighbours."


@dataclass(frozen=True)
class Plane:
    """A run's projection, laid out in some way."""

    run: RunRecord
    projection: dict
    options: LayoutOptions

    @property
    def number(self) -> int:
        """The projection_id."""
        return int(self.projection["projection_id"])

    @property
    def address(self) -> str:
        """Changes with where the pictures lie."""
        return cache.points_route(self.number, self.options) or ""


def by_features(first: Plane, second: Plane) -> bool:
    """Whether features are compared, those of two runs; else the places in two layouts of one run."""
    return first.run.run_id != second.run.run_id


def key(first: Plane, second: Plane) -> tuple[str, ...]:
    """What the agreement of two maps depends on."""
    if by_features(first, second):
        return "features", str(first.run.run_id), str(second.run.run_id)
    return "places", first.address, second.address


def measure(first: Plane, second: Plane, k: int) -> Agreement | None:
    """The agreement of two maps, measured once for a state of the database."""

    def make() -> Agreement | None:
        found = features(first, second) if by_features(first, second) else places(first, second)
        return maps.agreement(*found[0], k, *found[1:])

    return cache.measured(make, "agreement", k, key(first, second))


Images = tuple[np.ndarray, np.ndarray]
Compared = tuple[Images, Callable[[np.ndarray], tuple[Search, Search]], int]


def features(first: Plane, second: Plane) -> Compared:
    """The images of two runs, the searches among those that both have, and how long their vectors are."""
    found = [cache.features(each.run.run_id) for each in (first, second)]

    def search(ids: np.ndarray, matrix: np.ndarray, both: np.ndarray) -> Search:
        return maps.in_features(matrix if len(ids) == len(both) else matrix[np.searchsorted(ids, both)])

    (one, a), (other, b) = found
    dim = max(a.shape[1], b.shape[1])
    return (one, other), lambda both: (search(one, a, both), search(other, b, both)), dim


def places(first: Plane, second: Plane) -> Compared:
    """The same of two layouts of a run."""

    def placed(each: Plane) -> tuple[np.ndarray, np.ndarray]:
        layout, xy = cache.layout(each.number), cache.places(each.number, each.options)
        if layout is None or xy is None:
            return np.empty(0, np.int64), np.empty((0, 2))
        order = np.argsort(layout.ids)
        return layout.ids[order], xy[order]

    def search(ids: np.ndarray, xy: np.ndarray, both: np.ndarray) -> Search:
        return maps.in_plane(xy[np.searchsorted(ids, both)])

    (one, a), (other, b) = placed(first), placed(second)
    return (one, other), lambda both: (search(one, a, both), search(other, b, both)), 2


# ---- in words -------------------------------------------------------------------------------------------------------


def say(found: Agreement | None, first: Plane, second: Plane) -> None:
    """What is found, in sentences."""
    if found is None:
        st.caption(FEW)
        return
    st.markdown(sentence(found))
    st.caption(" ".join([IN_FEATURES if by_features(first, second) else IN_PLANES, *notes(found)]))


def sentence(found: Agreement) -> str:
    """The mean, beside what chance would give."""
    shared = found.shared[found.measured]
    mean, chance = _number(shared.mean()), _number(found.chance)
    if found.k == 1:
        percent = f"**{100 * shared.mean():.0f} %** of the pictures"
        chance = f"{100 * found.chance:.2g} %"
        return f"For {percent} the nearest neighbour is the same in both; by chance it would be {chance}."
    return f"Of **{found.k}** neighbours, **{mean}** are the same in both on average; by chance it would be {chance}."


def notes(found: Agreement) -> list[str]:
    """What else is to be known of the numbers."""
    shared, n = found.shared[found.measured], len(found.ids)
    said = []
    if found.k > 1:
        said.append(f"Half of the pictures have {np.median(shared):g} or more in common.")
    if len(shared) < n:
        said.append(
            f"Measured for {len(shared):,} pictures, drawn at random, among all {n:,}; the others have no colour and "
            "are in no list."
        )
    if found.tied:
        said.append(
            f"Around {counted(found.tied, 'picture')} several are equally near, as copies are, or cells of a grid: "
            "those that were read first count as neighbours, in both alike."
        )
    only = [
        f"{counted(count, 'picture')} only the {name} has"
        for count, name in ((found.only_first, "first"), (found.only_second, "second"))
        if count
    ]
    if only:
        said.append(f"Left out: {' and '.join(only)}.")
    return said


def _number(value: float) -> str:
    return f"{value:.1f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


# ---- in colours and figures -----------------------------------------------------------------------------------------


def renamed(tints: Colours) -> Colours:
    """Colours of the agreement, with what it means to have none."""
    return replace(tints, legend=[("not measured, or in one only", tint, count) for _, tint, count in tints.legend])


def carried(tints: Colours, ids: np.ndarray, to: np.ndarray) -> Colours:
    """The colours of the images `ids` for those of another map; grey for images that the first has not."""
    known = dict(zip(ids.tolist(), tints.of, strict=True))
    return replace(tints, of=[known.get(image_id, UNKNOWN) for image_id in to.tolist()])


def show(found: Agreement, first: Plane, second: Plane, ids: np.ndarray | None) -> None:
    """The histogram, the pictures at either end, and the file."""
    left, right = st.columns([2, 5], gap="medium")
    with left:
        st.markdown(sentence(found))
        st.plotly_chart(histogram(found), key="agreement_chart", config={"displayModeBar": False})
        st.download_button(
            "Agreement as CSV",
            lambda: tables.safe_csv(table(found, first, second)),
            file_name(f"agreement-{first.run.collection}-{first.number}-{second.number}") + ".csv",
            "text/csv",
            key="agreement_csv",
            on_click="ignore",
            icon=":material/download:",
            help="Each picture of both maps with its places and how many neighbours are the same.",
        )
    with right:
        end = controls.segmented_control(
            "Pictures that", list(ENDS), key="compare_end", format_func=ENDS.__getitem__, label_visibility="collapsed"
        )
        among = found.ids if ids is None else ids
        chosen = found.extremes(among, LISTED, end == "most")
        shared = found.among(chosen) * found.k
        captions = {int(i): f"{value:.0f} of {found.k} the same" for i, value in zip(chosen, shared, strict=True)}
        actions.gallery(cache.items(chosen, captions), "agreement_wall", 110, handler=_done)
        if ids is not None:
            st.caption("Among the pictures that the filter leaves.")


def _done(key: str, by_parts: bool) -> None:
    """Callback of the gallery. The first picture that is selected in it opens no panel: that would narrow both maps, on
    which the picture is now seen, and move the gallery from under the mouse."""
    window.stay_closed(lambda: actions.on_done(key, by_parts))


def histogram(found: Agreement) -> go.Figure:
    """How many pictures have how many neighbours in common, with what chance would give on average."""
    counts = found.counts()
    figure = go.Figure(
        go.Bar(
            x=list(range(found.k + 1)),
            y=counts.tolist(),
            marker_color=ACCENT,
            hovertemplate="%{y} pictures: %{x} the same<extra></extra>",
        )
    )
    figure.add_vline(
        x=found.chance,
        line={"color": GREY, "dash": "dot"},
        annotation_text="chance",
        annotation_font_size=11,
        annotation_yshift=16,
    )
    figure.update_layout(
        height=170,
        margin={"l": 10, "r": 10, "t": 18, "b": 10},
        bargap=0.15,
        xaxis_title=f"of {counted(found.k, 'neighbour')} the same",
        yaxis_title="pictures",
        **({"xaxis_dtick": 1} if found.k <= 12 else {}),
    )
    return figure


def table(found: Agreement, first: Plane, second: Plane) -> pd.DataFrame:
    """image_id, path, the places in both maps, neighbours, shared_neighbours and their share, empty where it was not
    measured."""
    paths = cache.images(first.run.collection)["path"]
    shared = [None if np.isnan(value) else int(value) for value in found.shared]
    columns: dict[str, object] = {"image_id": found.ids, "path": paths.reindex(found.ids).to_numpy()}
    for name, plane in (("first", first), ("second", second)):
        layout, xy = cache.layout(plane.number), cache.places(plane.number, plane.options)
        if layout is not None and xy is not None:
            points = pd.DataFrame(xy, index=layout.ids).reindex(found.ids)
            columns |= {f"{name}_x": points[0].to_numpy(), f"{name}_y": points[1].to_numpy()}
    columns |= {"neighbours": found.k, "shared_neighbours": pd.array(shared, dtype="Int64"), COLUMN: found.share}
    return pd.DataFrame(columns)
