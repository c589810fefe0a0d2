"""How a map was made: a sentence to cite it with, and the settings to make another one with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.drawing.text import inputs
from dashboard.drawing.text import projections as projection_text
from dashboard.state.busy import jobs
from store.counts import counted
from store.records import RunRecord

CHARACTERS = 12  # of a fingerprint of weights that tell it from all others


def show(run: RunRecord, projection: Mapping[str, Any], pictures: int) -> None:
    """Folded: who needs it looks for it once."""
    with st.expander("How this map was made", icon=":material/format_quote:", key="map_origin"):
        st.code(citation(run, projection, pictures), language=None, wrap_lines=True)
        make_another(run, projection)


def citation(run: RunRecord, projection: Mapping[str, Any], pictures: int) -> str:
    """All that somebody needs to make the map again, in one sentence."""
    made, method = projection["created_at"], projection_text.title(projection)
    version = run.versions.get("bilderatlas", "")
    return (
        f"Map of {counted(pictures, 'picture')} of the collection {run.collection} by {method} "
        f"({projection_text.settings(projection)}) of the features of {run.title} (weights "
        f"{run.weights_sha256[:CHARACTERS]}, {inputs.of_run(run)}), made on {made.day} {made:%B %Y} with Bilderatlas"
        f"{version and f' {version}'}."
    )


def make_another(run: RunRecord, projection: Mapping[str, Any]) -> None:
    """Fields for the settings that can be changed, and the button that makes a map with them beside this one."""
    limits, own = projection_text.adjustable(projection), projection_text.settings_of(projection)
    if not limits:
        return
    wanted = {}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for name, (low, high) in limits.items():
            kind, word = type(own[name]), projection_text.word(name)
            wanted[name] = st.number_input(
                word[:1].upper() + word[1:],
                kind(low),
                kind(high),
                own[name],
                key=f"map_{projection['projection_id']}_{name}",
                help=projection_text.help_of(name),
                width=150,
            )
    if wanted == {name: own[name] for name in limits}:
        st.caption("Change a number to make another map beside this one.")
        return
    words = ", ".join(projection_text.spoken(name, value) for name, value in wanted.items())
    arguments = ["project", "--run", str(run.run_id), "--methods", str(projection["method"])]
    for name, value in wanted.items():
        arguments += ["--set", f"{name}={value}"]
    title = f"{projection_text.name(projection['method'])} of run {run.run_id}, {words}"
    jobs.offer(title, arguments, "Make this map", "map_another", then=_say_where)


def _say_where() -> None:
    st.caption("Choose it in the first drawer of the bar after Filter, which is named after the map that is shown.")
