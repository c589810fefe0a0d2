"""A network trained here as a .safetensors file: the teacher's weights, and in its header how to make it again."""

from __future__ import annotations

from safetensors.torch import save

from ingest.vision.backbones.trained import Recipe
from ingest.vision.training.ssl.network import Branch
from ingest.vision.training.ssl.settings import SSLSettings


def to_bytes(teacher: Branch, settings: SSLSettings, name: str, epoch: int) -> bytes:
    """The content of the file, which `ingest.vision.backbones.load` takes. Without the head, which is for training."""
    encoder = teacher.encoder
    recipe = Recipe(
        name,
        settings.model.name,
        encoder.arguments,
        settings.views.size,
        encoder.patch,
        encoder.mean,
        encoder.std,
        epoch,
        settings.training.epochs,
    )
    state = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in teacher.body.state_dict().items()}
    return save(state, recipe.header())
