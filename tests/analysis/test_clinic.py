"""The clinic: what each test says of hand-made models, and that ``examine`` finds slips and accuses nobody healthy."""

import copy
import math
import random
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from course_utils.analysis.clinic import examine, patients, quick_tests, symptoms
from course_utils.analysis.clinic.as_it_was import SeenOptimizers, as_it_was
from course_utils.analysis.clinic.look import line_accuracy
from course_utils.analysis.clinic.slips import HEALTHY, LARGE_CODES, SLIPS
from course_utils.data import load_cifar10
from course_utils.model.config import ViTConfig
from course_utils.model.vit import VisionTransformer

ROOT = Path(__file__).parents[2]
TRAIN = load_cifar10("train", sample="always")
IMAGES, LABELS = TRAIN.normalisation(TRAIN.images[:300]), TRAIN.labels[:300]


class Sums(nn.Module):
    """Two logits: the sum of an image times a weight, and minus that."""

    def __init__(self, mix=lambda logits: logits):
        super().__init__()
        self.weight, self.mix = nn.Parameter(torch.ones(())), mix

    def forward(self, images):
        total = self.weight * images.sum(dim=(1, 2, 3))
        return self.mix(torch.stack([total, -total], dim=1))


def linear(*more):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10), *more)


# The tests, on numbers that a hand can follow


def test_floors_are_those_of_the_best_bounded_logits():
    for k, width in ((2, 1), (10, 1), (10, 2), (1000, 2)):
        best = torch.full((1, k), -width / 2)
        best[0, 3 % k] = width / 2
        right = F.cross_entropy(best, torch.tensor([3 % k])).item()
        assert quick_tests.floor_of_bounded_logits(k, width) == pytest.approx(right, rel=1e-5)
    assert quick_tests.floor_of_bounded_logits(7, 0) == pytest.approx(math.log(7))


def test_changes_of_a_model_that_adds_up_pixels():
    images = torch.zeros(3, 1, 2, 2)
    images[1, 0, 0, 1] = 5  # sums 0, 5 and 0
    assert quick_tests.change_between_images(Sums(), images) == 5
    assert quick_tests.change_by_shuffling(Sums(), images, 1) == 0
    assert quick_tests.change_when_alone(Sums(), images) == 0
    assert quick_tests.change_when_alone(Sums(lambda logits: logits - logits[:1]), images) == 5
    assert quick_tests.first_loss(Sums(), images, torch.tensor([0, 0, 1])) == pytest.approx(
        2 / 3 * math.log(2), rel=1e-3
    )


def test_gradients_and_steps_of_each_parameter():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Linear(3, 2))
    images, labels = torch.randn(5, 1, 2, 2), torch.tensor([0, 1, 1, 0, 1])
    assert quick_tests.without_gradient(model, images, labels) == []
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)

    def step(model, images, labels):
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    assert quick_tests.unmoved(model, step, images, labels) == ["2.weight", "2.bias"]
    lengths = quick_tests.gradient_lengths(model, step, images, labels, 4)
    assert lengths[0] < lengths[1] < lengths[3]


def test_one_batch_is_learned_by_heart_and_stops_when_it_is():
    losses = quick_tests.by_heart(linear(), IMAGES[:8], LABELS[:8], 100, 1e-2, enough=0.1)
    assert losses[-1] < 0.1 <= min(losses[:-1])
    rates = quick_tests.at_rates(linear, IMAGES[:8], LABELS[:8], (1e-6, 1e-2), steps=20)
    assert rates[1e-2][-1] < 0.5 * rates[1e-6][-1]


def test_a_straight_line_knows_labels_from_mixed_ones():
    assert line_accuracy(IMAGES, LABELS) > 0.2
    assert line_accuracy(IMAGES, LABELS[torch.randperm(300, generator=torch.Generator().manual_seed(1))]) < 0.18


# The slips


def found_in(slip, seed=0):
    patient = slip.patient(seed)
    labels = patient.label(TRAIN.labels)[:300]
    step = patient.step if slip.seen == "step" else None
    return examine(patient.model, patient.enter(TRAIN.images[:300]), labels, step)


def test_slips_are_25_and_named():
    assert len(SLIPS) == len({slip.name for slip in SLIPS}) == 25
    assert {sign for slip in SLIPS for sign in slip.signs} <= symptoms.SYMPTOMS.keys()


def test_of_the_slips_that_can_be_seen_at_most_two_are_missed(capsys):
    groups, named = {}, {}
    for slip in SLIPS:
        groups.setdefault(slip.seen, []).append(slip)
        found = found_in(slip)
        named[slip.name] = bool(set(slip.signs) & set(found.symptoms))
        if slip.seen == "second program":
            assert found.symptoms == [], slip.name  # and it says that it cannot see them:
            assert "Not to be seen from outside" in str(found)
    counts = {seen: (sum(named[slip.name] for slip in slips), len(slips)) for seen, slips in groups.items()}
    with capsys.disabled():
        print("\nexamine named:", ", ".join(f"{right} of {of} {seen}" for seen, (right, of) in counts.items()), end=" ")
    assert counts["outside"][1] + counts["step"][1] == 19
    missed = [slip.name for slip in SLIPS if slip.seen != "second program" and not named[slip.name]]
    assert len(missed) <= 2, missed


