"""Muon: what it makes of a gradient, that it is the known optimiser, and that AdamW keeps the rest."""

import pytest
import torch
from torch import nn

from course_utils import VisionTransformer, ViTConfig
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.training.muon import Muon, orthogonalise, orthogonalise_together
from course_utils.training.optimisers import make_optimizer, parameter_groups
from course_utils.training.recipes import Recipe

CONFIG = ViTConfig(image_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=4)


@pytest.mark.parametrize("shape", [(8, 8), (5, 12), (12, 5), (1, 6)])
def test_singular_values_come_near_1_and_the_singular_vectors_stay(shape):
    left, _ = torch.linalg.qr(torch.randn(shape[0], min(shape), dtype=torch.float64))
    right, _ = torch.linalg.qr(torch.randn(shape[1], min(shape), dtype=torch.float64))
    sizes = torch.logspace(0, -2, min(shape), dtype=torch.float64) * 30  # hundredfold apart
    found = left.T @ orthogonalise(left * sizes @ right.T) @ right  # diagonal if the singular vectors are the same
    assert found.diagonal().min() > 0.68
    assert found.diagonal().max() < 1.21
    torch.testing.assert_close(found, found.diagonal().diag(), atol=1e-9, rtol=0)


def test_a_gradient_of_zeros_stays_zero():
    assert torch.equal(orthogonalise(torch.zeros(3, 4)), torch.zeros(3, 4))


@pytest.mark.parametrize("shape", [(8, 8), (5, 12), (12, 5)])
def test_matrices_of_one_shape_can_go_together(shape):
    matrices = [torch.randn(shape) for _ in range(3)]
    for together, alone in zip(orthogonalise_together(matrices, torch.float32), matrices, strict=True):
        torch.testing.assert_close(together, orthogonalise(alone))
        assert together.is_contiguous()
    rounded = orthogonalise_together(matrices, torch.bfloat16)
    assert all(matrix.dtype == torch.float32 for matrix in rounded)


def descend(optimizer, parameters, steps=5):
    """Follow fixed random gradients."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()


def test_it_is_torchs_muon_up_to_the_rounding_of_bfloat16():
    reference = pytest.importorskip("torch.optim._muon", reason="PyTorch has Muon from 2.9 on").Muon
    start = [torch.randn(6, 9), torch.randn(9, 6), torch.randn(5, 5)]
    ours, theirs = ([nn.Parameter(matrix.clone()) for matrix in start] for _ in range(2))
    options = {"lr": 0.02, "weight_decay": 0.1}
    descend(Muon([{"params": ours, "muon": True}], **options), ours)
    descend(reference(theirs, adjust_lr_fn="match_rms_adamw", **options), theirs)
    for mine, other, before in zip(ours, theirs, start, strict=True):
        assert (mine - before).norm() > 0.05
        assert (mine - other).norm() < 0.02 * (mine - before).norm()


def test_bfloat16_in_the_polynomial_hardly_moves_a_step_and_the_state_stays_float32():
    start = [torch.randn(16, 48), torch.randn(32, 16)]
    exact, rounded = ([nn.Parameter(matrix.clone()) for matrix in start] for _ in range(2))
    descend(Muon([{"params": exact, "muon": True}], lr=0.02), exact)
    optimizer = Muon([{"params": rounded, "muon": True}], dtype=torch.bfloat16, lr=0.02)
    descend(optimizer, rounded)
    for one, other, before in zip(exact, rounded, start, strict=True):
        assert 0 < (one - other).norm() < 0.02 * (one - before).norm()
    assert all(optimizer.state[matrix]["momentum"].dtype == torch.float32 for matrix in rounded)


def test_groups_that_do_not_ask_for_it_are_adamws():
    start = [torch.randn(6, 9), torch.randn(4)]
    ours, theirs = ([nn.Parameter(tensor.clone()) for tensor in start] for _ in range(2))
    options = {"lr": 0.02, "weight_decay": 0.1, "betas": (0.8, 0.9)}
    descend(Muon([{"params": ours}], **options), ours)
    descend(torch.optim.AdamW(theirs, **options), theirs)
    assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))


def test_a_matrix_without_a_gradient_stays():
    still, moved = (nn.Parameter(torch.ones(3, 4)) for _ in range(2))
    optimizer = Muon([{"params": [still, moved], "muon": True}], lr=0.1)
    moved.grad = torch.randn(3, 4)
    optimizer.step()
    assert torch.equal(still, torch.ones(3, 4))
    assert not torch.equal(moved, torch.ones(3, 4))


def test_it_takes_the_matrices_inside_the_blocks_alone():
    model = VisionTransformer(CONFIG.replace(position="relative"))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    hidden = {names[id(p)] for group in parameter_groups(model, 0.05) if group.get("muon") for p in group["params"]}
    parts = ("attention.qkv", "attention.projection", "mlp.fc1", "mlp.fc2")
    assert hidden == {f"encoder.blocks.{block}.{part}.weight" for block in range(2) for part in parts}


def test_a_recipe_chooses_the_optimiser():
    model = VisionTransformer(CONFIG)
    muon = Recipe(steps=1, optimizer="muon")
    assert isinstance(make_optimizer(model, muon, fused=True), Muon)
    assert make_optimizer(model, muon, fused=True).dtype == torch.float32
    assert make_optimizer(model, muon, fused=True, precision="bf16").dtype == torch.bfloat16
    assert type(make_optimizer(model, Recipe(steps=1), fused=True)) is torch.optim.AdamW


def test_a_kernel_is_taken_as_a_matrix():
    kernel, matrix = nn.Parameter(torch.randn(6, 2, 3, 3)), nn.Parameter(torch.zeros(6, 18))
    matrix.data = kernel.detach().flatten(1).clone()
    for parameter in (kernel, matrix):
        optimizer = Muon([{"params": [parameter], "muon": True}], lr=0.02, weight_decay=0.1)
        descend(optimizer, [parameter])
    torch.testing.assert_close(kernel.flatten(1), matrix)


def test_a_module_can_say_that_it_is_a_block():
    model = SmallCNN(CNNConfig(width=4, stages=2))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    hidden = {names[id(p)] for group in parameter_groups(model, 0.05) if group.get("muon") for p in group["params"]}
    parts = ["0.convolutions.0", "0.convolutions.3", "1.convolutions.0", "1.convolutions.3", "1.shortcut.0"]
    assert hidden == {f"blocks.{part}.weight" for part in parts}
