"""The fit `model` is what a network's own processor does: features as by AutoImageProcessor and the model itself."""

import json

import numpy as np
import pytest
import torch
import transformers as T
from PIL import Image

from ingest.vision.backbones import BackboneError, load, load_for_run
from ingest.vision.backbones.processors import published_rule, rule_of
from ingest.vision.backbones.registry import CLIP, HALF, IMAGENET, PUBLISHED
from ingest.vision.embedding import embed
from ingest.vision.geometry import InputRule, Unfit, fit_image
from ingest.vision.preprocessing import Preprocessing, patches_at_most
from tests.support import PAINTINGS

SHAPE = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=64, patch_size=16)  # fmt: skip
FLEXIBLE = {k: v for k, v in SHAPE.items() if k != "image_size"} | {"num_patches": 16}
DINO = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, image_size=56, patch_size=14, mlp_ratio=2)
SQUARE = {"height": 64, "width": 64}


def plain(**more):
    return lambda: T.ViTModel(T.ViTConfig(**SHAPE | more), add_pooling_layer=False)


def dinov2():
    return T.Dinov2Model(T.Dinov2Config(**DINO))


def vit(**settings):
    return T.ViTImageProcessor(**{"size": SQUARE, **settings})


# Name: the network, its processor, and what its own processor is said to do.
KINDS = {
    "ViT": (plain(), vit(), "squeezed to 64 × 64"),
    "Bit": (dinov2, T.BitImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 56, "width": 56}, image_mean=IMAGENET[0], image_std=IMAGENET[1]), "short side resized to 64 pixels, the centre of 56 × 56"),
    "CLIP": (lambda: T.CLIPVisionModel(T.CLIPVisionConfig(**SHAPE)), T.CLIPImageProcessor(size={"shortest_edge": 64}, crop_size=SQUARE), "the centre of 64 × 64"),
    "SigLIP": (lambda: T.SiglipVisionModel(T.SiglipVisionConfig(**SHAPE)), T.SiglipImageProcessor(size=SQUARE), "squeezed to 64 × 64"),
    "SigLIP 2": (lambda: T.Siglip2VisionModel(T.Siglip2VisionConfig(**FLEXIBLE)), T.Siglip2ImageProcessor(patch_size=16, max_num_patches=20), "in 20 patches at most"),
    "DINOv3": (lambda: T.DINOv3ViTModel(T.DINOv3ViTConfig(**SHAPE, num_register_tokens=4)), T.DINOv3ViTImageProcessor(size=SQUARE), "squeezed to 64 × 64"),
    "BEiT": (lambda: T.BeitModel(T.BeitConfig(**SHAPE)), T.BeitImageProcessor(size={"height": 80, "width": 80}, crop_size=SQUARE, do_center_crop=True), "squeezed to 80 × 80 pixels, the centre of 64 × 64"),
    "broad": (plain(image_size=(64, 96)), vit(size={"height": 64, "width": 96}), "squeezed to 64 × 96"),
    "no multiple of the patch": (dinov2, vit(size={"height": 60, "width": 60}), "squeezed to 60 × 60"),
    "nearest": (plain(), vit(resample=0), "squeezed"),
    "lanczos": (plain(), vit(resample=1), "squeezed"),
    "not normalised": (plain(), vit(do_normalize=False), "squeezed"),
    "not rescaled": (plain(), vit(do_rescale=False, image_mean=[120, 110, 100], image_std=[60, 60, 60]), "squeezed"),
    "rescaled otherwise": (plain(), vit(rescale_factor=1 / 127.5, image_mean=[1, 1, 1], image_std=[1, 1, 1]), "squeezed"),
    "cut from smaller": (plain(), vit(size={"shortest_edge": 40}, do_center_crop=True, crop_size=SQUARE), "the centre of 64 × 64"),
    "padded": (dinov2, vit(image_mean=[0.6, 0.4, 0.2], size={"max_height": 56, "max_width": 56}, do_pad=True, pad_size={"height": 56, "width": 56}), "within 56 × 56 pixels, on a ground of 56 × 56"),
    "longest edge": (dinov2, vit(size={"shortest_edge": 56, "longest_edge": 84}), "the long one to 84 at most"),
    "short side alone": (dinov2, vit(size={"shortest_edge": 42}), "short side resized to 42 pixels"),
    "only cut": (plain(), vit(do_resize=False, do_center_crop=True, crop_size=SQUARE), "in its own size, the centre of 64 × 64"),
}  # fmt: skip


