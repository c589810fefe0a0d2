"""JavaScript of several files as the one text that Streamlit takes of a component."""

import re
from collections.abc import Sequence
from pathlib import Path

# What viewers that zoom into a scan share, as modules for `joined`.
OPENSEADRAGON = Path(__file__).parent / "openseadragon"
DEEP_ZOOM = (str(OPENSEADRAGON / "deep_zoom"), str(OPENSEADRAGON / "tools"))


def joined(folder: Path, names: Sequence[str]) -> str:
    """The modules of a folder, or of elsewhere where they are named with their path, as one, each after those that it
    needs: without their imports of each other, and with the export that Streamlit looks for alone."""
    texts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in names]
    texts = [re.sub(r"^import .*?;\n", "", text, flags=re.M | re.S) for text in texts]
    return "\n".join(re.sub(r"^export (?!default)", "", text, flags=re.M) for text in texts)
