"""The network that selects patches and reads them: encoder, cross-attention pooling, one output a task."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ingest.vision.backbones import Backbone
from ingest.vision.patches import Masking, Selected, SelectionSettings, chunks_of, positions, select, visiting_order
from ingest.vision.training.ips.encoders import PatchEncoder
from ingest.vision.training.ips.pooling import CrossAttentionPooling, Pooled
from ingest.vision.training.ips.settings import NetworkSettings


@dataclass(frozen=True)
class Prediction:
    """Of each task by its name: `logits` (batch, outputs), and `heads` (batch, heads, outputs) where each head's own
    were asked for; and the pooling that they come from."""

    logits: dict[str, Tensor]
    heads: dict[str, Tensor]
    pooled: Pooled


class IPSNet(nn.Module):
    """Iterative patch selection, trained end to end (Bergner et al. 2023, arXiv 2210.13007).

    `select` finds the best M of any number of patches without gradients, in the memory of M + I; `forward` encodes
    those again, with gradients, and predicts. The classes of all tasks must be known. Without `fetch` no weights are
    read: they are to be filled.
    """

    def __init__(self, settings: NetworkSettings, backbone: Backbone | None = None, fetch: bool = True) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = PatchEncoder(settings.encoder, settings.pooling.dim, backbone, fetch)
        self.pooling = CrossAttentionPooling(settings.queries, settings.pooling)
        self.outputs = nn.ModuleList(nn.Linear(settings.pooling.dim, task.outputs) for task in settings.tasks)

    @property
    def device(self) -> torch.device:
        return self.pooling.queries.device

    def embed(self, patches: Tensor, indices: Tensor, valid: Tensor | None = None) -> Tensor:
        """Vectors (batch, n, dim) of patches (batch, n, …) with their positions, where they have some; zero where not
        `valid`. Patches that do not count are not encoded: a batch norm would take them for pictures."""
        patches, indices = patches.to(self.device, non_blocking=True), indices.to(self.device)
        if valid is None:
            vectors = self.encoder(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])
        else:
            found = self.encoder(patches[valid])
            vectors = found.new_zeros(*valid.shape, found.shape[-1]).masked_scatter(valid[..., None], found)
        if self.settings.patches.positions:
            vectors = vectors + positions(indices, vectors.shape[-1]).to(vectors.dtype)
        return vectors

    def score(self, patches: Tensor, indices: Tensor) -> Tensor:
        """The logits (batch, n, heads, queries) of patches (batch, n, …), whose softmax over n is attention."""
        return self.pooling.logits(self.embed(patches, indices)).permute(0, 3, 1, 2)

    @torch.no_grad()
    def select(self, patches: Tensor, generator: torch.Generator | None = None) -> Selected:
        """The best M of patches (batch, N, …), or all N; by what the network knows now, without dropout. They are
        masked while it is in training mode alone, shuffled and masked by `generator`."""
        settings, training = self.settings.patches, self.training
        masks = training and settings.mask_top > 0 and settings.mask_probability > 0
        masking = Masking(settings.mask_top, settings.mask_probability) if masks else None
        how = SelectionSettings(settings.memory, settings.iteration, settings.selection, masking)
        order = visiting_order(len(patches), patches.shape[1], settings.shuffle, generator)
        self.eval()
        try:
            return select(chunks_of(patches, settings.iteration, order), self.score, how, generator)
        finally:
            self.train(training)

    def forward(
        self, patches: Tensor, indices: Tensor, valid: Tensor | None = None, each_head: bool = False
    ) -> Prediction:
        """What patches (batch, m, …) with their indices (batch, m) in the grid say, of which those count where `valid`
        (batch, m) is true."""
        valid = None if valid is None else valid.to(self.device)
        pooled = self.pooling(self.embed(patches, indices, valid), valid, each_head)
        named = list(zip(self.settings.tasks, self.outputs, strict=True))
        logits = {task.name: layer(pooled.queries[:, self.settings.query(task)]) for task, layer in named}
        heads = pooled.heads
        each = {} if heads is None else {t.name: layer(heads[:, :, self.settings.query(t)]) for t, layer in named}
        return Prediction(logits, each, pooled)
