"""The convolutional stem: the same grid, another look at the pixels, about one block's cost."""

import pytest
import torch

from course_utils import VisionTransformer, ViTConfig
from course_utils.beyond.conv_stem import ConvStemViT
from course_utils.experiments.cost import cost

CONFIG = ViTConfig(patch_size=8, embed_dim=16, depth=2, num_heads=2)


def test_the_conv_stem_makes_the_same_grid_and_sees_over_the_edge_of_a_patch():
    config = CONFIG.replace(patch_size=4)
    plain, stem = VisionTransformer(config).eval(), ConvStemViT(config).eval()
    image = torch.randn(1, 3, 32, 32)
    assert stem(image).shape == plain(image).shape
    changed = image.clone()
    changed[:, :, 3, 3] += 10  # the last pixel of the first patch
    for model, count in ((plain, 1), (stem, 4)):
        difference = model.embeddings.patch_embedding(changed) - model.embeddings.patch_embedding(image)
        touched = difference.abs().amax(dim=-1)[0] > 1e-6  # (1, N, D) -> (N,)
        assert touched.nonzero()[:, 0].tolist() == [0, 1, 8, 9][:count]


def test_the_conv_stem_costs_about_one_block():
    config = ViTConfig(embed_dim=96, depth=4, num_heads=4, mlp_ratio=2.0)
    plain = cost(VisionTransformer(config), (3, 32, 32))
    stem = cost(ConvStemViT(config.replace(depth=3)), (3, 32, 32))
    assert stem["multiply_adds"] == pytest.approx(plain["multiply_adds"], rel=0.15)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"patch_size": 1}, "no power of 2 above 1"),
        ({"patch_size": 12, "image_size": 24}, "no power of 2 above 1"),
        ({"embed_dim": 18, "patch_size": 8}, "cannot be halved 2 times"),
    ],
)
def test_a_stem_that_cannot_be_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        ConvStemViT(CONFIG.replace(**settings))
