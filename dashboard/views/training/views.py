"""Views of one of the collection's pictures, as a training draws them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from dashboard.data import cache
from dashboard.state import controls

AS_TRAINED = "as in this training"
PRESETS = ("photographs", "prints", "binary", "none")
SIDE = 140  # pixels at which a view is shown
MOST = 12


def show(run: Mapping[str, Any] | None) -> None:
    """The section: a picture, a preset or the training's own settings, a seed, so many views."""
    image_id = cache.current_image()
    if image_id is None:
        return
    st.header("Views of a picture", anchor=False)
    choices = [AS_TRAINED, *PRESETS] if run else list(PRESETS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        preset = controls.selectbox("Drawn", choices, key="augment", width=180)
        seed = controls.slider("Seed", 0, 99, 0, key="view_seed", width=130)
        count = controls.slider("Views", 1, MOST, 6, key="view_count", width=120)
    settings = view_settings(run["config"]["views"] if run else {}, preset)
    draw = partial(views_of, cache.original(image_id), settings, seed, count)
    drawn = cache.remembered(draw, "views", image_id, json.dumps(settings), seed, count)
    with st.container(horizontal=True):
        for number, view in enumerate(drawn, 1):
            st.image(
                view.resize((SIDE, SIDE), Image.Resampling.NEAREST),
                caption=f"view {number}",
                alt=f"View {number}",
                width=SIDE,
            )
    local = settings["local_views"]
    st.caption(
        f"Views of {settings['size']} pixels of the picture in the sidebar, drawn as a training draws them, each with "
        "another seed."
        + (f" The student also sees {local} of {settings['local_size']} pixels from smaller parts." if local else "")
    )


def view_settings(of_training: Mapping[str, Any], preset: str) -> dict[str, Any]:
    """The settings of views of a training, or the usual ones, with another preset if one is chosen."""
    from ingest.vision.training.ssl.settings import ViewSettings

    own = dict(of_training)
    if preset != AS_TRAINED:
        own["augmentation"] = {"preset": preset}
    return ViewSettings.model_validate(own).model_dump()


def views_of(picture: Image.Image, settings: Mapping[str, Any], seed: int, count: int) -> list[Image.Image]:
    """So many large views of a picture; each follows from the seed and its number."""
    import torch

    from ingest.vision.training.ssl.augmentations import augmentations, draw_view
    from ingest.vision.training.ssl.settings import ViewSettings

    how, _ = augmentations(ViewSettings.model_validate(settings))
    pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
    drawn = [draw_view(pixels, how, np.random.default_rng([seed, number])) for number in range(count)]
    return [Image.fromarray(view.permute(1, 2, 0).numpy()) for view in drawn]
