"""Probes of a frozen body: the linear one stands at the minimum of its loss, the neighbours vote as by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_utils import VisionTransformer, ViTConfig
from course_utils.analysis.probes import features_of, knn, linear_probe

NUMBERS = torch.Generator().manual_seed(0)
FEATURES = torch.randn(60, 5, generator=NUMBERS) * torch.tensor([1.0, 10, 0.1, 3, 1]) + 2
LABELS = (FEATURES[:, 1] > 2).long() + (FEATURES[:, 3] > 4).long()


def test_the_features_are_what_the_head_reads():
    model = VisionTransformer(ViTConfig(image_size=8, patch_size=4, embed_dim=16, depth=1, num_heads=2)).train()
    images = torch.randn(7, 3, 8, 8)
    features = features_of(model, images, batch_size=3)
    assert features.shape == (7, 16)
    assert not features.requires_grad
    torch.testing.assert_close(model.head(features), model.eval()(images), atol=1e-5, rtol=1e-5)
    assert not model.head._forward_pre_hooks


@pytest.mark.parametrize("penalty", [1e-3, 1e-1])
def test_the_probe_stands_at_the_minimum(penalty):
    probe = linear_probe(FEATURES, LABELS, 3, penalty)
    std = FEATURES.double().std(dim=0, unbiased=False)
    weight = probe.weight.double().requires_grad_()
    bias = probe.bias.double().requires_grad_()
    loss = F.cross_entropy(F.linear(FEATURES.double(), weight, bias), LABELS)
    loss = loss + penalty / 2 * (weight * std).square().sum()
    gradients = torch.autograd.grad(loss, [weight, bias])
    assert gradients[0].div(std).abs().max() < 1e-4
    assert gradients[1].abs().max() < 1e-4
    assert (probe(FEATURES).argmax(dim=1) == LABELS).float().mean() > 0.8


def test_other_units_make_no_difference():
    scaled = FEATURES * torch.tensor([5.0, 0.1, 100, 1, 2]) - 7
    one, other = linear_probe(FEATURES, LABELS, 3)(FEATURES), linear_probe(scaled, LABELS, 3)(scaled)
    torch.testing.assert_close(one, other, atol=1e-2, rtol=1e-3)


def test_neighbours_vote_as_by_hand():
    known = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0], [-1.0, 0.0]])
    votes = knn(known, torch.tensor([0, 1, 2, 1]), torch.tensor([[4.0, 0.0]]), k=2, temperature=0.5)
    near, next_one = math.exp(1 / 0.5), math.exp(math.sqrt(0.5) / 0.5)  # cosines 1 and 0.707; 0 and -1 are too far
    expected = torch.tensor([[near, 0, next_one]]) / (near + next_one)
    torch.testing.assert_close(votes, expected)


def test_two_neighbours_of_one_class_add_up():
    known = torch.tensor([[1.0, 0.1], [1.0, -0.1], [1.0, 0.0]])
    votes = knn(known, torch.tensor([0, 0, 1]), torch.tensor([[1.0, 0.0]]), k=3, temperature=1.0)
    assert votes.argmax() == 0
    assert votes.sum() == pytest.approx(1)


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="k must be from 1 to the number of known images, 60"):
        knn(FEATURES, LABELS, FEATURES, k=61)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        knn(FEATURES, LABELS, FEATURES, k=1, temperature=0)
    with pytest.raises(ValueError, match="penalty must be above 0"):
        linear_probe(FEATURES, LABELS, 3, penalty=0)
    with pytest.raises(ValueError, match=r"not \(60, 5\), \(59,\)"):
        linear_probe(FEATURES, LABELS[1:], 3)
