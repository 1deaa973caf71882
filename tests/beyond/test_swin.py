"""Swin: windows there and back, the mask, and the whole model beside torchvision's, on the same weights."""

import pytest
import torch
from torchvision.models import swin_transformer as theirs

from course_utils.beyond.swin import (
    SHUT,
    PatchMerging,
    SwinConfig,
    SwinTransformer,
    WindowAttention,
    from_windows,
    shift_mask,
    to_windows,
)
from course_utils.experiments.cost import cost
from course_utils.model.attention import set_attention_implementation

TINY = SwinConfig(224, 4, num_classes=1000, embed_dim=96, depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24),
                  window_size=7, mlp_ratio=4.0)  # fmt: skip
NAMES = {  # theirs -> ours, inside a block
    "attn.relative_position_bias_table": "attention.relative_bias.table",
    "attn.qkv": "attention.qkv",
    "attn.proj": "attention.projection",
    "mlp.0": "mlp.fc1",
    "mlp.3": "mlp.fc2",
}


def their_twin(config: SwinConfig) -> tuple[SwinTransformer, torch.nn.Module]:
    """Our model, and torchvision's with the same random weights, position tables included."""
    torch.manual_seed(0)
    c = config
    twin = theirs.SwinTransformer(
        [c.patch_size] * 2, c.embed_dim, list(c.depths), list(c.num_heads), [c.window_size] * 2, c.mlp_ratio,
        stochastic_depth_prob=0.0, num_classes=c.num_classes,
    ).eval()  # fmt: skip
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    ours = {}
    for name, tensor in twin.state_dict().items():
        if name.endswith("relative_position_index"):
            continue
        parts = name.split(".")
        if parts[0] != "features":
            new = name
        elif parts[1] == "0":
            new = {"0": "patch_embedding.projection", "2": "patch_norm"}[parts[2]] + "." + parts[3]
        elif int(parts[1]) % 2:
            rest = ".".join(parts[3:])
            for old, other in NAMES.items():
                rest = rest.replace(old, other)
            new = f"stages.{int(parts[1]) // 2}.{parts[2]}.{rest}"
        else:
            new = f"merges.{int(parts[1]) // 2 - 1}." + ".".join(parts[2:])
        ours[new] = tensor
    model = SwinTransformer(config).eval()
    shapes = model.state_dict()
    model.load_state_dict({name: tensor.reshape(shapes[name].shape) for name, tensor in ours.items()})
    return model, twin


