"""What the numbers about heads are computed from, gathered in one pass; and numbers about tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from ingest.vision.head_statistics import HEAD_STATISTICS, Gathered
from ingest.vision.tap import Capture, Tile, captured


class HeadStatistics:
    """A reader that gathers what the formulas of `ingest.vision.head_statistics` need."""

    wants_tiles = True
    wants_scores = True

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        shape = (capture.batch, len(capture.layers), capture.heads)
        self.raw, self.renormalised, self.entropy = (torch.zeros(shape, device=capture.device) for _ in range(3))
        self.row = torch.zeros(*shape, capture.tokens, device=capture.device)
        self.cells = capture.picture_cells.to(capture.device)
        self.all_picture = bool(self.cells.all())
        self.summary = capture.summary_query()
        # For each patch that asks its distances to all tokens, and whether a token counts: special ones do not.
        distances = patch_distances(capture.rows, capture.cols, capture.patch).to(capture.device)
        both = torch.stack([distances, torch.ones_like(distances)], dim=1)
        self.counted = torch.nn.functional.pad(both, (capture.prefix_tokens, 0))  # (patches, 2, tokens)
        self.shown = torch.nn.functional.pad(self.cells.float(), (capture.prefix_tokens, 0))

    def tile(self, tile: Tile) -> None:
        prefix, layer, samples, queries = self.capture.prefix_tokens, tile.layer, tile.samples, tile.queries
        if not self.capture.has_cls:
            asking = self.summary[samples, None, None, queries]
            self.row[samples, layer] += (asking @ tile.weights).squeeze(2)
        elif queries.start == 0:
            self.row[samples, layer] = tile.weights[:, :, 0]  # copied: the tile's memory is used again
        first = max(queries.start, prefix)
        if first >= queries.stop:
            return
        asked, rows = slice(first - prefix, queries.stop - prefix), slice(first - queries.start, None)
        patch_rows = tile.weights[:, :, rows]
        evenness = _row_entropy(patch_rows, captured(tile.scores)[:, :, rows])
        counted = self.counted[asked] if self.all_picture else self.counted[asked] * self.shown[samples, None, None]
        far, mass = (patch_rows.transpose(1, 2) @ counted.transpose(-1, -2)).transpose(1, 2).unbind(-1)
        if self.all_picture:
            share = far / mass
        else:
            queries_shown = self.cells[samples, None, asked]
            share = torch.where(mass > 0, far / mass, 0.0) * queries_shown
            far, evenness = far * queries_shown, evenness * queries_shown
        self.raw[samples, layer] += far.sum(dim=-1)
        self.renormalised[samples, layer] += share.sum(dim=-1)
        self.entropy[samples, layer] += evenness.sum(dim=-1)

    def end_layer(self, layer: int) -> None:
        pass

    def gathered(self) -> Gathered:
        """What the pass says, once all layers have been read."""
        capture, prefix = self.capture, self.capture.prefix_tokens
        asked = self.cells.sum(dim=1)[:, None, None].float()
        if capture.layers[0].queries == 1:
            asked = asked * torch.nan
        special = self.row[..., :prefix].sum(dim=-1)
        return Gathered(
            row=self.row,
            patches=self.row[..., prefix:] * self.cells[:, None, None],
            mass_special=special,
            mass_cls=self.row[..., 0] if capture.has_cls else torch.zeros_like(special),
            distance=self.renormalised / asked,
            distance_raw=self.raw / asked,
            entropy=self.entropy / asked,
            diagonal=capture.patch * (capture.rows**2 + capture.cols**2) ** 0.5,
        )

    def values(self) -> dict[str, Tensor]:
        """Each statistic by its key, float32 (batch, layers, heads)."""
        gathered = self.gathered()
        return {statistic.key: statistic.formula(gathered) for statistic in HEAD_STATISTICS}


def _row_entropy(rows: Tensor, scores: Tensor) -> Tensor:
    """Entropies in nats of softmax rows (samples, heads, queries, tokens), given their scores: ln Z - Σ A S, where Z is
    Σ exp S, so that ln Z is S - ln A at any entry. One product, where Σ -A ln A takes a logarithm of each entry."""
    log_sums = scores[..., 0] - rows[..., 0].log()
    if (rows[..., 0] < LEAST_EXACT).any():
        log_sums = scores.amax(dim=-1) - rows.amax(dim=-1).log()
    return log_sums - torch.einsum("bhqt,bhqt->bhq", rows, scores)


LEAST_EXACT = 1e-30  # a weight that has all its digits in float32


ABNORMAL = 3.0  # times the median norm; in networks that have such tokens theirs is about ten times


def token_statistics(capture: Capture) -> dict[str, Tensor]:
    """Norms of the patch tokens before the final norm, each float32 (batch,): `outliers`, the share of patches whose
    norm is more than ABNORMAL times the median, `norm_median` and `norm_max`. Empty where the capture holds no tokens.

    Source: Darcet et al. 2024, Vision Transformers Need Registers. After the final norm the outliers cannot be seen.
    """
    if capture.residual is None:
        return {}
    norms = capture.residual[:, capture.prefix_tokens :].float().norm(dim=-1)
    norms = norms.masked_fill(~capture.picture_cells.to(norms.device), torch.nan)
    median = norms.nanmedian(dim=1).values
    shown = capture.picture_cells.sum(dim=1).to(norms.device)
    return {
        "outliers": (norms > ABNORMAL * median[:, None]).sum(dim=1) / shown,
        "norm_median": median,
        "norm_max": norms.nan_to_num(0).amax(dim=1),
    }


def patch_distances(rows: int, cols: int, patch: int) -> Tensor:
    """Distances between patch centres in pixels, float32 (rows * cols, rows * cols), patches in reading order."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    places = torch.stack([y.flatten(), x.flatten()], dim=1).float() * patch
    return torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")
