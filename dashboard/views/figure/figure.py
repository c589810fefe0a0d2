"""A figure for print: several pictures by several maps, on the scales that are asked for, with its caption."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import streamlit as st

from dashboard.compute import words
from dashboard.data import cache
from dashboard.drawing import markup, panels
from dashboard.drawing.figure import grid as grids
from dashboard.drawing.figure import sheet as sheets
from dashboard.drawing.figure.plan import CUT, LETTERS, SMALL, WIDTHS, Grid, Row, caption_fits, measures
from dashboard.drawing.figure.scales import SCALES
from dashboard.drawing.panels import MapStyle
from dashboard.selection.maps import options
from dashboard.selection.maps.columns import Column
from dashboard.selection.maps.figures import MOST_PICTURES
from dashboard.selection.maps.lookup import Subject
from dashboard.state import controls, navigation, widgets
from dashboard.state.url import Param
from dashboard.views.figure import caption, contents, finding
from store.counts import counted
from store.records import RunRecord

PREVIEW, DRAFT = 150, 75  # dots an inch on the screen, and before all rows are there
LONGEST, MOST = 3000, 12_000  # letters of a caption in the address, and of any
PAPERS = "One column of most journals is about 85 mm wide, two are about 175 mm. A figure is at most as high as a page."
FILES = (
    ("PNG, 300 dpi", "png", "image/png", lambda made, stem: sheets.png(made)),
    ("PDF", "pdf", "application/pdf", lambda made, stem: sheets.pdf(made)),
    ("SVG", "svg", "image/svg+xml", lambda made, stem: sheets.svg(made)),
    ("SVG with linked bitmaps, ZIP", "zip", "application/zip", sheets.linked_svg),
)


@dataclass(frozen=True)
class Look:
    """How the figure is drawn, as the controls say: keys of SCALES, finding.UNITS, WIDTHS and LETTERS; `names` are the
    columns of the metadata in the titles."""

    scale: str
    unit: str
    paper: str
    style: MapStyle
    clip: bool
    letters: str
    original: bool
    grey: bool
    captioned: bool
    names: tuple[str, ...]


def page() -> None:
    """The page."""
    navigation.heading("figure")
    run = cache.run_in_view()
    ids, beyond = contents.pick_pictures(run)
    columns = contents.pick_columns(run)
    look = choose_look(run)
    if not ids:
        st.info("Choose at least one picture above, or select some anywhere and press “Figure”.")
        return
    if beyond:
        left = counted(len(beyond), "picture")
        st.caption(f"A figure has room for {MOST_PICTURES} pictures: the last {left} of your choice left out.")
    found = finding.subjects(ids)
    for image_id, reason in found:
        if isinstance(reason, str):
            st.warning(f"Picture {image_id} is left out: {markup.markdown(reason)}")
    pictures = [(image_id, subject) for image_id, subject in found if isinstance(subject, Subject)]
    if not pictures:
        return
    working, notes, shown = st.container(), st.container(), st.empty()

    def show_begun(rows: list[list[finding.Found]]) -> None:
        begun = compose(pictures[: len(rows)], columns, rows, look)
        shown.container(border=True).image(sheets.png(grids.sheet(begun, DRAFT)), alt="The rows that are ready")

    with working:
        maps = finding.find(pictures, columns, st.session_state.get("_figure_attempt", 0), show_begun)
    grid = compose(pictures, columns, maps, look)
    text = edit_caption(caption.caption(grid, columns, caption.column_titles(columns)[1]))
    grid = replace(grid, caption=text)
    with notes:
        explain(grid, look, maps)
    with shown.container(border=True):
        preview(grid, look, [image_id for image_id, _ in pictures])
    downloads(grid, pictures[0][1])


def choose_look(run: RunRecord) -> Look:
    """The controls of scale, unit, size and drawing."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        scale = controls.selectbox(
            "Scale", list(SCALES), key="figure_scale", format_func=words.named(SCALES), width=170
        )
        fixed = scale == "absolute"
        unit = controls.selectbox(
            "Unit",
            list(finding.UNITS),
            key="figure_unit",
            format_func=words.named(finding.UNITS),
            width=195,
            disabled=fixed,
            help="Times uniform can be compared between pictures of different shape and between methods. A weight is "
            "what the network itself counts in: a share of a token's attention, or evidence for a target.",
        )
        papers = {key: paper.title for key, paper in WIDTHS.items()}
        paper = controls.selectbox(
            "Size in print", list(WIDTHS), 1, key="paper", format_func=words.named(papers), width=125, help=PAPERS
        )
        with st.popover("Colours, mask", icon=":material/tune:"):
            smooth = widgets.smooth("edges")
            style = options.choose_colours(smooth, scale)
            clip = controls.toggle(
                "Clip the brightest 1 %",
                key="clip",
                help="A few outlier patches can darken all others. With this the upper end of a scale is what 99 % of "
                "its patches stay below; the bar and the caption say so.",
                disabled=fixed,
            )
            grey = controls.toggle("Pictures in grey", key="grey", help="For print without colour: with greys above.")
        with st.popover("Titles, letters", icon=":material/title:"):
            original = controls.toggle("The picture itself as first column", True, key="original")
            letters = controls.segmented_control(
                "Letters (a), (b) …", list(LETTERS), 1, key="letters", format_func=words.named(LETTERS)
            )
            names = list(cache.metadata_columns(run.collection))
            chosen = controls.multiselect("In titles of pictures", names, caption.usual_columns(names), key="titles")
            captioned = controls.toggle("Caption in the figure", True, key="captioned")
    return Look(scale, unit, paper, style, clip, letters, original, grey, captioned, tuple(chosen))


