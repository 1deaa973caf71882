"""Distillation: the losses a second time in NumPy, the two heads equal to timm's, and who learns from whom."""

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from tiny_training import make_images, trainer_of

from course_utils import VisionTransformer, ViTConfig
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.beyond.distillation import (
    Distillation,
    DistilledConfig,
    DistilledViT,
    hard_loss,
    renormalised,
    soft_loss,
)
from course_utils.data import CIFAR10_NORMALISATION, Normalisation, remember
from course_utils.model.convert import to_timm
from course_utils.training.recipes import Recipe

CONFIG = DistilledConfig(image_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=4)
STUDENT = torch.tensor([[1.0, 0.2, -2, 0.5], [0, 3, 1, -1], [2, 2.5, 0, 0]])
TEACHER = torch.tensor([[3.0, 1, -1, 0], [0, 1, 2.5, -2], [0.5, 0, 4, 1]])


def shares(logits, temperature):
    powers = np.exp(logits.double().numpy() / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


# ---------------------------------------------------------------------- losses


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_soft_loss_is_what_numpy_says_and_deits_is_k_times_smaller(temperature):
    wanted, said = shares(TEACHER, temperature), shares(STUDENT, temperature)
    by_hand = (wanted * np.log(wanted / said)).sum(axis=1).mean() * temperature**2
    found = soft_loss(STUDENT, TEACHER, temperature).item()
    assert found == pytest.approx(by_hand, abs=1e-6)
    logs = [F.log_softmax(each / temperature, dim=1) for each in (STUDENT, TEACHER)]
    deit = F.kl_div(*logs, reduction="sum", log_target=True) * temperature**2 / STUDENT.numel()
    assert found == pytest.approx(4 * deit.item(), rel=1e-5)


def test_the_gradient_keeps_its_size_at_a_high_temperature():
    sizes = []
    for temperature in (20.0, 200.0):
        student = STUDENT.clone().requires_grad_()
        soft_loss(student, TEACHER, temperature).backward()
        sizes.append(student.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


def test_the_hard_loss_takes_the_teachers_first_choice_for_the_label():
    by_hand = -np.log(shares(STUDENT, 1)[[0, 1, 2], [0, 2, 2]]).mean()
    assert hard_loss(STUDENT, TEACHER).item() == pytest.approx(by_hand, abs=1e-6)


# ---------------------------------------------------------------------- the student with two heads


def test_it_has_as_many_parameters_as_deit():
    for config, name in (
        (DistilledConfig(224, 16, 3, 1000, embed_dim=192, depth=12, num_heads=3), "deit_tiny_distilled_patch16_224"),
        (DistilledConfig(224, 16, 3, 1000, embed_dim=384, depth=12, num_heads=6), "deit_small_distilled_patch16_224"),
    ):
        with torch.device("meta"):
            ours, theirs = DistilledViT(config), timm.create_model(name)
        counts = [sum(parameter.numel() for parameter in model.parameters()) for model in (ours, theirs)]
        assert counts[0] == counts[1]
        if config.embed_dim == 192:
            assert counts == [5_910_800] * 2


def test_both_heads_answer_as_timms(randomise):
    ours = randomise(DistilledViT(CONFIG))
    theirs = timm.models.deit.VisionTransformerDistilled(
        img_size=8, patch_size=4, num_classes=4, embed_dim=16, depth=2, num_heads=2
    ).eval()
    state = ours.state_dict()
    plain = {name: tensor for name, tensor in state.items() if "distillation" not in name and "registers" not in name}
    token, code = state["embeddings.registers"], state["embeddings.position_code"]
    plain["embeddings.position_code"] = code[:, 1:]  # the converter knows of no second token
    names = to_timm(plain, ViTConfig(image_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=4))
    names |= {
        "dist_token": token,
        "pos_embed": code,
        "head_dist.weight": state["head_distillation.weight"],
        "head_dist.bias": state["head_distillation.bias"],
    }
    theirs.load_state_dict(names)
    images = torch.randn(3, 3, 8, 8)
    assert torch.allclose(ours(images), theirs(images), atol=1e-5)
    theirs.train().set_distilled_training(True)
    for one, other in zip(ours(images, apart=True), theirs(images), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_attention_maps_come_with_the_same_answer(randomise):
    model, images = randomise(DistilledViT(CONFIG)), torch.randn(3, 3, 8, 8)
    logits, maps = model.forward_with_attention(images, [1])
    assert torch.allclose(logits, model(images), atol=1e-6)
    assert maps[1].shape == (3, 2, 6, 6)  # class token, distillation token, four patches
    class_head, token_head = model(images, apart=True)
    assert torch.allclose(logits, (class_head + token_head) / 2)
    assert not torch.allclose(class_head, token_head)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pooling": "mean"}, "pooling must be class_token, not mean"),
        ({"num_classes": 0}, "has two heads: num_classes must be at least 1"),
        ({"num_registers": 0}, "num_registers must be a whole number of at least 1, not 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        CONFIG.replace(**settings)


# ---------------------------------------------------------------------- the task


def teacher(normalisation=None, classes=tuple("abcd")):
    model = SmallCNN(CNNConfig(num_classes=4, width=4, stages=2))
    remember(model, normalisation or make_images().normalisation, classes)
    return model.eval().requires_grad_(False)


def prepared(model, **settings):
    task = Distillation(make_images(), None, **{"teacher": teacher()} | settings)
    return trainer_of(model, task, Recipe(steps=3, batch_size=12, label_smoothing=0.0)).task


@pytest.mark.parametrize("way", ["soft", "hard"])
@pytest.mark.parametrize("token", [False, True])
def test_the_loss_joins_labels_and_teacher(way, token, randomise):
    model = randomise(DistilledViT(CONFIG) if token else VisionTransformer(CONFIG.replace(num_registers=1)))
    task = prepared(model, way=way, temperature=2.0, alpha=0.3)
    images, labels = task.batch(0, mixing=False)
    own, echo = model(images, apart=True) if token else (model(images),) * 2
    taught = task.teacher(images)
    teaching = soft_loss(echo, taught, 2.0) if way == "soft" else hard_loss(echo, taught)
    found = task.loss(model, images, labels)
    assert found["loss"].item() == pytest.approx((0.7 * F.cross_entropy(own, labels) + 0.3 * teaching).item(), rel=1e-5)
    said = model(images).argmax(dim=1)
    assert found["accuracy"] == (said == labels).float().mean()
    assert found["agreement"] == (said == taught.argmax(dim=1)).float().mean()
    looked = task.figures(model, make_images(20, seed=1))
    assert looked.keys() == {"loss", "accuracy", "agreement"}


def test_the_teacher_sees_the_same_pixels_in_its_own_normalisation(randomise):
    student = randomise(VisionTransformer(CONFIG))
    task = prepared(student, teacher=teacher(CIFAR10_NORMALISATION))
    seen = []
    task.teacher.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    images, labels = task.batch(0, mixing=False)
    task.loss(student, images, labels)
    own, theirs = make_images().normalisation, CIFAR10_NORMALISATION

    def pixels(floats, normalisation):
        return floats * torch.tensor(normalisation.std)[:, None, None] + torch.tensor(normalisation.mean)[:, None, None]

    assert torch.allclose(pixels(seen[0], theirs), pixels(images, own), atol=1e-5)
    assert not torch.allclose(seen[0], images, atol=0.1)
    assert renormalised(images, own, Normalisation(own.mean, own.std)) is images


def test_the_teacher_stays_as_it_is_and_stands_in_the_description():
    taught_by = teacher()
    before = {name: tensor.clone() for name, tensor in taught_by.state_dict().items()}
    task = Distillation(make_images(), None, teacher=taught_by)
    record = trainer_of(DistilledViT(CONFIG), task, Recipe(steps=4, batch_size=10)).fit()
    assert all(torch.equal(tensor, before[name]) for name, tensor in taught_by.state_dict().items())  # batch norms too
    assert record["task"] == {"name": "distillation", "way": "soft", "temperature": 1.0, "alpha": 0.5}
    assert record["teacher"]["class"] == "SmallCNN"
    taught_by.head.weight[0, 0] += 1
    other = Distillation(make_images(), None, teacher=taught_by).describe()["teacher"]
    assert other["sha256"] != record["teacher"]["sha256"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"way": "loud"}, "way must be one of soft, hard"),
        ({"temperature": 0.0}, "temperature above 0"),
        ({"alpha": 1.2}, "alpha from 0 to 1"),
        ({"teacher": None}, "distillation needs a teacher"),
        ({"teacher": teacher(classes=tuple("dcba"))}, "The teacher knows the classes"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        prepared(VisionTransformer(CONFIG), **settings)
