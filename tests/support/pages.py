"""Pages as AppTest runs them: what is on them, and how their controls are set."""

import json
from typing import Any

HARMFUL = '<img src=x onerror="alert(1)"> & $x_1$ **bold**'


def walls(at: Any) -> dict[str, dict]:
    """What each component on the page was given, by its key."""
    return {e.proto.id.rsplit("-", 1)[1]: json.loads(e.proto.json) for e in at.get("bidi_component")}


def html_of(at: Any) -> str:
    """All HTML on the page."""
    return "".join(html.value for html in at.main.html)


def choose(at: Any, key: str, *values: Any) -> Any:
    """Sets the control of this key, a multiselect to all the values, and runs the page."""
    controls = (
        at.get("button_group"),
        at.multiselect,
        at.selectbox,
        at.slider,
        at.toggle,
        at.number_input,
        at.date_input,
    )
    for widget in (widget for kind in controls for widget in kind):
        if widget.key == key:
            several = widget in at.multiselect and not (len(values) == 1 and isinstance(values[0], list))
            return widget.set_value(list(values) if several else values[0]).run()
    raise AssertionError(f"there is no control {key}")