def compose(
    pictures: list[tuple[int, Subject]], columns: list[Column], maps: list[list[finding.Found]], look: Look
) -> Grid:
    """The figure, but for its caption."""
    unit = finding.unit_of(look.unit, look.scale, maps)
    rows = tuple(
        Row(caption.title_of(image_id, subject.title, look.names), subject.picture, finding.cells(subject, line, unit))
        for (image_id, subject), line in zip(pictures, maps, strict=True)
    )
    kinds = {one.maps.unit for line in maps for one in line if one.maps is not None}
    return Grid(
        rows,
        tuple(caption.column_titles(columns)[0]),
        look.style,
        caption.number,
        caption.unit_words(unit, columns, kinds, look.scale, look.clip),
        scale=look.scale,
        clip=look.clip,
        letters=look.letters,
        paper=look.paper,
        original=look.original,
        grey=look.grey,
        title=f"Attention maps of {counted(len(rows), 'picture')}",
        captioned=look.captioned,
    )


def explain(grid: Grid, look: Look, maps: list[list[finding.Found]]) -> None:
    """What is not as it was asked for."""
    if finding.unit_of(look.unit, look.scale, maps) != look.unit and look.scale != "absolute":
        st.caption(
            "Attention and attribution count in units of their own: on one scale they are drawn in multiples of "
            "uniform. For weights choose a scale for each column or each map."
        )
    missing = [(row.title, cell.problem) for row in grid.rows for cell in row.cells if cell.maps is None]
    if missing:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                f":material/warning: {counted(len(missing), 'map')} could not be made; first: "
                f"{words.plain(missing[0][0])}: {markup.markdown(missing[0][1])}"
            )
            st.button("Try again", key="figure_again", on_click=_again)
    width, height, tallest = measures(grid)
    if height > tallest + 0.1:
        st.caption(
            f":material/height: The figure will be {height:.0f} mm high, and a page has room for {tallest:.0f}: "
            "choose fewer pictures or a larger size."
        )
    fits = caption_fits(grid)
    if fits == "cut":
        st.caption(
            ":material/short_text: The caption is longer than the page has room for: it is printed in small letters "
            f"and ends with “{CUT}”. The whole of it is in the file caption.txt of the ZIP."
        )
    elif fits == "small":
        st.caption(":material/text_decrease: The caption is printed in smaller letters, so that the maps stay large.")
    if width < SMALL:
        st.caption(
            f":material/straighten: In print each map is {width:.0f} mm wide, which is little: choose a larger size, "
            "or fewer columns or pictures."
        )


def _again() -> None:
    st.session_state["_figure_attempt"] = st.session_state.get("_figure_attempt", 0) + 1


def edit_caption(facts: str) -> str:
    """The caption, which begins with the facts and can be changed; it stands in the address where it is changed."""

    def read(texts: list[str]) -> str:
        return texts[0][:MOST]

    def write(value: str) -> list[str]:
        return [value] if len(value) <= LONGEST else []

    Param("caption", facts, read, write, follows=True).load()
    text = st.text_area("Caption", key="caption", height=150, max_chars=MOST)
    if text != facts:
        st.button(
            "Write the caption anew", key="caption_anew", on_click=_anew, args=(facts,), icon=":material/refresh:"
        )
    return (text or "").strip()


def _anew(facts: str) -> None:
    st.session_state["caption"] = facts


def preview(grid: Grid, look: Look, ids: list[int]) -> None:
    """The figure itself, at the screen's resolution; drawn again only where something of it is another."""
    weights = hashlib.sha256()
    for row in grid.rows:
        for cell in row.cells:
            weights.update(cell.problem.encode() if cell.maps is None else cell.maps.weights.tobytes())
    facts = (look, ids, [row.title for row in grid.rows], grid.columns, grid.unit, grid.caption)
    data = cache.remembered(lambda: sheets.png(grids.sheet(grid, PREVIEW)), "figure", weights.hexdigest(), repr(facts))
    alt = f"{grid.title}, columns: {', '.join(grid.columns)}"
    st.image(data, alt=alt)


def downloads(grid: Grid, first: Subject) -> None:
    """The files, made only when somebody asks for one."""
    stem = f"figure-{panels.file_stem(first.title)}"
    with st.container(horizontal=True):
        for label, ending, mime, write in FILES:
            st.download_button(
                label,
                lambda write=write: write(grids.sheet(grid), stem),
                f"{stem}.{ending}",
                mime,
                key=f"figure_{ending}",
                on_click="ignore",
                icon=":material/download:",
            )
    st.caption(
        "Bitmaps have 300 dots an inch of the printed size and no more. In PDF and SVG words stay words; the ZIP "
        "has an SVG whose pictures are files beside it, to be exchanged or edited."
    )


page()
