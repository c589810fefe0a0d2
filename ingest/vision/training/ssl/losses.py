"""What a self-supervised student learns from its teacher.

lightly's DINOLoss never compares the views that have the same number, and refuses one view a branch: where the branches
have views of their own, all pairs count. So the pairs are chosen here, and the cross-entropy is computed over them;
where the branches share their views it is equal to lightly's. lightly's NTXentLoss goes both ways; `nce` goes one way.
Its Center and its gathering over processes are used as they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Pairs = Sequence[tuple[int, int]]


def pairs_of(teacher: int, student: int, same: bool) -> list[tuple[int, int]]:
    """Which views are compared, (teacher's, student's). Where the branches share the first views (`same`) none is
    compared with itself, unless there is no other."""
    every = list(itertools.product(range(teacher), range(student)))
    apart = [(t, s) for t, s in every if t != s] if same else every
    return apart or every


def wide(values: Tensor) -> Tensor:
    """In float32 at least: what follows is no matter of half precision."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def teacher_distribution(output: Tensor, center: Tensor, temperature: float) -> Tensor:
    """The teacher's outputs (n, K), centred and sharpened, as probabilities."""
    return ((wide(output) - center) / temperature).softmax(dim=-1)


def dino_loss(
    teacher: Sequence[Tensor], student: Sequence[Tensor], pairs: Pairs, center: Tensor, sharp: float, soft: float
) -> Tensor:
    """The mean cross-entropy over these pairs of views, each (n, K): between the teacher's distribution at the
    temperature `sharp`, less the `center` (1, K), and the student's at `soft` (Caron et al. 2021, arXiv 2104.14294)."""
    wanted = [teacher_distribution(each, center, sharp) for each in teacher]
    said = [(wide(each) / soft).log_softmax(dim=-1) for each in student]
    return torch.stack([-(wanted[t] * said[s]).sum(dim=-1).mean() for t, s in pairs]).mean()


def nce_loss(
    teacher: Sequence[Tensor], student: Sequence[Tensor], pairs: Pairs, temperature: float, concatenated: bool = False
) -> Tensor:
    """InfoNCE, one way: which of the student's pictures is the teacher's, over the batches of all processes.

    For a pair of views (n, K), of length 1, the scores are teacher · studentᵀ / temperature, and the loss the
    cross-entropy of each row with its own picture. `concatenated` makes one vector of all views of a branch.
    """
    if concatenated:
        teacher, student, pairs = [torch.cat(list(teacher), dim=-1)], [torch.cat(list(student), dim=-1)], [(0, 0)]
    own = [F.normalize(wide(each), dim=-1) for each in teacher]
    others = [F.normalize(wide(each), dim=-1) for each in student]
    everybody, first = _of_all_processes(others)
    losses = []
    for t, s in pairs:
        right = first + torch.arange(len(own[t]), device=own[t].device)
        losses.append(F.cross_entropy(own[t] @ everybody[s].T / temperature, right))
    return torch.stack(losses).mean()


def _of_all_processes(views: list[Tensor]) -> tuple[list[Tensor], int]:
    """Each view with the rows of all processes below each other, and where those of this process begin."""
    from lightly.utils import dist

    if dist.world_size() == 1:
        return views, 0
    return [torch.cat(dist.gather(view.contiguous())) for view in views], dist.rank() * len(views[0])
