import math

import pytest
import torch
from torch import nn

from course_utils.model.attention import (
    LoopedMultiHeadSelfAttention,
    MultiHeadSelfAttention,
    attention_weights,
    set_attention_implementation,
)
from course_utils.model.embeddings import RelativePositionBias, Rotary2d

D, HEADS, GRID = 32, 4, (3, 5)
WAYS = {"looped": LoopedMultiHeadSelfAttention, "written_out": MultiHeadSelfAttention, "sdpa": MultiHeadSelfAttention}
POSITIONS = ["none", "rotary", "relative"]


def make(way, position="none", prefix=0, **settings):
    """One attention layer; the same numbers whatever the way."""
    torch.manual_seed(1)
    rotary = Rotary2d(GRID, D // HEADS, prefix) if position == "rotary" else None
    relative = RelativePositionBias(GRID, HEADS, prefix) if position == "relative" else None
    layer = WAYS[way](D, HEADS, rotary=rotary, relative_bias=relative, **settings)
    layer.implementation = "auto" if way == "looped" else way
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.3)
    return layer


def tokens(prefix=0):
    return torch.randn(2, prefix + GRID[0] * GRID[1], D)


def outputs_and_gradients(layer, x):
    """Output, gradient at the input, and gradient of every parameter, for one fixed loss."""
    x = x.clone().requires_grad_()
    output = layer(x)[0]
    (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum().backward()
    return {"output": output, "x": x.grad} | {name: p.grad for name, p in layer.named_parameters()}


def assert_equal_to_rounding(found, expected):
    scale = {name: max(1.0, expected[name].abs().max().item()) for name in found}
    torch.testing.assert_close(
        {name: found[name] / scale[name] for name in found},
        {name: expected[name] / scale[name] for name in found},
        atol=1e-5,
        rtol=0,
    )


class TorchAttention(nn.MultiheadAttention):
    """PyTorch's layer with our numbers, called like ours."""

    def __init__(self, ours):
        super().__init__(D, HEADS, batch_first=True)
        with torch.no_grad():
            self.in_proj_weight.copy_(ours.qkv.weight)
            self.in_proj_bias.copy_(torch.zeros(3 * D) if ours.qkv.bias is None else ours.qkv.bias)
            self.out_proj.load_state_dict(ours.projection.state_dict())

    def forward(self, x):
        return super().forward(x, x, x, average_attn_weights=False)


# one distribution a row


def test_a_worked_example():
    """Two tokens: the first scores 1 / sqrt(4) and 0, the second scores alike."""
    q = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0]])
    k = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0]])
    share = math.exp(0.5) / (math.exp(0.5) + 1)
    torch.testing.assert_close(attention_weights(q, k), torch.tensor([[share, 1 - share], [0.5, 0.5]]))


def test_rows_sum_to_1_and_queries_and_keys_may_differ_in_number():
    weights = attention_weights(torch.randn(2, 3, 5, 8), torch.randn(2, 3, 7, 8), torch.randn(3, 5, 7))
    assert weights.shape == (2, 3, 5, 7)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 3, 5))


def test_a_bias_of_minus_infinity_shuts_a_pair_out():
    q, k = torch.randn(2, 6, 8)
    bias = torch.zeros(6, 6).masked_fill(torch.ones(6, 6).triu(1).bool(), -torch.inf)
    weights = attention_weights(q, k, bias)
    assert torch.equal(weights, weights.tril())
    torch.testing.assert_close(weights[3, :4], attention_weights(q[3:4], k[:4])[0])


@pytest.mark.parametrize("head_dim", [4, 64, 1024])
def test_scores_are_scaled_by_the_root_of_the_head_width(head_dim):
    """The logarithm of the weights is the score, up to one number a row: its variance over the keys is about 1."""
    q, k = torch.randn(2, 400, head_dim)
    log_weights = attention_weights(q, k).log()
    assert log_weights.var(dim=-1).mean() == pytest.approx(1, rel=0.1)


# the ways agree


@pytest.mark.parametrize("prefix", [0, 1])
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("way", ["looped", "sdpa"])
def test_the_ways_agree_in_values_and_gradients(way, bias, position, prefix):
    x = tokens(prefix)
    expected = outputs_and_gradients(make("written_out", position, prefix, qkv_bias=bias), x)
    found = outputs_and_gradients(make(way, position, prefix, qkv_bias=bias), x)
    assert_equal_to_rounding(found, expected)


