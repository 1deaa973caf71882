"""DINO: each formula a second time in NumPy, and who moves when."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import VisionTransformer
from course_utils.beyond.dino import (
    Dino,
    DinoConfig,
    DinoHead,
    dino_loss,
    encode_any_size,
    entropy,
    momentum_at,
    moved_centre,
    teacher_shares,
)

CONFIG = DinoConfig(
    image_size=8, patch_size=2, embed_dim=16, depth=2, num_heads=2, outputs=12, head_hidden=10, head_bottleneck=6
)
TEACHER = torch.tensor([[[2.0, 0, 1, -1], [1, 1, 0, 3]], [[0, 4, -2, 1], [3, 2, 2, 0]]]) / 10  # (B, T, K) = (2, 2, 4)
STUDENT = torch.tensor(
    [[[1.0, 2, 0, -3], [0, 1, 5, 2], [2, 2, 1, 0]], [[-1, 0, 3, 1], [4, 1, 0, 2], [1, -2, 2, 2]]]
) / 10  # (B, V, K) = (2, 3, 4)  # fmt: skip
CENTRE = torch.tensor([0.05, -0.1, 0.2, 0.0])


def shares_in_numpy(logits, temperature):
    powers = np.exp((logits - logits.max()) / temperature)
    return powers / powers.sum()


# ---------------------------------------------------------------------- the method, a second time in NumPy


def test_the_loss_is_what_loops_in_numpy_say():
    teacher, student, centre = (tensor.double().numpy() for tensor in (TEACHER, STUDENT, CENTRE))
    found = []
    for b in range(2):
        for t in range(2):
            for v in range(3):
                if t == v:
                    continue  # the same view
                wanted = shares_in_numpy(teacher[b, t] - centre, 0.04)
                found.append(-(wanted * np.log(shares_in_numpy(student[b, v], 0.1))).sum())
    assert len(found) == 2 * (2 * 3 - 2)
    loss = dino_loss(STUDENT, teacher_shares(TEACHER, CENTRE, 0.04), temperature=0.1)
    assert loss.item() == pytest.approx(np.mean(found), abs=1e-6)


def test_the_centre_is_a_moving_average_of_the_mean_over_images_and_views():
    mean = TEACHER.double().numpy().reshape(4, 4).mean(axis=0)
    expected = 0.9 * CENTRE.double().numpy() + 0.1 * mean
    assert moved_centre(CENTRE, TEACHER.mean(dim=(0, 1))).numpy() == pytest.approx(expected, abs=1e-6)


def test_what_a_teacher_says_of_all_images_alike_does_not_count():
    always = torch.tensor([3.0, 0, 1, 0]).expand(2, 2, 4)
    assert torch.equal(teacher_shares(always, always[0, 0], 0.04), torch.full((2, 2, 4), 0.25))
    assert teacher_shares(always, torch.zeros(4), 0.04)[0, 0, 0] == pytest.approx(1)


def test_a_smaller_temperature_is_sharper():
    entropies = [entropy(teacher_shares(TEACHER, CENTRE, t)).mean().item() for t in (0.02, 0.04, 0.07, 0.1, 100.0)]
    assert entropies == sorted(entropies)
    assert entropies[-1] == pytest.approx(math.log(4), abs=1e-4)


def test_entropy_of_one_output_and_of_all_alike():
    assert entropy(torch.tensor([0.0, 1, 0, 0])) == 0
    assert entropy(torch.full((4,), 0.25)).item() == pytest.approx(math.log(4))
    assert entropy(torch.tensor([0.5, 0.25, 0.25, 0])).item() == pytest.approx(1.5 * math.log(2))


def test_the_momentum_rises_from_its_start_to_1():
    found = [momentum_at(step, 101) for step in range(101)]
    assert found[0] == pytest.approx(0.996)
    assert found[50] == pytest.approx(0.998)
    assert found[100] == 1
    assert found == sorted(found)


# ---------------------------------------------------------------------- head, student, teacher


def test_the_last_layer_is_pytorchs_weight_norm_with_length_1(randomise):
    head = randomise(DinoHead(CONFIG))
    theirs = nn.utils.parametrizations.weight_norm(nn.Linear(6, 12, bias=False))
    with torch.no_grad():
        theirs.parametrizations.weight.original0.fill_(1)  # the lengths
        theirs.parametrizations.weight.original1.copy_(head.last.weight)
    features = torch.randn(5, 16)
    vectors = nn.functional.normalize(head.layers(features), dim=1)
    assert torch.allclose(head(features), theirs(vectors), atol=1e-6)
    assert head(1000 * features).abs().max() <= 1 + 1e-6


def test_a_last_layer_that_rests_gets_a_gradient_of_0_and_all_others_theirs(randomise):
    head = randomise(DinoHead(CONFIG))
    features = torch.randn(5, 16)
    assert torch.equal(head(features, train_last=False), head(features))
    head(features, train_last=False).square().sum().backward()
    assert torch.equal(head.last.weight.grad, torch.zeros(12, 6))
    assert all(parameter.grad.abs().sum() > 0 for parameter in head.layers.parameters())


def test_small_images_are_encoded_as_a_resized_model_encodes_them(randomise):
    for changes in ({}, {"pooling": "mean"}, {"num_registers": 2}, {"position": "none"}):
        config = CONFIG.replace(**changes)
        encoder = randomise(Dino(config).student.encoder)
        other = encoder.with_image_size(4)
        images = torch.randn(3, 3, 4, 4)
        assert torch.allclose(encode_any_size(encoder, images), other(images), atol=1e-5), changes


def test_codes_learn_from_small_views_too():
    model = Dino(CONFIG)
    model.student(torch.randn(2, 3, 3, 4, 4)).square().sum().backward()
    assert model.student.encoder.embeddings.position_code.grad.abs().sum() > 0


def test_the_student_sees_all_views_and_the_teacher_the_large_ones(randomise):
    model = randomise(Dino(CONFIG))
    large, small = torch.randn(2, 2, 3, 8, 8), torch.randn(2, 3, 3, 4, 4)
    student, teacher = model(large, small)
    assert (student.shape, teacher.shape) == ((2, 5, 12), (2, 2, 12))
    assert student.requires_grad
    assert not teacher.requires_grad
    assert torch.allclose(student[1, 1], model(large[1:, 1])[0], atol=1e-6)
    assert torch.allclose(student[1, 4], model.student(small[1:, 2:])[0, 0], atol=1e-6)
    assert torch.equal(teacher, model.teacher(large))
    assert not torch.allclose(teacher, model.student(large))  # they differ here


def test_the_teacher_begins_as_the_student_and_follows_it_at_its_pace(randomise):
    model = Dino(CONFIG)
    pairs = list(zip(model.teacher.parameters(), model.student.parameters(), strict=True))
    assert all(torch.equal(slow, fast) for slow, fast in pairs)
    randomise(model.student)
    expected = [0.9 * slow + 0.1 * fast for slow, fast in pairs]
    model.follow(0.9)
    assert all(torch.allclose(slow, want, atol=1e-6) for (slow, _), want in zip(pairs, expected, strict=True))
    assert not any(slow.requires_grad for slow, _ in pairs)


def test_the_teacher_never_drops_anything():
    model = Dino(CONFIG.replace(dropout=0.5, drop_path=0.5)).train()
    large = torch.randn(2, 2, 3, 8, 8)
    assert model.student.training
    assert torch.equal(model(large)[1], model(large)[1])
    assert not torch.equal(model(large)[0], model(large)[0])


def test_the_backbone_is_the_teachers_encoder():
    model = Dino(CONFIG)
    assert type(model.backbone) is VisionTransformer
    assert model.backbone is model.teacher.encoder
    assert model.backbone(torch.randn(2, 3, 8, 8)).shape == (2, 16)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_classes": 10}, "A student of DINO names no classes"),
        ({"position": "relative"}, "position 'relative' acts inside attention"),
        ({"outputs": 0}, "outputs must be a whole number of at least 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        DinoConfig(**settings)
