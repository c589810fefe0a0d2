"""Files at addresses that fsspec knows: s3://bucket/folder, gs://, az://, sftp://, file:// …"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ingest.errors import SourceError
from ingest.tables.tabular import MAX_BYTES as MAX_TABLE

_ADDRESS = re.compile(r"(?!https?://)[A-Za-z][A-Za-z0-9+.-]*://")


def is_remote(source: str | Path) -> bool:
    """Whether a source is such an address; those of the web (https://…) are not."""
    return _ADDRESS.match(str(source)) is not None


def opened(address: str) -> tuple[Any, str]:
    """The file system that an address belongs to, and the path there. SourceError if it needs another package, or is
    none."""
    from fsspec.core import url_to_fs

    try:
        system, root = url_to_fs(address)
    except ImportError as error:
        raise SourceError(f"{address} cannot be read yet: {error}") from error
    except ValueError as error:
        raise SourceError(f"{address} is no address that can be read: {error}") from error
    return system, root.rstrip("/")


@contextmanager
def fetched_table(path: str) -> Iterator[Path]:
    """A table that lies at such an address, as a file here while it is read. SourceError if it cannot be had."""
    system, inside = opened(path)
    with TemporaryDirectory(prefix="bilderatlas-") as folder:
        file = Path(folder) / path.rpartition("/")[2]
        try:
            too_long = (system.info(inside).get("size") or 0) > MAX_TABLE
            if not too_long:
                system.get_file(inside, str(file))
        except Exception as error:  # each system has errors of its own
            raise SourceError(f"{path} could not be read: {type(error).__name__}: {error}") from error
        if too_long:
            raise SourceError(f"The table {path} has more than {MAX_TABLE >> 30} GiB, which is no table.")
        yield file
