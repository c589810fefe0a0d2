"""The patch-selecting network against formulas written out in NumPy and float64."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from ingest.vision.backbones import BackboneError, load
from ingest.vision.patches import PatchGrid, SelectionSettings, select
from ingest.vision.training.ips import (
    EncoderSettings,
    IPSNet,
    LossSettings,
    NetworkSettings,
    PatchSettings,
    PoolingSettings,
    TaskSettings,
    TrainedSelection,
    from_file,
    metric_of,
    to_bytes,
    total_loss,
)
from ingest.vision.training.ips.encoders import PatchEncoder
from ingest.vision.training.ips.losses import UNKNOWN, diversity_loss
from ingest.vision.training.ips.pooling import CrossAttentionPooling
from ingest.vision.training.schedule import warmup_cosine

TASKS = (
    TaskSettings(name="most", classes=("0", "1", "2")),
    TaskSettings(name="all", activation="sigmoid", metric="multilabel_accuracy", classes=("0", "1", "2", "3")),
    TaskSettings(name="any", activation="sigmoid", metric="auc", classes=("no", "yes"), id=0),
)


def settings(heads=3, features=6, positions=True, memory=4, **more) -> NetworkSettings:
    return NetworkSettings(
        encoder=EncoderSettings(kind="features", features=features),
        patches=PatchSettings(memory=memory, iteration=3, positions=positions, **more),
        pooling=PoolingSettings(
            heads=heads, dim=8, key_dim=5, value_dim=4, inner_dim=7, dropout=0, attention_dropout=0
        ),
        tasks=TASKS,
    )


@pytest.fixture
def network():
    torch.manual_seed(3)
    return IPSNet(settings()).eval()


def numbers(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().double().numpy() for name, value in module.state_dict().items()}


def norm(x, weight, bias, eps=1e-6):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps) * weight + bias


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def pool_slowly(w: dict[str, np.ndarray], x: np.ndarray, heads: int, keys: int, values: int):
    """One picture (patches, dim), head by head and query by query."""
    queries = w["queries"]
    outputs = np.zeros((heads, len(queries), values))
    attention = np.zeros((heads, len(queries), len(x)))
    for h in range(heads):
        q = queries @ w["query.weight"][h * keys : (h + 1) * keys].T
        k = x @ w["key.weight"][h * keys : (h + 1) * keys].T
        v = x @ w["value.weight"][h * values : (h + 1) * values].T
        attention[h] = softmax(q @ k.T / math.sqrt(keys))
        outputs[h] = attention[h] @ v

    def perceptron(y):
        inner = np.maximum(0, y @ w["perceptron.widen.weight"].T + w["perceptron.widen.bias"])
        y = y + inner @ w["perceptron.narrow.weight"].T + w["perceptron.narrow.bias"]
        return norm(y, w["perceptron.norm.weight"], w["perceptron.norm.bias"])

    together = np.concatenate(list(outputs), axis=-1) @ w["merge.weight"].T + queries
    alone = np.stack([perceptron(each @ w["head.weight"].T) for each in outputs])
    return perceptron(norm(together, w["norm.weight"], w["norm.bias"])), alone, outputs, attention


@pytest.mark.parametrize(("heads", "queries", "patches"), [(1, 1, 1), (3, 2, 9), (8, 4, 5)])
def test_pooling_is_its_formula(heads, queries, patches):
    torch.manual_seed(heads)
    own = PoolingSettings(heads=heads, dim=6, key_dim=5, value_dim=4, inner_dim=7)
    pooling = CrossAttentionPooling(queries, own).eval()
    x = torch.randn(2, patches, 6)
    found = pooling(x, each_head=True)
    for i in range(2):
        expected = pool_slowly(numbers(pooling), x[i].double().numpy(), heads, 5, 4)
        for mine, right in zip((found.queries, found.heads, found.outputs, found.attention), expected, strict=True):
            np.testing.assert_allclose(mine[i].detach().numpy(), right, atol=1e-5)


def test_patches_that_do_not_count_change_nothing(network):
    patches, indices = torch.randn(2, 5, 6), torch.arange(5).expand(2, -1)
    valid = torch.tensor([[True] * 3 + [False] * 2, [True] * 5])
    patches[0, 3:] = torch.nan
    both = network(patches, indices, valid)
    alone = network(patches[:1, :3], indices[:1, :3])
    for name, logits in both.logits.items():
        torch.testing.assert_close(logits[:1], alone.logits[name])


def test_the_scores_are_the_mean_attention_of_all_patches(network):
    patches = torch.randn(2, 11, 6)
    indices = torch.arange(11).expand(2, -1)
    selected = IPSNet.select(_exact(network), patches)
    attention = network.pooling(network.embed(patches, indices)).attention.mean(dim=(1, 2))
    torch.testing.assert_close(selected.scores, attention.sort(descending=True).values[:, :4])
    assert torch.equal(selected.indices, attention.sort(descending=True).indices[:, :4])


def _exact(network: IPSNet) -> IPSNet:
    other = IPSNet(settings(selection="exact")).eval()
    other.load_state_dict(network.state_dict())
    return other


def test_selecting_trains_nothing_and_leaves_the_mode(network):
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.select(torch.randn(3, 9, 6))
    assert network.training and network.encoder.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_masking_is_for_training_alone():
    torch.manual_seed(0)
    network = IPSNet(settings(mask_top=4, mask_probability=1.0, selection="exact"))
    patches = torch.randn(1, 30, 6)
    usual = network.eval().select(patches)
    assert torch.equal(usual.indices, network.eval().select(patches).indices)
    masked = network.train().select(patches)
    assert not set(usual.indices[0].tolist()) & set(masked.indices[0].tolist())


def labels(batch: int) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(1)
    return {
        "most": torch.tensor(rng.integers(0, 3, batch)),
        "all": torch.tensor(rng.integers(0, 2, (batch, 4))).float(),
        "any": torch.tensor(rng.integers(0, 2, (batch, 1))).float(),
    }


def task_slowly(logits: np.ndarray, label: np.ndarray, softmaxed: bool) -> float:
    if softmaxed:
        return float(np.mean([-np.log(softmax(row)[int(y)]) for row, y in zip(logits, label, strict=True)]))
    p = 1 / (1 + np.exp(-logits))
    return float(np.mean(-(label * np.log(p) + (1 - label) * np.log(1 - p))))


@pytest.mark.parametrize("on", ["outputs", "attention"])
def test_losses_are_their_formulas(network, on):
    batch, truth = 4, labels(4)
    truth["most"][1], truth["all"][2] = UNKNOWN, torch.nan
    found = network(torch.randn(batch, 5, 6), torch.arange(5).expand(batch, -1), each_head=True)
    own = LossSettings(semantic=0.5, diversity=3, diversity_on=on)
    losses = total_loss(found, truth, TASKS, own)

    known = {"most": [0, 2, 3], "all": [0, 1, 3], "any": [0, 1, 2, 3]}
    right = {name: value.numpy()[known[name]] for name, value in truth.items()}

    def slowly(logits, name):
        return task_slowly(logits.detach().double().numpy()[known[name]], right[name], name == "most")

    tasks = {name: slowly(found.logits[name], name) for name in truth}
    semantic = np.mean([slowly(found.heads[name][:, h], name) for name in truth for h in range(3)])
    maps = getattr(found.pooled, on).detach().double().numpy().reshape(batch, 3, -1)
    cosines = [
        np.mean([a[i] @ a[j] / np.linalg.norm(a[i]) / np.linalg.norm(a[j]) for a in maps])
        for i in range(3)
        for j in range(i + 1, 3)
    ]
    assert {name: loss.item() for name, loss in losses.tasks.items()} == pytest.approx(tasks, abs=1e-6)
    assert losses.semantic.item() == pytest.approx(semantic, abs=1e-6)
    assert losses.diversity.item() == pytest.approx(np.mean(cosines), abs=1e-6)
    expected = np.mean(list(tasks.values())) + 0.5 * semantic + 3 * np.mean(cosines)
    assert losses.total.item() == pytest.approx(expected, abs=1e-5)


def test_diversity_of_one_head_and_of_equal_heads():
    assert diversity_loss(torch.randn(2, 1, 3, 4)).item() == 0
    same = torch.randn(2, 1, 3, 4).expand(-1, 5, -1, -1)
    assert diversity_loss(same).item() == pytest.approx(1, abs=1e-6)


def test_a_batch_without_labels_is_said(network):
    found = network(torch.randn(1, 5, 6), torch.arange(5)[None])
    nothing = {
        "most": torch.tensor([UNKNOWN]),
        "all": torch.full((1, 4), torch.nan),
        "any": torch.full((1, 1), torch.nan),
    }
    with pytest.raises(ValueError, match="no picture of this batch has a label"):
        total_loss(found, nothing, TASKS, LossSettings())


def test_metrics():
    logits = np.array([[2, 1, 0], [0, 1, 0], [0, 3, 1], [1, 0, 0]], np.float32)
    assert metric_of(TASKS[0], logits, np.array([0, 1, 2, UNKNOWN])) == pytest.approx(2 / 3)
    several = np.array([[1, -1, 1, -1], [1, 1, -1, -1]], np.float32)
    assert metric_of(TASKS[1], several, np.array([[1, 0, 1, 0], [1, 0, 0, 0.0]])) == 0.5
    scores = np.array([[0.1], [0.4], [0.35], [0.8]], np.float32)
    assert metric_of(TASKS[2], scores, np.array([[0], [0], [1], [1.0]])) == 0.75
    assert math.isnan(metric_of(TASKS[2], scores, np.ones((4, 1))))


def test_the_schedule():
    rates = [warmup_cosine(step, 100, 10, 0.5) for step in range(1, 101)]
    assert rates[4] == pytest.approx(0.25) and rates[9] == pytest.approx(0.5) and rates[-1] == pytest.approx(0.0005)
    assert rates[54] == pytest.approx(0.5 * (0.5 + 0.0005)) and np.all(np.diff(rates[9:]) < 0)


@pytest.mark.parametrize(
    ("how", "width"),
    [
        ({"kind": "small", "channels": 1}, 64),
        ({"kind": "resnet18", "channels": 1}, 128),
        ({"kind": "resnet18", "blocks": 4}, 512),
        ({"kind": "resnet50", "blocks": 2}, 512),
        ({"kind": "resnet50", "blocks": 4, "channels": 1}, 2048),
    ],
)
def test_resnets_of_two_and_four_blocks(how, width):
    encoder = PatchEncoder(EncoderSettings(**how), dim=128)
    assert encoder.body(torch.rand(2, how.get("channels", 3), 32, 24)).shape == (2, width)
    pixels = torch.randint(0, 256, (2, how.get("channels", 3), 32, 24), dtype=torch.uint8)
    encoder.eval()
    torch.testing.assert_close(encoder(pixels), encoder(pixels.float() / 255))
    assert encoder(pixels).shape == (2, 128)


def test_a_frozen_resnet_learns_nothing_and_grey_is_three_equal_colours(tmp_path):
    from torchvision.models import resnet18

    torch.manual_seed(0)
    torch.save(resnet18().state_dict(), tmp_path / "own.pt")
    weights = {"weights": str(tmp_path / "own.pt"), "blocks": 2, "frozen": True}
    grey = PatchEncoder(EncoderSettings(channels=1, **weights), 64)
    colour = PatchEncoder(EncoderSettings(channels=3, **weights), 64)
    colour.prepare, grey.prepare = torch.nn.Identity(), torch.nn.Identity()
    pixels = torch.rand(3, 1, 20, 20)
    torch.testing.assert_close(grey.body(pixels), colour.body(pixels.expand(-1, 3, -1, -1)), atol=1e-5, rtol=1e-5)
    before = numbers(grey.body)
    grey.train()
    grey(pixels).sum().backward()
    assert all(parameter.grad is None for parameter in grey.body.parameters())
    assert grey.project.weight.grad is not None
    assert all(np.array_equal(value, before[name]) for name, value in numbers(grey.body).items())


@pytest.mark.parametrize("key", ["tiny:siglip", "tiny:dinov2", "tiny:deit-distilled", "tiny:dinov2-registers"])
def test_any_backbone_encodes_patches(key, tmp_path):
    """0, 1, 2 and 5 special tokens, patches that are not square and no multiple of its own."""
    own = NetworkSettings(
        encoder=EncoderSettings(kind=key, frozen=True),
        patches=PatchSettings(size=(30, 44), memory=3, iteration=2),
        pooling=PoolingSettings(heads=2, dim=8),
        tasks=TASKS[:1],
    )
    network = IPSNet(own, load(key)).eval()
    patches = torch.randint(0, 256, (2, 7, 3, 30, 44), dtype=torch.uint8)
    chosen = network.select(patches)
    assert chosen.indices.shape == (2, 3)
    (tmp_path / "model.safetensors").write_bytes(to_bytes(network))
    assert (tmp_path / "model.safetensors").stat().st_size < 300_000  # the backbone's own weights are not in it
    again = from_file(tmp_path / "model.safetensors")
    assert torch.equal(again.select(patches).indices, chosen.indices)


def test_a_saved_network_is_the_same(network, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(to_bytes(network))
    again = from_file(path)
    patches = torch.randn(2, 9, 6)
    assert again.settings == network.settings
    torch.testing.assert_close(again.select(patches).scores, network.select(patches).scores)


def test_other_files_are_refused_in_a_sentence(network, tmp_path):
    from safetensors.torch import save_file

    from ingest.vision.training.ips.weights import load_own, own_state

    with pytest.raises(BackboneError, match="there is no file"):
        from_file(tmp_path / "nothing.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(BackboneError, match="could not be read as .safetensors"):
        from_file(tmp_path / "text.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(BackboneError, match="`train ips` writes one"):
        from_file(tmp_path / "other.safetensors")
    with pytest.raises(BackboneError, match=r"queries.* \(2, 8\) there, \(2, 16\) here|its weights differ"):
        wider = NetworkSettings(**{**settings().model_dump(), "pooling": {"dim": 16, "heads": 3}})
        load_own(IPSNet(wider), own_state(network), "checkpoint.pt")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"encoder": {"kind": "resnet18", "frozen": True}}, "needs weights"),
        ({"encoder": {"kind": "features"}}, "go together"),
        ({"encoder": {"kind": "tiny:vit", "channels": 1}}, "in colour"),
        ({"pooling": {"dim": 7}}, "an even pooling.dim"),
        ({"tasks": [{"name": "a", "activation": "sigmoid"}]}, "softmax has metric"),
        ({"tasks": [{"name": "a"}, {"name": "a"}]}, "a name of its own"),
        ({"tasks": [{"name": "a", "classes": ["x"]}]}, "two or more classes"),
    ],
)
def test_settings_that_do_not_go_together(wrong, sentence):
    with pytest.raises(ValidationError, match=sentence):
        NetworkSettings.model_validate({"tasks": [{"name": "a"}], **wrong})


@pytest.mark.parametrize("channels", [1, 3])
def test_a_trained_network_scores_a_picture_read_by_windows_as_in_training(channels):
    """Patches that are read when they are wanted, in RGB, give what the same picture gives in memory."""
    torch.manual_seed(1)
    own = NetworkSettings(
        encoder=EncoderSettings(kind="small", channels=channels),
        patches=PatchSettings(size=(8, 12), memory=4, iteration=5),
        pooling=PoolingSettings(heads=2, dim=8),
        tasks=TASKS[:1],
    )
    network = IPSNet(own).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    grid = PatchGrid(40, 24, (8, 12), (8, 12))
    image = Image.fromarray(pixels) if channels == 3 else Image.fromarray(pixels).convert("L")
    picture = torch.from_numpy(np.array(image).reshape(24, 40, channels)).permute(2, 0, 1)
    expected = network.select(grid.cut(picture)[None])

    cut = grid.cut(torch.from_numpy(pixels).permute(2, 0, 1)).permute(0, 2, 3, 1).numpy()
    scorer = TrainedSelection(network, "model.safetensors")

    def read(indices):
        return lambda: cut[indices[0].tolist()]

    chunks = [(read(part), part) for part in torch.arange(len(grid))[None].split(5, dim=1)]
    found = select(chunks, scorer.logits_of(None, 0), SelectionSettings(4, 5))
    assert torch.equal(found.indices, expected.indices)
    torch.testing.assert_close(found.scores, expected.scores)
    vectors = scorer.features(cut)
    assert vectors.shape == (len(grid), 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert set(scorer.settings()) == {"trained", "weights_sha256"}


def test_a_network_of_features_scores_no_pictures(network):
    with pytest.raises(ValueError, match="bags of features, not from pictures"):
        TrainedSelection(network, "model.safetensors")