# Healthy models


def preset(name):
    return lambda: VisionTransformer(ViTConfig.preset(name, patch_size=8))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 64), nn.GELU(), nn.Linear(64, 10))


def timm_vit(name, **more):
    return lambda: timm.create_model(
        name, img_size=32, patch_size=8, depth=3, embed_dim=48, num_heads=4, num_classes=10, **more
    )


SMALL = {  # name -> (image size, how it is made)
    "cifar_micro": (32, preset("cifar_micro")),
    "cifar_small": (32, preset("cifar_small")),
    "cifar_deep": (32, preset("cifar_deep")),
    "large codes": (32, lambda: LARGE_CODES.patient().model),
    "timm ViT": (32, timm_vit("vit_tiny_patch16_224", drop_rate=0.1)),
    "timm DeiT III, layer scale": (32, timm_vit("deit3_small_patch16_224", drop_path_rate=0.2)),
    "timm mixer": (32, lambda: timm.models.MlpMixer(10, img_size=32, patch_size=8, num_blocks=2, embed_dim=48)),
    "timm ConvNeXt": (
        32,
        lambda: timm.create_model("convnext_atto", depths=(1, 1, 1, 1), dims=(16, 24, 32, 48), num_classes=10),
    ),
    "torchvision ViT, head of zeros": (
        32,
        lambda: torchvision.models.VisionTransformer(32, 8, 3, 4, 48, 96, num_classes=10, dropout=0.1),
    ),
    "a ResNet": (
        32,
        lambda: torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=10),
    ),
    "an MLP": (32, mlp),
}


def test_no_healthy_model_is_accused(capsys):
    accused = {}
    for name, (size, make) in SMALL.items():
        torch.manual_seed(0)
        model = make()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

        def step(model, images, labels, optimizer=optimizer):
            model.train()
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

        images = IMAGES if size == 32 else F.interpolate(IMAGES[:220], size=size)
        found = examine(model, images, LABELS[: len(images)], step)
        if found.findings:
            accused[name] = found.symptoms
    with capsys.disabled():
        print(f"\nfalse alarms: {len(accused)} in {len(SMALL)} healthy models", end=" ")
    assert not accused


def test_gradients_set_to_zero_at_the_end_of_a_step_are_no_fault():
    model = linear()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step(model, images, labels):
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    assert examine(model, IMAGES, LABELS, step).symptoms == []


# As it was


def test_everything_is_as_it_was_to_the_last_bit():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.2), nn.Flatten(), nn.Linear(3600, 10))
    model[1].eval()  # a part with a mode of its own
    model[0].bias.requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step(model, images, labels):
        model.train()
        optimizer.zero_grad()
        (F.cross_entropy(model(images), labels) + random.random() + np.random.rand()).backward()  # noqa: NPY002
        optimizer.step()

    step(model, IMAGES[:8], LABELS[:8])
    model.train()
    model[1].eval()
    objects = [*model.parameters(), *model.buffers()]
    memory = [each.data_ptr() for each in objects]
    before = copy.deepcopy((model.state_dict(), [p.grad for p in model.parameters()], optimizer.state_dict()))
    modes = [module.training for module in model.modules()]
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    examine(model, IMAGES, LABELS, step)
    after = (model.state_dict(), [p.grad for p in model.parameters()], optimizer.state_dict())
    assert all(torch.equal(after[0][name], each) for name, each in before[0].items())
    for was, now in zip(before[1], after[1], strict=True):
        assert (was is None and now is None) or torch.equal(was, now)
    assert before[2]["param_groups"] == after[2]["param_groups"]
    for index, state in before[2]["state"].items():
        assert all(torch.equal(after[2]["state"][index][name], each) for name, each in state.items())
    assert [each.data_ptr() for each in objects] == memory
    assert [module.training for module in model.modules()] == modes
    assert [p.requires_grad for p in model.parameters()] == [True, False, True, True, True, True]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])  # noqa: NPY002


def test_a_model_is_as_it_was_after_an_error_too():
    model = linear()
    before = model[1].weight.clone()

    def fail():
        with as_it_was(model):
            nn.init.zeros_(model[1].weight)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert torch.equal(model[1].weight, before)


def test_shared_weights_stay_shared():
    layer = nn.Linear(4, 4)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    with as_it_was(model):
        assert model[0].weight is model[2].weight
    assert model[0].weight is model[2].weight


def test_optimisers_are_seen_and_given_their_rates_back():
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    with SeenOptimizers() as seen:
        model(IMAGES[:4]).sum().backward()
        optimizer.step()
        assert seen.found == [optimizer]
        assert seen.rates == [0.5]
        assert seen.holds() == {id(each) for each in model.parameters()}
        seen.at_rate(0.1)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert not optimizer.state


# Models of all kinds