@pytest.mark.parametrize("position", POSITIONS)
def test_the_ways_give_the_same_weights(position):
    x = tokens()
    shown = {way: make(way, position)(x, need_weights=True) for way in WAYS}
    output, weights = shown["written_out"]
    assert weights.shape == (2, HEADS, 15, 15)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, HEADS, 15))
    for other_output, other_weights in shown.values():
        torch.testing.assert_close(other_weights, weights, atol=1e-6, rtol=0)
        torch.testing.assert_close(other_output, output, atol=1e-5, rtol=0)
    assert all(make(way, position)(x)[1] is None for way in WAYS)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bias", [True, False])
def test_equals_torchs_multi_head_attention(way, bias):
    ours, x = make(way, qkv_bias=bias), tokens()
    theirs = TorchAttention(ours)
    output, weights = ours(x, need_weights=True)
    their_output, their_weights = theirs(x)
    torch.testing.assert_close(weights, their_weights, atol=1e-6, rtol=0)
    torch.testing.assert_close(output, their_output, atol=1e-5, rtol=0)

    names = {"in_proj_weight": "qkv.weight", "in_proj_bias": "qkv.bias"}
    names |= {"out_proj.weight": "projection.weight", "out_proj.bias": "projection.bias"}
    expected = outputs_and_gradients(theirs, x)
    assert_equal_to_rounding(
        outputs_and_gradients(ours, x), {names.get(name, name): gradient for name, gradient in expected.items()}
    )


def test_permuting_the_tokens_permutes_the_output():
    layer, x = make("written_out"), tokens()
    order = torch.randperm(15)
    torch.testing.assert_close(layer(x[:, order])[0], layer(x)[0][:, order], atol=1e-5, rtol=0)


# dropout


@pytest.mark.parametrize("kind", ["dropout", "attention_dropout"])
@pytest.mark.parametrize("way", WAYS)
def test_dropout_acts_in_training_only(way, kind):
    plain, dropping, x = make(way), make(way, **{kind: 0.5}), tokens()
    assert not torch.allclose(dropping(x)[0], plain(x)[0])
    assert torch.equal(dropping.eval()(x)[0], plain(x)[0])


@pytest.mark.parametrize("way", WAYS)
def test_attention_dropout_keeps_the_expected_value(way):
    layer = make(way, attention_dropout=0.3)
    with torch.no_grad():
        x = tokens()[:1]
        mean = layer(x.expand(4000, -1, -1))[0].mean(dim=0)
        torch.testing.assert_close(mean, layer.eval()(x)[0][0], atol=0.15, rtol=0)


# which way runs


@pytest.mark.parametrize(
    ("implementation", "dtype", "needs_gradient", "enabled", "chosen"),
    [
        ("auto", torch.bfloat16, True, True, "written_out"),
        ("auto", torch.bfloat16, True, False, "sdpa"),
        ("auto", torch.bfloat16, False, True, "sdpa"),
        ("auto", torch.float32, True, True, "sdpa"),
        ("written_out", torch.float32, False, True, "written_out"),
        ("sdpa", torch.bfloat16, True, True, "sdpa"),
    ],
)
def test_the_chosen_way_on_a_cpu(implementation, dtype, needs_gradient, enabled, chosen):
    layer = make("written_out")
    layer.implementation = implementation
    q = torch.zeros(1, dtype=dtype, requires_grad=needs_gradient)
    with torch.set_grad_enabled(enabled):
        assert layer.chosen_implementation(q) == chosen


def test_off_the_cpu_auto_takes_the_fused_kernel():
    layer = make("written_out")
    layer.implementation = "auto"
    assert (
        layer.chosen_implementation(torch.zeros(1, device="meta", dtype=torch.bfloat16, requires_grad=True)) == "sdpa"
    )


@pytest.mark.parametrize("implementation", ["written_out", "sdpa"])
def test_the_chosen_way_is_the_one_that_runs(implementation, monkeypatch):
    calls = []
    fused = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        "torch.nn.functional.scaled_dot_product_attention", lambda *a, **k: calls.append(1) or fused(*a, **k)
    )
    make(implementation)(tokens())
    assert bool(calls) == (implementation == "sdpa")


def test_set_attention_implementation_reaches_every_layer():
    model = nn.Sequential(make("sdpa"), nn.Sequential(make("sdpa")))
    set_attention_implementation(model, "written_out")
    assert [m.implementation for m in model.modules() if isinstance(m, MultiHeadSelfAttention)] == ["written_out"] * 2
    with pytest.raises(ValueError, match=r"'flash' is unknown: choose one of auto, written_out, sdpa"):
        set_attention_implementation(model, "flash")


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="num_heads 5 does not divide embed_dim 32"):
        MultiHeadSelfAttention(32, 5)
