"""What each page can show of the collection in view, as one link below its sentence: a function a page.

Each finds something that is there and that the page does not show already, by what costs next to nothing: answers that
are remembered, and the features of some hundred pictures. What a link does stands in its address alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.compute import neighbours
from dashboard.data import cache
from dashboard.data.results import evaluations, trainings
from dashboard.state import filters, url
from store.conditions import OneOf, short
from store.counts import counted
from store.records import RunRecord

LONGEST = 48  # characters of a title in a link
PROBED = "picture"  # the key in the address of a picture of the collection that the page Probe shows
_BY = ("movement", "school", "genre", "style", "artist", "creator", "maker", "photographer", "country")


@dataclass(frozen=True)
class Example:
    """What is to be seen, and what the address says for it: {key: its values}."""

    words: str
    address: dict[str, list[str]]

    @property
    def is_in_view(self) -> bool:
        """Whether the address says so already."""
        return all(url.words(key) == texts for key, texts in self.address.items())


def none() -> Example | None:
    """Of a page that names no example."""
    return None


def overview() -> Example | None:
    """The pictures with the commonest value of a column."""
    run = cache.current_run()
    return _filtered(run.collection if run else _first_collection(), "")


def on_map() -> Example | None:
    """The pictures along a time line, or coloured by what groups them."""
    run = cache.run_in_view()
    times, column = cache.time_columns(run.collection), _column(run.collection)
    found = []
    if times:
        found.append(Example(f"the pictures laid out by {times[0]}", {"layout": ["time"], "layout_by": [times[0]]}))
    if column:
        found.append(Example(f"frames in a colour for each {column}", {"map_colour": [column]}))
    return _first(*found)


def similar() -> Example | None:
    """What is like a picture that has another one near to it."""
    image_id = _picture(cache.run_in_view())
    if image_id is None:
        return None
    return Example(
        f"pictures like «{_title(image_id)}»", {"image": [str(image_id)], "find": ["neighbours"], "crop": []}
    )


def details() -> Example | None:
    """Where a region that somebody drew occurs again, else what stands out in a picture, else its middle."""
    run = cache.run_in_view()
    if run.run_id not in cache.runs_with_patches():
        return None
    if len(cache.recurring_details(run.run_id)):
        recurring = Example("what recurs in several of these pictures", {"details_view": ["What recurs"]})
        if not recurring.is_in_view:
            return recurring
    image_id = cache.image_in_view()
    regions, words = cache.regions([image_id]), "the middle"
    box = (0.35, 0.35, 0.65, 0.65)
    if len(regions):
        row, image = regions.iloc[0], cache.image_row(image_id)
        across = image["width"], image["height"], image["width"], image["height"]
        box = tuple(float(row[edge]) / side for edge, side in zip(("x0", "y0", "x1", "y1"), across, strict=True))
        words = f"“{short(row['note'], LONGEST)}”" if row["note"] else "the region"
    address = {"image": [str(image_id)], "crop": [",".join(f"{edge:.5f}" for edge in box)]}
    return _first(
        Example(f"where {words} of «{_title(image_id)}» occurs again", {**address, "details_view": ["Search a part"]})
    )


def objects() -> Example | None:
    """What stands out in the pictures with the commonest value of a column."""
    runs = [run for run in cache.object_runs() if run.images]
    return _filtered(runs[-1].collection, "objects in ") if runs else None


def vocabulary() -> Example | None:
    """The term that labels most pictures."""
    run = cache.run_in_view()
    for known in cache.vocabularies(run.run_id):
        counts = cache.own_label_counts(run.run_id, known.name)
        best = sorted((term for term in counts if counts[term]), key=lambda term: -counts[term])
        found = [
            Example(
                f"the {counted(counts[term], 'picture')} labelled “{short(term, LONGEST)}”",
                {"vocabulary": [known.name], "term": [term]},
            )
            for term in best[:2]
        ]
        return _first(*found)
    return None


def picture() -> Example | None:
    """The picture that is the largest file, or the next."""
    run = cache.current_run()
    images = cache.images(run.collection if run else None)
    largest = (images["width"].astype("int64") * images["height"]).nlargest(2).index.tolist()
    image_id = next((each for each in largest if each != cache.current_image()), None)
    if image_id is None:
        return None
    size = f"{images.at[image_id, 'width']:,} × {images.at[image_id, 'height']:,} pixels"
    return Example(f"one of the largest, «{_title(image_id)}», {size}", {"image": [str(image_id)]})


def attention() -> Example | None:
    """All heads of the last layer, in the picture in view."""
    run, image_id = cache.current_run(), cache.current_image()
    if run is None or image_id is None:
        return None
    stored = [name for name in cache.methods(run.run_id)["method"] if name in ("cls", "received")]
    if not stored:
        return None
    words = f"what the {counted(run.heads, 'head')} of the last layer see in «{_title(image_id)}»"
    shown = {"layer": [str(run.layers - 1)], "head": [str(head) for head in range(run.heads)]}
    view = {"view": ["maps"], "fuse": ["each"], "method": stored[:1]}
    return _first(Example(words, {"image": [str(image_id)], **shown, **view}))


def figure() -> Example | None:
    """Some pictures with the commonest value of a column, on one scale."""
    run = cache.run_in_view()
    column = _column(run.collection)
    if column is None:
        return None
    found = []
    for value, _ in _values(run.collection, column):
        condition = OneOf(column, (value,))
        ids = [str(each) for each in cache.matching(run.collection, [condition], run.run_id)[:3]]
        if len(ids) > 1:
            sentence = f"{counted(len(ids), 'picture')} with {filters.sentence(condition)}, on one scale"
            found.append(Example(sentence, {"pictures": ids}))
    return _first(*found)


def heads() -> Example | None:
    """The head that looks farthest, over all pictures."""
    run = cache.run_in_view()
    if "distance" not in cache.head_statistics(run.run_id) or url.words("f") or url.words("where"):
        return None  # of some pictures alone it would have to be computed
    table = cache.head_means(run.run_id, "distance")
    if table.empty:
        return None
    best = int(table["mean"].to_numpy().argmax())
    layer, head = (int(table[name].to_numpy()[best]) for name in ("layer", "head"))
    address = {"statistic": ["distance"], "head_layer": [str(layer)], "head_number": [str(head)]}
    return _first(Example(f"the head that looks farthest, layer {layer}, head {head}", address))


def aggregate() -> Example | None:
    """The two commonest values of a column, against each other."""
    run = cache.run_in_view()
    column = _column(run.collection)
    values = _values(run.collection, column) if column else []
    if column is None or len(values) < 2 or cache.methods(run.run_id).empty:
        return None
    address = {}
    for letter, (value, _) in zip("ab", values, strict=False):
        address |= {f"aggregate_{letter}": [column], f"aggregate_{letter}_is_{column}": [value]}
    one, other = (short(value, LONGEST) for value, _ in values[:2])
    return _first(Example(f"{one} against {other}, by {column}", address))


def parts() -> Example | None:
    """A picture and those most like it, in one set of colours."""
    image_id = _picture(cache.run_in_view())
    if image_id is None:
        return None
    words = f"the same colours for «{_title(image_id)}» and the pictures most like it"
    return Example(words, {"image": [str(image_id)], "parts_of": ["nearest"], "show": ["pictures"]})


def large_images() -> Example | None:
    """The picture with the best patch."""
    run = cache.current_run()
    runs = [each for each in cache.patch_runs(run.collection if run else None) if each.images]
    leaders = cache.patch_leaders(runs[-1].run_id)["image_id"].tolist() if runs else []
    image_id = next((each for each in leaders if each != cache.current_image()), None)
    if image_id is None:
        return None
    return Example(f"the best patches of «{_title(image_id)}»", {"image": [str(image_id)]})


def probe() -> Example | None:
    """A picture of the collection, as if somebody had brought it."""
    image_id = None if cache.current_run() is None else cache.current_image()
    if image_id is None:
        return None
    return _first(Example(f"«{_title(image_id)}», as if it were your own", {PROBED: [str(image_id)]}))


def training() -> Example | None:
    """How the loss of the newest training fell."""
    for run in trainings.trainings():
        if run["done"]:
            words = f"how the loss fell in {short(run['name'], LONGEST)}"
            return _first(Example(words, {"training": [str(run["training_id"])], "curve": ["('', 'loss')"]}))
    return None


def trust() -> Example | None:
    """The pictures in which the best map misses most."""
    if not evaluations.of_run(cache.run_in_view().run_id):
        return None
    return _first(Example("the pictures in which the best map shows least of it", {"trust_order": ["lowest"]}))


def in_sql() -> Example | None:
    """Pictures by decade, else by what groups them."""
    run = cache.current_run()
    collection = run.collection if run else _first_collection()
    kinds = cache.metadata_columns(collection)
    years = [name for name in cache.time_columns(collection) if kinds.get(name) == "number"]
    column = _column(collection)
    found = []
    if years:
        found.append(("pictures by decade", f"{_quoted(years[0])} // 10 * 10", "decade"))
    if column:
        found.append((f"pictures by {column}", _quoted(column), _quoted(column)))
    return _first(*(Example(words, {"sql_query": [_counts(what, name)]}) for words, what, name in found))


# ---- what there is -------------------------------------------------------------------------------------------------


def _first(*found: Example) -> Example | None:
    return next((each for each in found if not each.is_in_view), None)


def _first_collection() -> str:
    return str(cache.collections()["name"].iloc[0])


def _title(image_id: int) -> str:
    return short(cache.image_row(image_id)["title"], LONGEST)


def _column(collection: str) -> str | None:
    """The column that groups a collection best: of those that are usual, else the first text."""
    kinds = cache.metadata_columns(collection)
    texts = [name for name in cache.grouping(collection) if kinds.get(name) == "text"]
    named = [name for word in _BY for name in texts if name.casefold() == word]
    times = cache.time_columns(collection)
    return next((name for name in (*named, *texts) if name not in times and len(_values(collection, name)) > 1), None)


def _values(collection: str, column: str) -> list[tuple[str, int]]:
    """The commonest values of a column, with how many pictures have each."""

    def make() -> list[tuple[str, int]]:
        return [(str(value), count) for value, count in cache.categories(collection, column).values[:2]]

    return cache.noted(make, "values", collection, column)


def _filtered(collection: str, before: str) -> Example | None:
    column = _column(collection)
    if column is None:
        return None
    found = []
    for value, count in _values(collection, column):
        condition = OneOf(column, (value,))
        words = f"{before}the {counted(count, 'picture')} with {filters.sentence(condition)}"
        found.append(Example(words, {"f": filters.to_address([condition]), "where": []}))
    return _first(*found)


def _picture(run: RunRecord) -> int | None:
    """A picture that has another one near to it, and is not the one in view."""

    def make() -> list[int]:
        ids, matrix = cache.features(run.run_id)
        return [int(ids[row]) for row in neighbours.closest(matrix)]

    known = cache.images(run.collection).index
    pair = [each for each in cache.noted(make, "closest", run.run_id) if each in known]
    return next((each for each in pair if each != cache.current_image()), None)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _counts(what: str, name: str) -> str:
    return (
        f"SELECT {what} AS {name}, count(*) AS pictures, any_value(image_id) AS image_id\n"
        f"FROM catalogue\nWHERE {what} IS NOT NULL\nGROUP BY 1\nORDER BY 1"
    )
