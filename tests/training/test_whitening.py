"""The whitened start: what it makes of patches."""

import torch

from course_utils.training.whitening import whitening_weight


def test_whitened_patches_are_uncorrelated_and_come_with_both_signs():
    patches = torch.randn(5000, 6, generator=torch.Generator().manual_seed(0)) @ torch.randn(6, 6)
    weight = whitening_weight(patches.reshape(50, 100, 6), embed_dim=9, std=0.5)
    tokens = patches @ weight.T  # (5000, 9)
    covariance = tokens.T @ tokens / len(tokens)
    assert torch.allclose(covariance[:6, :6], 0.25 * torch.eye(6), atol=0.1)
    assert torch.equal(weight[6:], -weight[:3])
    assert torch.all(weight.norm(dim=1)[:6].diff() > 0)  # much variance needs a small filter
