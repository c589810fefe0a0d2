import hashlib

import pytest
import torch
from safetensors.torch import load_file, save_file

from ingest.vision.backbones import PUBLISHED, BackboneError, checkpoint, load, load_for_run, tiny
from ingest.vision.backbones.from_transformers import _network_class, published_config
from ingest.vision.backbones.packaged import LAYER, packaged_file
from ingest.vision.geometry import InputRule


def picture(backbone, rows=3, cols=5):
    side = backbone.patch
    return torch.randn(1, 3, rows * side, cols * side, generator=torch.Generator().manual_seed(5))


def test_the_packaged_weights_are_a_whole_dinov2(packaged):
    assert (packaged.layers, packaged.heads, packaged.dim, packaged.patch, packaged.prefix_tokens) == (
        12,
        6,
        384,
        14,
        1,
    )
    assert packaged.rule == InputRule(size=224, resize=256, mean=packaged.rule.mean, std=packaged.rule.std, patch=14)
    assert "saliency" in packaged.network.note and packaged.network.licence == "MIT"


def test_the_packaged_feature_is_the_cls_token_as_block_10_leaves_it(packaged):
    pixels = picture(packaged, 16, 16)
    with torch.inference_mode():
        hidden = packaged.network.module(pixels, output_hidden_states=True).hidden_states
        expected = torch.nn.functional.normalize(hidden[LAYER + 1][:, 0], dim=-1)
        torch.testing.assert_close(packaged.forward(pixels), expected)
    other = load("packaged", layer=3)
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(hidden[4][:, 0], dim=-1)
        torch.testing.assert_close(other.forward(pixels), expected)


def test_the_packaged_network_computes_what_its_onnx_graph_computes(packaged):
    """The graph itself, up to the final norm, is run by ONNX's reference implementation in NumPy."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(str(packaged_file()))
    end = "/backbone/layernorm/Add_1_output_0"
    needed, nodes = {end}, []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.insert(0, node)
            needed |= set(node.input)
    graph = onnx.helper.make_graph(
        nodes,
        "backbone",
        list(model.graph.input),
        [onnx.helper.make_tensor_value_info(end, onnx.TensorProto.FLOAT, None)],
        [item for item in model.graph.initializer if item.name in needed],
    )
    reference = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=model.opset_import))
    pixels = picture(packaged, 16, 16)
    (expected,) = reference.run(None, {"input_image": pixels.numpy()})
    with torch.inference_mode():
        tokens = packaged.network.module(pixels).last_hidden_state
    torch.testing.assert_close(tokens, torch.from_numpy(expected), atol=1e-4, rtol=0)


def test_packaged_weights_attend_to_the_thing_in_the_picture(packaged):
    """A bright disc on a plain ground: the last layers' CLS attention falls on it, wherever it is."""
    rows = cols = 16
    y, x = torch.meshgrid(torch.arange(224), torch.arange(224), indexing="ij")
    batch, inside = [], []
    for cy, cx in ((60, 60), (60, 160), (160, 60), (160, 160)):
        disc = ((y - cy) ** 2 + (x - cx) ** 2) < 35**2
        batch.append(
            torch.where(disc[..., None], torch.tensor([230, 180, 40]), torch.tensor([70, 80, 90])).to(torch.uint8)
        )
        inside.append(disc.float().view(rows, 14, cols, 14).mean((1, 3)).flatten())
    from ingest.vision.embedding import observe

    maps = observe(packaged, torch.stack(batch), ["cls"]).maps[0].weights
    late = maps.view(4, 12, 6, 256)[:, 8:].mean((1, 2))
    on_disc = (late * torch.stack(inside)).sum(1) / late.sum(1)
    share_of_area = torch.stack(inside).mean(1)
    assert (on_disc > 3 * share_of_area).all(), (on_disc, share_of_area)


@pytest.mark.parametrize("name", tiny.NAMES)
def test_tiny_networks_are_the_same_each_time(name):
    assert load(f"tiny:{name}").weights_sha256 == load(f"tiny:{name}").weights_sha256


@pytest.mark.parametrize("name", ["vit", "dinov2-registers", "siglip", "timm-vit", "timm-registers", "timm-gap"])
def test_the_feature_of_an_inner_layer_differs_from_the_last(name):
    last, inner = load(f"tiny:{name}"), load(f"tiny:{name}", layer=0)
    pixels = picture(last)
    with torch.inference_mode():
        assert not torch.allclose(last.forward(pixels), inner.forward(pixels), atol=1e-3)
    assert "block 0" in inner.network.feature


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(BackboneError, match="--layer 3 is not a layer of tiny:vit: it has 3, counted from 0 to 2"):
        load("tiny:vit", layer=3)


