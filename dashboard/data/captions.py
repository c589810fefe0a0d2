"""What is said of many pictures at once, for the gallery. No Streamlit: any thread may ask."""

from __future__ import annotations

import json
from pathlib import Path

from dashboard.compute import words
from store import connection, read

MOST = 200  # pictures at a time


def captions(path: Path, ids: str) -> bytes | None:
    """{id: {title, caption}} as JSON of the pictures whose ids stand between commas; those that do not exist are left
    out. None if it is no such list, or too long a one."""
    numbers = ids.split(",")
    if len(numbers) > MOST or not all(number.isdecimal() and len(number) < 19 for number in numbers):
        return None
    with connection.reading(path, wait=2.0) as con:
        found = read.images(con, ids=[int(number) for number in numbers]).to_pylist()
    document = {
        row["image_id"]: {
            "title": row["title"],
            "caption": words.caption(json.loads(row["metadata"] or "{}"), row["title"]),
        }
        for row in found
    }
    return json.dumps(document, ensure_ascii=False).encode()
