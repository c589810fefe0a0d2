"""JavaScript of several files as the one text that Streamlit takes of a component."""

import re
from collections.abc import Sequence
from pathlib import Path


def joined(folder: Path, names: Sequence[str]) -> str:
    """The modules of a folder as one, each after those that it needs: without their imports of each other, and with the
    export that Streamlit looks for alone."""
    texts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in names]
    texts = [re.sub(r"^import .*?;\n", "", text, flags=re.M | re.S) for text in texts]
    return "\n".join(re.sub(r"^export (?!default)", "", text, flags=re.M) for text in texts)