@pytest.fixture(scope="module")
def paintings():
    """All paintings, small, upright RGB; the last three in shapes that none of them has."""
    found = []
    for file in sorted(PAINTINGS.glob("*.jpg")):
        picture = Image.open(file)
        picture.draft("RGB", (160, 160))
        picture = picture.convert("RGB")
        picture.thumbnail((160, 160))
        found.append(picture)
    return [*found, found[0].resize((160, 40)), found[1].resize((50, 150)), found[2].resize((33, 47))]


def save(folder, network, processor):
    torch.manual_seed(3)
    model = network()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lambda" in name:
                weight.fill_(1.0)  # of the layer scale, or no block would do anything
            elif weight.ndim > 1:
                weight.normal_(0, 0.1 if "patch_embeddings.weight" in name or "projection" in name else 0.25)
    model.save_pretrained(folder)
    if processor is not None:
        processor.save_pretrained(folder)
    return model.eval()


def features_of(folder, model, pictures):
    """As somebody who has never heard of Bilderatlas would get them, picture by picture."""
    processor = T.AutoImageProcessor.from_pretrained(folder)
    sizes = "interpolate_pos_encoding" in model.forward.__code__.co_varnames
    found = []
    with torch.inference_mode():
        for picture in pictures:
            inputs = processor(images=picture, return_tensors="pt")
            usual = getattr(model.config, "image_size", None)
            usual = (usual, usual) if isinstance(usual, int) else usual
            more = {"interpolate_pos_encoding": True} if sizes and tuple(inputs["pixel_values"].shape[2:]) != usual else {}  # fmt: skip
            output = model(**inputs, **more)
            own = type(model).__name__ in ("CLIPVisionModel", "SiglipVisionModel", "Siglip2VisionModel", "BeitModel")
            found.append((output.pooler_output if own else output.last_hidden_state[:, 0])[0])
    return torch.nn.functional.normalize(torch.stack(found), dim=-1).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_of_the_own_processor_and_the_model(kind, tmp_path, paintings):
    network, processor, words = KINDS[kind]
    model = save(tmp_path, network, processor)
    backbone = load(f"hf:{tmp_path}")
    theirs, ours = features_of(tmp_path, model, paintings), embed(backbone, paintings, "model")
    apart = 1 - (theirs * ours).sum(axis=1)
    assert apart.max() <= 1e-3
    # The pictures are not all alike to this network, or the test could not fail.
    assert (1 - theirs @ theirs.T).max() > 0.02
    assert words in backbone.rule.preprocessing.describe()
    assert backbone.network.assumed == ()
    stored = backbone.settings()["input"]
    assert Preprocessing.from_dict(json.loads(json.dumps(stored["model"]))) == backbone.rule.preprocessing


# ---- where what the network sees lies in the picture -----------------------------------------------------------------

GROUNDS = {
    "squeeze": Preprocessing("squeeze", 64, 64),
    "broad": Preprocessing("squeeze", 48, 112),
    "squeezed, then cut": Preprocessing("squeeze", 80, 80, crop=(64, 64)),
    "short": Preprocessing("short", 72, crop=(64, 64)),
    "cut from smaller": Preprocessing("short", 40, crop=(64, 64)),
    "cut to a broad one": Preprocessing("cover", 60, 100, crop=(48, 96), rounds=True),
    "border": Preprocessing("within", 64, 64, crop=(64, 64), mean_ground=True, rounds=True),
    "padded": Preprocessing("within", 64, 64, pad=(64, 80)),
    "patches": Preprocessing("patches", patches=20),
    "longest": Preprocessing("short", 64, longest=100),
    "own size": Preprocessing("none"),
}