SMALL = {
    "window divides": SwinConfig(32, 2, num_classes=7, embed_dim=12, depths=(2, 2), num_heads=(2, 3), window_size=4),
    "it does not": SwinConfig(44, 2, num_classes=7, embed_dim=12, depths=(2, 2), num_heads=(2, 3), window_size=4),
    "odd maps": SwinConfig(36, 4, num_classes=7, embed_dim=12, depths=(2, 2, 1), num_heads=(2, 3, 6), window_size=3),
    "window larger than the map": SwinConfig(16, 4, embed_dim=12, depths=(2, 2), num_heads=(1, 2), window_size=6),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("implementation", ["written_out", "sdpa"])
def test_logits_and_gradients_are_torchvisions(name, implementation):
    config = SMALL[name]
    model, twin = their_twin(config)
    set_attention_implementation(model, implementation)
    images = torch.randn(3, 3, config.image_size, config.image_size, requires_grad=True)
    copy = images.detach().clone().requires_grad_()
    ours, expected = model(images), twin(copy)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    weight = torch.randn_like(ours)
    (ours * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(images.grad, copy.grad, rtol=1e-4, atol=1e-5)
    tables = [p.grad for n, p in model.named_parameters() if n.endswith("relative_bias.table")]
    their_tables = [p.grad for n, p in twin.named_parameters() if n.endswith("bias_table")]
    for one, other in zip(tables, their_tables, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_swin_tiny_is_torchvisions_and_has_as_many_parameters():
    model, twin = their_twin(TINY)
    assert sum(p.numel() for p in model.parameters()) == 28_288_354
    tables = [p.numel() for n, p in model.named_parameters() if n.endswith("relative_bias.table")]
    assert sum(tables) == 13**2 * (2 * 3 + 2 * 6 + 6 * 12 + 2 * 24) == 23_322
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(model(images), twin(images), rtol=1e-4, atol=1e-4)


def test_windows_of_a_numbered_map_by_hand():
    numbers = torch.arange(16).reshape(1, 4, 4, 1)
    windows = to_windows(numbers, 2)[0, :, :, 0]
    assert windows.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_windows_come_back():
    places = torch.randn(2, 6, 9, 5)
    assert torch.equal(from_windows(to_windows(places, 3), (6, 9)), places)


def test_windows_that_do_not_fill_the_map_are_refused():
    with pytest.raises(ValueError, match="Windows of 3x3 places do not fill a map of 6x8: pad it first"):
        to_windows(torch.zeros(1, 6, 8, 1), 3)


def test_the_mask_by_hand():
    mask = shift_mask((4, 4), 2, (1, 1))  # rolled by one: rows 1 2 | 3 0
    assert not mask[0].any()  # all four are neighbours
    assert mask[1].tolist() == [[0, SHUT, 0, SHUT], [SHUT, 0, SHUT, 0]] * 2  # left column | right column
    assert mask[2].tolist() == [[0, 0, SHUT, SHUT]] * 2 + [[SHUT, SHUT, 0, 0]] * 2  # upper row | lower row
    assert torch.equal(mask[3] == 0, torch.eye(4, dtype=torch.bool))  # four corners of the image meet


def test_a_masked_window_never_looks_across_the_edge_of_the_image():
    """With the mask, what stands at the far edge does not matter; without it, it would."""
    torch.manual_seed(0)
    attention = WindowAttention(SwinConfig(embed_dim=8, depths=(1,), num_heads=(2,), window_size=4).window(0), shift=2)
    x = torch.randn(1, 8, 8, 8)
    changed = x.clone()
    changed[:, :2] += 1  # the first two rows, which the roll brings beside the last two
    with torch.no_grad():
        before, after = attention(x)[0], attention(changed)[0]
    torch.testing.assert_close(after[:, 6:], before[:, 6:], rtol=0, atol=1e-6)
    assert (after[:, :2] - before[:, :2]).abs().max() > 1e-3


def test_shifted_windows_let_information_cross_a_border():
    config = SwinConfig(embed_dim=8, depths=(1,), num_heads=(2,), window_size=4).window(0)
    x = torch.randn(1, 8, 8, 8, requires_grad=True)
    for shift, reaches in ((0, False), (2, True)):
        out, _ = WindowAttention(config, shift)(x)
        (gradient,) = torch.autograd.grad(out[0, 3, 3].sum(), x)  # the last place of the first window
        assert bool(gradient[0, 4, 4].any()) is reaches


def test_weights_are_distributions_and_shut_pairs_get_none():
    config = SwinConfig(embed_dim=8, depths=(1,), num_heads=(2,), window_size=4).window(0)
    _, weights = WindowAttention(config, shift=2)(torch.randn(3, 8, 12, 8), need_weights=True)
    assert weights.shape == (3, 6, 2, 16, 16)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 6, 2, 16))
    shut = shift_mask((8, 12), 4, (2, 2))[:, None].expand(3, 6, 2, 16, 16) == SHUT
    assert shut.any()
    assert weights[shut].max() < 1e-30


def test_merging_takes_four_neighbours():
    merging = PatchMerging(1, 1e-5)
    with torch.no_grad():
        merging.norm = torch.nn.Identity()
        merging.reduction.weight.copy_(torch.tensor([[1.0, 10, 100, 1000], [0, 0, 0, 1]]))
    numbers = torch.arange(1.0, 5).reshape(1, 2, 2, 1)  # 1 2 / 3 4: read down the columns
    assert merging(numbers).flatten().tolist() == [1 + 30 + 200 + 4000, 4]


def test_what_a_swin_costs_grows_with_the_number_of_places():
    costs = [cost(SwinTransformer(SwinConfig(image_size=s)), (3, s, s))["multiply_adds"] for s in (32, 64)]
    assert 3.9 < costs[1] / costs[0] < 4.1


def test_without_the_shift_no_block_looks_across_a_border():
    torch.manual_seed(0)
    images = torch.randn(1, 3, 16, 16, requires_grad=True)
    for shifted in (True, False):
        model = SwinTransformer(SwinConfig(16, 2, embed_dim=8, depths=(2,), num_heads=(2,), shifted=shifted))
        (gradient,) = torch.autograd.grad(model.feature_maps(images)[0][0, 3, 3].sum(), images)
        assert bool(gradient[..., 8:, 8:].any()) is shifted


def test_impossible_settings_are_named():
    with pytest.raises(ValueError, match="depths has 3 stages and num_heads 2"):
        SwinConfig(num_heads=(2, 4))
    with pytest.raises(ValueError, match="depths must be one whole number of at least 1 for each stage, not"):
        SwinConfig(depths=(), num_heads=())
    with pytest.raises(TypeError, match="depths must be one whole number of at least 1 for each stage, not 2"):
        SwinConfig(depths=2)
    with pytest.raises(ValueError, match="num_heads 5 does not divide embed_dim 96"):
        SwinConfig(num_heads=(2, 5, 8))
    with pytest.raises(ValueError, match="patch_size 3 does not divide image_size 32"):
        SwinConfig(patch_size=3)


def test_wrong_images_are_named():
    with pytest.raises(ValueError, match="takes images of shape"):
        SwinTransformer(SwinConfig())(torch.zeros(1, 3, 64, 64))