def test_a_folder_written_by_save_pretrained_is_loaded(tmp_path):
    from transformers import BitImageProcessor

    source = load("tiny:dinov2-registers")
    source.network.module.save_pretrained(tmp_path)
    BitImageProcessor(size={"shortest_edge": 72}, crop_size={"height": 60, "width": 60}, image_mean=[0.1, 0.2, 0.3]).save_pretrained(tmp_path)  # fmt: skip
    found = load(f"hf:{tmp_path}")
    assert found.weights_sha256 == source.weights_sha256
    assert found.rule.size == 56 and found.rule.resize == 72  # 60 px hold four patches of 14
    assert found.rule.mean == (0.1, 0.2, 0.3)
    pixels = picture(source)
    with torch.inference_mode():
        torch.testing.assert_close(found.forward(pixels), source.forward(pixels))


def test_a_folder_whose_weights_are_called_otherwise_is_refused(tmp_path):
    """transformers fills what it does not find with random numbers."""
    import transformers

    shape = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32)
    transformers.ViTModel(transformers.ViTConfig(**shape, patch_size=16)).save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    save_file({f"mine.{name}": tensor for name, tensor in load_file(file).items()}, file, {"format": "pt"})
    with pytest.raises(BackboneError, match=r"weights are missing, such as .*config\.json is that of another network"):
        load(f"hf:{tmp_path}")


