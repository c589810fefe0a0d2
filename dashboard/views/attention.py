"""The attention of one image: layers by heads, drawn over what the network saw, and other maps of the same picture."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dashboard import cache, filtering, markup
from dashboard.microscope import comparison, controls, looking, viewer
from dashboard.microscope.looking import CannotLook


def page() -> None:
    """The page. Of stored maps only those of the chosen layers and heads are read."""
    st.title("Attention")
    run, image_id = cache.current_run(), cache.current_image()
    if run is None or image_id is None:
        st.info("This page needs a run and an image. Make them with `python -m ingest run FOLDER`.")
        return
    among = filtering.bar(run, "the picker of images goes through these")
    if among.ids is not None and not among.empty and not among.among(np.array([image_id])).all():
        st.caption("The picture in view is not one of them. Previous and Next lead to the nearest that are.")
    try:
        subject = looking.subject_of(run, image_id)
    except CannotLook as reason:
        st.error(markup.markdown(str(reason)))
        return
    if controls.choose_view() == "compare":
        comparison.show(subject)
        return
    stored = cache.methods(run["run_id"])
    viewer.show(subject, list(zip(stored["method"], stored["target"], strict=True)))


page()
