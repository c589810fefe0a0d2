"""Attention methods over one captured pass."""

from ingest.vision.attention import Maps, methods, walk
from ingest.vision.tap import Capture


def explain(capture: Capture, keys: list[str], **options: dict) -> list[Maps]:
    """Runs the methods `keys` over one captured pass; `options` maps a key to its settings.

    The softmax rows that several methods need are computed once for all of them.
    """
    readers = [methods()[key].read(capture, **options.get(key, {})) for key in keys]
    walk(capture, readers)
    return [reader.maps() for reader in readers]
