"""One model for other image and patch sizes."""

import pytest
import torch
import torch.nn.functional as F
from timm.layers import resample_abs_pos_embed
from timm.layers.patch_embed import resample_patch_embed

from course_utils import VisionTransformer, ViTConfig
from course_utils.beyond.conv_stem import ConvStemConfig, ConvStemViT
from course_utils.model.attention import set_attention_implementation
from course_utils.model.config import POSITIONS
from course_utils.model.embeddings import grid_coordinates
from course_utils.model.patches import conv_to_linear_weight, linear_to_conv_weight, patchify, unpatchify
from course_utils.model.resize import AtPatchSize, resize_matrix, resize_patch_weight, resize_positions

TINY = ViTConfig(image_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3)


def images_for(config, batch=2):
    return torch.randn(batch, config.in_channels, config.image_height, config.image_width)


# position codes


@pytest.mark.parametrize("prefix", [0, 1, 5])
@pytest.mark.parametrize(("old", "new"), [((4, 4), (8, 8)), ((8, 8), (4, 4)), ((3, 5), (6, 4)), ((2, 6), (6, 2))])
def test_resized_positions_equal_timms(old, new, prefix):
    codes = torch.randn(1, prefix + old[0] * old[1], 12)
    ours = resize_positions(codes, old, new, prefix)
    assert torch.equal(ours, resample_abs_pos_embed(codes, list(new), list(old), prefix))
    assert torch.equal(ours[:, :prefix], codes[:, :prefix])


