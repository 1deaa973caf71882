"""Patch tokens as colours: which directions, and that a colour means the same in all images."""

import numpy as np
import pytest
import torch

from course_utils import VisionTransformer, ViTConfig
from course_utils.analysis.components import component_colours, patch_tokens


def test_colours_are_the_principal_components_that_numpy_finds():
    tokens = torch.randn(3, 8, 5) * torch.tensor([4.0, 2, 1, 0.3, 0.1]) @ torch.linalg.qr(torch.randn(5, 5))[0]
    colours, shares = component_colours(tokens, (2, 4))
    assert colours.shape == (3, 2, 4, 3)
    flat = tokens.double().numpy().reshape(24, 5)
    values, vectors = np.linalg.eigh(np.cov(flat.T))
    assert shares.numpy() == pytest.approx(values[::-1][:3] / values.sum(), rel=1e-4)
    for number in range(3):
        projected = (flat - flat.mean(axis=0)) @ vectors[:, -1 - number]
        found = colours[..., number].numpy().reshape(24)
        assert abs(np.corrcoef(projected, found)[0, 1]) == pytest.approx(1, abs=1e-5)
        assert (found.min(), found.max()) == (0, 1)


def test_tokens_that_are_all_alike_have_one_colour():
    colours, _ = component_colours(torch.ones(2, 4, 6), (2, 2))
    assert colours.unique().numel() == 1


def test_a_grid_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="8 patches do not fill a grid of 3x3"):
        component_colours(torch.randn(1, 8, 5), (3, 3))


def test_patch_tokens_leave_out_class_token_and_registers(randomise):
    config = ViTConfig(image_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_registers=2, num_classes=3)
    model, images = randomise(VisionTransformer(config)), torch.randn(2, 3, 8, 8)
    tokens = patch_tokens(model, images)
    assert tokens.shape == (2, 4, 16)
    assert torch.allclose(tokens, model.intermediates(images)["encoder"][:, 3:], atol=1e-6)
    assert not tokens.requires_grad
