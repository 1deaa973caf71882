"""The masked autoencoder: who sees what, where everything comes back to, and what is counted."""

import numpy as np
import pytest
import torch

from course_utils import VisionTransformer, ViTConfig
from course_utils.beyond.masked import (
    MaskedAutoencoder,
    MaskedConfig,
    count_visible,
    hidden_patches,
    inverse_order,
    masked_loss,
    normalise_patches,
    patch_targets,
    random_order,
    take,
)
from course_utils.data import Normalisation, remember
from course_utils.zoo.weights import load_weights, save_weights

CONFIG = MaskedConfig(
    image_size=(8, 12), patch_size=4, embed_dim=16, depth=2, num_heads=2, decoder_dim=8, decoder_heads=2
)
PATCHES, VISIBLE = 6, 2


@pytest.fixture
def model(randomise):
    return randomise(MaskedAutoencoder(CONFIG.replace(num_registers=1)))


@pytest.fixture
def images():
    return torch.randn(3, 3, 8, 12)


@pytest.fixture
def order():
    return random_order(3, PATCHES)


# ---------------------------------------------------------------------- masking, and back


def test_nine_numbered_patches_go_into_an_order_and_back():
    order = torch.tensor([[4, 0, 8, 2, 6, 1, 3, 7, 5]])
    patches = torch.arange(10.0, 19.0)[None, :, None]  # (1, 9, 1)
    shuffled = take(patches, order)
    assert shuffled.flatten().tolist() == [14, 10, 18, 12, 16, 11, 13, 17, 15]
    assert inverse_order(order).tolist() == [[1, 5, 3, 6, 0, 8, 4, 7, 2]]
    assert torch.equal(take(shuffled, inverse_order(order)), patches)
    assert hidden_patches(order, 3).tolist() == [[False, True, True, True, False, True, True, True, False]]


def test_each_image_draws_its_own_patches_and_each_patch_is_drawn_as_often():
    order = random_order(4000, PATCHES)
    assert torch.equal(order.sort(dim=1).values, torch.arange(PATCHES).expand(4000, -1))
    shares = (~hidden_patches(order, VISIBLE)).double().mean(dim=0)
    assert shares.sum() == pytest.approx(VISIBLE)
    assert (shares - VISIBLE / PATCHES).abs().max() < 5 * (2 / 9 / 4000) ** 0.5  # five standard errors
    assert len(order.unique(dim=0)) > 680  # of all 720 orders of six, 717 in the mean


