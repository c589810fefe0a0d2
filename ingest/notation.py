"""How several things are written in one option. Light, so that the command line begins at once."""

import re
from typing import Any

import click

_UNITS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}

ALLOW_HOST: dict[str, Any] = {
    "multiple": True,
    "metavar": "NAME",
    "help": "Ask this host though its address is private.",
}


def split_names(text: str) -> list[str]:
    """Methods separated by commas; a comma between brackets belongs to the options of one."""
    return [part.strip() for part in re.split(r",(?![^()]*\))", text) if part.strip() not in ("", "none")]


def parse_step(text: str) -> float:
    """Seconds, from how people write them: 0.5s, 2, 500ms, 1.5min, 1:00, 0:00:30; 0 is every frame. ValueError."""
    text = text.strip().lower().replace(",", ".")
    number, parts = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+", text.split(":")
    if match := re.fullmatch(rf"({number})\s*({'|'.join(_UNITS)})?", text):
        seconds = float(match[1]) * _UNITS[match[2] or "s"]
    elif len(parts) in (2, 3) and all(part.isdigit() for part in parts[:-1]) and re.fullmatch(number, parts[-1]):
        seconds = sum(float(part) * 60**place for place, part in enumerate(reversed(parts)))
    else:
        raise ValueError(f"{text!r} is no length of time: write 0.5s, 500ms, 2 (seconds) or 1:00 (a minute)")
    if 0 < seconds < 0.001:
        raise ValueError("a film is looked at every thousandth of a second at most; 0 takes every frame")
    return seconds


def step(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Seconds of an option such as 0.5s, 500ms, 1:00."""
    if value in (None, "0"):
        return None if value is None else 0.0
    try:
        return parse_step(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
