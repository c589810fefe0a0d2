"""What a training made of some pictures after each of its epochs: their attention, head by head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import streamlit as st

from dashboard.components.patches import patches
from dashboard.data import cache
from dashboard.drawing import map_values, markup, panels
from dashboard.drawing.panels import MapStyle, Scene
from dashboard.state import controls
from ingest.vision.geometry import Frame
from store.records import RunRecord

SIDE = 220  # pixels of a panel
COLUMNS = 4


def show(run: Mapping[str, Any]) -> None:
    """The section; where nothing was probed, how to."""
    st.header("Attention from epoch to epoch", anchor=False)
    epochs = probed(run)
    if not epochs:
        st.info("No pictures were probed in this training. A training with --probe-every 5 stores their attention.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first, images = next(iter(epochs.values())), cache.images()
        ids = [int(number) for number in cache.frames(first.run_id)["image_id"] if number in images.index]
        if not ids:
            st.info("The pictures that were probed are not in this database any more.")
            return
        titles = images["title"]
        image_id = controls.selectbox(
            "Probed picture", ids, key="probed", format_func=lambda n: str(titles.get(n, n)), width=260
        )
        layers = list(range(first.layers))
        layer = controls.selectbox("Layer", layers, len(layers) - 1, key="probe_layer", width=120)
    epoch = next(iter(epochs))
    if len(epochs) > 1:
        epoch = controls.select_slider("Epoch", list(epochs), len(epochs) - 1, key="probe_epoch")
    _heads(epochs[epoch], image_id, layer, epoch)


def probed(run: Mapping[str, Any]) -> dict[int, RunRecord]:
    """The run of each epoch of a training that was probed, by epoch."""
    folder, found = PurePath(run["folder"]) / "epochs", {}
    for each in cache.runs():
        file = PurePath(each.settings.get("weights") or "")
        if each.is_probe and file.parent == folder:
            found[int(each.backbone.rpartition("@")[2])] = each
    return dict(sorted(found.items()))


def _heads(run: RunRecord, image_id: int, layer: int, epoch: int) -> None:
    stored = {method for method in cache.methods(run.run_id)["method"]} & {"cls", "received"}
    maps = cache.maps(run.run_id, image_id, min(stored), layers=[layer]) if stored else None
    frame, found, image = cache.frame(run.run_id, image_id), cache.picture(image_id), cache.image(image_id)
    if maps is None or frame is None or found is None or image is None:
        st.info("There is no stored attention of this picture after this epoch.")
        return
    seen = Frame(frame.x0, frame.y0, frame.x1, frame.y1, *maps.grid)
    scene = Scene(found[0], (image["width"], image["height"]), seen, str(image["title"])).at(SIDE)
    titles = tuple(map_values.title(layer, int(head)) for head in maps.heads)
    maps = replace(maps, titles=titles)
    drawn, bar = panels.draw(map_values.renormalised(maps, scene.cells()), scene, MapStyle(scale="shared"))
    patches(drawn, "probe_heads", min(COLUMNS, max(2, len(drawn))), group=f"probe{image_id}", pick=False)
    when = "before training" if epoch == 0 else f"after epoch {epoch}"
    sentence = f"{run.title}: layer {layer}, {when}. One scale for all heads of this epoch."
    st.html(markup.notes([sentence], bar))