@pytest.mark.parametrize("own", GROUNDS.values(), ids=GROUNDS)
@pytest.mark.parametrize("size", [(160, 120), (90, 150)])
def test_a_planted_square_lies_where_the_map_says(own, size):
    """The centre of mass of its light, carried back through the Frame, is its centre."""
    rule = InputRule(64, 64, (0, 0, 0), (1, 1, 1), patch=8, interpolation="bilinear", own=own)
    width, height = size
    for left, top in ((width // 2 - 20, height // 2 - 10), (width // 2 - 2, height // 2 - 14)):
        picture = Image.new("RGB", size)
        picture.paste((255, 255, 255), (left, top, left + 18, top + 18))
        array, frame = fit_image(picture, rule, "model")
        assert array.shape == (frame.rows * 8, frame.cols * 8, 3)
        if own.output:
            assert array.shape[:2] == own.output == rule.shape
        light = array[:, :, 0].astype(float)
        across = (np.arange(light.shape[1]) + 0.5) @ light.sum(0) / light.sum()
        down = (np.arange(light.shape[0]) + 0.5) @ light.sum(1) / light.sum()
        x = frame.x0 + across * (frame.x1 - frame.x0) / light.shape[1]
        y = frame.y0 + down * (frame.y1 - frame.y0) / light.shape[0]
        assert (x, y) == pytest.approx((left + 9, top + 9), abs=0.4)
        if "cut" not in own.describe() and not own.pad:
            assert (frame.x0, frame.y0) == (0, 0) and frame.picture_cells(*size).all()


@pytest.mark.parametrize("own", GROUNDS.values(), ids=GROUNDS)
def test_another_size_keeps_the_way_and_its_proportions(own):
    rule = InputRule(64, 64, (0, 0, 0), (1, 1, 1), patch=8, own=own)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8))
    (_, usual), (array, double) = fit_image(picture, rule, "model"), fit_image(picture, rule, "model", 128)
    assert array.shape == (double.rows * 8, double.cols * 8, 3)
    if own.resize != "none":
        assert double.rows * double.cols == pytest.approx(4 * usual.rows * usual.cols, rel=0.2)
    edges = [getattr(double, edge) - getattr(usual, edge) for edge in ("x0", "y0", "x1", "y1")]
    assert np.abs(edges).max() < 8 or own.resize == "none"


@pytest.mark.parametrize(("size", "budget"), [((640, 480), 256), ((30, 3000), 64), ((17, 17), 1), ((1000, 1000), 729)])
def test_whole_patches_are_those_of_naflex(size, budget):
    from transformers.models.siglip2.image_processing_siglip2 import get_image_size_for_max_num_patches

    theirs = get_image_size_for_max_num_patches(size[1], size[0], 16, budget)
    assert patches_at_most(*size, 16, budget) == (theirs[1], theirs[0])


def test_pictures_that_a_network_cannot_take_so_say_why():
    rule = InputRule(64, 64, (0, 0, 0), (1, 1, 1), patch=8, own=Preprocessing("none"))
    with pytest.raises(Unfit, match="makes 1560 patches of it, more than 16 times the usual 64; take another --fit"):
        fit_image(Image.new("RGB", (320, 312)), rule, "model")
    with pytest.raises(Unfit, match="less than a patch of 8 pixels"):
        fit_image(Image.new("RGB", (100, 5)), rule, "model")


def test_a_smaller_copy_has_the_grid_of_its_original():
    rule = InputRule(64, 64, (0, 0, 0), (1, 1, 1), patch=8, own=Preprocessing("patches", patches=20))
    _, whole = fit_image(Image.new("RGB", (1601, 1003)), rule, "model")
    array, small = fit_image(Image.new("RGB", (100, 63)), rule, "model", original=(1601, 1003))
    assert (small.rows, small.cols) == (whole.rows, whole.cols) and array.shape[0] == small.rows * 8
    assert (small.x1, small.y1) == (100, 63)


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize(("sides", "share"), [((64, 64), 0.9), ((64, 96), 0.875), ((64, 64), 1.0)])
def test_timms_ways_are_timms(mode, sides, share, paintings):
    from timm.data.transforms_factory import transforms_imagenet_eval

    from ingest.vision.backbones.from_timm import _preprocessing

    mean = (0.4, 0.6, 0.2)  # in steps of 1/255
    transform = transforms_imagenet_eval(sides, share, mode, None, "bicubic", mean, (1, 1, 1))
    rule = InputRule(64, 64, mean, (1, 1, 1), patch=16, own=_preprocessing(*sides, share, mode))
    for picture in paintings[-4:]:
        array, _ = fit_image(picture, rule, "model")
        expected = (transform(picture).permute(1, 2, 0).numpy() + mean) * 255
        assert array.shape == expected.shape
        assert np.abs(array - expected).mean() < 0.6  # of 255: Pillow rounds between across and down


# ---- what is missing, and what is told -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "colour", "words"),
    [
        (plain(), HALF, "squeezed to 64 × 64"),
        (dinov2, IMAGENET, "short side resized to 64 pixels, the centre of 56 × 56"),
        (KINDS["CLIP"][0], CLIP, "short side resized to 64 pixels, the centre of 64 × 64"),
        (KINDS["SigLIP"][0], HALF, "squeezed to 64 × 64"),
        (KINDS["DINOv3"][0], IMAGENET, "squeezed to 64 × 64"),
        (KINDS["SigLIP 2"][0], HALF, "in 256 patches at most"),
        (lambda: T.Aimv2VisionModel(T.Aimv2VisionConfig(**SHAPE)), CLIP, "the centre of 64 × 64"),
    ],
)
def test_without_a_processor_it_is_the_familys_and_that_is_told(network, colour, words, tmp_path):
    save(tmp_path, network, None)
    backbone = load(f"hf:{tmp_path}")
    assert (*backbone.rule.mean, *backbone.rule.std) == pytest.approx((*colour[0], *colour[1]), abs=1e-6)
    assert words in backbone.rule.preprocessing.describe()
    (told,) = backbone.network.assumed
    assert "brings no processor" in told and words in told and f"mean {colour[0][0]:.3g}" in told
    assert told in backbone.settings()["note"]