def test_a_clip_folder_gives_its_vision_part(tmp_path):
    from transformers import CLIPConfig, CLIPModel

    shape = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    config = CLIPConfig(
        text_config={**shape, "vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1},
        vision_config={**shape, "image_size": 64, "patch_size": 16},
    )
    CLIPModel(config).save_pretrained(tmp_path)
    found = load(f"hf:{tmp_path}", joint=False)
    assert (found.layers, found.heads, found.dim, found.patch, found.prefix_tokens) == (2, 2, 32, 16, 1)


def wrap(tensors, how):
    return {
        "plain": tensors,
        "teacher": {"student": {"x": torch.zeros(1)}, "teacher": {f"backbone.{k}": v for k, v in tensors.items()}},
        "module": {"epoch": 3, "state_dict": {f"module.backbone.{k}": v for k, v in tensors.items()}},
        "head": {"model": {**{f"backbone.{k}": v for k, v in tensors.items()}, "head.last.weight": torch.zeros(3)}},
    }[how]


@pytest.fixture(scope="module")
def deit():
    """The tensors of a DeiT-tiny with its authors' names, and their hash."""
    import timm

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = timm.create_model("deit_tiny_patch16_224", num_classes=0)
    return module.state_dict(), checkpoint.weights_sha256(module)


@pytest.mark.parametrize(
    ("suffix", "how"),
    [*((".pth", how) for how in ("plain", "teacher", "module", "head")), (".safetensors", "plain"), (".safetensors", "module")],
)  # fmt: skip
def test_weights_files_of_authors_are_unwrapped(tmp_path, deit, suffix, how):
    """DeiT's published names, as a file in each of the wrappings that training codes leave around them."""
    (tensors, sha256), file = deit, tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":  # which holds tensors alone: only their names can be wrapped
        save_file({f"module.{k}": v for k, v in tensors.items()} if how == "module" else tensors, file)
    else:
        torch.save(wrap(tensors, how), file)
    native = load("deit-tiny", weights=file)
    named = load("timm:deit_tiny_patch16_224", weights=file)
    assert native.weights_sha256 == named.weights_sha256 == sha256
    assert native.rule.resize == 256 and native.weights == str(file)
    assert load_for_run(native.settings()).weights_sha256 == native.weights_sha256


def test_weights_with_the_names_of_transformers(tmp_path):
    from transformers import ViTModel

    torch.manual_seed(0)
    config = published_config(PUBLISHED["dino-small-16"])
    module = ViTModel(config, add_pooling_layer=False)
    file = tmp_path / "dino.pth"
    torch.save({"teacher": {f"backbone.{k}": v for k, v in module.state_dict().items()}}, file)
    found = load("dino-small-16", weights=file)
    assert (found.layers, found.heads, found.dim, found.patch) == (12, 6, 384, 16)
    assert found.weights_sha256 == checkpoint.weights_sha256(module)


def test_dinov2_weights_as_their_authors_publish_them(tmp_path):
    """Their file names layer scale `gamma` and keeps a mask token; the grid of positions is that of 518 px."""
    import timm

    torch.manual_seed(0)
    module = timm.create_model("vit_small_patch14_dinov2", num_classes=0)
    tensors = {**module.state_dict(), "mask_token": torch.zeros(1, 384)}
    file = tmp_path / "dinov2_vits14_pretrain.pth"
    torch.save(tensors, file)
    found = load("dinov2-small", weights=file)
    assert (found.layers, found.heads, found.prefix_tokens, found.rule.size) == (12, 6, 1, 224)


class Danger:
    def __reduce__(self):
        return (print, ("code ran",))


def test_bad_weights_files_are_refused_with_a_sentence(tmp_path, capsys):
    with pytest.raises(BackboneError, match="there is no weights file"):
        load("deit-tiny", weights=tmp_path / "none.pth")
    torch.save({"x": Danger()}, tmp_path / "danger.pth")
    with pytest.raises(BackboneError, match="could not be read as weights"):
        load("deit-tiny", weights=tmp_path / "danger.pth")
    assert "code ran" not in capsys.readouterr().out
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(BackboneError, match="could not be read as weights"):
        load("deit-tiny", weights=tmp_path / "text.safetensors")
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(BackboneError, match="holds no named tensors"):
        load("deit-tiny", weights=tmp_path / "empty.pth")
    save_file({"blocks.0.attn.qkv.weight": torch.zeros(3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(BackboneError, match="does not fit this model"):
        load("deit-tiny", weights=tmp_path / "other.safetensors")
    save_file({"encoder.thing": torch.zeros(3)}, tmp_path / "stranger.safetensors")
    with pytest.raises(BackboneError, match="does not fit this model.*missing"):
        load("dinov2-small", weights=tmp_path / "stranger.safetensors")


@pytest.mark.parametrize(
    "key, says",
    [
        ("dinov2-smal", "perhaps dinov2-small"),
        ("nonsense", "python -m ingest models"),
        ("timm:vit_nonsense", "timm has no model"),
        ("hf:/no/such/folder", "there is no folder"),
        ("tiny:nonsense", "there is no tiny network"),
    ],
)
def test_unknown_models_are_named(key, says):
    with pytest.raises(BackboneError, match=says):
        load(key, offline=True)


def test_a_model_that_is_not_cached_says_what_to_do_offline():
    with pytest.raises(BackboneError, match="--model packaged"):
        load("dinov2-small", offline=True)


def test_a_text_model_is_refused(tmp_path):
    from transformers import BertConfig, BertModel

    BertModel(BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=20)).save_pretrained(tmp_path)  # fmt: skip
    with pytest.raises(BackboneError, match="no vision transformer"):
        load(f"hf:{tmp_path}")


@pytest.mark.parametrize("key", PUBLISHED)
def test_the_registry_tells_the_true_shape_of_each_model(key):
    """The architecture is built without memory for its weights, and its size compared with the table."""
    import transformers

    published = PUBLISHED[key]
    config = published_config(published)
    network_class, extra = _network_class(transformers, config)
    with torch.device("meta"):
        module = network_class(config, **extra)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    assert parameters * 4 / 1e6 == pytest.approx(published.megabytes, rel=0.03)
    assert published.size % published.patch == 0 and published.grid % published.patch == 0
    if published.timm:
        import timm

        assert timm.is_model_pretrained(published.timm)
        with torch.device("meta"):
            twin = timm.create_model(published.timm, num_classes=0)
        count = sum(parameter.numel() for parameter in twin.parameters())
        # timm leaves the mask token out, and some positions are those of another grid
        assert count == pytest.approx(parameters, rel=0.03)
        assert twin.num_prefix_tokens == published.prefix_tokens


def test_the_hash_names_the_weights_not_the_file():
    first = torch.nn.Linear(3, 2)
    again = torch.nn.Linear(3, 2)
    again.load_state_dict(first.state_dict())
    assert checkpoint.weights_sha256(first) == checkpoint.weights_sha256(again)
    with torch.no_grad():
        again.bias[0] += 1e-6
    assert checkpoint.weights_sha256(first) != checkpoint.weights_sha256(again)
    assert len(checkpoint.weights_sha256(first)) == len(hashlib.sha256().hexdigest())
