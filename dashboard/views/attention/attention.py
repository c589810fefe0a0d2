"""The attention of one image: layers by heads, drawn over what the network saw, and other maps of the same picture."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dashboard.data import cache
from dashboard.drawing import markup
from dashboard.selection.maps import lookup, options
from dashboard.selection.maps.lookup import NoMaps
from dashboard.state import filter_bar, navigation
from dashboard.views.attention import comparison, viewer


def page() -> None:
    """The page. Of stored maps only those of the chosen layers and heads are read."""
    navigation.heading("attention")
    run, image_id = cache.current_run(), cache.current_image()
    if run is None or image_id is None:
        st.info("This page needs a run and an image. Make them with `python -m ingest run FOLDER`.")
        return
    among = filter_bar.bar(run, "the picker of images goes through these")
    if among.ids is not None and not among.empty and not among.among(np.array([image_id])).all():
        st.caption("The picture in view is not one of them. Previous and Next lead to the nearest that are.")
    try:
        subject = lookup.subject_of(run, image_id)
    except NoMaps as reason:
        st.error(markup.markdown(str(reason)))
        return
    if options.choose_view() == "compare":
        comparison.show(subject)
        return
    stored = cache.methods(run.run_id)
    viewer.show(subject, list(zip(stored["method"], stored["target"], strict=True)))


page()
