"""In which space the features of a run lie: that of pictures alone, or one that pictures share with texts. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RECOMMENDED_FOR_WORDS = "siglip2-base"  # of the published networks that read words
POOLED = "the network's own attention pooling"  # what a run says of SigLIP's feature


def is_joint(settings: Mapping[str, Any]) -> bool:
    """Whether the features of a run with these settings lie in a space that pictures share with texts. Opens nothing.

    Runs of before this was stored have SigLIP's pooled feature, which always did, or one that does not.
    """
    space = settings.get("feature_space")
    if space is not None:
        return space == "joint"
    library = str(settings.get("model")).partition(":")[0]
    inner = settings.get("layer") is not None or settings.get("weights")
    return settings.get("feature") == POOLED and not inner and library != "timm"
