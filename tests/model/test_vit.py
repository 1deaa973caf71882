import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import VisionTransformer, ViTConfig
from course_utils.model.config import ACTIVATIONS, NORMS, POOLINGS, POSITIONS
from course_utils.model.patches import patchify, unpatchify

TINY = ViTConfig(image_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3)


@st.composite
def configs(draw):
    patch_size, num_heads = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rows, columns = draw(st.integers(2, 4)), draw(st.integers(2, 4))
    return ViTConfig(
        image_size=(rows * patch_size, columns * patch_size),
        patch_size=patch_size,
        in_channels=draw(st.integers(1, 3)),
        num_classes=draw(st.sampled_from([0, 2, 7])),
        embed_dim=8 * num_heads,
        depth=draw(st.integers(1, 3)),
        num_heads=num_heads,
        mlp_ratio=draw(st.sampled_from([0.5, 1, 2.7])),
        qkv_bias=draw(st.booleans()),
        position=draw(st.sampled_from(POSITIONS)),
        pooling=draw(st.sampled_from(POOLINGS)),
        num_registers=draw(st.integers(0, 3)),
        norm=draw(st.sampled_from(NORMS)),
        pre_norm=draw(st.booleans()),
        activation=draw(st.sampled_from(ACTIVATIONS)),
    )


def images_for(config, batch=2):
    return torch.randn(batch, config.in_channels, config.image_height, config.image_width)


def has_no_gradient(config, name, parameter):
    """Which numbers cannot change the logits, as a mask.

    A softmax does not see what is added to all its scores: the key bias (unless rotary turns it) and the bias of the
    pooling scores. In the last block, no one reads what tokens gather that the pooling does not use.
    """
    mask = torch.zeros_like(parameter, dtype=torch.bool)
    if name.endswith("qkv.bias") and config.position != "rotary":
        mask[config.embed_dim : 2 * config.embed_dim] = True
    elif name == "pool.score.bias":
        mask[:] = True
    elif name == f"encoder.blocks.{config.depth - 1}.attention.relative_bias.table" and config.num_prefix_tokens:
        prefix_asks = [0, 2]  # prefix to patch, prefix to prefix
        mask[prefix_asks] = True
        if config.has_class_token:
            mask = ~mask
    return mask


@given(configs())
@settings(max_examples=40, deadline=None)
def test_every_config_gives_finite_logits_and_gradients_where_they_belong(randomise, config):
    model = randomise(VisionTransformer(config)).double()
    logits = model(images_for(config, batch=3).double())
    assert logits.shape == (3, config.num_classes or config.embed_dim)
    assert logits.isfinite().all()

    (logits * torch.randn_like(logits)).sum().backward()
    largest = max(parameter.grad.abs().max() for parameter in model.parameters())
    for name, parameter in model.named_parameters():
        found = parameter.grad.abs() < 1e-13 * largest
        assert torch.equal(found, has_no_gradient(config, name, parameter)), name


@given(configs())
@settings(max_examples=25, deadline=None)
def test_attention_and_intermediates_belong_to_the_same_forward_pass(randomise, config):
    model, images = randomise(VisionTransformer(config)).double(), images_for(config).double()
    n, depth = config.num_tokens, config.depth
    with torch.no_grad():
        logits = model(images)
        shown, maps = model.forward_with_attention(images)
        parts = model.intermediates(images)
    torch.testing.assert_close(shown, logits, atol=1e-10, rtol=1e-10)
    assert list(maps) == list(range(depth))
    for weights in maps.values():
        assert weights.shape == (2, config.num_heads, n, n)
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, config.num_heads, n, dtype=torch.float64))

    block_parts = ["norm1", "attention", "norm2", "mlp"] if config.pre_norm else ["attention", "norm1", "mlp", "norm2"]
    names = ["patch_embedding", "embeddings"]
    for i in range(depth):
        names += [f"blocks.{i}.{part}" for part in block_parts] + [f"blocks.{i}"]
    assert list(parts) == [*names, "encoder", "pooled", "logits"]
    assert torch.equal(parts["logits"], logits)
    assert parts["patch_embedding"].shape == (2, config.num_patches, config.embed_dim)
    assert all(parts[name].shape == (2, n, config.embed_dim) for name in [*names[1:], "encoder"])
    before = parts["embeddings"]
    for i in range(depth):
        if config.pre_norm:
            after = before + parts[f"blocks.{i}.attention"] + parts[f"blocks.{i}.mlp"]
            torch.testing.assert_close(parts[f"blocks.{i}"], after)
        else:
            assert torch.equal(parts[f"blocks.{i}"], parts[f"blocks.{i}.norm2"])
        before = parts[f"blocks.{i}"]


# attention on request


def test_chosen_layers_may_be_counted_from_the_end(randomise):
    model = randomise(VisionTransformer(TINY))
    images = images_for(TINY)
    maps = model.forward_with_attention(images)[1]
    last = model.forward_with_attention(images, layers=[-1])[1]
    assert list(last) == [1]
    torch.testing.assert_close(last[1], maps[1])  # layer 0 ran another way, so to rounding
    assert model.forward_with_attention(images, layers=[])[1] == {}


