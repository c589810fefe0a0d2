"""Self-supervised training against formulas written out in NumPy and a plain loop, both in float64."""

import itertools
import math

import numpy as np
import pytest
import torch
from lightly.loss.dino_loss import DINOLoss
from pydantic import ValidationError
from torch import nn

from ingest.vision.backbones import BackboneError, load
from ingest.vision.training.ssl import losses, metrics
from ingest.vision.training.ssl.collapse import collapse
from ingest.vision.training.ssl.network import Branch, Encoder, make_branches
from ingest.vision.training.ssl.settings import SSLSettings
from ingest.vision.training.ssl.trainer import Trainer, Views
from ingest.vision.training.ssl.weights import to_bytes

SIDE, DIM, OUTPUTS, PICTURES = 4, 6, 5, 8


def settings(**more) -> SSLSettings:
    own = {
        "head": {"hidden": 7, "bottleneck": 4, "outputs": OUTPUTS},
        "views": {"size": SIDE, "views": 2, "local_views": 1, "local_size": 2},
        "training": {"epochs": 2, "batch_size": PICTURES, "warmup_epochs": 1, "learning_rate": 0.05},
    }
    return SSLSettings.model_validate({**own, **{k: {**own.get(k, {}), **v} for k, v in more.items()}})


class Body(nn.Module):
    """A network that takes any size: the mean colours, and one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, DIM)

    def forward(self, pixels):
        return self.layer(pixels.mean(dim=(2, 3))).tanh()


def trainer(own: SSLSettings, steps: int = 2) -> Trainer:
    """In float64, with a network of one layer."""
    torch.manual_seed(0)
    branches = []
    for _ in range(2):
        body = Body()
        encoder = Encoder(body, body, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), None, "bicubic", {})
        branches.append(Branch(encoder, DIM, own.head).double())
        branches[-1].mean.copy_(torch.tensor(encoder.mean, dtype=torch.float64).view(1, 3, 1, 1))
        branches[-1].std.copy_(torch.tensor(encoder.std, dtype=torch.float64).view(1, 3, 1, 1))
    branches[1].load_state_dict(branches[0].state_dict())
    branches[1].requires_grad_(False)
    made = Trainer(own, *branches, steps)
    made.center.double()
    return made


def views(own: SSLSettings, seed: int = 0, pictures: int = PICTURES) -> Views:
    generator = torch.Generator().manual_seed(seed)

    def one(size):
        return torch.randint(0, 256, (pictures, 3, size, size), generator=generator, dtype=torch.uint8)

    teacher = [one(SIDE) for _ in range(own.views.views)]
    student = teacher if own.views.branches == "same" else [one(SIDE) for _ in range(own.views.views)]
    return Views(teacher, [*student, *(one(2) for _ in range(own.views.local_views))])


# ---- losses ----------------------------------------------------------------------------------------------------------


def softmax(values):
    raised = np.exp(values - values.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def naive_dino(teacher, student, pairs, center, sharp, soft):
    total = []
    for t, s in pairs:
        p, q = softmax((teacher[t] - center) / sharp), softmax(student[s] / soft)
        total.append(np.mean([-sum(p[i, k] * math.log(q[i, k]) for k in range(p.shape[1])) for i in range(len(p))]))
    return np.mean(total)


def naive_nce(teacher, student, temperature):
    t = teacher / np.linalg.norm(teacher, axis=1, keepdims=True)
    s = student / np.linalg.norm(student, axis=1, keepdims=True)
    scores = t @ s.T / temperature
    return np.mean([math.log(np.exp(scores[i] - scores[i, i]).sum()) for i in range(len(scores))])


def outputs(count, seed):
    return list(np.random.default_rng(seed).normal(size=(count, PICTURES, OUTPUTS)))


def tensors(arrays):
    return [torch.from_numpy(each).float() for each in arrays]


@pytest.mark.parametrize(("teacher", "student", "same"), [(2, 4, True), (1, 1, True), (2, 2, False), (1, 3, False)])
def test_dino_loss_is_its_formula(teacher, student, same):
    t, s, center = outputs(teacher, 0), outputs(student, 1), np.random.default_rng(2).normal(size=(1, OUTPUTS))
    pairs = losses.pairs_of(teacher, student, same)
    found = losses.dino_loss(tensors(t), tensors(s), pairs, torch.from_numpy(center).float(), 0.3, 0.7)
    assert float(found) == pytest.approx(naive_dino(t, s, pairs, center, 0.3, 0.7), rel=1e-5)


def test_dino_loss_of_shared_views_is_that_of_lightly():
    t, s = tensors(outputs(2, 0)), tensors(outputs(5, 1))
    theirs = DINOLoss(OUTPUTS, teacher_temp=0.05, student_temp=0.1)
    theirs.center.data = torch.randn(1, 1, OUTPUTS, generator=torch.Generator().manual_seed(3))
    center = theirs.center[0].clone()
    ours = losses.dino_loss(t, s, losses.pairs_of(2, 5, True), center, 0.05, 0.1)
    torch.testing.assert_close(ours, theirs(t, s))


def test_nce_is_its_formula_and_goes_one_way():
    t, s = outputs(2, 0), outputs(3, 1)
    pairs = losses.pairs_of(2, 3, True)
    assert pairs == [(0, 1), (0, 2), (1, 0), (1, 2)]
    wanted = np.mean([naive_nce(t[i], s[j], 0.2) for i, j in pairs])
    assert float(losses.nce_loss(tensors(t), tensors(s), pairs, 0.2)) == pytest.approx(wanted, rel=1e-5)
    other_way = np.mean([naive_nce(s[j], t[i], 0.2) for i, j in pairs])
    assert abs(other_way - wanted) > 1e-3
    together = naive_nce(np.concatenate(t, axis=1), np.concatenate(s[:2], axis=1), 0.2)
    found = losses.nce_loss(tensors(t), tensors(s[:2]), pairs, 0.2, concatenated=True)
    assert float(found) == pytest.approx(together, rel=1e-5)


def test_no_view_is_compared_with_itself_unless_it_is_alone():
    for t, s in itertools.product((1, 2, 4), (0, 1, 6)):
        same, apart = losses.pairs_of(t, t + s, True), losses.pairs_of(t, t + s, False)
        assert len(apart) == t * (t + s) and len(set(apart)) == len(apart)
        assert same == ([(0, 0)] if (t, s) == (1, 0) else [pair for pair in apart if pair[0] != pair[1]])


# ---- steps against a plain loop ----------------------------------------------------------------------------------------


def plain_loop(
    own: SSLSettings, batches: list[Views], start: dict, steps: int
) -> tuple[list[float], dict, dict, np.ndarray]:
    """Losses, weights of student and teacher and the centre, by a loop that uses nothing of the product: AdamW, the
    schedules, clipping and averages are written out; PyTorch differentiates."""
    o, every = own.training, own.training.epochs * steps
    student = {k: v.clone().double().requires_grad_("weight_g" not in k) for k, v in start.items()}
    teacher = {k: v.clone().double() for k, v in start.items()}
    first, second = ({k: torch.zeros_like(v) for k, v in student.items()} for _ in range(2))
    center, said = torch.zeros(1, OUTPUTS, dtype=torch.float64), []

    def net(w, pixels):
        mean, std = (torch.tensor(c, dtype=torch.float64).view(1, 3, 1, 1) for c in ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4)))
        x = ((pixels.double() / 255 - mean) / std).mean(dim=(2, 3))
        x = torch.tanh(x @ w["body.layer.weight"].T + w["body.layer.bias"])
        for place in ("0", "2", "4"):
            x = x @ w[f"head.layers.{place}.weight"].T + w[f"head.layers.{place}.bias"]
            x = x if place == "4" else nn.functional.gelu(x)
        x = x / x.norm(dim=1, keepdim=True)
        v = w["head.last_layer.weight_v"]
        return x @ (w["head.last_layer.weight_g"] * v / v.norm(dim=1, keepdim=True)).T

    for step, batch in enumerate(batches):
        warm = int(o.warmup_epochs * steps)
        rate = (
            o.learning_rate * (step + 1) / warm
            if step + 1 < warm
            else o.final_learning_rate
            + (o.learning_rate - o.final_learning_rate)
            * 0.5
            * (1 + math.cos(math.pi * (step + 1 - warm) / (every - warm)))
        )
        bend = 0.5 * (1 + math.cos(math.pi * step / (every - 1)))
        decay = o.final_weight_decay + (o.weight_decay - o.final_weight_decay) * bend
        momentum = o.final_momentum + (o.momentum - o.final_momentum) * bend
        t = [net(teacher, each).detach() for each in batch.teacher]
        s = [net(student, each) for each in batch.student]
        terms = []
        for i, j in itertools.product(range(len(t)), range(len(s))):
            if own.views.branches == "same" and i == j:
                continue
            if own.loss.kind == "dino":
                p = ((t[i] - center) / own.loss.teacher_temperature).softmax(-1)
                terms.append(-(p * (s[j] / own.loss.temperature).log_softmax(-1)).sum(-1).mean())
            else:
                a, b = (x / x.norm(dim=1, keepdim=True) for x in (t[i], s[j]))
                scores = a @ b.T / own.loss.temperature
                terms.append((scores.logsumexp(dim=1) - scores.diagonal()).mean())
        loss = sum(terms) / len(terms)
        said.append(float(loss.detach()))
        if own.loss.kind == "dino":
            center = own.loss.center_momentum * center + (1 - own.loss.center_momentum) * torch.cat(t).mean(
                0, keepdim=True
            )
        names = [k for k, v in student.items() if v.requires_grad]
        grads = dict(zip(names, torch.autograd.grad(loss, [student[k] for k in names]), strict=True))
        if o.clip:
            total = math.sqrt(sum(float((g**2).sum()) for g in grads.values()))
            for name, grad in grads.items():
                length = total if o.clip_each == "all" else float(grad.norm())
                grads[name] = grad * min(1.0, o.clip / (length + 1e-6))
        if step < o.freeze_last_layer * steps:
            grads = {k: g for k, g in grads.items() if "last_layer" not in k}
        with torch.no_grad():
            for name, grad in grads.items():
                number = step + 1 if "last_layer" not in name else step + 1 - round(o.freeze_last_layer * steps)
                first[name] = 0.9 * first[name] + 0.1 * grad
                second[name] = 0.999 * second[name] + 0.001 * grad**2
                if student[name].ndim > 1:
                    student[name] -= rate * decay * student[name]
                corrected = (second[name] / (1 - 0.999**number)).sqrt() + 1e-8
                student[name] -= rate / (1 - 0.9**number) * first[name] / corrected
            for name in teacher:
                teacher[name] = momentum * teacher[name] + (1 - momentum) * student[name]
    return said, student, teacher, center.numpy()


@pytest.mark.parametrize(
    "more",
    [
        {"training": {"clip": 0.02}},
        {"loss": {"kind": "nce"}, "views": {"branches": "different"}, "training": {"clip": 0.05, "clip_each": "all"}},
        {"views": {"branches": "different", "views": 1, "local_views": 0}, "training": {"clip": 0}},
        {"loss": {"kind": "nce"}, "training": {"freeze_last_layer": 0}},
    ],
)
def test_steps_are_those_of_a_plain_loop(more):
    own = settings(**more)
    made = trainer(own)
    batches = [views(own, seed) for seed in range(4)]
    start = {name: value.clone() for name, value in made.student.state_dict().items()}
    found = [made.train(batches[i : i + 1]).means()["loss"] for i in range(4)]
    said, student, teacher, center = plain_loop(own, batches, start, 2)
    np.testing.assert_allclose(found, said, rtol=1e-9)
    for branch, wanted in ((made.student, student), (made.teacher, teacher)):
        for name, value in branch.state_dict().items():
            np.testing.assert_allclose(value.numpy(), wanted[name].detach().numpy(), rtol=1e-7, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(made.center.value.numpy(), center, atol=1e-12)
    moved = max(float((made.student.state_dict()[k] - start[k]).abs().max()) for k in start)
    assert moved > 0.01 and made.step == 4


def test_gradients_of_several_batches_are_those_of_one():
    more = {"training": {"batch_size": 4}, "loss": {"center_momentum": 1.0}}
    whole, halves = (trainer(settings(**more), 1) for _ in range(2))
    halves.settings = settings(**{**more, "training": {"batch_size": 4, "accumulate": 2}})
    batch = views(whole.settings)
    parts = [Views([v[i : i + 4] for v in batch.teacher], [v[i : i + 4] for v in batch.student]) for i in (0, 4)]
    one, two = whole.train([batch]).means(), halves.train(parts).means()
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-12) and halves.step == 1
    for name, value in whole.student.state_dict().items():
        torch.testing.assert_close(halves.student.state_dict()[name], value, rtol=1e-9, atol=1e-11)


def test_the_teachers_temperature_rises():
    own = settings(loss={"teacher_temperature_start": 0.02, "teacher_temperature": 0.06, "teacher_warmup_epochs": 2})
    made, found = trainer(own), []
    for step in range(6):
        made.step = step
        found.append(made.teacher_temperature)
    np.testing.assert_allclose(found, [0.02, 0.03, 0.04, 0.05, 0.06, 0.06])


def test_a_loss_that_is_no_number_stops_the_training():
    own = settings(training={"learning_rate": 1e300, "warmup_epochs": 0, "clip": 0})
    with pytest.raises(ValueError, match=r"no number any more at step [23]; take a smaller training.learning_rate$"):
        trainer(own).train([views(own, seed) for seed in range(4)])


# ---- what is measured --------------------------------------------------------------------------------------------------


def test_nearest_neighbours_vote():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(60, 5)), rng.integers(-1, 3, 60)
    right, known = 0, np.flatnonzero(labels >= 0)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    for i in known:
        others = sorted((j for j in known if j != i), key=lambda j: -unit[i] @ unit[j])[:7]
        votes = [sum(math.exp(unit[i] @ unit[j] / 0.07) for j in others if labels[j] == c) for c in range(3)]
        right += int(np.argmax(votes) == labels[i])
    assert metrics.knn_accuracy(features, labels, 7) == pytest.approx(right / len(known))
    assert metrics.knn_accuracy(np.eye(3)[[0, 0, 1, 1]], np.array([4, 4, 2, 2])) == 1
    assert math.isnan(metrics.knn_accuracy(features[:3], np.array([-1, 2, -1])))


def test_spread_and_entropy_and_what_is_said_of_them():
    around = torch.eye(6).repeat(3, 1) * torch.linspace(1, 5, 18)[:, None]
    unit = np.eye(6)[np.arange(18) % 6]
    assert metrics.feature_std(around) == pytest.approx(unit.std(axis=0).mean() * math.sqrt(6), rel=1e-6)
    assert metrics.feature_std(torch.ones(4, 6) * torch.arange(1, 5)[:, None]) < 1e-6
    probabilities = softmax(np.random.default_rng(1).normal(size=(5, 4)))
    wanted = -(probabilities * np.log(probabilities)).sum(axis=1).mean()
    assert metrics.entropy(torch.from_numpy(probabilities)) == pytest.approx(wanted, rel=1e-6)
    assert collapse(0.5, 2.0, 16) == "" == collapse(0.5, None, 16)
    assert "nearly the same (spread 0.001" in collapse(0.001, 2.0, 16)
    assert "a single output" in collapse(0.5, 0.001, 16)
    assert "is even (entropy 2.772, and ln 16 is 2.773)" in collapse(0.5, 2.772, 16)


def test_a_training_that_is_made_to_collapse_is_found_out():
    """DINO without centring: the teacher's distribution becomes a single output."""
    own = settings(
        loss={"center_momentum": 1.0, "teacher_temperature": 0.05},
        training={"epochs": 60, "learning_rate": 0.05, "momentum": 0.5, "clip": 0, "freeze_last_layer": 0},
        head={"norm_last_layer": False},
    )
    made, batch = trainer(own, 1), views(own)
    found = [made.train([batch]).means() for _ in range(60)]
    sentences = [collapse(each["feature_std"], each["teacher_entropy"], OUTPUTS) for each in found]
    assert sentences[0] == "" and "a single output" in sentences[-1]


