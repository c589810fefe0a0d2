"""What the server does before somebody waits for it. Only the server begins it: no test of pages, no script."""

from __future__ import annotations

import importlib
import inspect
import threading
from contextlib import suppress
from time import sleep

from dashboard.data import cache
from store.errors import StoreError

IDLE = 10.0  # seconds without a page: an import holds up whoever asks for one meanwhile
LIBRARIES = ("matplotlib.figure", "torch", "transformers.models.dinov2.modeling_dinov2")
_shown = threading.Event()


def begin(*modules: str) -> None:
    """Get the first page ready, of which these modules are a part, and after it what others need. Returns at once."""
    threading.Thread(target=_first_page, args=(modules,), name="first page", daemon=True).start()
    threading.Thread(target=_libraries, name="libraries", daemon=True).start()


def page_shown() -> None:
    """To be called when a page is through."""
    _shown.set()


def _first_page(modules: tuple[str, ...]) -> None:
    """What every page imports and asks. Who comes meanwhile waits for the rest of it: nothing is done twice."""
    with suppress(StoreError):  # the page says what is the matter
        cache.read_ahead()
    for name in modules:
        importlib.import_module(name)
    inspect.stack()  # over all modules, once: Streamlit asks so at its first element whether this is a notebook


def _libraries() -> None:
    """What only some pages need, and takes seconds to import. Nothing of ours: of two modules that need each other, two
    threads that import them at once could get a half."""
    for name in LIBRARIES:
        _shown.wait()  # for the first page, and then until none comes
        while _shown.is_set():
            _shown.clear()
            sleep(IDLE)
        _shown.set()
        importlib.import_module(name)
