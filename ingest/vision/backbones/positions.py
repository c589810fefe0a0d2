"""Tables of positions: the pictures that they are for, and one way of resampling them whatever library holds them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

PLAIN, ANTIALIASED = "bicubic, not antialiased", "bicubic, antialiased"

# As the authors of DINOv2 do, by transformers' names of the families: with registers antialiased, without not.
# transformers follows them, timm antialiases both, and maps at 224 pixels then differ by up to a third.
OF_FAMILY = {"dinov2": PLAIN, "dinov2_with_registers": ANTIALIASED}


class _NotAntialiased(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.nn.functional.interpolate and kwargs.get("mode") == "bicubic":
            kwargs["antialias"] = False
        return func(*args, **kwargs)


def not_antialiased(call: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, with whatever it resamples bicubically, a table of positions, not antialiased."""

    def called(*arguments: Any, **keywords: Any) -> Any:
        with _NotAntialiased():
            return call(*arguments, **keywords)

    return called


def table_side(tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], own: int) -> int | None:
    """The side in patches of the square of positions in a state dict, where it differs from the `own` of the network
    whose weights have these `shapes`. None where it does not, or there is no such table."""
    for name, tensor in tensors.items():
        shape = shapes.get(name)
        if shape is None or "pos" not in name or "embed" not in name or tuple(tensor.shape) == shape:
            continue
        if tensor.ndim == 4 and tensor.shape[1] == tensor.shape[2]:
            return int(tensor.shape[1])
        if tensor.ndim not in (2, 3) or tensor.shape[-1] != shape[-1]:
            continue
        count = int(tensor.shape[-2])
        before = shape[-2] - own * own  # positions of the class token and registers
        for special in dict.fromkeys((before, 0, 1, 2, 5)):
            side = math.isqrt(max(0, count - special))
            if side and side * side == count - special:
                return side if side != own else None
    return None
