"""SQL: any question to the database, its answer as a table and, where it names images, as a gallery."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import streamlit as st

from dashboard.data import cache
from dashboard.drawing import markup, tables
from dashboard.selection import actions
from dashboard.state import navigation
from dashboard.state.url import Param
from dashboard.views.sql import queries
from store.counts import counted
from store.errors import SqlFailed, StoreError
from store.sandbox import QueryResult

SECONDS, ROWS = 10.0, 1000  # what a query may take, and how much of its answer is shown
PICTURES = 60  # in the gallery

_BY = ("artist", "creator", "author", "maker", "photographer", "movement", "school", "country", "year")


def page() -> None:
    """The page. What the editor holds has been sent by Run, by an example or with the address, and is answered: the
    form keeps back what is still being typed, and the database can only be read here."""
    navigation.heading("sql")
    st.html(markup.editor("sql_query"))
    offered = examples()
    Param("sql_query", offered[0].sql, lambda texts: texts[0], lambda sql: [sql]).load()
    with st.form("sql_form", border=False, enter_to_submit=True):
        sql = st.text_area("Query", height=180, key="sql_query", placeholder="SELECT … FROM catalogue")
        row = st.container(horizontal=True, vertical_alignment="center")
        asked = row.form_submit_button("Run", key="sql_run", type="primary", icon=":material/play_arrow:")
        row.caption(f"Ctrl+Enter runs it too. At most {SECONDS:.0f} seconds and {ROWS:,} rows; nothing can be changed.")
    show_examples(offered)
    with st.expander(
        "Views, columns and macros", icon=":material/schema:", on_change="rerun", key="sql_schema"
    ) as expander:
        if expander.open:  # it costs a query
            show_schema()
    if not sql.strip():
        st.info("Type a query, or choose an example.")
        return
    if asked:  # for the same query too: the reason for an error may be gone
        st.session_state.pop("_sql_answer", None)
    found = answer(sql)
    if found is not None:
        show(found)


# ---- questions ----------------------------------------------------------------------------------------------------


def examples() -> list[queries.Example]:
    """The examples, about the run and the image in view."""
    run = cache.current_run()
    run_id, layers, collection = (0, 1, None) if run is None else (run.run_id, run.layers, run.collection)
    stored = cache.methods(run_id)
    heads = [method for method in stored["method"] if method != "rollout"]
    return queries.examples(
        run=run_id,
        image=cache.current_image() or 0,
        layer=layers - 1,
        head=0,
        method=heads[0] if heads else "cls",
        group=grouping(collection or str(cache.collections()["name"].iloc[0])) or (None if run else "collection"),
    )


def grouping(collection: str) -> str | None:
    """The column to count pictures by: of those of which several pictures share a value the maker if there is one, else
    the first text, else the first at all; None where there is none."""
    kinds = cache.metadata_columns(collection)
    shared = cache.grouping(collection)
    lower = {name.lower(): name for name in shared}
    named = [lower[name] for name in _BY if name in lower]
    shared = [name for name in shared if name.lower() not in ("title", "name")]
    texts = [name for name in shared if kinds.get(name) == "text"]
    return next(iter(named + texts + shared), None)


def show_examples(offered: list[queries.Example]) -> None:
    """A button for each: it puts the query into the editor and runs it."""
    st.markdown("**Examples**")
    row = st.container(horizontal=True, gap="xsmall")
    for example in offered:
        row.button(
            markup.markdown(example.title),
            key=f"sql_{example.key}",
            on_click=take,
            args=(example.sql,),
            type="secondary",
        )


def take(sql: str) -> None:
    """Put a query into the editor, as if it had been typed and sent."""
    st.session_state["sql_query"] = sql


def show_schema() -> None:
    """What a query can use, as the database itself has it."""
    parts = cache.usable().to_dict("records")
    views = {part["name"]: part["parts"] for part in parts if part["kind"] == "view"}
    macros = [f"{part['name']}({', '.join(part['parts'])})" for part in parts if part["kind"] == "macro"]
    st.html(markup.definitions({**views, "in FROM, as functions": macros}))


# ---- answers --------------------------------------------------------------------------------------------------------


def answer(sql: str) -> QueryResult | None:
    """The answer, kept until the query or the database changes; None, with the reason on the page, if there is none."""
    key = (sql, str(cache.db()), cache.state())
    kept = st.session_state.get("_sql_answer")
    if kept is None or kept[0] != key:
        with st.spinner("Asking the database …"):
            kept = (key, ask(sql))
        st.session_state["_sql_answer"] = kept
    found = kept[1]
    if isinstance(found, QueryResult):
        return found
    sentence, details = found
    st.error(markup.markdown(sentence), icon=":material/error:")
    if details:
        st.code(
            details, language=None, wrap_lines=True
        )  # a fixed width, or the mark under the mistake points elsewhere
    return None


def ask(sql: str) -> QueryResult | tuple[str, str]:
    """The answer, or a sentence and the details that say why there is none."""
    try:
        return cache.query(sql, SECONDS, ROWS)
    except SqlFailed as error:
        sentence, _, details = str(error).partition(": ")
        return (f"{sentence}.", details) if "\n" in details else (str(error), "")
    except StoreError as error:
        return str(error), ""


def show(found: QueryResult) -> None:
    """An answer: how much it is, the pictures, the table, the files."""
    table, typed = tables.named_apart(found.shown), tables.named_apart(found.table)
    count = counted(table.num_rows, "row")
    more = f"The first {count}; there are more, which a LIMIT or a WHERE can choose." if found.truncated else count
    st.caption(f"{more} · {found.seconds:.2f} s")
    if "image_id" in table.column_names:
        show_pictures(table)
    if table.column_names == ["explain_key", "explain_value"]:
        for plan in table["explain_value"].to_pylist():
            st.code(plan, language=None, wrap_lines=True)
    else:
        st.dataframe(table, width="stretch", hide_index=True, placeholder="NULL", column_config=numbers(table))
    row = st.container(horizontal=True)
    for label, ending, mime, write in (
        ("CSV", "csv", "text/csv", lambda: tables.to_csv(tables.for_csv(typed, table))),
        ("Parquet", "parquet", "application/vnd.apache.parquet", lambda: tables.to_parquet(typed)),
    ):
        row.download_button(
            label,
            write,
            f"bilderatlas-query.{ending}",
            mime,
            key=f"sql_{ending}",
            on_click="ignore",
            icon=":material/download:",
        )


def numbers(table: pa.Table) -> dict[str, Any]:
    """How the columns of numbers are written: with all their digits, decimal numbers with all their zeros."""
    fields = [field for field in table.schema if pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)]
    formats = [f"%.{field.type.scale}f" if pa.types.is_decimal(field.type) else "plain" for field in fields]
    return {field.name: st.column_config.NumberColumn(format=form) for field, form in zip(fields, formats, strict=True)}


def show_pictures(table: pa.Table) -> None:
    """The pictures that an answer names, with its other columns below them."""
    captions = tables.row_captions(table)
    items = cache.items(list(captions)[:PICTURES], captions)
    if not items:
        return
    actions.gallery(items, "sql_gallery", shown=cache.current_image())
    if len(captions) > PICTURES:
        st.caption(f"The first {PICTURES} of {counted(len(captions), 'picture')}.")


page()
