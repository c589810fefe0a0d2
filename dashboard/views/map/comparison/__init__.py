"""Another map beside the first: which one, and how much of each picture's neighbourhood is the same in both."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.components import canvas
from dashboard.compute import words
from dashboard.compute.neighbours.maps import Agreement
from dashboard.data import cache
from dashboard.data.layouts import LayoutOptions
from dashboard.drawing import colours
from dashboard.drawing.text import glossary
from dashboard.drawing.text import projections as projection_text
from dashboard.state import controls, url
from dashboard.views.map import canvases
from dashboard.views.map import layout as map_layout
from dashboard.views.map.comparison import agreement
from dashboard.views.map.comparison.agreement import Plane
from store.atlas import Layout
from store.counts import counted
from store.records import RunRecord

COLOUR = "neighbourhood agreement"  # among the columns that frames are coloured by, and in the glossary
SECOND, LAYOUT, LINES, NEIGHBOURS, PICTURES = (
    "compare", "compare_layout", "compare_lines", "compare_k", "compare_list",
)  # fmt: skip
NONE = 0  # no second map
VIEW = "map_view2"  # the part in view of the second map, which the browser writes
MOST = 100  # neighbours
NO_OTHER = (
    "Another run of this collection stands here once there is one: the same `python -m ingest run` as before, with "
    "another `--model`, `--fit` or `--size`."
)
HELP = "A second map beside this one: another network, or the same pictures laid out in another way."
SAME = "Both maps are the same. Choose another layout for the second."


@dataclass(frozen=True)
class Second:
    """The map beside the first: the `plane` of each, where the agreement is said in the drawer, and what is read along
    with the maps `below` them, whether these are not the same, and what was chosen."""

    first: Plane
    plane: Plane
    layout: Layout
    place: DeltaGenerator
    below: DeltaGenerator
    different: bool
    lines: bool
    k: int
    listed: bool

    @property
    def titles(self) -> tuple[str, str]:
        """What each map is, in a line, and below it the run."""
        one, other = self.first, self.plane
        names = [map_layout.described(each.projection, each.options) for each in (one, other)]
        runs = _run_names(one.run, other.run)
        return f"{names[0]}\n{runs[0]}", f"{names[1]}\n{runs[1]}"

    @property
    def other_map(self) -> str:
        """The second map in one line."""
        return self.titles[1].replace("\n", ", ")

    @property
    def key(self) -> tuple[str, ...]:
        """What the agreement depends on."""
        return (*agreement.key(self.first, self.plane), str(self.k))


def drawer(run: RunRecord, projection: dict, layout_options: LayoutOptions, below: DeltaGenerator) -> Second | None:
    """The choice of a second map; None for none. What is found comes into the drawer, and `below` the maps."""
    offered = maps(run, projection)
    named = {"format_func": words.named({NONE: "none"} | {i: name for i, (_, _, name) in offered.items()})}
    options = [NONE, *offered]
    chosen = controls.option(options, key=SECOND, **named)
    kind = "primary" if chosen else "secondary"
    with st.popover("Compare", icon=":material/compare:", key="map_compare", type=kind):
        alone = len({other.run_id for other, _, _ in offered.values()}) < 2
        meaning = f"{HELP} {NO_OTHER}" if alone else HELP
        chosen = controls.selectbox("Second map", options, key=SECOND, help=meaning, **named)
        if not chosen:
            return None
        other_run, other, _ = offered[chosen]
        same = other["projection_id"] == projection["projection_id"]
        first = "grid" if same and layout_options.layout == "projection" else "projection"
        with st.container(horizontal=True):
            other_options = map_layout.options_of(other_run, map_layout.columns_of(other_run, chosen), LAYOUT, first)
        layout = cache.layout(chosen)
        if layout is None or not cache.points_route(chosen, other_options):
            st.caption("This map has no points any more. Choose another one.")
            return None
        lines = controls.toggle(
            "Lines between the two places", key=LINES, help="Of the selected pictures, or of the one under the pointer."
        )
        k = controls.number_input("Neighbours", 1, MOST, 10, key=NEIGHBOURS, help=glossary.meaning(COLOUR))
        place = st.container(gap="small")
        planes = Plane(run, projection, layout_options), Plane(other_run, other, other_options)
        different = not (same and planes[0].address == planes[1].address)
        listed = different and controls.toggle("Pictures that agree least and most", key=PICTURES)
        if different:
            st.button(
                "Colour both maps by the agreement", key="compare_colour", on_click=_colour, icon=":material/palette:"
            )
        return Second(*planes, layout, place, below, different, lines, int(k), listed)


def maps(run: RunRecord, projection: dict) -> dict[int, tuple[RunRecord, dict, str]]:
    """{projection_id: (run, projection, name)} of the maps that can stand beside one: the run's others, itself, which
    can be laid out otherwise, and those of other runs of the collection, the newest first."""
    others = [each for each in reversed(cache.runs(run.collection)) if each.run_id != run.run_id and not each.is_probe]
    found = {}
    for each in (run, *others):
        rows = cache.projections(each.run_id)
        rows = {row["projection_id"]: row for row in rows[rows["points"] > 0].to_dict("records")}
        labels = map_layout.labels_of(rows) | map_layout.settings_of(rows)
        for number, name in labels.items():
            whole = f"{name} of run {_apart(each, run)}" if each is not run else name
            found[number] = (
                each,
                rows[number],
                f"{whole}, laid out otherwise" if number == projection["projection_id"] else whole,
            )
    own = found.pop(projection["projection_id"], None)
    place = sum(each.run_id == run.run_id for each, _, _ in found.values())
    items = list(found.items())
    return dict([*items[:place], *([(projection["projection_id"], own)] if own else []), *items[place:]])


def _run_names(one: RunRecord, other: RunRecord) -> tuple[str, str]:
    """Runs by number and network, and where that is the same by how pictures were fitted."""

    def name(run: RunRecord) -> str:
        fitted = f", {run.fit} {run.size}" if _alike(one, other) else ""
        return f"Run {run.run_id}: {run.title}{fitted}"

    return name(one), name(other)


def _apart(run: RunRecord, other: RunRecord) -> str:
    """A run by its number and by what distinguishes it from the other one, as short as can be."""
    return f"{run.run_id}, {run.fit} {run.size}" if _alike(run, other) else f"{run.run_id}: {run.title}"


def _alike(run: RunRecord, other: RunRecord) -> bool:
    return run.run_id != other.run_id and run.title == other.title and bool(run.size)


def _colour() -> None:
    st.session_state["map_colour"] = COLOUR


def tint(second: Second, first: Layout) -> colours.Colours:
    """The colours of the agreement, in the order of the first map."""

    def make() -> colours.Colours:
        found = measure(second)
        shared = np.full(len(first.ids), np.nan) if found is None else found.among(first.ids) * found.k
        values = [None if np.isnan(value) else float(value) for value in shared]
        tints = colours.colour(values, "number")
        return agreement.renamed(tints)

    return cache.remembered(make, "agreement colours", second.first.number, first.version, second.key)


def title(second: Second) -> str:
    """What these colours mean."""
    found = measure(second)
    neighbours = counted(second.k if found is None else found.k, "neighbour")
    both = "runs" if agreement.by_features(second.first, second.plane) else "maps"
    return f"how many of {neighbours} are the same in both {both}"


def measure(second: Second) -> Agreement | None:
    """The agreement of the two maps; None where they are the same map, or too few pictures are in both. It takes some
    seconds at 10,000 pictures, and says so where that is seen."""
    if not second.different:
        return None
    pictures = counted(len(second.layout.ids), "picture")
    with second.below, st.spinner(f"Comparing the neighbours of {pictures} …"):
        return agreement.measure(second.first, second.plane, second.k)


def draw(second: Second, first: Layout, looks: canvases.Looks, clusters: bool = False) -> None:
    """The second canvas, its frames in the colours that the pictures have on the first; with its own `clusters`, where
    it has any and shows them."""
    layout, plane = second.layout, second.plane
    outlined = clusters and plane.options.layout == "projection" and cache.clusters(plane.number) is not None
    source = canvases.source_of(layout, plane.number, plane.options, outlined, second=True)
    key = (*looks.key, str(second.first.run.run_id), str(second.first.number), first.version)
    if (tints := looks.tints) is not None:
        colours = cache.remembered(
            lambda: agreement.carried(tints, first.ids, layout.ids), "carried", key, layout.version
        )
        looks = replace(looks, tints=colours, key=key)
    canvases.draw(layout, source, projection_text.title(plane.projection), looks, pairing(second, True), first)


def clear_address() -> None:
    """Take what belongs to a second map out of the address. To be called where there is none."""
    for key in (LAYOUT, f"{LAYOUT}_by", LINES, NEIGHBOURS, PICTURES, "compare_end", VIEW):
        if url.words(key):
            url.put(key, [])


def pairing(second: Second, is_second: bool = False) -> canvas.Pairing:
    """One of the two maps as the canvas takes it."""
    return canvas.Pairing(canvases.token(), second.titles[is_second], is_second, second.lines)


def results(second: Second, ids: np.ndarray | None) -> Agreement | None:
    """What is found, said in the drawer and, where it is asked for, shown below the maps, of pictures among `ids`, None
    for all. To be called after the maps are drawn: they need not wait."""
    found = measure(second)
    with second.place:
        if not second.different:
            st.caption(SAME)
            return None
        agreement.say(found, second.first, second.plane)
    if found is not None and second.listed:
        with second.below, st.container(key="map_agreement_below"):
            agreement.show(found, second.first, second.plane, ids)
    return found
