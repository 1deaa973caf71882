"""Attempts at lesson 04 (blocks), written from the tasks' texts by someone who had not seen the checks."""
# ruff: noqa  - learners' code

from course_utils.checks import blocks as checks


def layer_norm_wrong_01():
    """Variance divides by D - 1."""
    import torch

    def layer_norm(x, weight, bias, eps):
        mean = x.mean(dim=-1, keepdim=True)
        return (x - mean) / torch.sqrt(x.var(dim=-1, keepdim=True) + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_02():
    """Eps outside the root."""

    def layer_norm(x, weight, bias, eps):
        mean = x.mean(dim=-1, keepdim=True)
        return (x - mean) / (x.var(dim=-1, keepdim=True, unbiased=False).sqrt() + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_03():
    """[corner] eps forgotten: 0/0 for equal numbers."""

    def layer_norm(x, weight, bias, eps):
        mean = x.mean(dim=-1, keepdim=True)
        return (x - mean) / x.std(dim=-1, keepdim=True, unbiased=False) * weight + bias

    return layer_norm


def layer_norm_wrong_04():
    """[corner] eps hard-coded."""
    import torch

    def layer_norm(x, weight, bias, eps):
        mean = x.mean(dim=-1, keepdim=True)
        return (x - mean) / torch.sqrt(x.var(dim=-1, keepdim=True, unbiased=False) + 1e-6) * weight + bias

    return layer_norm


def layer_norm_wrong_05():
    """Root forgotten."""

    def layer_norm(x, weight, bias, eps):
        mean = x.mean(dim=-1, keepdim=True)
        return (x - mean) / (x.var(dim=-1, keepdim=True, unbiased=False) + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_06():
    """Mean and variance over the whole tensor."""
    import torch

    def layer_norm(x, weight, bias, eps):
        return (x - x.mean()) / torch.sqrt(x.var(unbiased=False) + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_07():
    """Over the tokens (axis -2)."""
    import torch

    def layer_norm(x, weight, bias, eps):
        axis = max(-x.ndim, -2)
        mean = x.mean(dim=axis, keepdim=True)
        return (x - mean) / torch.sqrt(x.var(dim=axis, keepdim=True, unbiased=False) + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_08():
    """Over the batch, as BatchNorm."""
    import torch

    def layer_norm(x, weight, bias, eps):
        axes = tuple(range(x.ndim - 1)) or (0,)
        mean = x.mean(dim=axes, keepdim=True)
        return (x - mean) / torch.sqrt(x.var(dim=axes, keepdim=True, unbiased=False) + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_09():
    """[corner] axis 2 hard-coded: three axes only."""
    import torch

    def layer_norm(x, weight, bias, eps):
        mean = x.mean(dim=2, keepdim=True)
        return (x - mean) / torch.sqrt(x.var(dim=2, keepdim=True, unbiased=False) + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_10():
    """Scale and shift forgotten."""
    import torch

    def layer_norm(x, weight, bias, eps):
        mean = x.mean(dim=-1, keepdim=True)
        return (x - mean) / torch.sqrt(x.var(dim=-1, keepdim=True, unbiased=False) + eps)

    return layer_norm


def layer_norm_wrong_11():
    """Shift forgotten."""
    import torch

    def layer_norm(x, weight, bias, eps):
        mean = x.mean(dim=-1, keepdim=True)
        return (x - mean) / torch.sqrt(x.var(dim=-1, keepdim=True, unbiased=False) + eps) * weight

    return layer_norm


def layer_norm_wrong_12():
    """Shift first, then scale."""
    import torch

    def layer_norm(x, weight, bias, eps):
        mean = x.mean(dim=-1, keepdim=True)
        return ((x - mean) / torch.sqrt(x.var(dim=-1, keepdim=True, unbiased=False) + eps) + bias) * weight

    return layer_norm


def layer_norm_wrong_13():
    """1 + weight, as some language models do."""
    import torch

    def layer_norm(x, weight, bias, eps):
        mean = x.mean(dim=-1, keepdim=True)
        return (x - mean) / torch.sqrt(x.var(dim=-1, keepdim=True, unbiased=False) + eps) * (1 + weight) + bias

    return layer_norm


def layer_norm_wrong_14():
    """RMSNorm: the mean stays."""
    import torch

    def layer_norm(x, weight, bias, eps):
        return x / torch.sqrt((x * x).mean(dim=-1, keepdim=True) + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_15():
    """Mean not taken away."""
    import torch

    def layer_norm(x, weight, bias, eps):
        return x / torch.sqrt(x.var(dim=-1, keepdim=True, unbiased=False) + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_16():
    """Mean absolute distance instead of the standard deviation."""

    def layer_norm(x, weight, bias, eps):
        centred = x - x.mean(dim=-1, keepdim=True)
        return centred / (centred.abs().mean(dim=-1, keepdim=True) + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_17():
    """Keepdim forgotten: only works if tokens and width agree."""
    import torch

    def layer_norm(x, weight, bias, eps):
        return (x - x.mean(dim=-1)) / torch.sqrt(x.var(dim=-1, unbiased=False) + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_18():
    """[rule] F.layer_norm."""
    import torch.nn.functional as F

    def layer_norm(x, weight, bias, eps):
        return F.layer_norm(x, x.shape[-1:], weight, bias, eps)

    return layer_norm


def layer_norm_wrong_19():
    """[rule] torch.layer_norm."""
    import torch

    def layer_norm(x, weight, bias, eps):
        return torch.layer_norm(x, [x.size(-1)], weight, bias, eps)

    return layer_norm


def layer_norm_wrong_20():
    """[rule] nn.LayerNorm without its own weights."""
    from torch import nn

    def layer_norm(x, weight, bias, eps):
        plain = nn.LayerNorm(x.shape[-1], eps=eps, elementwise_affine=False)
        return plain(x) * weight + bias

    return layer_norm


def layer_norm_wrong_21():
    """[rule] the class found by getattr."""
    from torch import nn

    def layer_norm(x, weight, bias, eps):
        plain = getattr(nn, "Layer" + "Norm")(x.shape[-1], eps=eps, elementwise_affine=False)
        return plain(x) * weight + bias

    return layer_norm


def layer_norm_wrong_22():
    """[mutates] takes the mean away in place."""
    import torch

    def layer_norm(x, weight, bias, eps):
        with torch.no_grad():
            x -= x.mean(dim=-1, keepdim=True)
        return x / torch.sqrt((x * x).mean(dim=-1, keepdim=True) + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_23():
    """[gradient] mean and variance detached."""
    import torch

    def layer_norm(x, weight, bias, eps):
        mean = x.mean(dim=-1, keepdim=True).detach()
        variance = x.var(dim=-1, keepdim=True, unbiased=False).detach()
        return (x - mean) / torch.sqrt(variance + eps) * weight + bias

    return layer_norm


def layer_norm_wrong_24():
    """Divides by 4, as in the example by hand."""
    import torch

    def layer_norm(x, weight, bias, eps):
        mean = x.sum(dim=-1, keepdim=True) / 4
        variance = ((x - mean) ** 2).sum(dim=-1, keepdim=True) / 4
        return (x - mean) / torch.sqrt(variance + eps) * weight + bias

    return layer_norm


def layer_norm_right_01():
    """Correction=0 and rsqrt."""
    import torch

    def layer_norm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float) -> torch.Tensor:
        variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return torch.addcmul(bias, (x - mean) * torch.rsqrt(variance + eps), weight)

    return layer_norm


def layer_norm_right_02():
    """Variance by hand with sums."""

    def layer_norm(x, weight, bias, eps):
        d = x.shape[-1]
        centred = x - x.sum(-1, True) / d
        variance = (centred * centred).sum(-1, True) / d
        return weight * (centred / (variance + eps) ** 0.5) + bias

    return layer_norm


def layer_norm_right_03():
    """Token by token, then stacked."""
    import torch

    def layer_norm(x, weight, bias, eps):
        done = []
        for token in x.reshape(-1, x.shape[-1]):
            away = token - token.mean()
            done.append(away / (away.pow(2).mean() + eps).sqrt() * weight + bias)
        return torch.stack(done).reshape(x.shape)

    return layer_norm


def layer_norm_right_04():
    """Einsum, unsqueeze instead of keepdim."""
    import torch

    def layer_norm(x, weight, bias, eps):
        away = x - x.mean(dim=-1).unsqueeze(-1)
        square = torch.einsum("...d,...d->...", away, away) / x.size(-1)
        return away / torch.sqrt(square + eps)[..., None] * weight + bias

    return layer_norm


def layer_norm_right_05():
    """Forbidden names in a comment only, float64 inside."""
    import torch.nn.functional as F
    from torch import nn

    def layer_norm(x, weight, bias, eps):
        # nn.LayerNorm and F.layer_norm do the same
        y = x.double()
        y = y - y.mean(-1, keepdim=True)
        y = y / (y.square().mean(-1, keepdim=True) + eps).sqrt()
        return (y * weight.double() + bias.double()).to(x.dtype)

    return layer_norm


def layer_norm_right_06():
    """A matrix that takes the mean away."""
    import torch

    def layer_norm(x, weight, bias, eps):
        d = x.shape[-1]
        centre = torch.eye(d, dtype=x.dtype) - 1 / d
        away = x @ centre
        return away * ((away**2).mean(-1, keepdim=True) + eps).pow(-0.5) * weight + bias

    return layer_norm


def layer_norm_right_07():
    """Recursion over the axes."""
    import torch

    def layer_norm(x, weight, bias, eps):
        if x.ndim > 1:
            return torch.stack([layer_norm(part, weight, bias, eps) for part in x])
        distances = x - x.mean()
        return distances / (distances.dot(distances) / len(x) + eps).sqrt() * weight + bias

    return layer_norm


def gelu_wrong_01():
    """The tanh approximation."""
    import torch

    def gelu(x):
        return x * 0.5 * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))

    return gelu


def gelu_wrong_02():
    """The sigmoid approximation."""
    import torch

    def gelu(x):
        return x * torch.sigmoid(1.702 * x)

    return gelu


def gelu_wrong_03():
    """Root of 2 forgotten."""
    import torch

    def gelu(x):
        return x * 0.5 * (1 + torch.erf(x))

    return gelu


def gelu_wrong_04():
    """Divides by 2, not by its root."""
    import torch

    def gelu(x):
        return x * 0.5 * (1 + torch.erf(x / 2))

    return gelu


def gelu_wrong_05():
    """Multiplies by the root."""
    import torch

    def gelu(x):
        return x * 0.5 * (1 + torch.erf(x * 2**0.5))

    return gelu


def gelu_wrong_06():
    """Half forgotten."""
    import torch

    def gelu(x):
        return x * (1 + torch.erf(x / 2**0.5))

    return gelu


def gelu_wrong_07():
    """1 forgotten."""
    import torch

    def gelu(x):
        return x * 0.5 * torch.erf(x / 2**0.5)

    return gelu


def gelu_wrong_08():
    """Returns the probability."""
    import torch

    def gelu(x):
        return 0.5 * (1 + torch.erf(x / 2**0.5))

    return gelu


def gelu_wrong_09():
    """Precedence: half of 1, plus erf."""
    import torch

    def gelu(x):
        return x * (0.5 * 1 + torch.erf(x / 2**0.5))

    return gelu


def gelu_wrong_10():
    """Precedence: x / 2 ** (1 // 2)."""
    import torch

    def gelu(x):
        return x * 0.5 * (1 + torch.erf(x / 2 ** (1 // 2)))

    return gelu


def gelu_wrong_11():
    """Minus erf: the probability of being above."""
    import torch

    def gelu(x):
        return x * 0.5 * (1 - torch.erf(x / 2**0.5))

    return gelu


def gelu_wrong_12():
    """The density instead of the probability."""
    import math
    import torch

    def gelu(x):
        return x * torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    return gelu


def gelu_wrong_13():
    """ReLU."""

    def gelu(x):
        return x.clamp(min=0)

    return gelu


def gelu_wrong_14():
    """[corner] negative numbers cut off."""
    import torch

    def gelu(x):
        return torch.where(x > 0, x * 0.5 * (1 + torch.erf(x / 2**0.5)), torch.zeros_like(x))

    return gelu


def gelu_wrong_15():
    """[corner] below -3 simply 0."""
    import torch

    def gelu(x):
        y = x * 0.5 * (1 + torch.erf(x / 2**0.5))
        return torch.where(x < -3, torch.zeros_like(y), y)

    return gelu


def gelu_wrong_16():
    """[rule] F.gelu."""
    import torch.nn.functional as F

    def gelu(x):
        return F.gelu(x)

    return gelu


def gelu_wrong_17():
    """[rule] nn.GELU."""
    from torch import nn

    def gelu(x):
        return nn.GELU()(x)

    return gelu


def gelu_wrong_18():
    """[rule] torch._C._nn.gelu, nothing of erf."""
    import torch

    def gelu(x):
        return torch._C._nn.gelu(x)

    return gelu


def gelu_wrong_19():
    """[rule] the class found by getattr."""
    from torch import nn

    def gelu(x):
        return getattr(nn, "GE" + "LU")()(x)

    return gelu


def gelu_wrong_20():
    """[gradient] math.erf on plain numbers."""
    import math
    import torch

    def gelu(x):
        values = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.flatten().tolist()]
        return torch.tensor(values, dtype=x.dtype).reshape(x.shape)

    return gelu


def gelu_wrong_21():
    """[mutates] multiplies x in place."""
    import torch

    def gelu(x):
        with torch.no_grad():
            x *= 0.5 * (1 + torch.erf(x / 2**0.5))
        return x

    return gelu


def gelu_wrong_22():
    """[gradient] the probability detached."""
    import torch

    def gelu(x):
        return x * (0.5 * (1 + torch.erf(x / 2**0.5))).detach()

    return gelu


def gelu_wrong_23():
    """Standardises x first."""
    import torch

    def gelu(x):
        z = (x - x.mean()) / (x.std(unbiased=False) + 1e-6)
        return x * 0.5 * (1 + torch.erf(z / 2**0.5))

    return gelu


def gelu_wrong_24():
    """Works on the absolute value."""
    import torch

    def gelu(x):
        return x.abs() * 0.5 * (1 + torch.erf(x / 2**0.5))

    return gelu


def gelu_right_01():
    """Lambda, sqrt by math."""
    import math
    import torch

    gelu = lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2

    return gelu


def gelu_right_02():
    """Method, M_SQRT1_2 as a number."""
    import torch

    def gelu(x: torch.Tensor) -> torch.Tensor:
        return 0.5 * x + 0.5 * x * (x * 0.7071067811865476).erf()

    return gelu


def gelu_right_03():
    """Imported by name, forbidden names in a comment."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    from torch import erf

    def gelu(x):
        """The same as nn.GELU() and F.gelu(x), without them."""
        return x.mul(erf(x.div(2**0.5)).add(1).mul(0.5))

    return gelu


def gelu_right_04():
    """Float64 inside."""
    import torch

    def gelu(x):
        y = x.to(torch.float64)
        return (y * (1 + torch.erf(y / torch.tensor(2.0, dtype=y.dtype).sqrt())) / 2).to(x.dtype)

    return gelu


def gelu_right_05():
    """Row by row, recursion down to numbers."""
    import torch

    def gelu(x):
        if x.ndim > 0 and len(x) > 0:
            return torch.stack([gelu(part) for part in x])
        return x * 0.5 * (1 + torch.erf(x / 2**0.5))

    return gelu


def gelu_right_06():
    """X minus the part that is taken away."""
    import torch

    def gelu(x):
        taken = x * (1 - torch.erf(x / 2**0.5)) / 2
        return x - taken

    return gelu


def gelu_right_07():
    """Nn.Module with forward."""
    import torch
    from torch import nn

    class Gelu(nn.Module):
        def forward(self, x):
            return torch.lerp(torch.zeros_like(x), x, (1 + torch.erf(x * 0.5**0.5)) * 0.5)

    gelu = Gelu()

    return gelu


def pre_norm_block_wrong_01():
    """Post-norm."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        x = norm1(x + attention(x))
        return norm2(x + mlp(x))

    return pre_norm_block


def pre_norm_block_wrong_02():
    """No additions."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        return mlp(norm2(attention(norm1(x))))

    return pre_norm_block


def pre_norm_block_wrong_03():
    """Second addition forgotten."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        x = x + attention(norm1(x))
        return mlp(norm2(x))

    return pre_norm_block


def pre_norm_block_wrong_04():
    """First addition forgotten."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        x = attention(norm1(x))
        return x + mlp(norm2(x))

    return pre_norm_block


def pre_norm_block_wrong_05():
    """The MLP reads the old stream (parallel block)."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        return x + attention(norm1(x)) + mlp(norm2(x))

    return pre_norm_block


def pre_norm_block_wrong_06():
    """The stream itself is normed."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        x = norm1(x)
        x = x + attention(x)
        x = norm2(x)
        return x + mlp(x)

    return pre_norm_block


def pre_norm_block_wrong_07():
    """Second addition to the input of the block."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        y = x + attention(norm1(x))
        return x + mlp(norm2(y))

    return pre_norm_block


def pre_norm_block_wrong_08():
    """MLP first."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        x = x + mlp(norm2(x))
        return x + attention(norm1(x))

    return pre_norm_block


def pre_norm_block_wrong_09():
    """Norms exchanged."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        x = x + attention(norm2(x))
        return x + mlp(norm1(x))

    return pre_norm_block


def pre_norm_block_wrong_10():
    """Norm1 used twice."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        x = x + attention(norm1(x))
        return x + mlp(norm1(x))

    return pre_norm_block


def pre_norm_block_wrong_11():
    """Norms behind the branches."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        x = x + norm1(attention(x))
        return x + norm2(mlp(x))

    return pre_norm_block


def pre_norm_block_wrong_12():
    """Second norm forgotten."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        x = x + attention(norm1(x))
        return x + mlp(x)

    return pre_norm_block


def pre_norm_block_wrong_13():
    """The normed tokens are added, not the stream."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        y = norm1(x)
        y = y + attention(y)
        z = norm2(y)
        return z + mlp(z)

    return pre_norm_block


def pre_norm_block_wrong_14():
    """Returns only the branches."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        a = attention(norm1(x))
        return a + mlp(norm2(x + a))

    return pre_norm_block


def pre_norm_block_wrong_15():
    """Halves the sum."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        x = (x + attention(norm1(x))) / 2
        return (x + mlp(norm2(x))) / 2

    return pre_norm_block


def pre_norm_block_wrong_16():
    """A third addition of the input."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        y = x + attention(norm1(x))
        return x + y + mlp(norm2(y))

    return pre_norm_block


def pre_norm_block_wrong_17():
    """[mutates] += changes the tokens of the caller."""
    import torch

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        with torch.no_grad():
            branch = attention(norm1(x))
            x += branch
            x += mlp(norm2(x))
        return x

    return pre_norm_block


def pre_norm_block_wrong_18():
    """Attention returns a pair, thinks the learner, and takes its first part [corner]."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        x = x + attention(norm1(x))[0]
        return x + mlp(norm2(x))[0]

    return pre_norm_block


def pre_norm_block_wrong_19():
    """[gradient] the stream detached after attention."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        y = x + attention(norm1(x))
        return y + mlp(norm2(y.detach()))

    return pre_norm_block


def pre_norm_block_wrong_20():
    """Own nn.LayerNorm instead of the given norms."""
    from torch import nn

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        norm = nn.LayerNorm(x.shape[-1])
        x = x + attention(norm(x))
        return x + mlp(norm(x))

    return pre_norm_block


def pre_norm_block_wrong_21():
    """Attention is called twice on the way."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        x = x + attention(norm1(attention(norm1(x))))
        return x + mlp(norm2(x))

    return pre_norm_block


def pre_norm_block_wrong_22():
    """Only the first image goes through."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        y = x.clone()
        y[0] = (x[:1] + attention(norm1(x[:1])))[0]
        y[0] = (y[:1] + mlp(norm2(y[:1])))[0]
        return y

    return pre_norm_block


def pre_norm_block_right_01():
    """A loop over the two branches."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        for norm, branch in ((norm1, attention), (norm2, mlp)):
            x = x + branch(norm(x))
        return x

    return pre_norm_block


def pre_norm_block_right_02():
    """One expression with :=."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        return (y := x + attention(norm1(x))) + mlp(norm2(y))

    return pre_norm_block


def pre_norm_block_right_03():
    """A helper function inside, annotated."""
    import torch
    from collections.abc import Callable

    def pre_norm_block(
        x: torch.Tensor, norm1: Callable, attention: Callable, norm2: Callable, mlp: Callable
    ) -> torch.Tensor:
        def residual(stream, norm, branch):
            return torch.add(stream, branch(norm(stream)))

        return residual(residual(x, norm1, attention), norm2, mlp)

    return pre_norm_block


def pre_norm_block_right_04():
    """Copy first, then in place."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        stream = x.clone()
        stream += attention(norm1(x))
        stream = stream + mlp(norm2(stream))
        return stream

    return pre_norm_block


def pre_norm_block_right_05():
    """Recursion over pairs of norm and branch."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        def go(stream, pairs):
            if not pairs:
                return stream
            (norm, branch), *rest = pairs
            return go(stream + branch(norm(stream)), rest)

        return go(x, [(norm1, attention), (norm2, mlp)])

    return pre_norm_block


def pre_norm_block_right_06():
    """Nn.Module with forward."""
    from torch import nn

    class Block(nn.Module):
        def forward(self, x, norm1, attention, norm2, mlp):
            shortcut = x
            x = shortcut + attention(norm1(x))
            shortcut = x
            return mlp(norm2(x)) + shortcut

    pre_norm_block = Block()

    return pre_norm_block


def pre_norm_block_right_07():
    """Sum of three parts."""

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        a = attention(norm1(x))
        m = mlp(norm2(x + a))
        return sum([x, a, m])

    return pre_norm_block


def pre_norm_block_right_08():
    """Functools.reduce."""
    from functools import reduce

    def pre_norm_block(x, norm1, attention, norm2, mlp):
        return reduce(lambda s, pair: s + pair[1](pair[0](s)), [(norm1, attention), (norm2, mlp)], x)

    return pre_norm_block


def drop_path_wrong_01():
    """Not divided."""

    def drop_path(branch, draw, rate):
        return branch * (draw >= rate).view(-1, 1, 1)

    return drop_path


def drop_path_wrong_02():
    """Multiplied by 1 - rate."""

    def drop_path(branch, draw, rate):
        return branch * (draw >= rate).view(-1, 1, 1) * (1 - rate)

    return drop_path


def drop_path_wrong_03():
    """Divided by rate."""

    def drop_path(branch, draw, rate):
        return branch * (draw >= rate).view(-1, 1, 1) / max(rate, 1e-6)

    return drop_path


def drop_path_wrong_04():
    """Keeps the others: draw < rate."""

    def drop_path(branch, draw, rate):
        return branch * (draw < rate).view(-1, 1, 1) / (1 - rate)

    return drop_path


def drop_path_wrong_05():
    """[corner] > instead of >=."""

    def drop_path(branch, draw, rate):
        return branch * (draw > rate).view(-1, 1, 1) / (1 - rate)

    return drop_path


def drop_path_wrong_06():
    """Draw compared with 1 - rate."""

    def drop_path(branch, draw, rate):
        return branch * (draw < 1 - rate).view(-1, 1, 1) / (1 - rate)

    return drop_path


def drop_path_wrong_07():
    """Mask along the width: shape (B,) against (B, N, D)."""

    def drop_path(branch, draw, rate):
        return branch * (draw >= rate) / (1 - rate)

    return drop_path


def drop_path_wrong_08():
    """Mask along the tokens."""

    def drop_path(branch, draw, rate):
        return branch * (draw >= rate).view(-1, 1) / (1 - rate)

    return drop_path


def drop_path_wrong_09():
    """Draws its own numbers."""
    import torch

    def drop_path(branch, draw, rate):
        keep = torch.rand(len(branch)) >= rate
        return branch * keep.view(-1, 1, 1) / (1 - rate)

    return drop_path


def drop_path_wrong_10():
    """Ordinary drop-out of single numbers."""
    import torch.nn.functional as F

    def drop_path(branch, draw, rate):
        return F.dropout(branch, p=rate)

    return drop_path


def drop_path_wrong_11():
    """Multiplies by the draw itself."""

    def drop_path(branch, draw, rate):
        return branch * draw.view(-1, 1, 1) / (1 - rate)

    return drop_path


def drop_path_wrong_12():
    """Dropped images are left out: a smaller batch."""

    def drop_path(branch, draw, rate):
        return branch[draw >= rate] / (1 - rate)

    return drop_path


def drop_path_wrong_13():
    """One decision for the whole batch."""
    import torch

    def drop_path(branch, draw, rate):
        if draw[0] < rate:
            return torch.zeros_like(branch)
        return branch / (1 - rate)

    return drop_path


def drop_path_wrong_14():
    """Divides by the share that was really kept."""

    def drop_path(branch, draw, rate):
        keep = (draw >= rate).float()
        return branch * keep.view(-1, 1, 1) / keep.mean().clamp(min=1e-6)

    return drop_path


def drop_path_wrong_15():
    """Dropped images keep the branch undivided."""
    import torch

    def drop_path(branch, draw, rate):
        keep = (draw >= rate).view(-1, 1, 1)
        return torch.where(keep, branch / (1 - rate), branch)

    return drop_path


def drop_path_wrong_16():
    """[mutates] zeroes the branch in place."""
    import torch

    def drop_path(branch, draw, rate):
        with torch.no_grad():
            branch[draw < rate] = 0
        return branch / (1 - rate)

    return drop_path


def drop_path_wrong_17():
    """[gradient] result rebuilt without its history."""
    import torch

    def drop_path(branch, draw, rate):
        out = torch.zeros_like(branch)
        out[draw >= rate] = branch.data[draw >= rate]
        return out / (1 - rate)

    return drop_path


def drop_path_wrong_18():
    """Floor(draw + rate), as in other code: drops below 1 - rate."""
    import torch

    def drop_path(branch, draw, rate):
        keep = torch.floor(draw + rate).view(-1, 1, 1)
        return branch * keep / (1 - rate)

    return drop_path


def drop_path_wrong_19():
    """[corner] nothing happens unless rate is above 0.5."""

    def drop_path(branch, draw, rate):
        return branch * (draw >= rate).view(-1, 1, 1) / (1 - rate) if rate > 0.5 else branch

    return drop_path


def drop_path_wrong_20():
    """Returns a list of images."""
    import torch

    def drop_path(branch, draw, rate):
        return [b / (1 - rate) if d >= rate else torch.zeros_like(b) for b, d in zip(branch, draw)]

    return drop_path


def drop_path_wrong_21():
    """[corner] squeezes: a batch of one loses its axis."""

    def drop_path(branch, draw, rate):
        return (branch * (draw >= rate).view(-1, 1, 1) / (1 - rate)).squeeze(0)

    return drop_path


def drop_path_wrong_22():
    """Adds 1 to the dropped images."""

    def drop_path(branch, draw, rate):
        keep = (draw >= rate).float().view(-1, 1, 1)
        return (branch + (keep - 1) * branch.mean()) * keep / (1 - rate) + (1 - keep)

    return drop_path


def drop_path_right_01():
    """Where."""
    import torch

    def drop_path(branch: torch.Tensor, draw: torch.Tensor, rate: float) -> torch.Tensor:
        return torch.where(draw[:, None, None] < rate, torch.zeros(()), branch / (1 - rate))

    return drop_path


def drop_path_right_02():
    """Masked_fill."""

    def drop_path(branch, draw, rate):
        dropped = (draw < rate).reshape(-1, 1, 1)
        return branch.div(1 - rate).masked_fill(dropped, 0.0)

    return drop_path


def drop_path_right_03():
    """A loop, then stack."""
    import torch

    def drop_path(branch, draw, rate):
        out = []
        for image, number in zip(branch, draw.tolist()):
            if torch.tensor(number) < rate:
                out.append(image * 0)
            else:
                out.append(image / (1 - rate))
        return torch.stack(out)

    return drop_path


def drop_path_right_04():
    """Einsum."""
    import torch

    def drop_path(branch, draw, rate):
        factor = (~(draw < rate)).to(branch.dtype) / (1 - rate)
        return torch.einsum("b,bnd->bnd", factor, branch)

    return drop_path


def drop_path_right_05():
    """A diagonal matrix in front."""
    import torch

    def drop_path(branch, draw, rate):
        keep = torch.diag(draw.ge(rate).float()) / (1 - rate)
        return torch.tensordot(keep, branch, dims=1)

    return drop_path


def drop_path_right_06():
    """Expand_as, keyword names."""

    def drop_path(branch, draw, rate):
        keep_probability = 1.0 - rate
        mask = draw.unsqueeze(-1).unsqueeze(-1).ge(rate).expand_as(branch)
        return mask.float() * (branch / keep_probability)

    return drop_path


def drop_path_right_07():
    """Clone, then zeros by index."""

    def drop_path(branch, draw, rate):
        out = (branch / (1 - rate)).clone()
        out[draw < rate] = 0
        return out

    return drop_path


def drop_path_right_08():
    """Any number of axes."""
    import torch

    def drop_path(branch, draw, rate):
        shape = (branch.shape[0],) + (1,) * (branch.ndim - 1)
        return branch * torch.heaviside(draw - rate, torch.ones(())).reshape(shape) / (1 - rate)

    return drop_path


# exercise, what the check says (None: wrong, without a name), attempt
ATTEMPTS = [
    (checks.layer_norm, "variance divided by D - 1", layer_norm_wrong_01),
    (checks.layer_norm, "eps outside the root", layer_norm_wrong_02),
    (checks.layer_norm, "eps is missing", layer_norm_wrong_03),
    (checks.layer_norm, "eps is missing", layer_norm_wrong_04),
    (checks.layer_norm, "divided by the variance", layer_norm_wrong_05),
    (checks.layer_norm, "one mean for everything", layer_norm_wrong_06),
    (checks.layer_norm, "over the tokens", layer_norm_wrong_07),
    (checks.layer_norm, "over the batch", layer_norm_wrong_08),
    (checks.layer_norm, "three axes only", layer_norm_wrong_09),
    (checks.layer_norm, "no scale, no shift", layer_norm_wrong_10),
    (checks.layer_norm, "scale or shift missing", layer_norm_wrong_11),
    (checks.layer_norm, "shift before scale", layer_norm_wrong_12),
    (checks.layer_norm, "1 is added to the weight", layer_norm_wrong_13),
    (checks.layer_norm, "the mean stays in", layer_norm_wrong_14),
    (checks.layer_norm, "the mean stays in", layer_norm_wrong_15),
    (checks.layer_norm, "the mean distance in place of the root", layer_norm_wrong_16),
    (checks.layer_norm, "the axis is lost", layer_norm_wrong_17),
    (checks.layer_norm, "PyTorch's own", layer_norm_wrong_18),
    (checks.layer_norm, "PyTorch's own", layer_norm_wrong_19),
    (checks.layer_norm, "PyTorch's own", layer_norm_wrong_20),
    (checks.layer_norm, "PyTorch's own", layer_norm_wrong_21),
    (checks.layer_norm, "changes its input", layer_norm_wrong_22),
    (checks.layer_norm, "no gradient", layer_norm_wrong_23),
    (checks.layer_norm, None, layer_norm_wrong_24),
    (checks.layer_norm, "correct", layer_norm_right_01),
    (checks.layer_norm, "correct", layer_norm_right_02),
    (checks.layer_norm, "correct", layer_norm_right_03),
    (checks.layer_norm, "correct", layer_norm_right_04),
    (checks.layer_norm, "correct", layer_norm_right_05),
    (checks.layer_norm, "correct", layer_norm_right_06),
    (checks.layer_norm, "correct", layer_norm_right_07),
    (checks.gelu, "the tanh approximation", gelu_wrong_01),
    (checks.gelu, "the sigmoid approximation", gelu_wrong_02),
    (checks.gelu, "erf of x itself", gelu_wrong_03),
    (checks.gelu, "divided by another number inside erf", gelu_wrong_04),
    (checks.gelu, "divided by another number inside erf", gelu_wrong_05),
    (checks.gelu, "the half is missing", gelu_wrong_06),
    (checks.gelu, "the 1 is missing", gelu_wrong_07),
    (checks.gelu, "the probability alone", gelu_wrong_08),
    (checks.gelu, "the half belongs to both", gelu_wrong_09),
    (checks.gelu, "erf of x itself", gelu_wrong_10),
    (checks.gelu, "mirrored", gelu_wrong_11),
    (checks.gelu, "the density in place of the probability", gelu_wrong_12),
    (checks.gelu, "ReLU", gelu_wrong_13),
    (checks.gelu, "the sign is cut off", gelu_wrong_14),
    (checks.gelu, "cut off below", gelu_wrong_15),
    (checks.gelu, "PyTorch's own", gelu_wrong_16),
    (checks.gelu, "PyTorch's own", gelu_wrong_17),
    (checks.gelu, "PyTorch's own", gelu_wrong_18),
    (checks.gelu, "PyTorch's own", gelu_wrong_19),
    (checks.gelu, "no gradient", gelu_wrong_20),
    (checks.gelu, "changes its input", gelu_wrong_21),
    (checks.gelu, "no gradient", gelu_wrong_22),
    (checks.gelu, "x is standardised first", gelu_wrong_23),
    (checks.gelu, "the sign is cut off", gelu_wrong_24),
    (checks.gelu, "correct", gelu_right_01),
    (checks.gelu, "correct", gelu_right_02),
    (checks.gelu, "correct", gelu_right_03),
    (checks.gelu, "correct", gelu_right_04),
    (checks.gelu, "correct", gelu_right_05),
    (checks.gelu, "correct", gelu_right_06),
    (checks.gelu, "correct", gelu_right_07),
    (checks.pre_norm_block, "post-norm", pre_norm_block_wrong_01),
    (checks.pre_norm_block, "a residual is missing", pre_norm_block_wrong_02),
    (checks.pre_norm_block, "a residual is missing", pre_norm_block_wrong_03),
    (checks.pre_norm_block, "a residual is missing", pre_norm_block_wrong_04),
    (checks.pre_norm_block, "both branches from the same input", pre_norm_block_wrong_05),
    (checks.pre_norm_block, "the norm stands on the residual stream", pre_norm_block_wrong_06),
    (checks.pre_norm_block, "the second addition takes the first x", pre_norm_block_wrong_07),
    (checks.pre_norm_block, "MLP first", pre_norm_block_wrong_08),
    (checks.pre_norm_block, "the norms are swapped", pre_norm_block_wrong_09),
    (checks.pre_norm_block, "one norm used twice", pre_norm_block_wrong_10),
    (checks.pre_norm_block, "the norm comes after the branch", pre_norm_block_wrong_11),
    (checks.pre_norm_block, "one norm is missing", pre_norm_block_wrong_12),
    (checks.pre_norm_block, "the norm stands on the residual stream", pre_norm_block_wrong_13),
    (checks.pre_norm_block, "the branches alone", pre_norm_block_wrong_14),
    (checks.pre_norm_block, "a mean in place of a sum", pre_norm_block_wrong_15),
    (checks.pre_norm_block, "the input added once more", pre_norm_block_wrong_16),
    (checks.pre_norm_block, "changes its input", pre_norm_block_wrong_17),
    (checks.pre_norm_block, "the first part of a result taken", pre_norm_block_wrong_18),
    (checks.pre_norm_block, "no gradient", pre_norm_block_wrong_19),
    (checks.pre_norm_block, None, pre_norm_block_wrong_20),
    (checks.pre_norm_block, "attention twice", pre_norm_block_wrong_21),
    (checks.pre_norm_block, None, pre_norm_block_wrong_22),
    (checks.pre_norm_block, "correct", pre_norm_block_right_01),
    (checks.pre_norm_block, "correct", pre_norm_block_right_02),
    (checks.pre_norm_block, "correct", pre_norm_block_right_03),
    (checks.pre_norm_block, "correct", pre_norm_block_right_04),
    (checks.pre_norm_block, "correct", pre_norm_block_right_05),
    (checks.pre_norm_block, "correct", pre_norm_block_right_06),
    (checks.pre_norm_block, "correct", pre_norm_block_right_07),
    (checks.pre_norm_block, "correct", pre_norm_block_right_08),
    (checks.drop_path, "not rescaled", drop_path_wrong_01),
    (checks.drop_path, "multiplied, not divided", drop_path_wrong_02),
    (checks.drop_path, "divided by the drop rate", drop_path_wrong_03),
    (checks.drop_path, "keeps what should be dropped", drop_path_wrong_04),
    (checks.drop_path, "drops at the rate itself", drop_path_wrong_05),
    (checks.drop_path, "keeps what should be dropped", drop_path_wrong_06),
    (checks.drop_path, "along the wrong axis", drop_path_wrong_07),
    (checks.drop_path, "along the wrong axis", drop_path_wrong_08),
    (checks.drop_path, "random numbers of its own", drop_path_wrong_09),
    (checks.drop_path, "random numbers of its own", drop_path_wrong_10),
    (checks.drop_path, "multiplied by the draw", drop_path_wrong_11),
    (checks.drop_path, "dropped images are left out", drop_path_wrong_12),
    (checks.drop_path, "one decision for all images", drop_path_wrong_13),
    (checks.drop_path, "divided by the share of this batch", drop_path_wrong_14),
    (checks.drop_path, "dropped images keep their branch", drop_path_wrong_15),
    (checks.drop_path, "changes its input", drop_path_wrong_16),
    (checks.drop_path, "no gradient", drop_path_wrong_17),
    (checks.drop_path, "keeps what should be dropped", drop_path_wrong_18),
    (checks.drop_path, None, drop_path_wrong_19),
    (checks.drop_path, "a list in place of a tensor", drop_path_wrong_20),
    (checks.drop_path, "an axis of length 1 is lost", drop_path_wrong_21),
    (checks.drop_path, None, drop_path_wrong_22),
    (checks.drop_path, "correct", drop_path_right_01),
    (checks.drop_path, "correct", drop_path_right_02),
    (checks.drop_path, "correct", drop_path_right_03),
    (checks.drop_path, "correct", drop_path_right_04),
    (checks.drop_path, "correct", drop_path_right_05),
    (checks.drop_path, "correct", drop_path_right_06),
    (checks.drop_path, "correct", drop_path_right_07),
    (checks.drop_path, "correct", drop_path_right_08),
]
