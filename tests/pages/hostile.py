"""A database with metadata as bad as it gets: from spreadsheets, catalogues and people who mean harm."""

from pathlib import Path

import numpy as np

from store import connection, write
from tests.pages import database

TITLES = (
    "<script>window.hurt = 1</script>",
    '<img src=x onerror="window.hurt = 1">\'',
    "`code` **bold** _it_ ~~no~~ # head",
    "$x^2$ and $$y$$",
    ":material/home: :smile: :red[red] :blue-background[b]",
    "[link](javascript:window.hurt=1) ![i](http://example.invalid/i.png)",
    '=HYPERLINK("http://example.invalid", "x")',
    "-> <- -- www.example.invalid a@example.invalid",
    "😀 👩‍🎨 é̂",
    "\u202egnirts sdrawkcab\u202c مرحبا بالعالم שלום",
    "long " + "word" * 2499,
    "two\nlines\r\nand\ttabs \u2028 more",
    "'; DROP TABLE image; --",
    None,
    "%s {0} {} \\n \\ &lt;b&gt; &amp;",
    "@SUM(1+1)",
)
COLLECTION = "<b>c</b> $x$ :red[c] 'o'"
LONG = "a very long name of a column " * 12
QUOTES = "the \"quoted\" 'column' `of` $x$ :red[y]"
KEYS = (
    "select",
    "order",
    "group",
    "image_id",
    "path",
    "collection",
    "map_x",
    "tag",
    "",
    LONG,
    QUOTES,
    "<b>bold</b>",
    "f",
    "a:b~c\\",
)


def facts(place: int) -> dict:
    """The metadata of one image."""
    title = TITLES[place]
    found = {"title": title, "artist": TITLES[place % 5], "year": 1500 + place, "number": 7 * place}
    found |= {key: f"{TITLES[place // 2 % 4]} {key[:9]}" for key in KEYS}
    if place == 4:
        found |= {"number": "about 30", "year": None}
    if place == 5:
        found["date"] = "0000-01-01"
    return found


def make(path: Path) -> None:
    """Write the database: one collection of a bad name, one run with a projection."""
    records = [
        database.record(name, facts(place))
        for place, name in enumerate(sorted(file.name for file in database.PAINTINGS.glob("*.jpg"))[: len(TITLES)])
    ]
    with connection.writing(path) as con:
        number = write.add_collection(con, COLLECTION, str(database.PAINTINGS))
        ids = write.add_images(con, number, records)
        write.add_failures(con, number, [("<b>x</b>.jpg", "read", "<script>window.hurt = 1</script> $x$ :red[y]")])
        database.add_run(con, number, np.array(list(ids.values())), [(each.width, each.height) for each in records])
