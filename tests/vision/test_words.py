"""Texts and pictures in one space: both halves of a network against transformers' whole network in float64."""

import numpy as np
import pytest
import torch

from ingest.vision.backbones import load, load_for_run
from ingest.vision.spaces import is_joint
from ingest.vision.words.opening import load_text_tower
from ingest.vision.words.scores import TextError
from ingest.vision.words.tower import NoTextTower
from tests.support.words import FAMILIES, MOST, save_joint

TEXTS = ["a boat", "A Boat, on the SEA!", "boats and more boats and the wide open sea", "סירה בים", "🚢 é", "a boat"]


@pytest.fixture(scope="module", params=FAMILIES)
def network(request, tmp_path_factory):
    """A folder with a network of each family, and the same in float64."""
    folder = tmp_path_factory.mktemp(request.param)
    return folder, save_joint(folder, request.param)


def expected_texts(folder, whole, texts) -> np.ndarray:
    """As the network's own processor prepares them, and `get_text_features` encodes them."""
    from transformers import AutoProcessor

    siglip = "siglip" in type(whole).__name__.lower()
    texts = [text.lower() for text in texts] if siglip else texts
    padding = "max_length" if siglip else True
    inputs = AutoProcessor.from_pretrained(folder)(
        text=texts, padding=padding, truncation=True, max_length=MOST, return_tensors="pt"
    )
    with torch.no_grad():
        features = whole.get_text_features(**inputs).pooler_output
    return torch.nn.functional.normalize(features, dim=-1).numpy()


def test_text_vectors_are_those_of_the_whole_network(network):
    folder, whole = network
    tower = load_text_tower(f"hf:{folder}")
    found = tower.encode(TEXTS)
    assert found.dtype == np.float32 and found.shape == (6, tower.dim) and tower.most == MOST
    np.testing.assert_allclose(found, expected_texts(folder, whole, TEXTS), atol=2e-6)
    assert np.abs(found[0] - found[1]).max() > 0.01  # they are told apart
    assert tower.logit_scale == pytest.approx(np.exp(2.3), rel=1e-6)
    assert tower.logit_bias == (None if tower.kind == "clip" else -4.5)


