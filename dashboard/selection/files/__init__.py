"""The selection to take away."""

from __future__ import annotations

import re
from functools import partial

import pandas as pd
import pyarrow as pa
import streamlit as st

from dashboard.data import archive, cache
from dashboard.drawing import tables
from dashboard.selection.files import manifests
from dashboard.selection.selection import Selection
from store.workbooks import xlsx_of_frame

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def show(selection: Selection, key: str = "selection") -> None:
    """Tables for a spreadsheet and for programs, the thumbnails, a manifest; each is made when it is asked for. `key`
    begins the keys of the controls."""
    rows, name = selection.rows(), file_name(selection.name)
    with st.container(horizontal=True):
        for label, ending, mime, write in (
            ("Download the selection as CSV", "csv", "text/csv", tables.safe_csv),
            ("Download it for Excel (XLSX)", "xlsx", XLSX, xlsx_of_frame),
            ("Download it as Parquet", "parquet", "application/vnd.apache.parquet", parquet),
        ):
            st.download_button(
                label,
                partial(write, rows),
                f"{name}.{ending}",
                mime,
                key=f"{key}_{ending}",
                on_click="ignore",
                icon=":material/download:",
            )
        titles = cache.images(selection.collection).loc[selection.ids, "title"].tolist()
        token = archive.offer(
            archive.Offer(cache.db(), name, selection.ids, tuple(titles), rows, corrections(selection))
        )
        st.link_button(
            "Download the thumbnails as ZIP", cache.route(f"/thumbnails/{token}", "1"), icon=":material/download:"
        )
    st.caption(
        "CSV and XLSX open in a spreadsheet, Parquet in R, Python and DuckDB. The ZIP holds the small pictures of the "
        "database and not the originals, and the CSV, whose column “file” says which is which. Where values were "
        "corrected, the column “corrected” names their columns, and the ZIP has what stood there in corrections.csv."
    )
    manifests.show(selection, name, "" if key == "selection" else f"{key}_")


def corrections(selection: Selection) -> pd.DataFrame:
    """The corrected cells of the pictures."""
    found = cache.corrections(selection.collection)
    return found[found["image_id"].isin(selection.ids)].drop(columns="collection")


def parquet(rows: pd.DataFrame) -> bytes:
    """The rows with their types."""
    return tables.to_parquet(tables.tidy(pa.Table.from_pandas(rows, preserve_index=False)))


def file_name(text: str) -> str:
    """Letters, digits and dashes of a text, safe in a file's name everywhere."""
    return re.sub(r"[^\w-]+", "-", text).strip("-").lower() or "bilderatlas"
