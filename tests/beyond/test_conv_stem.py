"""The convolutional stems: the same grid, another look at the pixels, and the same numbers as other libraries'."""

import numpy as np
import pytest
import torch

from course_utils import VisionTransformer
from course_utils.beyond.conv_stem import ConvStem, ConvStemConfig, ConvStemViT
from course_utils.experiments.cost import cost

CONFIG = ConvStemConfig(patch_size=8, embed_dim=16, depth=2, num_heads=2)
STEMS = ("strided", "pooled")


@pytest.mark.parametrize("stem", STEMS)
def test_a_stem_makes_the_same_grid_and_sees_over_the_edge_of_a_patch(stem):
    config = CONFIG.replace(patch_size=4, stem=stem)
    plain, with_stem = VisionTransformer(config).eval(), ConvStemViT(config).eval()
    image = torch.rand(1, 3, 32, 32)
    assert with_stem(image).shape == plain(image).shape
    changed = image.clone()
    changed[:, :, 3, 3] += 10  # the last pixel of the first patch
    touched = []
    for model in (plain, with_stem):
        difference = model.embeddings.patch_embedding(changed) - model.embeddings.patch_embedding(image)
        touched.append(set((difference.abs().amax(dim=-1)[0] > 1e-6).nonzero()[:, 0].tolist()))  # (1, N, D) -> (N,)
    reach = {0, 1, 8, 9} if stem == "strided" else {0, 1, 2, 8, 9, 10, 16, 17, 18}  # overlapping pools reach further
    assert touched[0] == {0}
    assert {0, 1, 8, 9} <= touched[1] <= reach


def test_the_strided_stem_is_torchvisions():
    vision_transformer = pytest.importorskip("torchvision").models.vision_transformer
    layers = [vision_transformer.ConvStemConfig(channels, 3, 2) for channels in (4, 8, 16)]
    theirs = vision_transformer.VisionTransformer(32, 8, 1, 2, 16, 32, conv_stem_configs=layers).conv_proj.eval()
    ours = ConvStem(CONFIG).eval()
    for place in range(3):
        theirs[place][0].load_state_dict(ours.convolutions[3 * place].state_dict())
        theirs[place][1].load_state_dict(ours.convolutions[3 * place + 1].state_dict())
    theirs[3].load_state_dict(ours.projection.state_dict())
    image = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(ours(image), theirs(image).flatten(2).transpose(1, 2))


def windows(maps, fill):
    """What a 3x3 window sees at each place of (C, H, W): (C, H, W, 3, 3)."""
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))


def test_the_pooled_stem_is_what_numpy_computes():
    stem = ConvStem(CONFIG.replace(patch_size=4, stem="pooled", image_size=(16, 24))).double()
    image = torch.randn(1, 3, 16, 24, dtype=torch.float64)
    maps = image[0].numpy()
    for place in (0, 3):
        kernels = stem.convolutions[place].weight.detach().numpy()  # (out, in, 3, 3)
        sums = np.einsum("chwij,ocij->ohw", windows(maps, 0.0), kernels)
        maps = windows(sums.clip(min=0), -np.inf).max(axis=(3, 4))[:, ::2, ::2]
    expected = torch.from_numpy(maps).flatten(1).T[None]  # (D, H/P, W/P) -> (1, N, D)
    torch.testing.assert_close(stem(image), expected)


def test_the_smallest_compact_transformer_has_the_papers_size():
    config = ConvStemConfig(
        embed_dim=128, depth=2, num_heads=2, mlp_ratio=1.0, stem="pooled", pooling="attention", qkv_bias=False
    )
    found = cost(ConvStemViT(config), (3, 32, 32))  # CCT-2/3x2 in its README: 0.284 M parameters, 33 M multiply-adds
    assert round(found["parameters"] / 1e6, 3) == 0.284
    convolutions = 9 * (3 * 64 * 32 * 32 + 64 * 128 * 16 * 16)
    blocks = 2 * (64 * 6 * 128 * 128 + 2 * 64 * 64 * 128)
    assert found["multiply_adds"] == convolutions + blocks + 64 * 128 + 128 * 10


@pytest.mark.parametrize(("stem", "depth"), [("strided", 5), ("pooled", 4)])
def test_with_one_or_two_blocks_less_a_stem_costs_as_much_as_a_plain_vit(stem, depth):
    config = ConvStemConfig(embed_dim=64, depth=6, num_heads=4, mlp_ratio=2.0, stem=stem)
    plain = cost(VisionTransformer(config), (3, 32, 32))
    with_stem = cost(ConvStemViT(config.replace(depth=depth)), (3, 32, 32))
    assert with_stem["multiply_adds"] == pytest.approx(plain["multiply_adds"], rel=0.08)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"patch_size": 1}, "no power of 2 above 1"),
        ({"patch_size": 12, "image_size": 24}, "no power of 2 above 1"),
        ({"embed_dim": 18, "patch_size": 8}, "cannot be halved 2 times"),
        ({"stem": "dotted"}, "stem must be 'strided' or 'pooled', not 'dotted'"),
    ],
)
def test_a_stem_that_cannot_be_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        CONFIG.replace(**settings)
