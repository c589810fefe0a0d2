"""The tap that records attention calls."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ingest.vision.tap.arguments import Arguments, arguments
from ingest.vision.tap.calls import AttentionCall, softmax_rows


class Tap(TorchFunctionMode):
    """Records the attention calls made in this thread while it is entered: `with Tap() as tap: model(x)`.

    `tokens` keeps queries and keys, from which any softmax row can be made; `values` keeps values and outputs. What is
    not kept is freed as the pass goes on, and the pass is the quicker for it. With `gradients` the first call's output
    is where a graph begins that `torch.autograd.grad` can follow from any score back to every output: the weights
    are left out of it, and what lies before the first call costs nothing. `first` is the place of the query whose row
    is computed at once: the CLS token's.
    """

    def __init__(self, tokens: bool = True, values: bool = True, gradients: bool = False, first: int = 0) -> None:
        super().__init__()
        self.tokens, self.values, self.gradients, self.first = tokens, values, gradients, first
        self.calls: list[AttentionCall] = []
        self.pooling: AttentionCall | None = None

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.multi_head_attention_forward:
            return self._pool(func, args, kwargs)
        output = func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            if self.gradients and not output.requires_grad:
                output.requires_grad_()
            self.calls.append(self._record(output, arguments(*args, **kwargs)))
        return output

    def _pool(self, func, args, kwargs):
        """A pooling head written as `nn.MultiheadAttention`, which multiplies its matrices itself."""
        wanted, mean = kwargs.get("need_weights", True), kwargs.get("average_attn_weights", True)
        output, weights = func(*args, **{**kwargs, "need_weights": True, "average_attn_weights": False})
        queries, tokens = weights.shape[2:]
        if queries == 1 and tokens > 1:
            parts = {"output": output} if self.gradients else {}
            self.pooling = AttentionCall(weights[:, :, 0].detach().float(), queries, scale=1.0, **parts)
        if not wanted:
            return output, None
        return output, weights.mean(dim=1) if mean else weights

    def _record(self, output: Tensor, asked: Arguments) -> AttentionCall:
        at = self.first if self.first < asked.query.shape[2] else 0  # in class attention one token alone asks
        row = slice(at, at + 1)
        bias = None if asked.bias is None else asked.bias[:, :, row]
        first = softmax_rows(asked.query[:, :, row], asked.key, bias, asked.scale)[1][:, :, 0]
        parts = {"query": asked.query, "key": asked.key, "bias": asked.bias} if self.tokens else {}
        if self.values:
            parts |= {"value": asked.value, "output": output}
        return AttentionCall(first, asked.query.shape[2], asked.scale, **parts)
