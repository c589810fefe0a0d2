"""How several things are written in one option. Light, so that the command line begins at once."""

import re


def split_names(text: str) -> list[str]:
    """Methods separated by commas; a comma between brackets belongs to the options of one."""
    return [part.strip() for part in re.split(r",(?![^()]*\))", text) if part.strip() not in ("", "none")]
