import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import ViTConfig
from course_utils.model.blocks import (
    MLP,
    DropPath,
    RMSNorm,
    TransformerBlock,
    TransformerEncoder,
    gelu,
    gelu_tanh,
    layer_norm,
    make_norm,
    rms_norm,
)

SMALL = ViTConfig(image_size=16, embed_dim=24, depth=3, num_heads=3)

# mean and spread of tokens: far from 0, tiny, constant
TOKENS = [(7.0, 3.0), (0.0, 1e-4), (2.0, 0.0)]


# normalisation


@pytest.mark.parametrize(("mean", "spread"), TOKENS)
@pytest.mark.parametrize("eps", [1e-6, 1e-3])
def test_layer_norm_equals_torchs(mean, spread, eps):
    x = mean + spread * torch.randn(2, 5, 16)
    weight, bias = torch.randn(2, 16)
    torch.testing.assert_close(layer_norm(x, weight, bias, eps), F.layer_norm(x, (16,), weight, bias, eps))


@pytest.mark.parametrize(("mean", "spread"), TOKENS)
@pytest.mark.parametrize("eps", [1e-6, 1e-3])
def test_rms_norm_equals_torchs(mean, spread, eps):
    x = mean + spread * torch.randn(2, 5, 16)
    theirs, ours = nn.RMSNorm(16, eps=eps), RMSNorm(16, eps=eps)
    nn.init.normal_(theirs.weight)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(rms_norm(x, theirs.weight, eps), theirs(x))


def test_what_normalisation_does_to_a_token():
    x = torch.randn(3, 1000) * 5 + 2
    normed = layer_norm(x, torch.ones(1000), torch.zeros(1000))
    torch.testing.assert_close(normed.mean(dim=1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normed.var(dim=1, unbiased=False), torch.ones(3))
    torch.testing.assert_close(rms_norm(x, torch.ones(1000)).square().mean(dim=1), torch.ones(3))


@pytest.mark.parametrize(("norm", "kind"), [("layernorm", nn.LayerNorm), ("rmsnorm", RMSNorm)])
def test_the_config_chooses_the_norm(norm, kind):
    layer = make_norm(SMALL.replace(norm=norm, norm_eps=1e-3))
    assert isinstance(layer, kind)
    assert layer.eps == 1e-3


# MLP

LINE = torch.linspace(-8, 8, 100_001, dtype=torch.float64)


def test_gelu_equals_torchs():
    torch.testing.assert_close(gelu(LINE), F.gelu(LINE), atol=1e-12, rtol=0)
    torch.testing.assert_close(gelu_tanh(LINE), F.gelu(LINE, approximate="tanh"), atol=1e-12, rtol=0)


def test_the_two_gelus_differ_by_at_most_0_0005():
    assert 0.0004 < (gelu(LINE) - gelu_tanh(LINE)).abs().max() < 0.0005


@pytest.mark.parametrize(("activation", "function"), [("gelu", gelu), ("gelu_tanh", gelu_tanh)])
def test_mlp_is_two_maps_with_the_chosen_gelu_between(activation, function):
    mlp = MLP(8, 20, activation).double()
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    torch.testing.assert_close(mlp(x), mlp.fc2(function(mlp.fc1(x))), atol=1e-12, rtol=0)


def test_mlp_dropout_acts_in_training_only():
    plain, dropping = MLP(8, 20), MLP(8, 20, dropout=0.5)
    dropping.load_state_dict(plain.state_dict())
    x = torch.randn(2, 5, 8)
    assert not torch.equal(dropping(x), plain(x))
    assert torch.equal(dropping.eval()(x), plain(x))


# stochastic depth


def test_drop_path_drops_whole_images_and_keeps_the_expected_value():
    dropped = DropPath(0.25)(torch.ones(20_000, 3, 2))
    for image in dropped.unique(dim=0):
        assert image.eq(0).all() or torch.allclose(image, torch.tensor(4 / 3))
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    assert (dropped[:, 0, 0] == 0).float().mean() == pytest.approx(0.25, abs=0.02)


def test_drop_path_does_nothing_in_eval_mode_or_at_rate_0():
    x = torch.randn(4, 3, 2)
    assert DropPath(0.9).eval()(x) is x
    assert DropPath(0.0)(x) is x


def test_drop_path_rates_grow_linearly_with_the_depth():
    encoder = TransformerEncoder(SMALL.replace(depth=5, drop_path=0.2))
    assert [block.drop_path.rate for block in encoder.blocks] == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])
    assert TransformerEncoder(SMALL.replace(depth=1, drop_path=0.2)).blocks[0].drop_path.rate == 0