class Says(nn.Module):
    def __init__(self, form):
        super().__init__()
        self.inner, self.form = linear(), form

    def forward(self, images):
        return self.form(self.inner(images))


class Logits:
    def __init__(self, logits):
        self.logits = logits


@pytest.mark.parametrize(
    "form",
    [lambda x: (x, None), lambda x: {"logits": x}, Logits, lambda x: [x]],
    ids=["tuple", "dict", "object", "list"],
)
def test_logits_are_found_in_what_a_model_returns(form):
    assert examine(Says(form), IMAGES, LABELS).symptoms == []


def test_16_bit_weights_are_examined_and_left_alone():
    model = linear().bfloat16()
    before = model[1].weight.clone()
    assert examine(model, IMAGES, LABELS).symptoms == []
    assert model[1].weight.dtype == torch.bfloat16
    assert torch.equal(model[1].weight, before)


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = linear()

    def forward(self, images):
        return F.dropout(self.inner(images), 0.5)  # training=self.training is missing


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = linear()

    def forward(self, images):
        return self.inner(images) / 0


@pytest.mark.parametrize(
    ("make", "symptom"),
    [
        (Noisy, "never the same"),
        (Broken, "not finite"),
        (lambda: linear(nn.Sigmoid()), "softmax"),
        (lambda: linear(nn.Softmax(-1)), "softmax"),
        (lambda: linear(nn.Tanh()), "tanh"),
    ],
)
def test_other_faults_have_their_names(make, symptom):
    assert symptom in examine(make(), IMAGES, LABELS).symptoms


def test_images_with_nan_are_named():
    images = IMAGES.clone()
    images[3, 0, 0, 0] = math.nan
    assert examine(linear(), images, LABELS).symptoms == ["not finite"]


def test_a_part_that_the_optimiser_lacks_is_named():
    model = mlp()
    optimizer = torch.optim.AdamW(model[1].parameters(), lr=1e-3)

    def step(model, images, labels):
        model.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    found = examine(model, IMAGES, LABELS, step)
    assert found.symptoms == ["nothing moves"]
    assert "2 of 4 parameters" in str(found)
    assert "3.weight" in str(found)


@pytest.mark.parametrize(
    ("model", "images", "labels", "said"),
    [
        (linear, IMAGES[..., :16], LABELS, "The model stopped with RuntimeError on images of shape"),
        (linear, IMAGES[:, 0], LABELS, r"Give images \(N, C, H, W\)"),
        (linear, IMAGES, LABELS.float(), "whole numbers"),
        (linear, IMAGES, LABELS + 1, "a label is 10"),
        (linear, IMAGES, torch.zeros_like(LABELS), "two classes"),
        (lambda: linear().requires_grad_(False), IMAGES, LABELS, "nothing to train"),
        (lambda: Says(lambda x: x[:, 0]), IMAGES, LABELS, "returns a tensor of shape"),
        (lambda: Says(lambda x: "yes"), IMAGES, LABELS, "returns str"),
    ],
)
def test_what_cannot_be_examined_is_refused_in_a_sentence(model, images, labels, said):
    with pytest.raises(ValueError, match=said):
        examine(model(), images, labels)


def test_a_step_that_stops_is_named():
    def step(model, images, labels):
        raise KeyError("rate")

    with pytest.raises(ValueError, match=r"Your step.* stopped with KeyError: 'rate'"):
        examine(linear(), IMAGES, LABELS, step)


def test_a_long_examination_is_said_beforehand(monkeypatch):
    from course_utils.analysis.clinic import examination

    monkeypatch.setattr(examination, "PATIENCE", 0.0)
    said = []
    examine(linear(), IMAGES[:40], LABELS[:40], say=said.append)
    assert len(said) == 1
    assert "minutes" in said[0]


# Patients and the page


@pytest.mark.parametrize("letter", patients.LETTERS)
def test_each_patient_has_what_the_check_expects_and_shows_no_name(letter):
    patient = patients.admit(letter)
    usual = {type(module).__name__ for module in HEALTHY.patient().model.modules()}
    assert {type(module).__name__ for module in patient.model.modules()} <= usual
    found = examine(patient.model, patient.enter(TRAIN.images[:220]), TRAIN.labels[:220], patient.step)
    assert patients.diagnosis(letter) in found.symptoms[:1]


def test_the_seventh_patient_is_found_by_another_program_alone():
    patient = patients.admit("G")
    images = patient.enter(TRAIN.images[:220])
    assert examine(patient.model, images, TRAIN.labels[:220], patient.step).symptoms == []
    other = patients.in_another_program(patient)
    with torch.no_grad():
        assert (patient.model(images[:4]) - other(images[:4])).abs().max() > 1e-5


def test_there_is_no_other_patient():
    with pytest.raises(ValueError, match="patient"):
        patients.admit("H")


def test_the_page_of_symptoms_is_what_the_command_writes_now():
    assert (ROOT / symptoms.PAGE).read_text(encoding="utf-8") == symptoms.page()
    for number in ("2.303", "1.461", "0.797", "4.852", "8.318"):
        assert f"| {number} |" in symptoms.page()
