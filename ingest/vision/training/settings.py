"""What the settings and steps of all trainings share."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from pydantic import BaseModel, ConfigDict

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Strict(BaseModel):
    """Settings that cannot be changed, and in which a name that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """Mixed precision on a device, by a name of PRECISIONS; nothing of the kind for float32."""
    wanted = PRECISIONS[precision]
    return torch.autocast(device.type, wanted, enabled=wanted != torch.float32)
