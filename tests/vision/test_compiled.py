"""What numba has compiled of UMAP is kept, and is the same library."""

import importlib.util
import sys

import numba
import pytest

from ingest.vision import compiled

MODULE = """
import numba
@numba.njit
def plain(x):
    return x + 1
@numba.njit(fastmath=True)
def with_options(x):
    return x + 2
@numba.njit("f8(f8)")
def with_types(x):
    return x + 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Reads a library of three functions, and runs them."""

    def read(name: str):
        file = tmp_path / f"{name}.py"
        file.write_text(MODULE)
        spec = importlib.util.spec_from_file_location(name, file)
        monkeypatch.setitem(sys.modules, name, made := importlib.util.module_from_spec(spec))
        with compiled._cached_on_disk():
            spec.loader.exec_module(made)
        assert (made.plain(1), made.with_options(1), made.with_types(1)) == (2, 3, 4)
        return made

    return read


def test_what_was_compiled_once_is_loaded_the_next_time(module, tmp_path):
    plain = numba.njit
    first, second = module("library"), module("library")
    assert numba.njit is plain
    for name in ("plain", "with_options"):
        assert not getattr(first, name).stats.cache_hits and getattr(second, name).stats.cache_hits
    assert {file.name.split("-")[0] for file in (tmp_path / "__pycache__").glob("*.nbi")} == {
        "library.plain",
        "library.with_options",
        "library.with_types",
    }


def test_where_nothing_can_be_kept_it_is_compiled_as_before(module, monkeypatch):
    from numba.core import caching

    monkeypatch.setattr(caching.FunctionCache._impl_class, "_locator_classes", [])
    assert not module("library").plain.stats.cache_path