def test_gradients_flow_through_the_returned_weights(randomise):
    model = randomise(VisionTransformer(TINY))
    logits, maps = model.forward_with_attention(images_for(TINY))
    assert all(gradient.abs().max() > 0 for gradient in torch.autograd.grad(logits.sum(), list(maps.values())))


@pytest.mark.parametrize("layer", [2, -3])
def test_a_layer_that_is_not_there_is_refused(layer):
    with pytest.raises(ValueError, match=f"no layer {layer}: this model has layers 0 to 1"):
        VisionTransformer(TINY).forward_with_attention(images_for(TINY), layers=[0, layer])


def test_intermediates_leave_no_hooks_even_after_an_error():
    model = VisionTransformer(TINY)
    model.intermediates(images_for(TINY))
    with pytest.raises(ValueError, match="shape"):
        model.intermediates(torch.zeros(1, 3, 8, 8))
    assert not [module for module in model.modules() if module._forward_hooks]


# the claims that lessons make


def permuted(images, patch_size):
    patches = patchify(images, patch_size)
    order = torch.randperm(patches.shape[1])
    return unpatchify(patches[:, order], patch_size, tuple(images.shape[2:]))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("position", POSITIONS)
def test_only_positions_tell_the_order_of_the_patches(position, pooling, randomise):
    config = TINY.replace(position=position, pooling=pooling)
    model = randomise(VisionTransformer(config)).double()
    images = images_for(config).double()
    difference = (model(images) - model(permuted(images, config.patch_size))).abs().max()
    if position == "none":
        assert difference < 1e-12
    else:
        assert difference > 1e-3


@pytest.mark.parametrize("pooling", POOLINGS)
def test_an_untrained_model_guesses(pooling):
    """Its loss is near ln 10, that of giving each of ten classes the same probability."""
    config = ViTConfig.preset("cifar_micro", pooling=pooling)
    with torch.no_grad():
        loss = F.cross_entropy(VisionTransformer(config)(images_for(config, 64)), torch.arange(64) % 10)
    assert loss == pytest.approx(math.log(10), abs=0.1)


@pytest.mark.parametrize("settings", [{}, {"position": "relative", "pooling": "mean"}, {"pre_norm": False}])
def test_overfits_one_small_batch(settings):
    model = VisionTransformer(TINY.replace(**settings))
    images, labels = images_for(TINY, 10), torch.arange(10)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1


def test_initial_weights():
    model = VisionTransformer(ViTConfig(embed_dim=192, depth=8, num_registers=2, position="relative"))
    for name, parameter in model.named_parameters():
        if "norm" in name:
            assert torch.equal(parameter, torch.full_like(parameter, float(name.endswith("weight"))))
        elif name.endswith("bias"):
            assert parameter.eq(0).all()
        else:
            std = 0.02 / 4 if name.endswith(("attention.projection.weight", "fc2.weight")) else 0.02
            assert parameter.abs().max() <= 2 * std
            # cutting a normal distribution off at 2 sigma leaves 0.88 of its sigma
            assert parameter.std().item() == pytest.approx(0.88 * std, rel=0.15)


def test_registers_take_part_but_are_not_read(randomise):
    config = TINY.replace(num_registers=3, pooling="mean")
    model, images = randomise(VisionTransformer(config)), images_for(config)
    tokens = model.intermediates(images)["encoder"]
    assert tokens.shape == (2, 3 + 16, 24)
    torch.testing.assert_close(model.pool(tokens), tokens[:, 3:].mean(dim=1))
    before = model(images)
    with torch.no_grad():
        model.embeddings.registers += torch.randn(24)
    assert (model(images) - before).abs().max() > 1e-3


def test_attention_pooling_is_a_weighted_mean_of_the_patches(randomise):
    config = TINY.replace(num_registers=1, pooling="attention")
    pool, tokens = randomise(VisionTransformer(config)).pool, torch.randn(2, 17, 24)
    weights = pool.score(tokens[:, 1:]).softmax(dim=1)
    torch.testing.assert_close(pool(tokens), torch.einsum("bnx,bnd->bd", weights, tokens[:, 1:]))


# images that do not fit


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 1, 16, 16), (1, 3, 16, 20), (1, 3, 20, 16), (1, 16, 16, 3)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"takes images of shape \(B, 3, 16, 16\), not \(" + str(shape)[1:-1]):
        VisionTransformer(TINY)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("dtype", "message"),
    [(torch.uint8, "normalised float images, not torch.uint8"), (torch.float64, r"use images\.to\(torch\.float32\)")],
)
def test_images_of_another_dtype_are_refused(dtype, message):
    with pytest.raises(ValueError, match=message):
        VisionTransformer(TINY)(torch.zeros(1, 3, 16, 16, dtype=dtype))


def test_autocast_may_mix_dtypes():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert VisionTransformer(TINY)(torch.zeros(1, 3, 16, 16, dtype=torch.bfloat16)).shape == (1, 10)