def test_a_text_does_not_depend_on_its_batch(network):
    tower = load_text_tower(f"hf:{network[0]}")
    alone = np.concatenate([tower.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(tower.encode(TEXTS), alone, atol=1e-6)
    many = tower.encode(TEXTS * 15)  # more than one batch
    np.testing.assert_allclose(many[-6:], alone, atol=1e-6)


def test_long_texts_are_cut_and_named(network):
    tower = load_text_tower(f"hf:{network[0]}")
    long = "sea " * 40
    assert tower.cut(["a boat", long]) == [long]
    np.testing.assert_allclose(tower.encode([long]), tower.encode([long + "boat"]), atol=1e-6)


def test_only_the_text_half_is_in_memory(network):
    names = [name for name, _ in load_text_tower(f"hf:{network[0]}").module.named_parameters()]
    assert names and not [name for name in names if name.startswith("vis")]


def test_picture_vectors_are_those_of_the_whole_network(network):
    folder, whole = network
    backbone = load(f"hf:{folder}", precision=torch.float64)
    pixels = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    inputs = {"pixel_values": pixels}
    if type(whole).__name__ == "Siglip2Model":
        from ingest.vision.backbones.naflex import as_patches

        inputs = as_patches(pixels, 16)
    with torch.no_grad():
        expected = torch.nn.functional.normalize(whole.get_image_features(**inputs).pooler_output, dim=-1)
        found = backbone.forward(pixels)
    torch.testing.assert_close(found.double(), expected, atol=2e-6, rtol=0)
    assert backbone.network.joint and backbone.dim == expected.shape[1] == load_text_tower(f"hf:{folder}").dim
    assert is_joint(backbone.settings())


def test_an_inner_layer_is_in_no_space_with_texts(network):
    inner = load(f"hf:{network[0]}", layer=0)
    assert not inner.network.joint and inner.settings()["feature_space"] == "image"
    with pytest.raises(NoTextTower, match="python -m ingest run FOLDER --model siglip2-base"):
        load_text_tower(inner.settings())


def test_runs_of_before_keep_their_feature(network):
    """CLIP's was taken before the projection; SigLIP's pooling, which has none, is the same vector then and now."""
    folder, whole = network
    before = {**load(f"hf:{folder}", joint=False).settings()}
    del before["feature_space"]
    old = load_for_run(before, precision=torch.float64)
    projected = "CLIP" in type(whole).__name__ or "Clip" in type(whole).__name__
    assert old.dim == 32 and old.network.joint != projected and is_joint(before) != projected
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        found = old.forward(pixels)
        if projected:
            pooled = whole.vision_model(pixels).pooler_output
            torch.testing.assert_close(found.double(), torch.nn.functional.normalize(pooled, dim=-1), atol=2e-6, rtol=0)
        else:
            torch.testing.assert_close(found, load(f"hf:{folder}", precision=torch.float64).forward(pixels))
    new = load(f"hf:{folder}").settings()
    assert load_for_run(new).settings()["feature_space"] == "joint"


@pytest.mark.parametrize("key", ["tiny:clip", "tiny:siglip"])
def test_tiny_towers_are_the_same_each_time_and_as_wide_as_their_pictures(key):
    tower = load_text_tower(load(key).settings())
    assert tower.dim == load(key).dim
    np.testing.assert_array_equal(tower.encode(TEXTS), load_text_tower(key).encode(TEXTS))


@pytest.mark.parametrize("key", ["tiny:clip", "tiny:siglip"])
@pytest.mark.parametrize("text", ["", "  \n", "\u3000"])
def test_an_empty_text_is_refused(key, text):
    with pytest.raises(TextError, match="no words in an empty text"):
        load_text_tower(key).encode(["a boat", text])


def test_strange_signs_are_read(key="tiny:siglip"):
    odd = ["\ud800 half", "مرحبا بالعالم", "e\u0301", "👩‍👩‍👧", "<eos><pad>", "\0"]
    found = load_text_tower(key).encode(odd)
    assert np.isfinite(found).all() and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    "of",
    ["packaged", "timm:vit_base_patch16_clip_224.openai", "dinov2-small", "tiny:vit", "hf:/no/such/folder", "clip-base-32",
     {"model": "clip-base-32", "feature": "CLS token after the final norm", "title": "clip-base-32"},
     {"model": "timm:vit_base_patch16_siglip_224", "feature": "the network's own attention pooling"},
     {"model": "siglip-base", "weights": "a.pth", "feature": "the network's own attention pooling"}],
)  # fmt: skip
def test_where_there_is_no_tower_one_sentence_says_what_to_type(of):
    with pytest.raises(NoTextTower) as error:
        load_text_tower(of, offline=True)
    assert str(error.value).endswith("python -m ingest run FOLDER --model siglip2-base")
    assert "\n" not in str(error.value)


def test_a_folder_without_its_text_half_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    save_joint(tmp_path, "clip")
    file = tmp_path / "model.safetensors"
    tensors = {name: tensor for name, tensor in load_file(file).items() if "text_model.encoder" not in name}
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(NoTextTower, match=r"lacks 32 weights of its text tower.*--model siglip2-base"):
        load_text_tower(f"hf:{tmp_path}")


def test_published_networks_say_in_which_languages_they_are_searched():
    from ingest.models import model_table
    from ingest.vision.backbones.registry import PUBLISHED

    rows = {row["key"]: row for row in model_table()}
    assert [key for key, row in rows.items() if row["recommended_for_words"]] == ["siglip2-base"]
    assert {key.split("-")[0] for key, row in rows.items() if row["words"]} == {
        "clip",
        "siglip",
        "siglip2",
        "metaclip2",
    }
    assert rows["clip-base-32"]["languages"] == "English" and "109" in rows["siglip2-base"]["languages"]
    texts = {key: row["megabytes_with_text"] - row["megabytes"] for key, row in rows.items() if row["words"]}
    assert min(texts.values()) > 200 and set(texts) == {key for key, each in PUBLISHED.items() if each.languages}
