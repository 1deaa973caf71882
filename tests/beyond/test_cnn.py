"""The small CNN: what its layers cost, that its block is torchvision's, and what it knows before it has learned."""

import pytest
import torch
from torch import nn

from course_utils import VisionTransformer, ViTConfig
from course_utils.beyond.cnn import CNNConfig, ResidualBlock, SmallCNN
from course_utils.experiments.cost import cost


def trained(module):
    """Batch norms that have seen numbers, and do not all do the same."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_()
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return module.eval()


def test_the_small_cnn_costs_what_its_layers_cost():
    c = CNNConfig(width=8, stages=2, blocks=2)
    first = 9 * 3 * 8 + 4 * 9 * 8 * 8  # the stem, and two blocks of two convolutions
    second = 9 * 8 * 16 + 3 * 9 * 16 * 16 + 8 * 16  # the last is the shortcut
    found = cost(SmallCNN(c), (3, 32, 32))
    assert found["multiply_adds"] == first * 32 * 32 + second * 16 * 16 + 16 * 10
    assert found["parameters"] == first + second + 2 * (5 * 8 + 5 * 16) + 16 * 10 + 10


def test_the_small_cnn_costs_as_much_as_the_vit_that_it_is_compared_with():
    vit = VisionTransformer(ViTConfig(embed_dim=64, depth=6, num_heads=4, mlp_ratio=2.0))
    cnn, vit = (cost(model, (3, 32, 32)) for model in (SmallCNN(CNNConfig()), vit))
    assert cnn["multiply_adds"] == pytest.approx(vit["multiply_adds"], rel=0.01)
    assert 300_000 < cnn["parameters"] < 320_000


@pytest.mark.parametrize(("channels", "out", "stride"), [(6, 6, 1), (6, 8, 1), (6, 12, 2), (6, 6, 2)])
def test_a_block_is_torchvisions(channels, out, stride):
    resnet = pytest.importorskip("torchvision").models.resnet
    ours = trained(ResidualBlock(channels, out, stride))
    down = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
    changes = stride > 1 or channels != out
    theirs = resnet.BasicBlock(channels, out, stride, down if changes else None).eval()
    order = [(theirs.conv1, 0), (theirs.bn1, 1), (theirs.conv2, 3), (theirs.bn2, 4)]
    for module, place in order:
        module.load_state_dict(ours.convolutions[place].state_dict())
    if changes:
        theirs.downsample.load_state_dict(ours.shortcut.state_dict())
    x = torch.randn(3, channels, 7, 10)
    torch.testing.assert_close(ours(x), theirs(x))


def test_a_cnn_without_strides_commutes_with_every_shift_away_from_the_border():
    model = trained(SmallCNN(CNNConfig(width=4, stages=1, blocks=2)))
    image = torch.randn(1, 3, 24, 28)
    there = model.features(image.roll((3, -2), dims=(2, 3)))
    here = model.features(image).roll((3, -2), dims=(2, 3))
    inside = (..., slice(3 + 5, 24 - 5), slice(5, 28 - 5 - 2))  # five convolutions: what no border reaches
    torch.testing.assert_close(there[inside], here[inside])
    assert not torch.allclose(model.features(image)[inside], here[inside], atol=1e-3)  # it did move


def test_a_setting_of_the_cnn_below_1_is_named():
    with pytest.raises(ValueError, match="stages must be a whole number of at least 1, not 0"):
        CNNConfig(stages=0)
