import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from course_utils import PRESETS, VisionTransformer, ViTConfig
from course_utils.model.attention import set_attention_implementation
from course_utils.model.counting import count_multiply_adds, count_parameters

IMPOSSIBLE = {
    "image_size": [0, (32,), (32, 32, 32), -4],
    "patch_size": [0, 5, 64],
    "in_channels": [0],
    "num_classes": [-1],
    "embed_dim": [0],
    "depth": [0],
    "num_heads": [0, 5],
    "num_registers": [-1],
    "mlp_ratio": [0, -1.0, 1e-9, float("nan"), float("inf"), 1e308],
    "norm_eps": [0.0, -1e-6, float("nan")],
    "position": ["sinusoidal"],
    "pooling": ["max"],
    "norm": ["batchnorm"],
    "activation": ["relu"],
    "dropout": [-0.1, 1.0, float("nan")],
    "attention_dropout": [1.5],
    "drop_path": [1.0],
}
WRONG_TYPE = {
    "image_size": [32.0, "32", None, True, (32, 32.0)],
    "patch_size": [4.0],
    "depth": [True, "6"],
    "mlp_ratio": ["4", True],
    "norm_eps": [True],
    "dropout": [None, False],
    "position": [None, 1, ["rotary"]],
    "qkv_bias": [1],
    "pre_norm": ["no"],
}


def cases(table):
    return [pytest.param(name, value, id=f"{name}={value}") for name, values in table.items() for value in values]


@pytest.mark.parametrize(("name", "value"), cases(IMPOSSIBLE))
def test_an_impossible_setting_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name} "):
        ViTConfig(**{name: value})


@pytest.mark.parametrize(("name", "value"), cases(WRONG_TYPE))
def test_a_setting_of_the_wrong_type_is_refused_by_name(name, value):
    with pytest.raises(TypeError, match=f"^{name} must be .*, not "):
        ViTConfig(**{name: value})


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"image_size": (32, 30)}, "patch_size 4 does not divide"),
        ({"image_size": (30, 32)}, "patch_size 4 does not divide"),
        ({"position": "sincos2d", "embed_dim": 30, "num_heads": 3}, "embed_dim that 4 divides"),
        ({"position": "rotary", "embed_dim": 36, "num_heads": 6}, "head width that 4 divides"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, name):
    with pytest.raises(ValueError, match=name):
        ViTConfig(**settings)


def test_a_config_is_frozen_and_replace_checks_the_copy():
    config = ViTConfig()
    with pytest.raises(AttributeError):
        config.depth = 3
    assert config.replace(depth=3).depth == 3
    assert config.depth == 6
    with pytest.raises(ValueError, match="no setting named dpeth, widht"):
        config.replace(dpeth=3, widht=4)
    with pytest.raises(ValueError, match="num_heads"):
        config.replace(num_heads=5)


def test_derived_sizes():
    config = ViTConfig(image_size=(24, 32), patch_size=8, in_channels=1, embed_dim=48, num_heads=3, num_registers=2)
    assert config.grid == (3, 4)
    assert (config.image_height, config.image_width) == (24, 32)
    assert (config.num_patches, config.num_prefix_tokens, config.num_tokens) == (12, 3, 15)
    assert (config.patch_dim, config.head_dim, config.mlp_hidden_dim) == (64, 16, 192)
    assert config.replace(pooling="mean").num_prefix_tokens == 2


@pytest.mark.parametrize(("width", "hidden"), [(49, 1), (224, 488), (192, 512), (7, 61)])
def test_a_ratio_that_was_divided_out_gives_the_hidden_width_back(width, hidden):
    config = ViTConfig(embed_dim=width, num_heads=1, position="none", mlp_ratio=hidden / width)
    assert config.mlp_hidden_dim == hidden


def test_a_broken_ratio_is_rounded_down_as_in_timm():
    assert ViTConfig(mlp_ratio=2.67).mlp_hidden_dim == int(192 * 2.67) == 512


@pytest.mark.parametrize("config", [*PRESETS.values(), ViTConfig(image_size=(32, 64), position="rotary", dropout=0.1)])
def test_a_config_survives_json(config):
    text = json.dumps(config.to_dict())
    assert ViTConfig.from_dict(json.loads(text)) == config


def test_from_dict_names_what_this_version_does_not_know():
    with pytest.raises(ValueError, match="no setting named window_size"):
        ViTConfig.from_dict(ViTConfig().to_dict() | {"window_size": 7})


def test_presets():
    assert ViTConfig.preset("vit_b_16", num_classes=10).num_classes == 10
    with pytest.raises(ValueError, match=r"no preset 'vit_b16'.*vit_b_16"):
        ViTConfig.preset("vit_b16")


VARIANTS = [
    *PRESETS.values(),
    ViTConfig(qkv_bias=False, position="none", pooling="mean", norm="rmsnorm"),
    ViTConfig(image_size=(16, 32), position="relative", pooling="attention", pre_norm=False),
    ViTConfig(position="relative", pooling="mean", num_registers=4, num_classes=0),
    ViTConfig(position="rotary", in_channels=1, mlp_ratio=2.67, num_registers=1),
    ViTConfig(position="sincos2d", depth=1),
]


@pytest.mark.parametrize("config", VARIANTS)
def test_the_counting_formula_equals_the_count(config):
    with torch.device("meta"):  # shapes without numbers: ViT-H/14 would be 2.5 GB
        model = VisionTransformer(config)
    assert sum(count_parameters(config).values()) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("preset", "count"), [("vit_b_16", 86_567_656), ("vit_l_16", 304_326_632), ("vit_h_14", 632_045_800)]
)
def test_published_parameter_counts(preset, count):
    """torchvision's and timm's counts; tests/model/test_parity.py compares the shapes one by one."""
    assert sum(count_parameters(ViTConfig.preset(preset)).values()) == count


@pytest.mark.parametrize("config", [VARIANTS[0], *VARIANTS[-5:]])
def test_multiply_adds_equal_those_that_torch_counts(config):
    with torch.device("meta"):
        model = VisionTransformer(config)
        images = torch.zeros(1, config.in_channels, config.image_height, config.image_width)
    set_attention_implementation(model, "written_out")
    counter = FlopCounterMode(display=False)
    with counter:
        model(images)
    expected = 2 * sum(count_multiply_adds(config).values())
    if config.pooling == "attention":
        expected -= 2 * config.num_patches * config.embed_dim  # the weighted sum is no matrix product in the model
    assert counter.get_total_flops() == expected


def test_multiply_adds_by_part():
    """ViT-B/16: about 4% of the work lies in the two attention products, and 17.6 G multiply-adds in all."""
    parts = count_multiply_adds(ViTConfig.preset("vit_b_16"))
    assert 0.03 < parts["attention products"] / sum(parts.values()) < 0.045
    assert sum(parts.values()) == pytest.approx(17.56e9, rel=0.01)
