"""Words: the text towers of networks that were trained with texts, and how near a picture is to a text."""

from ingest.vision.words.opening import is_joint, load_text_tower
from ingest.vision.words.tower import NoTextTower, TextError, TextTower

__all__ = ["NoTextTower", "TextError", "TextTower", "is_joint", "load_text_tower"]