# ---- networks ----------------------------------------------------------------------------------------------------------

NETWORKS = {
    "timm:vit_tiny_patch16_224": dict(embed_dim=32, depth=2, num_heads=2, patch_size=7),
    "timm:vit_small_patch14_reg4_dinov2": dict(embed_dim=32, depth=2, num_heads=2, patch_size=7),
    "timm:deit_tiny_distilled_patch16_224": dict(embed_dim=32, depth=2, num_heads=2, patch_size=7),
    "timm:vit_base_patch16_siglip_gap_224": dict(embed_dim=32, depth=2, num_heads=2, patch_size=7),
    "timm:xcit_nano_12_p16_224": dict(embed_dim=32, depth=2, num_heads=2),
    "tiny:dinov2-registers": {},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_trained_network_is_opened_again_with_what_it_learned(name, tmp_path):
    """1, 5, 2, 0, 1 and 5 tokens before the patches; the weights that come back are those of the teacher."""
    size = 32 if "xcit" in name else 28
    own = settings(
        model={"name": name, "arguments": NETWORKS[name], "drop_path": 0.1 if NETWORKS[name] else 0},
        views={
            "size": size,
            "views": 1,
            "local_views": 0,
            "branches": "different",
            "mean": (0.1, 0.2, 0.3),
            "std": (0.5, 0.5, 0.6),
        },
        training={"momentum": 0.0},
        loss={"kind": "nce"},
    )
    torch.manual_seed(0)
    student, teacher = make_branches(own, load)
    before = {key: value.clone() for key, value in teacher.body.state_dict().items()}
    pixels = torch.randint(0, 256, (4, 3, size, size), dtype=torch.uint8)
    made = Trainer(own, student, teacher, 2)
    made.train([Views([pixels], [pixels.flip(-1)])] * 2)
    changed = [key for key, value in teacher.body.state_dict().items() if not torch.equal(value, before[key])]
    assert len(changed) > len(before) / 2
    path = tmp_path / "model.safetensors"
    path.write_bytes(to_bytes(teacher, own, "mine", 2))
    opened = load(str(tmp_path))
    assert (opened.key, opened.weights) == ("trained:mine", str(path)) and "2 epochs" in opened.title
    teacher.eval()
    with torch.no_grad():
        wanted = nn.functional.normalize(teacher.features(pixels), dim=-1)
        found = opened.forward(opened.pixels(pixels.permute(0, 2, 3, 1)))
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    again = load(opened.key, opened.weights)
    assert again.weights_sha256 == opened.weights_sha256
    (tmp_path / "epoch-0002.safetensors").write_bytes(path.read_bytes())
    assert load(str(tmp_path / "epoch-0002.safetensors")).key == "trained:mine@2"


def test_resnet_gives_features_and_no_backbone(tmp_path):
    own = settings(model={"name": "resnet50"}, views={"size": 32, "local_views": 0})
    student, teacher = make_branches(own, load)
    found, said = student([torch.zeros(2, 3, 32, 32, dtype=torch.uint8)])
    assert found[0].shape == (2, 2048) and said[0].shape == (2, OUTPUTS)
    path = tmp_path / "model.safetensors"
    path.write_bytes(to_bytes(teacher, own, "mine", 2))
    with pytest.raises(BackboneError, match="a ResNet-50, which has no attention"):
        load(str(path))


def test_weights_of_a_file_are_where_a_training_begins(tmp_path):
    arguments = NETWORKS["timm:vit_tiny_patch16_224"]
    own = settings(
        model={"name": "timm:vit_tiny_patch16_224", "arguments": arguments}, views={"size": 28, "local_size": 14}
    )
    _, teacher = make_branches(own, load)
    path = tmp_path / "model.safetensors"
    path.write_bytes(to_bytes(teacher, own, "mine", 2))
    arguments = {**arguments, "img_size": 28}
    begun = settings(
        model={"name": "timm:vit_tiny_patch16_224", "arguments": arguments, "weights": str(path)},
        views={"size": 28, "local_size": 14},
    )
    for branch in make_branches(begun, load):
        for key, value in branch.body.state_dict().items():
            torch.testing.assert_close(value, teacher.body.state_dict()[key])


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            {"model": {"name": "packaged", "weights": "random"}},
            "only timm:NAME and resnet50 begin with weights: random",
        ),
        ({"model": {"name": "tiny:vit", "drop_path": 0.1}}, "arguments and drop_path are for timm:NAME"),
        ({"loss": {"views": "concatenated"}}, "views: concatenated is for kind: nce"),
        ({"views": {"mean": (0.1, 0.1, 0.1)}}, "mean and std are given together"),
        ({"views": {"augmentation": {"scale": (0.5, 0.2)}}}, r"scale is \[least, most\]"),
        ({"views": {"augmentation": {"blur_kernel": 4}}}, "blur_kernel is odd, not 4"),
        ({"training": {"warmup_epochs": 2}}, "warmup_epochs is less than epochs"),
    ],
)
def test_settings_that_do_not_go_together(more, sentence):
    with pytest.raises(ValidationError, match=sentence):
        settings(**more)


@pytest.mark.parametrize(
    ("name", "weights"), [("packaged", "pretrained"), ("timm:x", "random"), ("resnet50", "random")]
)
def test_which_weights_a_training_begins_with(name, weights):
    assert settings(model={"name": name}).model.weights == weights
    assert settings(model={"name": name, "weights": "a.pt"}).model.weights == "a.pt"


def test_sizes_that_a_network_does_not_take_are_said():
    own = settings(model={"name": "timm:vit_tiny_patch16_224", "arguments": NETWORKS["timm:vit_tiny_patch16_224"]})
    with pytest.raises(
        BackboneError, match="views.size 4 is not a multiple of this network's patch of 7 pixels; 7 would"
    ):
        make_branches(own, load)
