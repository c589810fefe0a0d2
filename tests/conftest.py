"""What holds for every process of the tests."""

import os
from pathlib import Path

# Before torch and NumPy are imported, here and in children: the two workers of `make test` share two cores, and threads
# of theirs that wait for each other would only keep these busy.
for library in ("OMP", "NUMBA"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

# Workers are given files in this order, the rooms with the longest first: at the end none waits long for the other.
ROOMS = ("browser", "pages", "ingest", "vision", "torture", "store")


def pytest_collection_modifyitems(items: list) -> None:
    items.sort(key=lambda item: ROOMS.index(room) if (room := room_of(item.path)) in ROOMS else len(ROOMS))


def room_of(file: Path) -> str:
    """The folder of the tests that a file lies in, or its own name."""
    return file.relative_to(Path(__file__).parent).parts[0]