def test_resizing_to_the_same_grid_changes_nothing():
    codes = torch.randn(1, 16, 12)
    assert torch.equal(resize_positions(codes, (4, 4), (4, 4)), codes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_resizing_keeps_a_constant_and_the_dtype(dtype):
    codes = torch.full((1, 17, 12), 0.5, dtype=dtype)
    resized = resize_positions(codes, (4, 4), (7, 9), num_prefix_tokens=1)
    torch.testing.assert_close(resized, torch.full((1, 64, 12), 0.5, dtype=dtype))


def test_resizing_keeps_rows_and_columns_apart():
    codes = grid_coordinates((4, 8)).float()[None]  # each code is its own place
    resized = resize_positions(codes, (4, 8), (8, 16))[0].reshape(8, 16, 2)
    assert (resized[..., 0].diff(dim=0) > 0).all()
    torch.testing.assert_close(resized[..., 0].diff(dim=1), torch.zeros(8, 15), atol=1e-5, rtol=0)
    assert (resized[..., 1].diff(dim=1) > 0).all()


def test_codes_that_do_not_fit_the_grid_are_refused():
    with pytest.raises(ValueError, match="17 position codes do not fit a grid of 4x4 patches after 0 prefix"):
        resize_positions(torch.zeros(1, 17, 8), (4, 4), (8, 8))


# the map from patches to tokens


@pytest.mark.parametrize(("p", "q"), [(4, 8), (8, 4), (3, 5), (5, 3), (4, 6), (1, 4), (16, 2), (2, 16)])
def test_a_resized_weight_equals_timms(p, q):
    weight = torch.randn(7, 2 * p * p)
    timms = resample_patch_embed(linear_to_conv_weight(weight, 2), [q, q])
    torch.testing.assert_close(resize_patch_weight(weight, 2, q), conv_to_linear_weight(timms), atol=1e-5, rtol=1e-5)


def test_an_enlarged_patch_gives_the_token_of_the_small_one():
    weight, patches = torch.randn(7, 3 * 16), torch.randn(5, 3, 4, 4)
    enlarged = F.interpolate(patches, (8, 8), mode="bicubic", antialias=True)
    tokens = enlarged.flatten(1) @ resize_patch_weight(weight, 3, 8).T
    torch.testing.assert_close(tokens, patches.flatten(1) @ weight.T, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_same_patch_size_changes_nothing_and_the_dtype_stays(dtype):
    weight = torch.randn(7, 3 * 16, dtype=dtype)
    assert torch.equal(resize_patch_weight(weight, 3, 4), weight)
    assert resize_patch_weight(weight, 3, 2).dtype == dtype


# another image size


@pytest.mark.parametrize("pooling", ["class_token", "mean"])
@pytest.mark.parametrize("position", POSITIONS)
def test_another_image_size(position, pooling, randomise):
    config = TINY.replace(position=position, pooling=pooling, num_registers=1)
    model, images = randomise(VisionTransformer(config)), images_for(config)
    assert torch.equal(model.with_image_size(16)(images), model(images))

    other = model.with_image_size((24, 32))
    assert other.config == config.replace(image_size=(24, 32))
    assert other(images_for(other.config)).isfinite().all()
    old, new = model.state_dict(), other.state_dict()
    resized = [name for name in old if "position_code" in name or "table" in name]
    assert len(resized) == {"learned": 1, "relative": 2}.get(position, 0)
    for name in old:
        if name not in resized:
            assert torch.equal(new[name], old[name])
            assert new[name].data_ptr() != old[name].data_ptr()  # a copy: training one leaves the other alone


def test_another_image_size_interpolates_learned_codes(randomise):
    model = randomise(VisionTransformer(TINY))
    code = model.with_image_size(32).embeddings.position_code
    assert torch.equal(code, resize_positions(model.embeddings.position_code, (4, 4), (8, 8), num_prefix_tokens=1))


def test_another_image_size_keeps_relative_biases_of_a_smooth_table():
    """A bias that grows with the offset still does so, and the entries of the prefix are kept."""
    model = VisionTransformer(TINY.replace(position="relative"))
    bias = model.encoder.blocks[0].attention.relative_bias
    down = torch.arange(7.0).repeat_interleave(7) - 3  # rows of offset, from -3 to 3
    with torch.no_grad():
        bias.table[:3], bias.table[3:] = 9.0, down[:, None]
    table = model.with_image_size(32).encoder.blocks[0].attention.relative_bias.table.detach()
    assert table.shape == (3 + 15 * 15, 3)
    assert table[:3].eq(9).all()
    grown = table[3:, 0].reshape(15, 15)
    assert (grown.diff(dim=0) > 0).all()
    torch.testing.assert_close(grown[7], torch.zeros(15), atol=1e-5, rtol=0)  # offset 0 stays offset 0


def test_another_image_size_keeps_mode_dtype_and_way_of_attention():
    model = VisionTransformer(TINY).double().eval()
    set_attention_implementation(model, "written_out")
    other = model.with_image_size(8)
    assert not other.training
    assert other(torch.zeros(1, 3, 8, 8, dtype=torch.float64)).dtype == torch.float64
    assert all(block.attention.implementation == "written_out" for block in other.encoder.blocks)
    assert model.train().with_image_size(8).training
    with pytest.raises(ValueError, match="patch_size 4 does not divide"):
        model.with_image_size(18)


# another patch size


@pytest.mark.parametrize("pooling", ["class_token", "mean"])
@pytest.mark.parametrize("position", POSITIONS)
def test_another_patch_size(position, pooling, randomise):
    config = TINY.replace(position=position, pooling=pooling, num_registers=1)
    model, images = randomise(VisionTransformer(config)), images_for(config)
    assert torch.equal(model.with_patch_size(4)(images), model(images))

    coarse = model.with_patch_size(8)
    assert coarse.config == config.replace(patch_size=8)
    assert coarse(images).isfinite().all()
    old, new = model.state_dict(), coarse.state_dict()
    resized = [name for name in old if "position_code" in name or "table" in name or "patch_embedding" in name]
    changed = [name for name in old if old[name].shape != new[name].shape or not torch.equal(old[name], new[name])]
    assert changed == [name for name in resized if not name.endswith("bias")]


def test_larger_patches_of_an_enlarged_image_are_the_smaller_patches_of_the_image(randomise):
    """One grid, so one sequence of tokens: an image, and the same twice as large with patches twice as large."""
    small = randomise(VisionTransformer(TINY))
    with torch.no_grad():
        small.embeddings.position_code[:, 1:] = small.embeddings.position_code[:, 1:2]  # one code survives resizing
    large = small.with_image_size(32).with_patch_size(8)
    images = images_for(TINY)
    patches = patchify(images, 4).unflatten(2, (3, 4, 4)).flatten(0, 1)  # (B*N, 3, 4, 4)
    enlarged = F.interpolate(patches, (8, 8), mode="bicubic", antialias=True)
    enlarged = unpatchify(enlarged.flatten(1).unflatten(0, (2, 16)), 8)  # (B, 3, 32, 32), each patch by itself
    torch.testing.assert_close(large(enlarged), small(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("position", POSITIONS)
def test_a_model_at_work_with_other_patches_trains_its_own_parameters(position, randomise):
    model = randomise(VisionTransformer(TINY.replace(position=position, pooling="mean")))
    images, other = images_for(TINY), AtPatchSize(model, 8).eval()
    assert torch.equal(other(images), model.with_patch_size(8)(images))
    assert {id(parameter) for parameter in other.parameters()} == {id(parameter) for parameter in model.parameters()}

    F.cross_entropy(other(images), torch.tensor([1, 2])).backward()
    with torch.no_grad():
        for parameter in model.parameters():
            assert parameter.grad.abs().max() > 0
            parameter -= 0.1 * parameter.grad
    assert torch.equal(other(images), model.with_patch_size(8)(images))


def test_a_model_at_work_with_other_patches_knows_whether_it_is_trained():
    other, images = AtPatchSize(VisionTransformer(TINY.replace(dropout=0.5)), 8), images_for(TINY)
    assert not torch.equal(other.train()(images), other(images))
    assert torch.equal(other.eval()(images), other(images))


# models made from this one


@pytest.mark.parametrize("position", POSITIONS)
def test_a_model_with_another_stem_stays_what_it_is(position, randomise):
    model = randomise(ConvStemViT(ConvStemConfig.from_dict(TINY.replace(position=position).to_dict())))
    model.train()(images_for(TINY))  # the running means of its normalisations move
    model.eval()
    other = model.with_image_size((24, 32))
    assert type(other) is ConvStemViT
    assert other(images_for(other.config)).isfinite().all()
    images = images_for(TINY)
    assert torch.equal(model.with_image_size(16)(images), model(images))
    for name, buffer in model.embeddings.patch_embedding.named_buffers():
        assert torch.equal(other.embeddings.patch_embedding.get_buffer(name), buffer)


def test_a_stem_that_is_no_linear_map_keeps_its_patch_size():
    model = ConvStemViT(ConvStemConfig.from_dict(TINY.to_dict()))
    with pytest.raises(ValueError, match="patch_size stays 4 in a ConvStemViT: its ConvStem is no linear map"):
        model.with_patch_size(8)
    with pytest.raises(ValueError, match="patch_size stays 4"):
        AtPatchSize(model, 8)


@pytest.mark.parametrize(("p", "q"), [(2, 3), (4, 2), (3, 8)])
def test_the_matrix_of_a_resizing_does_what_the_resizing_does(p, q):
    picture = torch.randn(1, 1, p, p, dtype=torch.float64)
    resized_picture = F.interpolate(picture, (q, q), mode="bicubic", antialias=True)
    torch.testing.assert_close(resize_matrix(p, q) @ picture.flatten(), resized_picture.flatten())


def test_what_is_kept_of_a_resizing_can_take_part_in_a_training_later():
    weight = torch.randn(3, 2 * 9)
    with torch.inference_mode():
        resize_patch_weight(weight, 2, 7)
    weight.requires_grad_()
    resize_patch_weight(weight, 2, 7).sum().backward()
    assert weight.grad is not None
