"""The small CNN: what its layers cost, beside the ViT that it is compared with."""

import pytest

from course_utils import VisionTransformer, ViTConfig
from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.experiments.cost import cost


def test_the_small_cnn_costs_what_its_layers_cost():
    c = CNNConfig(width=8, stages=2)
    convolutions = 9 * (3 * 8 + 8 * 8) * 32 * 32 + 9 * (8 * 16 + 16 * 16) * 16 * 16
    found = cost(SmallCNN(c), (3, 32, 32))
    assert found["multiply_adds"] == convolutions + 16 * 10
    assert found["parameters"] == 9 * (3 * 8 + 8 * 8 + 8 * 16 + 16 * 16) + 2 * (8 + 8 + 16 + 16) + 16 * 10 + 10


def test_the_small_cnn_is_about_as_large_and_dear_as_cifar_micro():
    models = SmallCNN(CNNConfig()), VisionTransformer(ViTConfig.preset("cifar_micro"))
    ours, vit = (cost(model, (3, 32, 32)) for model in models)
    for key, count in ours.items():
        assert 0.5 < count / vit[key] < 1


def test_a_setting_of_the_cnn_below_1_is_named():
    with pytest.raises(ValueError, match="stages must be a whole number of at least 1, not 0"):
        CNNConfig(stages=0)