def test_a_processor_that_cannot_be_read_is_told(tmp_path):
    save(tmp_path, plain(), None)
    (tmp_path / "preprocessor_config.json").write_text("{broken")
    (told,) = load(f"hf:{tmp_path}").network.assumed
    assert "has a processor that cannot be read" in told


def test_a_processor_that_does_something_else_is_told(tmp_path, monkeypatch):
    save(tmp_path, plain(), vit())
    whole = T.ViTImageProcessor.rescale_and_normalize
    monkeypatch.setattr(
        T.ViTImageProcessor, "rescale_and_normalize", lambda self, images, *more: whole(self, images.flip(-3), *more)
    )
    (told,) = load(f"hf:{tmp_path}").network.assumed
    assert "does something else with pictures than its settings say" in told


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"do_resize": True, "size": 48}, Preprocessing("squeeze", 48, 48)),
        ({"do_resize": True, "size": {"shortest_edge": 56}, "crop_pct": 0.875}, Preprocessing("short", 64, crop=(56, 56))),
        ({"do_resize": True, "size": {"shortest_edge": 384}, "crop_pct": 0.875}, Preprocessing("squeeze", 384, 384)),
        ({"do_resize": True, "size": {"longest_edge": 96}}, Preprocessing("within", 96, 96)),
        ({"do_resize": True, "size": {"height": 48, "width": 80}, "crop_size": 32, "do_center_crop": False}, Preprocessing("squeeze", 48, 80)),
        ({"do_resize": False, "size": 48}, Preprocessing("none")),
        ({"do_resize": True}, Preprocessing("squeeze", 64, 64)),
    ],
)  # fmt: skip
def test_settings_are_read_by_their_meaning(settings, expected):
    rule, _ = rule_of(settings, T.ViTConfig(**SHAPE))
    assert rule.preprocessing == expected


def test_colours_that_are_missing_are_those_of_the_class_and_told():
    rule, told = rule_of({"do_normalize": True, "do_resize": True}, T.ViTConfig(**SHAPE), {"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "resample": 2})  # fmt: skip
    assert (rule.mean, rule.std, rule.interpolation) == ((0.5,) * 3, (0.25,) * 3, "bilinear")
    assert "does not say by which colours" in told[0]


def test_a_run_keeps_the_rule_that_it_was_made_with(tmp_path):
    """Runs of before know only the square and its colours; what a processor means may be read otherwise since."""
    save(tmp_path, plain(), vit(resample=0, do_normalize=False))
    backbone = load(f"hf:{tmp_path}")
    assert (backbone.rule.interpolation, backbone.rule.mean, backbone.network.fit) == ("nearest", (0, 0, 0), "model")
    old = {"size": 64, "resize": 64, "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"}
    again = load_for_run({**backbone.settings(), "input": old})
    assert (again.rule.interpolation, again.rule.mean, again.rule.std) == ("bicubic", (0.5,) * 3, (0.5,) * 3)
    assert load_for_run(backbone.settings()).rule.preprocessing == backbone.rule.preprocessing


def test_fits_that_a_network_does_not_take_name_those_that_it_does(tmp_path):
    save(tmp_path, plain(image_size=(64, 96)), vit(size={"height": 64, "width": 96}))
    with pytest.raises(BackboneError, match="takes pictures of 64 × 96 pixels alone, so the fit crop .* take model"):
        load(f"hf:{tmp_path}").check_fit("crop")
    load(f"hf:{tmp_path}").check_fit("model")


def test_published_rules_are_what_the_published_processors_do():
    words = {key: published_rule(PUBLISHED[key]).preprocessing.describe() for key in PUBLISHED}
    for key in ("vit-base", "dinov3-small", "siglip-base"):
        assert words[key] == "the whole picture squeezed to 224 × 224 pixels"
    for key in ("dinov2-small", "deit-tiny", "dino-small-16"):
        assert words[key] == "the short side resized to 256 pixels, the centre of 224 × 224 pixels cut out"
    assert words["clip-base-16"] == "the short side resized to 224 pixels, the centre of 224 × 224 pixels cut out"
