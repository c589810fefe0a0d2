"""What a film that was drawn over shows, in words and in facts."""

from __future__ import annotations

from typing import Any

from ingest.vision.film import Film
from ingest.vision.overlay import ABSOLUTE_RANGE
from store.counts import counted


def describe(shown: dict[str, Any]) -> str:
    """What a film shows, in a line, from the result of `draw_film`."""
    if shown["view"] == "original":
        return "the picture alone"
    low, high = shown["limits"] or (0, 0)
    scales = {
        "shared": f"one scale for the film, {low:.3g} to {high:.3g}",
        "absolute": f"{low:g} to {high:g} times uniform attention",
        "map": "each frame on its own scale",
    }
    method = shown["method"] + (f" of {shown['target']}" if shown["target"] else "")
    grid = f"fit {shown['fit']}, {counted(shown['rows'], 'row')} × {counted(shown['cols'], 'column')} of patches"
    return " · ".join([method, _depth(shown), shown["heads"], scales[shown["scale"]], grid])


def _depth(shown: dict[str, Any]) -> str:
    """Which layer, and of a method that accumulates whether it is a sum."""
    if shown["accumulated"] is None:
        return f"layer {shown['layer']}"
    from ingest.vision.explaining import Asked

    noun = Asked.parse(shown["method"]).method.depth.lower()
    return f"accumulated to {noun} {shown['layer']}" if shown["accumulated"] else f"{noun} {shown['layer']} alone"


def signature(film: Film, drawing: Any, shown: dict[str, Any], film_model: Any) -> dict[str, Any]:
    """What tells the frames of one film, network and drawing from those of another."""
    limits = [f"{limit:.4g}" for limit in shown.get("limits") or ()]  # a last digit may differ from run to run
    network = film_model.backbone.weights_sha256 if film_model else None
    size = film_model.size if film_model else None
    of_film = {"film": film.path.name, "bytes": film.path.stat().st_size}
    return {**vars(drawing), **shown, **of_film, "limits": limits, "weights": network, "input": size}


def facts(drawing: Any, map_view: Any, film_model: Any) -> dict[str, Any]:
    """What is drawn, for the result of `draw_film`, from its Drawing, MapView and FilmModel; the last two may be
    None."""
    if map_view is None:
        return {"view": drawing.view}
    limits = {"shared": (map_view.low, map_view.high), "absolute": ABSOLUTE_RANGE, "map": None}[drawing.scale]
    return {
        "view": drawing.view,
        "method": drawing.method,
        "target": film_model.target.text if film_model.target else "",
        "layer": map_view.layer,
        "accumulated": map_view.accumulated,
        "head": drawing.head,
        "heads": map_view.heads,
        "scale": drawing.scale,
        "limits": limits,
        "fit": film_model.fit,
        "rows": map_view.frame.rows,
        "cols": map_view.frame.cols,
    }