# block and encoder


def test_a_pre_norm_block_is_two_residual_steps(randomise):
    block, x = randomise(TransformerBlock(SMALL)), torch.randn(2, 17, 24)
    middle = x + block.attention(block.norm1(x))[0]
    torch.testing.assert_close(block(x)[0], middle + block.mlp(block.norm2(middle)))


def test_a_post_norm_block_normalises_after_each_sum(randomise):
    block, x = randomise(TransformerBlock(SMALL.replace(pre_norm=False))), torch.randn(2, 17, 24)
    middle = block.norm1(x + block.attention(x)[0])
    torch.testing.assert_close(block(x)[0], block.norm2(middle + block.mlp(middle)))


def test_branches_that_put_out_0_leave_the_stream_alone(randomise):
    """The path past both branches is the identity: nothing normalises or scales the stream itself."""
    block, x = randomise(TransformerBlock(SMALL)), torch.randn(2, 17, 24)
    for parameter in [*block.attention.projection.parameters(), *block.mlp.fc2.parameters()]:
        nn.init.zeros_(parameter)
    assert torch.equal(block(x)[0], x)


def test_drop_path_can_drop_each_branch():
    block = TransformerBlock(SMALL, drop_path=0.5)
    x = torch.randn(64, 17, 24)
    untouched = (block(x)[0] == x).flatten(1).all(dim=1).float().mean()
    assert untouched == pytest.approx(0.25, abs=0.15)  # both branches dropped


@pytest.mark.parametrize("pre_norm", [True, False])
def test_the_encoder_runs_the_blocks_and_with_pre_norm_one_last_norm(pre_norm, randomise):
    encoder, x = randomise(TransformerEncoder(SMALL.replace(pre_norm=pre_norm))), torch.randn(2, 17, 24)
    expected = x
    for block in encoder.blocks:
        expected = block(expected)[0]
    if pre_norm:
        expected = F.layer_norm(expected, (24,), encoder.norm.weight, encoder.norm.bias, 1e-6)
    output, maps = encoder(x)
    torch.testing.assert_close(output, expected)
    assert maps == {}


def test_the_encoder_returns_the_weights_that_are_asked_for(randomise):
    encoder, x = randomise(TransformerEncoder(SMALL)), torch.randn(2, 17, 24)
    output, maps = encoder(x, layers={0, 2})
    assert {layer: weights.shape for layer, weights in maps.items()} == {0: (2, 3, 17, 17), 2: (2, 3, 17, 17)}
    torch.testing.assert_close(output, encoder(x)[0], atol=1e-5, rtol=0)


def test_each_dropout_rate_goes_where_the_config_says():
    block = TransformerBlock(SMALL.replace(dropout=0.1, attention_dropout=0.2))
    assert block.attention.attention_dropout.p == 0.2
    assert block.attention.dropout.p == block.mlp.dropout.p == 0.1


def test_blocks_share_rotary_but_not_relative_positions():
    rotary = TransformerEncoder(SMALL.replace(position="rotary"))
    assert len({id(block.attention.rotary) for block in rotary.blocks}) == 1
    relative = TransformerEncoder(SMALL.replace(position="relative"))
    assert len({id(block.attention.relative_bias.table) for block in relative.blocks}) == 3
