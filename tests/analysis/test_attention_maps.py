"""Maps against loops over single numbers, and against models whose attention is known in advance."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import VisionTransformer, ViTConfig
from course_utils.analysis import attention_maps

CONFIG = ViTConfig((8, 12), 4, num_classes=5, embed_dim=12, depth=3, num_heads=3, num_registers=1)  # grid 2x3, 8 tokens


@pytest.fixture
def model(randomise):
    return randomise(VisionTransformer(CONFIG))


@pytest.fixture
def images():
    return torch.randn(2, 3, 8, 12)


def random_weights(*shape):
    """Attention weights (..., N, N)."""
    return (2 * torch.randn(*shape)).softmax(dim=-1)


# ---------------------------------------------------------------------- collect


def test_collect_returns_the_weights_of_the_forward_pass(model, images):
    model.train()
    weights = attention_maps.collect(model, images)
    assert model.training
    assert weights.shape == (2, 3, 3, 8, 8)
    assert not weights.requires_grad
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 3, 3, 8))
    _, maps = model.eval().forward_with_attention(images)
    for layer in range(3):
        assert torch.equal(weights[:, layer], maps[layer])


def test_collect_keeps_the_order_asked_for(model, images):
    everything = attention_maps.collect(model, images)
    torch.testing.assert_close(attention_maps.collect(model, images, [-1, 0]), everything[:, [2, 0]])


def test_collect_is_in_eval_mode(images):
    model = VisionTransformer(CONFIG.replace(dropout=0.5)).train()
    assert torch.equal(attention_maps.collect(model, images), attention_maps.collect(model, images))


def test_collect_refuses_layers_that_are_not_there(model, images):
    with pytest.raises(ValueError, match="no layer 3"):
        attention_maps.collect(model, images, [3])
    with pytest.raises(ValueError, match="layers is empty"):
        attention_maps.collect(model, images, [])


# ---------------------------------------------------------------------- rollout


def test_rollout_by_hand():
    # Two tokens, two layers, one head. With residual 1/2 the first layer mixes by [[3/4, 1/4], [0, 1]], the second by
    # [[1, 0], [1/2, 1/2]]. The last layer stands on the left of the product.
    first = torch.tensor([[0.5, 0.5], [0.0, 1.0]])
    second = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    weights = torch.stack([first, second])[:, None]  # (L, h, N, N)
    expected = torch.tensor([[0.75, 0.25], [0.375, 0.625]])
    torch.testing.assert_close(attention_maps.rollout(weights), expected)


def test_rollout_follows_the_paper():
    weights = random_weights(2, 4, 3, 5, 5)  # (B, L, h, N, N)
    for b in range(2):
        result = torch.eye(5)
        for layer in range(4):
            a = 0.5 * weights[b, layer].mean(dim=0) + 0.5 * torch.eye(5)
            result = (a / a.sum(dim=1)[:, None]) @ result
        torch.testing.assert_close(attention_maps.rollout(weights)[b], result)


def test_discard_sets_the_smallest_weights_of_each_row_to_zero():
    weights = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.2, 0.3, 0.5]])[None, None]
    expected = torch.tensor([[0, 2 / 3, 1 / 3], [5 / 8, 0, 3 / 8], [0, 3 / 8, 5 / 8]])
    torch.testing.assert_close(attention_maps.rollout(weights, residual=0, discard=0.6), expected)  # 1.8: one
    assert attention_maps.rollout(weights, residual=0, discard=0.99).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_heads_are_fused_as_asked():
    heads = torch.tensor([[[1.0, 0.0], [0.2, 0.8]], [[0.0, 1.0], [0.4, 0.6]]])[None]  # (1, h=2, 2, 2)
    assert attention_maps.rollout(heads, "max", residual=0)[0].tolist() == [0.5, 0.5]
    torch.testing.assert_close(attention_maps.rollout(heads, "max", residual=0)[1], torch.tensor([1 / 3, 2 / 3]))
    torch.testing.assert_close(attention_maps.rollout(heads, "min", residual=0)[1], torch.tensor([0.25, 0.75]))
    # The heads have no token in common: nothing is left of row 0, and the token keeps itself.
    assert attention_maps.rollout(heads, "min", residual=0)[0].tolist() == [1.0, 0.0]


@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 3), st.integers(1, 7)),
    fusion=st.sampled_from(sorted(attention_maps.HEAD_FUSIONS)),
    residual=st.floats(0, 1),
    discard=st.floats(0, 1, exclude_max=True),
    sharpness=st.sampled_from([0.0, 1.0, 30.0, 300.0]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=100, deadline=None)
def test_every_row_of_a_rollout_sums_to_one(shape, fusion, residual, discard, sharpness, seed):
    b, layers, heads, n = shape
    generator = torch.Generator().manual_seed(seed)
    weights = (sharpness * torch.randn(b, layers, heads, n, n, generator=generator)).softmax(dim=-1)
    result = attention_maps.rollout(weights, fusion, residual, discard)
    assert result.shape == (b, n, n)
    assert (result >= 0).all()
    torch.testing.assert_close(result.sum(dim=-1), torch.ones(b, n))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"head_fusion": "sum"}, "'sum' is unknown: choose one of mean, max, min"),
        ({"residual": 1.5}, "residual is a share from 0 to 1"),
        ({"discard": 1.0}, "from 0 to below 1"),
    ],
)
def test_rollout_refuses_impossible_settings(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        attention_maps.rollout(random_weights(2, 1, 4, 4), **settings)


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4), (2, 2, 4, 5)])
def test_rollout_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"must be \(..., L, h, N, N\)"):
        attention_maps.rollout(torch.zeros(shape))


# ---------------------------------------------------------------------- maps on the grid


def test_class_token_grid_takes_row_0_without_the_prefix():
    weights = random_weights(2, 8, 8)
    grid = attention_maps.class_token_grid(weights, (2, 3), num_prefix_tokens=2)
    for row in range(2):
        for column in range(3):
            assert torch.equal(grid[:, row, column], weights[:, 0, 2 + row * 3 + column])


@pytest.mark.parametrize(("prefix", "class_token"), [(0, None), (2, False)])
def test_without_a_class_token_the_map_is_the_mean_over_the_patches(prefix, class_token):
    n = prefix + 6
    weights = random_weights(2, n, n)
    grid = attention_maps.class_token_grid(weights, (2, 3), prefix, class_token)
    for key in range(6):
        mean = sum(weights[1, prefix + query, prefix + key].item() for query in range(6)) / 6
        assert grid[1, key // 3, key % 3].item() == pytest.approx(mean)


def test_class_token_map_on_the_pixels():
    weights = random_weights(4, 3, 7, 7)
    grid = attention_maps.class_token_grid(weights, (2, 3), 1)
    drawn = attention_maps.class_token_map(weights, (2, 3), (8, 12))
    assert drawn.shape == (4, 3, 8, 12)
    for y in range(8):
        for x in range(12):
            assert torch.equal(drawn[..., y, x], grid[..., y // 4, x // 4])
    smooth = attention_maps.to_pixels(grid, (8, 12), "bilinear")
    assert smooth.shape == (4, 3, 8, 12)
    assert (smooth[..., 0, 0] == grid[..., 0, 0]).all()
    # Between the centres of two patches, x = 1.5 and x = 5.5, pixel 3 lies 3/8 of the way.
    torch.testing.assert_close(smooth[..., 0, 3], 5 / 8 * grid[..., 0, 0] + 3 / 8 * grid[..., 0, 1])


def test_to_pixels_takes_one_number_for_a_square():
    assert attention_maps.to_pixels(torch.eye(2), 4).tolist() == [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 1, 1],
        [0, 0, 1, 1],
    ]
    with pytest.raises(ValueError, match="choose nearest or bilinear"):
        attention_maps.to_pixels(torch.eye(2), 4, "cubic")


def test_maps_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="8 tokens are not 1 prefix tokens and a grid of 2x3"):
        attention_maps.class_token_grid(random_weights(8, 8), (2, 3))
    with pytest.raises(ValueError, match="no class token"):
        attention_maps.class_token_grid(random_weights(6, 6), (2, 3), 0, class_token=True)


# ---------------------------------------------------------------------- distance and entropy


@pytest.mark.parametrize(("grid", "prefix"), [((2, 3), 0), ((3, 2), 1), ((2, 2), 3)])
def test_mean_attention_distance_against_a_slow_loop(grid, prefix):
    rows, columns = grid
    n = prefix + rows * columns
    weights = random_weights(2, 2, 3, n, n)
    result = attention_maps.mean_attention_distance(weights, grid, patch_size=5, num_prefix_tokens=prefix)
    for layer in range(2):
        for head in range(3):
            total = 0.0
            for b in range(2):
                for q in range(rows * columns):
                    row = weights[b, layer, head, prefix + q].tolist()[prefix:]
                    for k, weight in enumerate(row):
                        dy, dx = q // columns - k // columns, q % columns - k % columns
                        total += weight / sum(row) * 5 * math.sqrt(dy * dy + dx * dx)
            assert result[layer, head].item() == pytest.approx(total / (2 * rows * columns), rel=1e-5)


def test_attention_distance_of_known_attention():
    itself = torch.eye(5).expand(1, 1, 1, 5, 5)
    assert attention_maps.mean_attention_distance(itself, (2, 2), 4).item() == 0
    # Each patch looks at its neighbour to the side: 4 pixels.
    neighbour = torch.eye(4)[[1, 0, 3, 2]].expand(1, 1, 1, 4, 4)
    assert attention_maps.mean_attention_distance(neighbour, (2, 2), 4, 0).item() == 4


def test_a_patch_that_looks_at_the_prefix_alone_is_left_out_of_the_mean():
    weights = torch.zeros(1, 1, 1, 3, 3)
    weights[..., 1, 0] = 1  # patch 0 takes from the class token alone
    weights[..., 2, 1] = 1  # patch 1 takes from patch 0
    assert attention_maps.mean_attention_distance(weights, (1, 2), 4).item() == 4


def test_entropy_goes_from_0_to_log_n():
    weights = torch.stack([torch.eye(6), torch.full((6, 6), 1 / 6)])[None, None]  # (B, L, h, N, N)
    entropy = attention_maps.attention_entropy(weights)
    assert entropy.shape == (1, 2)
    assert entropy[0].tolist() == pytest.approx([0.0, math.log(6)])
    row = torch.tensor([0.5, 0.25, 0.25]).expand(1, 1, 1, 3, 3)
    assert attention_maps.attention_entropy(row).item() == pytest.approx(1.5 * math.log(2))


@pytest.mark.parametrize("shape", [(1, 1, 6, 6), (1, 1, 1, 1, 6, 6)])
def test_figures_by_head_want_all_axes(shape):
    with pytest.raises(ValueError, match=r"must be \(B, L, h, N, N\)"):
        attention_maps.attention_entropy(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"must be \(B, L, h, N, N\)"):
        attention_maps.mean_attention_distance(torch.zeros(shape), (2, 3), 4, 0)


def test_position_similarity_is_the_cosine():
    codes = torch.randn(1, 7, 4, requires_grad=True)
    similarity = attention_maps.position_similarity(codes, num_prefix_tokens=1)
    assert similarity.shape == (6, 6)
    for i in range(6):
        for j in range(6):
            a, b = codes[0, 1 + i].detach(), codes[0, 1 + j].detach()
            assert similarity[i, j].item() == pytest.approx((a @ b / (a.norm() * b.norm())).item(), abs=1e-5)


# ---------------------------------------------------------------------- gradients


def test_gradient_weighted_against_the_definition(model, images):
    logits, maps = model.forward_with_attention(images)
    relevance = [torch.eye(8), torch.eye(8)]
    for b in range(2):
        gradients = torch.autograd.grad(logits[b, 3], list(maps.values()), retain_graph=True)
        for weights, gradient in zip(maps.values(), gradients, strict=True):
            a = torch.stack([(gradient[b, head] * weights[b, head]).relu() for head in range(3)]).mean(dim=0)
            relevance[b] = relevance[b] + a @ relevance[b]
    result = attention_maps.gradient_weighted(model, images, class_index=3)
    torch.testing.assert_close(result, (torch.stack(relevance) - torch.eye(8)).detach())
    assert (result >= 0).all()
    assert result.max() > 0


def test_gradient_weighted_takes_the_predicted_class_or_one_for_each_image(model, images):
    predicted = model(images).argmax(dim=1)
    by_default = attention_maps.gradient_weighted(model, images)
    assert torch.equal(by_default, attention_maps.gradient_weighted(model, images, predicted))
    mixed = attention_maps.gradient_weighted(model, images, torch.tensor([0, 4]))
    torch.testing.assert_close(mixed[0], attention_maps.gradient_weighted(model, images, 0)[0])
    torch.testing.assert_close(mixed[1], attention_maps.gradient_weighted(model, images, 4)[1])


def test_gradient_weighted_leaves_no_trace(model, images):
    expected = attention_maps.gradient_weighted(model, images, 0)
    model.requires_grad_(False)
    with torch.no_grad():  # neither frozen parameters nor no_grad around it matter
        result = attention_maps.gradient_weighted(model, images, 0)
    torch.testing.assert_close(result, expected)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not images.requires_grad
    assert not result.requires_grad


@pytest.mark.parametrize("class_index", [5, -1, torch.tensor([0, 1, 2])])
def test_gradient_weighted_refuses_a_class_that_is_not_there(model, images, class_index):
    with pytest.raises(ValueError, match="from 0 to 4, or one for each of the 2 images"):
        attention_maps.gradient_weighted(model, images, class_index)


# ---------------------------------------------------------------------- deletion


class LeftTop(nn.Module):
    """Logit of class 1: the mean over the pixels of the left upper patch (4x4); of class 0: nought."""

    def forward(self, images):
        mean = images[:, :, :4, :4].mean(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(mean), mean], dim=1)


def test_deletion_curve_drops_with_the_patch_that_matters():
    images = torch.full((2, 3, 8, 12), 2.0)
    importance = torch.zeros(2, 2, 3)
    importance[0, 0, 0] = 1  # image 0: right, the patch that matters goes first
    importance[1, 0, 0] = -1  # image 1: wrong, it goes last
    curve = attention_maps.deletion_curve(LeftTop(), images, importance, [0, 1 / 6, 5 / 6, 1])
    full, gone = 1 / (1 + math.exp(-2)), 0.5
    torch.testing.assert_close(curve.fractions, torch.tensor([0, 1 / 6, 5 / 6, 1]))
    torch.testing.assert_close(curve.ordered, torch.tensor([[full, gone, gone, gone], [full, full, full, gone]]))
    assert curve.random.shape == (2, 4)
    assert curve.random[:, 0].tolist() == pytest.approx([full, full])
    assert curve.random[:, -1].tolist() == pytest.approx([gone, gone])


def test_deletion_curve_takes_out_exactly_the_patches_it_should(model, images):
    importance = torch.rand(2, 2, 3)
    curve = attention_maps.deletion_curve(model, images, importance, [0.0, 0.5], baseline=0.3, random_orders=1)
    probabilities = model(images).softmax(dim=1)
    target = probabilities.argmax(dim=1)
    for b in range(2):
        holed = images[b].clone()
        for patch in importance[b].flatten().argsort(descending=True)[:3].tolist():
            y, x = 4 * (patch // 3), 4 * (patch % 3)
            holed[:, y : y + 4, x : x + 4] = 0.3
        assert curve.ordered[b, 0].item() == pytest.approx(probabilities[b, target[b]].item(), rel=1e-5)
        after = model(holed[None]).softmax(dim=1)[0, target[b]].item()
        assert curve.ordered[b, 1].item() == pytest.approx(after, rel=1e-5)


def test_random_orders_come_from_the_seed_and_the_colour_is_what_was_asked(model, images):
    importance = torch.rand(2, 2, 3)
    state = torch.random.get_rng_state()

    def run(**settings):
        return attention_maps.deletion_curve(model, images, importance, [0, 0.5, 1], **settings)

    assert torch.equal(run(seed=1).random, run(seed=1).random)
    assert not torch.equal(run(seed=1).random, run(seed=2).random)
    assert torch.equal(torch.random.get_rng_state(), state)
    colour = torch.tensor([0.5, -0.5, 1.0])[:, None, None]
    flat = model(colour.expand(2, 3, 8, 12)).softmax(dim=1).gather(1, model(images).argmax(dim=1)[:, None])
    torch.testing.assert_close(run(baseline=colour).ordered[:, -1:], flat.detach())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"importance": torch.zeros(1, 2, 3)}, "one map for each of the 2 images"),
        ({"importance": torch.zeros(2, 6)}, "one map for each of the 2 images"),
        ({"importance": torch.zeros(2, 3, 3)}, "3x3 patches does not fit images 8 high, 12 wide"),
        ({"importance": torch.full((2, 2, 3), math.nan)}, "holds NaN"),
        ({"fractions": [0, 50]}, "shares from 0 to 1"),
        ({"random_orders": 0}, "at least 1, not 0"),
    ],
)
def test_deletion_curve_refuses_what_does_not_fit(model, images, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        attention_maps.deletion_curve(model, images, **({"importance": torch.zeros(2, 2, 3)} | changes))


def test_area_under_curve_is_the_mean_height():
    fractions = torch.tensor([0.0, 0.25, 0.75])
    probabilities = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.5, 0.0]])
    # Second curve: 0.25 * 0.75 + 0.5 * 0.25 = 0.3125, over a width of 0.75.
    torch.testing.assert_close(
        attention_maps.area_under_curve(fractions, probabilities), torch.tensor([1.0, 0.3125 / 0.75])
    )
    for bad in ([0.0], [0.5, 0.5], [0.0, 0.5, 0.2]):
        with pytest.raises(ValueError, match="rising order"):
            attention_maps.area_under_curve(torch.tensor(bad), torch.zeros(len(bad)))
