"""The randomisation test of a map (Adebayo et al. 2018): the network's weights are replaced by noise, last blocks
first. A map that does not change explains the picture, not the network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ingest.vision.backbones import Backbone
from ingest.vision.faithfulness import FaithfulnessError

Explain = Callable[[Backbone, Tensor], Any]


class ParameterOverride(TorchFunctionMode):
    """Lets the operations in this thread meet other tensors in place of a network's own while it is entered: the
    network, which other threads may be using, stays as it is. `tensors` goes from the id of one to the other."""

    def __init__(self, tensors: dict[int, Tensor]) -> None:
        super().__init__()
        self.tensors = tensors

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*self._other(args), **{key: self._other(value) for key, value in (kwargs or {}).items()})

    def _other(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self.tensors.get(id(value), value)
        if type(value) in (tuple, list):
            return type(value)(map(self._other, value))
        return value


def block_parameters(module: nn.Module) -> list[list[str]]:
    """The names of each block's parameters, first block to last, found by the number in their names.

    The blocks are the numbered list that holds most of the weights. What the network registers after them (further
    blocks of class attention, the final norm, a pooling head) is put with the last block. Raises FaithfulnessError for
    a network without such a list.
    """
    names: list[str] = []
    lists: dict[str, dict[int, list[str]]] = {}
    sizes: dict[str, int] = {}
    for name, parameter in module.named_parameters():
        names.append(name)
        parts = name.split(".")
        at = next((i for i, part in enumerate(parts) if part.isdecimal()), None)
        if at is not None:
            where = ".".join(parts[:at])
            lists.setdefault(where, {}).setdefault(int(parts[at]), []).append(name)
            sizes[where] = sizes.get(where, 0) + parameter.numel()
    if not lists:
        raise FaithfulnessError("no numbered blocks were found in this network, so they cannot be drawn anew")
    blocks = lists[max(sizes, key=sizes.__getitem__)]
    found = [blocks[number] for number in sorted(blocks)]
    found[-1] = names[min(map(names.index, found[-1])) :]
    return found


def randomised(backbone: Backbone, blocks: int, seed: int = 20) -> Backbone:
    """The backbone with the weights of its last `blocks` blocks, and of what follows them, drawn anew.

    Each tensor comes from the normal distribution of its own mean and deviation. The same seed draws the same weights
    for the last block whatever `blocks` is, as cascading randomisation wants it (Adebayo et al. 2018, Sanity Checks for
    Saliency Maps). The given backbone stays as it is; what is not drawn is shared with it. ValueError for more blocks
    than there are.
    """
    module, network = backbone.network.module, backbone.network
    every = block_parameters(module)
    if not 0 <= blocks <= len(every):
        raise ValueError(f"the network has {len(every)} blocks, so 0 to {len(every)} can be drawn anew, not {blocks}")
    if blocks == 0:
        return backbone
    own, generator = dict(module.named_parameters()), torch.Generator().manual_seed(seed)
    drawn: dict[int, Tensor] = {}
    for name in reversed([name for names in every[-blocks:] for name in names]):
        drawn[id(own[name])] = _drawn(own[name], generator)
    kept = {id(parameter): parameter for parameter in own.values()}
    return replace(
        backbone,
        network=replace(
            network,
            module=copy.deepcopy(module, {**kept, **drawn}),
            forward=_swapped(network.forward, drawn),
            classify=network.classify and _swapped(network.classify, drawn),
            title=f"{network.title}, its last {blocks} blocks random",
        ),
        weights_sha256="",
    )


def _drawn(parameter: Tensor, generator: torch.Generator) -> nn.Parameter:
    with torch.no_grad():
        values = parameter.detach().float()
        noise = torch.randn(values.shape, generator=generator).to(values.device)
        fresh = values.mean() + values.std(correction=0) * noise
    return nn.Parameter(fresh.to(parameter.dtype), requires_grad=parameter.requires_grad)


def _swapped(call: Callable[..., Any], tensors: dict[int, Tensor]) -> Callable[..., Any]:
    def swapped(*args: Any, **kwargs: Any) -> Any:
        with ParameterOverride(tensors):
            return call(*args, **kwargs)

    return swapped


@dataclass(frozen=True)
class Randomisation:
    """How a map changes with its network: `blocks` (n,) drawn anew, counted from the end of the network, and
    `correlations` (n,) float64, Spearman's rank correlation with the original map; NaN where a map is constant."""

    blocks: tuple[int, ...]
    correlations: np.ndarray


def randomisation(
    backbone: Backbone, pixels: Tensor, explain: Explain, steps: Sequence[int] | None = None, seed: int = 20
) -> Randomisation:
    """The randomisation test of a map: `explain(backbone, pixels)` gives weights (rows, cols), and is asked again for
    networks of which 0, 1, … all blocks are drawn anew (or those numbers of blocks that `steps` names).

    A map that stays much the same does not explain the network (Adebayo et al. 2018).
    """
    numbers = tuple(range(len(block_parameters(backbone.network.module)) + 1)) if steps is None else tuple(steps)
    original = torch.as_tensor(explain(backbone, pixels)).cpu()
    maps = (torch.as_tensor(explain(randomised(backbone, number, seed), pixels)).cpu() for number in numbers)
    return Randomisation(numbers, np.array([rank_correlation(original, other) for other in maps]))


def rank_correlation(one: Any, other: Any) -> float:
    """Spearman's rank correlation of two maps of one shape; equal weights share their mean rank. NaN for a constant."""
    from scipy.stats import spearmanr

    one, other = (np.asarray(values, np.float64).ravel() for values in (one, other))
    if (one == one[0]).all() or (other == other[0]).all():
        return float("nan")
    return float(spearmanr(one, other).statistic)