def test_the_same_seed_draws_the_same_order():
    one, other = (random_order(5, 64, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("patches", "ratio", "visible"), [(64, 0.75, 16), (9, 0.75, 2), (10, 0.9, 1), (10, 0.1, 9), (49, 0.5, 24)]
)
def test_so_many_patches_stay(patches, ratio, visible):
    assert count_visible(patches, ratio) == visible


@pytest.mark.parametrize(("patches", "ratio"), [(4, 0.9), (64, 0.0), (64, 1.0), (64, -0.5)])
def test_a_ratio_that_leaves_nothing_to_see_or_to_hide_is_refused(patches, ratio):
    with pytest.raises(ValueError, match=rf"mask_ratio {ratio} leaves -?\d+ of {patches} patches visible"):
        count_visible(patches, ratio)


# ---------------------------------------------------------------------- targets and loss, a second time in NumPy


@pytest.mark.parametrize("normalised", [True, False])
def test_targets_and_loss_are_what_loops_in_numpy_say(images, order, normalised):
    predicted = torch.randn(3, PATCHES, 48)
    errors = []
    for image, row, said in zip(images.double().numpy(), order.tolist(), predicted.double().numpy(), strict=True):
        for number in row[VISIBLE:]:
            r, c = divmod(number, 3)
            target = image[:, 4 * r : 4 * r + 4, 4 * c : 4 * c + 4].reshape(-1)  # (channel, row, column)
            if normalised:
                target = (target - target.mean()) / np.sqrt(target.var(ddof=1) + 1e-6)
            errors.append(((said[number] - target) ** 2).mean())
    assert len(errors) == 3 * (PATCHES - VISIBLE)
    found = masked_loss(predicted, patch_targets(images, 4, normalised), hidden_patches(order, VISIBLE))
    assert found.item() == pytest.approx(np.mean(errors), abs=1e-6)


def test_a_patch_of_one_colour_becomes_zeros_and_comes_back():
    patches = torch.full((1, 2, 48), 0.3)
    normalised, mean, spread = normalise_patches(patches)
    assert torch.allclose(normalised, torch.zeros(()), atol=1e-4)
    assert torch.equal(normalised * spread + mean, patches)


def test_what_is_seen_does_not_count(images, order):
    hidden = hidden_patches(order, VISIBLE)
    predicted, targets = torch.randn(3, PATCHES, 48), torch.randn(3, PATCHES, 48)
    other = predicted + 100 * ~hidden[:, :, None]
    assert torch.equal(masked_loss(predicted, targets, hidden), masked_loss(other, targets, hidden))


# ---------------------------------------------------------------------- the model


def test_the_model_is_what_a_second_way_of_writing_it_says(model, images, order):
    """Token by token, by writing each to its place: no order is undone."""
    tokens = model.encoder.embed(images)  # (B, 2 + N, D)
    said = []
    for number in range(3):
        places = order[number, :VISIBLE]
        seen = torch.stack([tokens[number, 0], tokens[number, 1], *(tokens[number, 2 + place] for place in places)])
        seen = model.decoder.entry(model.encoder.encoder(seen[None])[0][0])  # (2 + visible, D')
        every = torch.cat([seen[:2], model.decoder.mask_token[0].expand(PATCHES, -1)]).clone()
        for row, place in zip(seen[2:], places, strict=True):
            every[2 + place] = row
        out, _ = model.decoder.blocks((every + model.decoder.position_code[0])[None])
        said.append(model.decoder.exit(out[0, 2:]))
    found = model(images, order, VISIBLE)
    assert found.shape == (3, PATCHES, 48)
    assert torch.allclose(found, torch.stack(said), atol=1e-6)


def test_the_encoder_computes_with_the_visible_patches_alone(model, images, order):
    shapes = []
    model.encoder.encoder.register_forward_hook(lambda module, inputs, output: shapes.append(inputs[0].shape))
    model(images, order, VISIBLE)
    assert shapes == [(3, 2 + VISIBLE, 16)]  # class token and register


def test_what_is_hidden_cannot_be_seen_and_what_is_seen_matters(model, images, order):
    before = model(images, order, VISIBLE)
    hidden = hidden_patches(order, VISIBLE).unflatten(1, (2, 3))  # (B, N) -> (B, rows, columns)
    pixels = hidden.repeat_interleave(4, 1).repeat_interleave(4, 2)[:, None]  # -> (B, 1, H, W)
    assert torch.equal(model(images + 5 * pixels, order, VISIBLE), before)
    changed = model(images + 5 * ~pixels, order, VISIBLE)
    assert ((changed - before).abs().amax(dim=-1) > 1e-4).all()  # every patch hears of it


def test_the_order_among_the_visible_and_among_the_hidden_does_not_matter(model, images, order):
    other = torch.cat([order[:, :VISIBLE].flip(1), order[:, VISIBLE:].flip(1)], dim=1)
    assert torch.allclose(model(images, other, VISIBLE), model(images, order, VISIBLE), atol=1e-5)


def test_without_an_order_nothing_is_hidden(model, images, order):
    everything = torch.arange(PATCHES).expand(3, -1)
    assert torch.equal(model(images), model(images, everything, PATCHES))
    tokens = model.encode(images, everything)
    assert torch.equal(model.backbone(images), tokens[:, 0])  # the class token


def test_the_backbone_is_an_ordinary_vision_transformer_that_can_be_saved(model, images, tmp_path):
    normalisation = Normalisation((0.1, 0.2, 0.3), (0.3, 0.2, 0.1))
    remember(model, normalisation, ("a", "b"))
    assert type(model.backbone) is VisionTransformer
    save_weights(model.backbone, tmp_path / "encoder.safetensors", half=False)
    loaded = load_weights(tmp_path / "encoder.safetensors")
    assert loaded.normalisation == normalisation
    assert loaded.config == ViTConfig(
        image_size=(8, 12), patch_size=4, num_classes=0, embed_dim=16, depth=2, num_heads=2, num_registers=1
    )
    assert torch.equal(loaded(images), model.backbone(images))


def test_every_parameter_gets_a_gradient(images, order):
    model = MaskedAutoencoder(CONFIG)
    masked_loss(model(images, order, VISIBLE), patch_targets(images, 4), hidden_patches(order, VISIBLE)).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("normalised", [True, False])
def test_a_reconstruction_keeps_what_is_seen_and_draws_what_is_said(randomise, images, order, normalised):
    model = randomise(MaskedAutoencoder(CONFIG.replace(normalised_targets=normalised)))
    hidden = hidden_patches(order, VISIBLE).unflatten(1, (2, 3)).repeat_interleave(4, 1).repeat_interleave(4, 2)
    drawn = model.reconstruct(images, order, VISIBLE)
    seen = ~hidden[:, None].expand_as(images)
    assert torch.equal(drawn[seen], images[seen])
    assert not torch.isclose(drawn[~seen], images[~seen]).any()
    model.forward = lambda images, order, visible: patch_targets(images, 4, normalised)  # one that knows the answer
    assert torch.allclose(model.reconstruct(images, order, VISIBLE), images, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_classes": 10}, "A masked autoencoder names no classes: num_classes must be 0, not 10"),
        ({"position": "rotary"}, "position 'rotary' acts inside attention"),
        ({"position": "relative"}, "choose learned, sincos2d or none"),
        ({"pooling": "attention"}, "has weights that masked images do not train"),
        ({"decoder_dim": 6, "decoder_heads": 3}, "decoder_dim 6 must be a multiple of decoder_heads 3, and of 4"),
        ({"decoder_heads": 3}, "decoder_dim 64 must be a multiple of decoder_heads 3"),
        ({"decoder_depth": 0}, "decoder_depth must be a whole number of at least 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        MaskedConfig(**settings)
