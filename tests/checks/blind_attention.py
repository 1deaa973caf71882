"""Attempts at lesson 03 (attention), written from the tasks' texts by someone who had not seen the checks."""
# ruff: noqa  - learners' code

from course_utils.checks import attention as checks


def softmax_wrong_01():
    """[corner] overflows for large scores."""

    def softmax(x):
        return x.exp() / x.exp().sum(dim=-1, keepdim=True)

    return softmax


def softmax_wrong_02():
    """Sum over everything."""

    def softmax(x):
        powers = (x - x.max()).exp()
        return powers / powers.sum()

    return softmax


def softmax_wrong_03():
    """Wrong axis."""

    def softmax(x):
        powers = (x - x.amax(dim=0, keepdim=True)).exp()
        return powers / powers.sum(dim=0, keepdim=True)

    return softmax


def softmax_wrong_04():
    """Axis 1, right for matrices only."""

    def softmax(x):
        powers = (x - x.amax(dim=1, keepdim=True)).exp()
        return powers / powers.sum(dim=1, keepdim=True)

    return softmax


def softmax_wrong_05():
    """[corner] one maximum for the whole tensor: a low row underflows to 0/0."""

    def softmax(x):
        powers = (x - x.max()).exp()
        return powers / powers.sum(dim=-1, keepdim=True)

    return softmax


def softmax_wrong_06():
    """[corner] scores clamped to 80."""

    def softmax(x):
        powers = x.clamp(-80, 80).exp()
        return powers / powers.sum(dim=-1, keepdim=True)

    return softmax


def softmax_wrong_07():
    """[corner] clamped from above only: very negative rows give 0/0."""

    def softmax(x):
        powers = (x - x.amax(dim=-1, keepdim=True).clamp(min=0)).exp()
        return powers / powers.sum(dim=-1, keepdim=True)

    return softmax


def softmax_wrong_08():
    """[corner] float64 instead of taking the maximum away."""

    def softmax(x):
        powers = x.double().exp()
        return (powers / powers.sum(dim=-1, keepdim=True)).to(x.dtype)

    return softmax


def softmax_wrong_09():
    """Nan replaced by 0."""
    import torch

    def softmax(x):
        powers = x.exp()
        return torch.nan_to_num(powers / powers.sum(dim=-1, keepdim=True), nan=0.0)

    return softmax


def softmax_wrong_10():
    """Keepdim forgotten."""

    def softmax(x):
        powers = (x - x.amax(dim=-1, keepdim=True)).exp()
        return powers / powers.sum(dim=-1)

    return softmax


def softmax_wrong_11():
    """Divides by the largest instead of the sum."""

    def softmax(x):
        return (x - x.amax(dim=-1, keepdim=True)).exp()

    return softmax


def softmax_wrong_12():
    """Normalises without exp."""

    def softmax(x):
        shifted = x - x.amin(dim=-1, keepdim=True)
        return shifted / shifted.sum(dim=-1, keepdim=True)

    return softmax


def softmax_wrong_13():
    """Divides the scores by the maximum."""

    def softmax(x):
        powers = (x / x.amax(dim=-1, keepdim=True)).exp()
        return powers / powers.sum(dim=-1, keepdim=True)

    return softmax


def softmax_wrong_14():
    """Powers of 2."""

    def softmax(x):
        powers = 2 ** (x - x.amax(dim=-1, keepdim=True))
        return powers / powers.sum(dim=-1, keepdim=True)

    return softmax


def softmax_wrong_15():
    """Log-softmax."""

    def softmax(x):
        return x - x.logsumexp(dim=-1, keepdim=True)

    return softmax


def softmax_wrong_16():
    """Takes the mean away, not the maximum [corner]."""

    def softmax(x):
        powers = (x - x.mean(dim=-1, keepdim=True)).exp()
        return powers / powers.sum(dim=-1, keepdim=True)

    return softmax


def softmax_wrong_17():
    """Adds 0.01 to the sum."""

    def softmax(x):
        powers = (x - x.amax(dim=-1, keepdim=True)).exp()
        return powers / (powers.sum(dim=-1, keepdim=True) + 1e-2)

    return softmax


def softmax_wrong_18():
    """[rule] PyTorch's own as a method."""

    def softmax(x):
        return x.softmax(dim=-1)

    return softmax


def softmax_wrong_19():
    """[rule] PyTorch's own from torch."""
    import torch

    def softmax(x):
        return torch.softmax(x, -1)

    return softmax


def softmax_wrong_20():
    """[rule] PyTorch's own from F."""
    import torch.nn.functional as F

    def softmax(x):
        return F.softmax(x, dim=-1)

    return softmax


def softmax_wrong_21():
    """[rule] PyTorch's own as a module."""
    from torch import nn

    def softmax(x):
        return nn.Softmax(dim=-1)(x)

    return softmax


def softmax_wrong_22():
    """[rule] PyTorch's own by another name."""
    import torch
    from torch import nn

    from torch.nn.functional import softmax as theirs

    def softmax(x):
        return theirs(x, dim=-1)

    return softmax


def softmax_wrong_23():
    """[mutates] takes the maximum away in place."""
    import torch

    def softmax(x):
        with torch.no_grad():
            x -= x.amax(dim=-1, keepdim=True)
        powers = x.exp()
        return powers / powers.sum(dim=-1, keepdim=True)

    return softmax


def softmax_wrong_24():
    """[gradient] numpy inside."""
    import numpy as np
    import torch

    def softmax(x):
        a = x.detach().numpy()
        powers = np.exp(a - a.max(axis=-1, keepdims=True))
        return torch.from_numpy(powers / powers.sum(axis=-1, keepdims=True))

    return softmax


def softmax_wrong_25():
    """[corner] [raises] only two axes: unpacks the shape."""

    def softmax(x):
        rows, columns = x.shape
        powers = (x - x.amax(dim=-1).reshape(rows, 1)).exp()
        return powers / powers.sum(dim=1).reshape(rows, 1)

    return softmax


def softmax_wrong_26():
    """All weights alike, as a guess."""
    import torch

    def softmax(x):
        return torch.ones_like(x) / x.shape[-1]

    return softmax


def softmax_right_01():
    """With logsumexp."""
    import torch

    def softmax(x: torch.Tensor) -> torch.Tensor:
        return torch.exp(x - torch.logsumexp(x, dim=-1, keepdim=True))

    return softmax


def softmax_right_02():
    """Max with its pair of results."""
    import torch

    def softmax(x):
        largest, _ = x.max(-1, keepdim=True)
        powers = torch.exp(x - largest)
        return torch.div(powers, torch.sum(powers, dim=-1, keepdim=True))

    return softmax


def softmax_right_03():
    """Rows one by one."""
    import torch

    def softmax(x):
        rows = []
        for row in x.reshape(-1, x.shape[-1]):
            powers = (row - row.max()).exp()
            rows.append(powers / powers.sum())
        return torch.stack(rows).reshape(x.shape)

    return softmax


def softmax_right_04():
    """The forbidden words in a comment, shifted twice."""
    import torch
    import torch.nn.functional as F

    def softmax(x):
        # like F.softmax(x, dim=-1), torch.softmax or x.softmax(-1), but by hand
        top = x.amax(dim=-1, keepdim=True)
        logs = x - top
        logs = logs - logs.exp().sum(dim=-1, keepdim=True).log()
        return logs.exp()

    return softmax


def softmax_right_05():
    """Recursion over the axes."""
    import torch

    def softmax(x):
        if x.ndim > 1:
            return torch.stack([softmax(part) for part in x])
        powers = torch.exp(x - x.max())
        return powers / powers.sum()

    return softmax


def softmax_right_06():
    """The maximum detached, float64 inside."""

    def softmax(x):
        y = x.double()
        powers = (y - y.detach().amax(-1, True)).exp()
        return (powers * powers.sum(-1, True).reciprocal()).type_as(x)

    return softmax


def softmax_right_07():
    """A second argument with a default."""
    import torch

    def softmax(x, dim=-1):
        e = torch.e ** (x - x.amax(dim, True))
        return e / e.sum(dim, True)

    return softmax


def softmax_right_08():
    """Normalize with p = 1: all powers are positive."""
    import torch.nn.functional as F

    def softmax(x):
        return F.normalize((x - x.max(dim=-1, keepdim=True).values).exp(), p=1, dim=-1)

    return softmax


def attention_weights_wrong_01():
    """No scale."""

    def attention_weights(q, k):
        return (q @ k.transpose(-2, -1)).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_02():
    """Divides by d, not by its root."""

    def attention_weights(q, k):
        return (q @ k.transpose(-2, -1) / q.shape[-1]).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_03():
    """Multiplies by the root."""

    def attention_weights(q, k):
        return (q @ k.transpose(-2, -1) * q.shape[-1] ** 0.5).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_04():
    """Root of the number of tokens."""

    def attention_weights(q, k):
        return (q @ k.transpose(-2, -1) / q.shape[-2] ** 0.5).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_05():
    """Scale after the softmax."""

    def attention_weights(q, k):
        return (q @ k.transpose(-2, -1)).softmax(dim=-1) / q.shape[-1] ** 0.5

    return attention_weights


def attention_weights_wrong_06():
    """Softmax along the columns."""

    def attention_weights(q, k):
        return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-2)

    return attention_weights


def attention_weights_wrong_07():
    """Softmax along axis 1, right for one batch axis less."""

    def attention_weights(q, k):
        return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=1)

    return attention_weights


def attention_weights_wrong_08():
    """Keys and queries exchanged."""

    def attention_weights(q, k):
        return (k @ q.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_09():
    """[corner] [raises] .T: right for one matrix only."""

    def attention_weights(q, k):
        return (q @ k.T / q.shape[-1] ** 0.5).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_10():
    """[corner] [raises] transpose(1, 2): needs exactly one batch axis."""

    def attention_weights(q, k):
        return (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_11():
    """[corner] width read from axis 1: right for matrices."""

    def attention_weights(q, k):
        return (q @ k.transpose(-2, -1) / q.shape[1] ** 0.5).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_12():
    """[corner] naive softmax overflows."""

    def attention_weights(q, k):
        powers = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).exp()
        return powers / powers.sum(dim=-1, keepdim=True)

    return attention_weights


def attention_weights_wrong_13():
    """The scale of the lesson's small example hard-coded."""
    import math

    def attention_weights(q, k):
        return (q @ k.transpose(-2, -1) / math.sqrt(2)).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_14():
    """Scores without a softmax."""

    def attention_weights(q, k):
        return q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5

    return attention_weights


def attention_weights_wrong_15():
    """Product number by number."""

    def attention_weights(q, k):
        return (q * k / q.shape[-1] ** 0.5).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_16():
    """Keys not transposed: d by d."""

    def attention_weights(q, k):
        return (q.transpose(-2, -1) @ k / q.shape[-1] ** 0.5).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_17():
    """Each of q and k divided by the root: d too much."""

    def attention_weights(q, k):
        root = q.shape[-1] ** 0.5
        return ((q / root) @ (k / root).transpose(-2, -1)).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_18():
    """Cosine similarity."""
    import torch.nn.functional as F

    def attention_weights(q, k):
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_19():
    """Reshape instead of transpose."""

    def attention_weights(q, k):
        turned = k.reshape(*k.shape[:-2], k.shape[-1], k.shape[-2])
        return (q @ turned / q.shape[-1] ** 0.5).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_20():
    """Root of d rounded to a whole number."""

    def attention_weights(q, k):
        return (q @ k.transpose(-2, -1) / int(q.shape[-1] ** 0.5)).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_21():
    """Causal mask as in a language model."""
    import math
    import torch

    def attention_weights(q, k):
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
        future = torch.ones(scores.shape[-2:]).triu(1).bool()
        return scores.masked_fill(future, -math.inf).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_22():
    """[gradient] detached keys: no gradient reaches k."""

    def attention_weights(q, k):
        return (q @ k.detach().transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_23():
    """[mutates] scales q in place."""
    import torch

    def attention_weights(q, k):
        with torch.no_grad():
            q /= q.shape[-1] ** 0.5
        return (q @ k.transpose(-2, -1)).softmax(dim=-1)

    return attention_weights


def attention_weights_wrong_24():
    """Mean over the heads."""

    def attention_weights(q, k):
        weights = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-1)
        return weights.mean(dim=tuple(range(weights.ndim - 2)), keepdim=True)

    return attention_weights


def attention_weights_right_01():
    """Einsum with an ellipsis."""
    import torch

    def attention_weights(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        scores = torch.einsum("...id,...jd->...ij", q, k) * q.size(-1) ** -0.5
        return torch.softmax(scores, dim=-1)

    return attention_weights


def attention_weights_right_02():
    """The fourth root on both sides."""
    import torch.nn.functional as F

    def attention_weights(q, k):
        root = q.shape[-1] ** 0.25
        return F.softmax((q / root) @ (k / root).mT, dim=-1)

    return attention_weights


def attention_weights_right_03():
    """Softmax by hand."""
    import math
    import torch

    def attention_weights(q, k):
        scores = torch.matmul(q, k.swapaxes(-1, -2)).div(math.sqrt(k.shape[-1]))
        powers = (scores - scores.amax(-1, keepdim=True)).exp()
        return powers / powers.sum(-1, keepdim=True)

    return attention_weights


def attention_weights_right_04():
    """Flattened to three axes and bmm."""
    import torch

    def attention_weights(q, k):
        shape, (n, d) = q.shape[:-2], q.shape[-2:]
        scores = torch.bmm(q.reshape(-1, n, d), k.reshape(-1, n, d).permute(0, 2, 1))
        return (scores / d**0.5).softmax(-1).reshape(*shape, n, n)

    return attention_weights


def attention_weights_right_05():
    """Broadcasting instead of a matrix product."""
    import torch

    def attention_weights(q, k):
        scores = (q.unsqueeze(-2) * k.unsqueeze(-3)).sum(dim=-1)
        return (scores / torch.tensor(float(q.shape[-1])).sqrt()).softmax(dim=-1)

    return attention_weights


def attention_weights_right_06():
    """Recursion over the axes before the last two."""
    import torch

    def attention_weights(q, k):
        if q.ndim == 2:
            return (q @ k.T / q.shape[1] ** 0.5).softmax(dim=1)
        return torch.stack([attention_weights(a, b) for a, b in zip(q, k)])

    return attention_weights


def attention_weights_right_07():
    """Float64 inside, cast back."""
    import numpy as np

    def attention_weights(q, k):
        q64, k64 = q.double(), k.double()
        return (q64 @ k64.transpose(-1, -2) / np.sqrt(q.shape[-1])).softmax(-1).to(q.dtype)

    return attention_weights


def split_heads_wrong_01():
    """A bare reshape to (B, h, N, d)."""

    def split_heads(x, num_heads):
        b, n, d = x.shape
        return x.reshape(b, num_heads, n, d // num_heads)

    return split_heads


def split_heads_wrong_02():
    """Transpose forgotten: (B, N, h, d)."""

    def split_heads(x, num_heads):
        b, n, d = x.shape
        return x.reshape(b, n, num_heads, d // num_heads)

    return split_heads


def split_heads_wrong_03():
    """Channels dealt out in turn."""

    def split_heads(x, num_heads):
        b, n, d = x.shape
        return x.reshape(b, n, d // num_heads, num_heads).permute(0, 3, 1, 2)

    return split_heads


def split_heads_wrong_04():
    """Num_heads taken for the head width."""

    def split_heads(x, num_heads):
        b, n, d = x.shape
        return x.reshape(b, n, d // num_heads, num_heads).transpose(1, 2)

    return split_heads


def split_heads_wrong_05():
    """Exchanges the wrong axes: (B, h, d, N) cut to shape."""

    def split_heads(x, num_heads):
        b, n, d = x.shape
        return x.transpose(1, 2).reshape(b, num_heads, d // num_heads, n)

    return split_heads


def split_heads_wrong_06():
    """(h, B, N, d)."""
    import torch

    def split_heads(x, num_heads):
        return torch.stack(x.chunk(num_heads, dim=-1))

    return split_heads


def split_heads_wrong_07():
    """A list of heads."""

    def split_heads(x, num_heads):
        return list(x.chunk(num_heads, dim=-1))

    return split_heads


def split_heads_wrong_08():
    """Splits the tokens, not the width."""
    import torch

    def split_heads(x, num_heads):
        return torch.stack(x.tensor_split(num_heads, dim=1), dim=1)

    return split_heads


def split_heads_wrong_09():
    """Batch and heads joined: (B h, N, d)."""

    def split_heads(x, num_heads):
        b, n, d = x.shape
        return x.reshape(b, n, num_heads, -1).transpose(1, 2).flatten(0, 1)

    return split_heads


def split_heads_wrong_10():
    """[corner] a batch of one only: axis of length 1 hard-coded."""

    def split_heads(x, num_heads):
        _, n, d = x.shape
        return x.reshape(1, n, num_heads, -1).transpose(1, 2)

    return split_heads


def split_heads_wrong_11():
    """[corner] two heads hard-coded."""
    import torch

    def split_heads(x, num_heads):
        return torch.stack([x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]], dim=1)

    return split_heads


def split_heads_wrong_12():
    """Heads in reverse order."""

    def split_heads(x, num_heads):
        b, n, d = x.shape
        return x.reshape(b, n, num_heads, -1).transpose(1, 2).flip(1)

    return split_heads


def split_heads_wrong_13():
    """All heads get the first d channels."""
    import torch

    def split_heads(x, num_heads):
        d = x.shape[-1] // num_heads
        return torch.stack([x[..., :d] for _ in range(num_heads)], dim=1)

    return split_heads


def split_heads_wrong_14():
    """Off by one: windows that overlap."""
    import torch

    def split_heads(x, num_heads):
        d = x.shape[-1] // num_heads
        return torch.stack([x[..., i : i + d] for i in range(num_heads)], dim=1)

    return split_heads


def split_heads_wrong_15():
    """Every head keeps the whole width."""

    def split_heads(x, num_heads):
        return x[:, None].expand(-1, num_heads, -1, -1)

    return split_heads


def split_heads_wrong_16():
    """View with -1 in the place of the tokens, after a transpose."""

    def split_heads(x, num_heads):
        b, n, d = x.shape
        return x.transpose(1, 2).reshape(b, -1, num_heads, d // num_heads).transpose(1, 2)

    return split_heads


def split_heads_wrong_17():
    """[gradient] new tensor from lists."""
    import torch

    def split_heads(x, num_heads):
        d = x.shape[-1] // num_heads
        heads = [[[t[i * d : i * d + d] for t in image] for i in range(num_heads)] for image in x.tolist()]
        return torch.tensor(heads, dtype=x.dtype)

    return split_heads


def split_heads_wrong_18():
    """[mutates] resizes the argument itself."""

    def split_heads(x, num_heads):
        x.data = x.data.unflatten(-1, (num_heads, -1))
        return x.transpose(1, 2)

    return split_heads


def split_heads_right_01():
    """Unflatten and movedim."""
    import torch

    def split_heads(x: torch.Tensor, num_heads: int) -> torch.Tensor:
        return x.unflatten(-1, (num_heads, -1)).movedim(2, 1)

    return split_heads


def split_heads_right_02():
    """Chunk and stack."""
    import torch

    def split_heads(x, num_heads):
        return torch.stack(x.chunk(num_heads, dim=-1), dim=1)

    return split_heads


def split_heads_right_03():
    """Slices in a loop."""
    import torch

    def split_heads(x, num_heads):
        d = x.shape[2] // num_heads
        heads = []
        for i in range(num_heads):
            heads.append(x[:, :, i * d : (i + 1) * d].unsqueeze(1))
        return torch.cat(heads, dim=1)

    return split_heads


def split_heads_right_04():
    """Unfold of the last axis."""

    def split_heads(x, num_heads):
        d = x.shape[-1] // num_heads
        return x.unfold(2, d, d).permute(0, 2, 1, 3)

    return split_heads


def split_heads_right_05():
    """Einsum."""
    import torch

    def split_heads(x, num_heads):
        return torch.einsum("bnhd->bhnd", x.view(x.size(0), x.size(1), num_heads, x.size(2) // num_heads))

    return split_heads


def split_heads_right_06():
    """Index table with gather."""
    import torch

    def split_heads(x, num_heads):
        table = torch.arange(x.shape[-1]).reshape(num_heads, -1)
        return x[..., table].transpose(1, 2).contiguous()

    return split_heads


def split_heads_right_07():
    """Filled into an empty tensor."""

    def split_heads(x, num_heads):
        b, n, width = x.shape
        out = x.new_empty(b, num_heads, n, width // num_heads)
        for channel in range(width):
            head, place = divmod(channel, width // num_heads)
            out[:, head, :, place] = x[..., channel]
        return out

    return split_heads


def split_heads_right_08():
    """Class with __call__."""

    class Split:
        def __call__(self, x, num_heads):
            return x.reshape(*x.shape[:-1], num_heads, -1).transpose(-3, -2)

    split_heads = Split()

    return split_heads


def multi_head_attention_wrong_01():
    """Not split into heads."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        q, k, v = qkv(x).chunk(3, dim=-1)
        return projection(attention.attention_weights(q, k) @ v)

    return multi_head_attention


def multi_head_attention_wrong_02():
    """Heads cut by a bare reshape."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, num_heads, n, -1) for t in qkv(x).chunk(3, dim=-1))
        out = attention.attention_weights(q, k) @ v
        return projection(out.transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_03():
    """Joined without the exchange."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        out = attention.attention_weights(q, k) @ v
        return projection(out.reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_04():
    """Both bare reshapes."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, num_heads, n, -1) for t in qkv(x).chunk(3, dim=-1))
        return projection((attention.attention_weights(q, k) @ v).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_05():
    """Projection forgotten."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        return (attention.attention_weights(q, k) @ v).transpose(1, 2).reshape(b, n, width)

    return multi_head_attention


def multi_head_attention_wrong_06():
    """Projection applied twice."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        out = (attention.attention_weights(q, k) @ v).transpose(1, 2).reshape(b, n, width)
        return projection(projection(out))

    return multi_head_attention


def multi_head_attention_wrong_07():
    """Residual added."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        out = (attention.attention_weights(q, k) @ v).transpose(1, 2).reshape(b, n, width)
        return x + projection(out)

    return multi_head_attention


def multi_head_attention_wrong_08():
    """Scale with D instead of d."""

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        weights = (q @ k.transpose(-2, -1) / width**0.5).softmax(dim=-1)
        return projection((weights @ v).transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_09():
    """No scale."""

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        weights = (q @ k.transpose(-2, -1)).softmax(dim=-1)
        return projection((weights @ v).transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_10():
    """Order k, q, v."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        k, q, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        out = attention.attention_weights(q, k) @ v
        return projection(out.transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_11():
    """Order v, k, q."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        v, k, q = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        out = attention.attention_weights(q, k) @ v
        return projection(out.transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_12():
    """Heads outside, q k v inside: (h, 3, d) instead of (3, h, d)."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        parts = qkv(x).reshape(b, n, num_heads, 3, -1).permute(3, 0, 2, 1, 4)
        q, k, v = parts.unbind(0)
        out = attention.attention_weights(q, k) @ v
        return projection(out.transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_13():
    """Q, k, v alternate: (d, 3) at the end."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).reshape(b, n, width, 3).unbind(-1))
        out = attention.attention_weights(q, k) @ v
        return projection(out.transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_14():
    """Weights transposed before the values."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        out = attention.attention_weights(q, k).transpose(-2, -1) @ v
        return projection(out.transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_15():
    """Softmax along the wrong axis."""

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        weights = (q @ k.mT / (width // num_heads) ** 0.5).softmax(dim=-2)
        return projection((weights @ v).transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_16():
    """Heads attend to heads inside a token."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1) for t in qkv(x).chunk(3, dim=-1))
        out = attention.attention_weights(q, k) @ v
        return projection(out.reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_17():
    """Bias of qkv forgotten."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in (x @ qkv.weight.T).chunk(3, dim=-1))
        out = attention.attention_weights(q, k) @ v
        return projection(out.transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_18():
    """Returns the weights, too."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        weights = attention.attention_weights(q, k)
        return projection((weights @ v).transpose(1, 2).reshape(b, n, width)), weights

    return multi_head_attention


def multi_head_attention_wrong_19():
    """X itself as the values."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, _ = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        v = x.reshape(b, n, num_heads, -1).transpose(1, 2)
        out = attention.attention_weights(q, k) @ v
        return projection(out.transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_20():
    """Mean over the heads instead of joining."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        out = (attention.attention_weights(q, k) @ v).mean(dim=1)
        return projection(out.repeat(1, 1, num_heads))

    return multi_head_attention


def multi_head_attention_wrong_21():
    """[corner] squeezes, so a batch of one loses its axis."""
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        out = attention.attention_weights(q, k) @ v
        return projection(out.transpose(1, 2).reshape(b, n, width)).squeeze(0)

    return multi_head_attention


def multi_head_attention_wrong_22():
    """[rule] a loop over the heads."""
    import torch
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        q, k, v = (t.chunk(num_heads, dim=-1) for t in qkv(x).chunk(3, dim=-1))
        heads = []
        for i in range(num_heads):
            heads.append(attention.attention_weights(q[i], k[i]) @ v[i])
        return projection(torch.cat(heads, dim=-1))

    return multi_head_attention


def multi_head_attention_wrong_23():
    """[gradient] weights under no_grad."""
    import torch
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        with torch.no_grad():
            weights = attention.attention_weights(q, k)
        return projection((weights @ v).transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_wrong_24():
    """Drop-out on the weights, always on."""
    import torch.nn.functional as F
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = (t.reshape(b, n, num_heads, -1).transpose(1, 2) for t in qkv(x).chunk(3, dim=-1))
        weights = F.dropout(attention.attention_weights(q, k), p=0.1)
        return projection((weights @ v).transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_right_01():
    """Five axes and unbind."""

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        q, k, v = qkv(x).reshape(b, n, 3, num_heads, width // num_heads).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.mT * (width // num_heads) ** -0.5).softmax(-1)
        return projection((weights @ v).transpose(1, 2).flatten(2))

    return multi_head_attention


def multi_head_attention_right_02():
    """F.scaled_dot_product_attention (not forbidden)."""
    import torch.nn.functional as F

    def multi_head_attention(x, qkv, projection, num_heads):
        cut = qkv(x).unflatten(-1, (3, num_heads, -1))
        q, k, v = (cut[:, :, i].transpose(1, 2) for i in range(3))
        return projection(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    return multi_head_attention


def multi_head_attention_right_03():
    """Einsum all the way."""
    import math
    import torch
    from torch import nn

    def multi_head_attention(x: torch.Tensor, qkv: nn.Linear, projection: nn.Linear, num_heads: int) -> torch.Tensor:
        q, k, v = torch.einsum("bnthd->tbhnd", qkv(x).unflatten(-1, (3, num_heads, -1)))
        scores = torch.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(q.shape[-1])
        out = torch.einsum("bhij,bhjd->bihd", scores.softmax(dim=3), v)
        return projection(out.flatten(start_dim=2))

    return multi_head_attention


def multi_head_attention_right_04():
    """Heads folded into the batch, bmm."""
    import torch
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        fold = lambda t: t.reshape(b, n, num_heads, -1).transpose(1, 2).reshape(b * num_heads, n, -1)
        q, k, v = map(fold, qkv(x).split(width, dim=-1))
        out = torch.bmm(attention.attention_weights(q, k), v)
        return projection(out.reshape(b, num_heads, n, -1).transpose(1, 2).reshape(b, n, width))

    return multi_head_attention


def multi_head_attention_right_05():
    """F.linear with the layers' weights."""
    import torch.nn.functional as F
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        b, n, width = x.shape
        weights, biases = qkv.weight.chunk(3), qkv.bias.chunk(3)
        split = lambda t: t.view(b, n, num_heads, -1).permute(0, 2, 1, 3)
        q, k, v = (split(F.linear(x, w, c)) for w, c in zip(weights, biases))
        out = attention.attention_weights(q, k).matmul(v).permute(0, 2, 1, 3).contiguous().view(b, n, width)
        return F.linear(out, projection.weight, projection.bias)

    return multi_head_attention


def multi_head_attention_right_06():
    """Stack and cat, the heads before the tokens only by index."""
    import torch
    from course_utils.model import attention

    def multi_head_attention(x, qkv, projection, num_heads):
        q, k, v = (torch.stack(t.chunk(num_heads, dim=-1), dim=1) for t in qkv(x).chunk(3, dim=-1))
        out = attention.attention_weights(q, k) @ v
        return projection(torch.cat(out.unbind(dim=1), dim=-1))

    return multi_head_attention


# exercise, what the check says (None: wrong, without a name), attempt
ATTEMPTS = [
    (checks.softmax, "large numbers overflow", softmax_wrong_01),
    (checks.softmax, "normalised over everything", softmax_wrong_02),
    (checks.softmax, "over the wrong axis", softmax_wrong_03),
    (checks.softmax, "over the wrong axis", softmax_wrong_04),
    (checks.softmax, "one maximum for the whole tensor", softmax_wrong_05),
    (checks.softmax, "large scores are cut off", softmax_wrong_06),
    (checks.softmax, "the largest is taken away only if it is positive", softmax_wrong_07),
    (checks.softmax, "large numbers overflow", softmax_wrong_08),
    (checks.softmax, "nan is replaced", softmax_wrong_09),
    (checks.softmax, "the summed axis is gone", softmax_wrong_10),
    (checks.softmax, "not divided by the sum", softmax_wrong_11),
    (checks.softmax, "no exponential", softmax_wrong_12),
    (checks.softmax, "divided by the largest", softmax_wrong_13),
    (checks.softmax, "another base", softmax_wrong_14),
    (checks.softmax, "the logarithm of the weights", softmax_wrong_15),
    (checks.softmax, "another number than the largest is taken away", softmax_wrong_16),
    (checks.softmax, "something is added to the sum", softmax_wrong_17),
    (checks.softmax, "PyTorch's own softmax", softmax_wrong_18),
    (checks.softmax, "PyTorch's own softmax", softmax_wrong_19),
    (checks.softmax, "PyTorch's own softmax", softmax_wrong_20),
    (checks.softmax, "PyTorch's own softmax", softmax_wrong_21),
    (checks.softmax, "PyTorch's own softmax", softmax_wrong_22),
    (checks.softmax, "changes its input", softmax_wrong_23),
    (checks.softmax, "no gradient", softmax_wrong_24),
    (checks.softmax, "right for some sizes only", softmax_wrong_25),
    (checks.softmax, "all weights alike", softmax_wrong_26),
    (checks.softmax, "correct", softmax_right_01),
    (checks.softmax, "correct", softmax_right_02),
    (checks.softmax, "correct", softmax_right_03),
    (checks.softmax, "correct", softmax_right_04),
    (checks.softmax, "correct", softmax_right_05),
    (checks.softmax, "correct", softmax_right_06),
    (checks.softmax, "correct", softmax_right_07),
    (checks.softmax, "correct", softmax_right_08),
    (checks.attention_weights, "not scaled", attention_weights_wrong_01),
    (checks.attention_weights, "divided by d, not by its root", attention_weights_wrong_02),
    (checks.attention_weights, "multiplied by the root", attention_weights_wrong_03),
    (checks.attention_weights, "scaled by the number of tokens", attention_weights_wrong_04),
    (checks.attention_weights, "scaled after the softmax", attention_weights_wrong_05),
    (checks.attention_weights, "softmax over the queries", attention_weights_wrong_06),
    (checks.attention_weights, "axes counted from the front", attention_weights_wrong_07),
    (checks.attention_weights, "queries and keys exchanged", attention_weights_wrong_08),
    (checks.attention_weights, "axes counted from the front", attention_weights_wrong_09),
    (checks.attention_weights, "axes counted from the front", attention_weights_wrong_10),
    (checks.attention_weights, "axes counted from the front", attention_weights_wrong_11),
    (checks.attention_weights, "large numbers overflow", attention_weights_wrong_12),
    (checks.attention_weights, "the scale is written in", attention_weights_wrong_13),
    (checks.attention_weights, "no softmax", attention_weights_wrong_14),
    (checks.attention_weights, "product number by number", attention_weights_wrong_15),
    (checks.attention_weights, "the width compared with itself", attention_weights_wrong_16),
    (checks.attention_weights, "divided by d, not by its root", attention_weights_wrong_17),
    (checks.attention_weights, "cosines", attention_weights_wrong_18),
    (checks.attention_weights, "reshaped in place of transposed", attention_weights_wrong_19),
    (checks.attention_weights, "the root is rounded", attention_weights_wrong_20),
    (checks.attention_weights, "the future is hidden", attention_weights_wrong_21),
    (checks.attention_weights, "no gradient", attention_weights_wrong_22),
    (checks.attention_weights, "changes its input", attention_weights_wrong_23),
    (checks.attention_weights, "mean over what stands before", attention_weights_wrong_24),
    (checks.attention_weights, "correct", attention_weights_right_01),
    (checks.attention_weights, "correct", attention_weights_right_02),
    (checks.attention_weights, "correct", attention_weights_right_03),
    (checks.attention_weights, "correct", attention_weights_right_04),
    (checks.attention_weights, "correct", attention_weights_right_05),
    (checks.attention_weights, "correct", attention_weights_right_06),
    (checks.attention_weights, "correct", attention_weights_right_07),
    (checks.split_heads, "a bare reshape", split_heads_wrong_01),
    (checks.split_heads, "tokens and heads not exchanged", split_heads_wrong_02),
    (checks.split_heads, "interleaved channels", split_heads_wrong_03),
    (checks.split_heads, "head width and number of heads exchanged", split_heads_wrong_04),
    (checks.split_heads, "tokens and channels exchanged", split_heads_wrong_05),
    (checks.split_heads, "heads before the batch", split_heads_wrong_06),
    (checks.split_heads, "a list in place of a tensor", split_heads_wrong_07),
    (checks.split_heads, "the tokens are split", split_heads_wrong_08),
    (checks.split_heads, "flattened", split_heads_wrong_09),
    (checks.split_heads, "right for some sizes only", split_heads_wrong_10),
    (checks.split_heads, "right for some sizes only", split_heads_wrong_11),
    (checks.split_heads, "in reverse order", split_heads_wrong_12),
    (checks.split_heads, "every head gets the same channels", split_heads_wrong_13),
    (checks.split_heads, "windows that overlap", split_heads_wrong_14),
    (checks.split_heads, "every head keeps the whole width", split_heads_wrong_15),
    (checks.split_heads, "tokens and channels exchanged first", split_heads_wrong_16),
    (checks.split_heads, "no gradient", split_heads_wrong_17),
    (checks.split_heads, "changes its input", split_heads_wrong_18),
    (checks.split_heads, "correct", split_heads_right_01),
    (checks.split_heads, "correct", split_heads_right_02),
    (checks.split_heads, "correct", split_heads_right_03),
    (checks.split_heads, "correct", split_heads_right_04),
    (checks.split_heads, "correct", split_heads_right_05),
    (checks.split_heads, "correct", split_heads_right_06),
    (checks.split_heads, "correct", split_heads_right_07),
    (checks.split_heads, "correct", split_heads_right_08),
    (checks.multi_head_attention, "one head only", multi_head_attention_wrong_01),
    (checks.multi_head_attention, "heads split by a bare reshape", multi_head_attention_wrong_02),
    (checks.multi_head_attention, "joined by a bare reshape", multi_head_attention_wrong_03),
    (checks.multi_head_attention, "heads split by a bare reshape", multi_head_attention_wrong_04),
    (checks.multi_head_attention, "the output projection is missing", multi_head_attention_wrong_05),
    (checks.multi_head_attention, "the output projection twice", multi_head_attention_wrong_06),
    (checks.multi_head_attention, "the input is added", multi_head_attention_wrong_07),
    (checks.multi_head_attention, "scaled by the model width", multi_head_attention_wrong_08),
    (checks.multi_head_attention, "not scaled", multi_head_attention_wrong_09),
    (checks.multi_head_attention, "queries, keys and values in another order", multi_head_attention_wrong_10),
    (checks.multi_head_attention, "queries, keys and values in another order", multi_head_attention_wrong_11),
    (checks.multi_head_attention, "the result of the large map is cut in another way", multi_head_attention_wrong_12),
    (checks.multi_head_attention, "the result of the large map is cut in another way", multi_head_attention_wrong_13),
    (checks.multi_head_attention, "the weights turned round", multi_head_attention_wrong_14),
    (checks.multi_head_attention, "softmax over the wrong axis", multi_head_attention_wrong_15),
    (checks.multi_head_attention, "tokens attend among their own heads", multi_head_attention_wrong_16),
    (checks.multi_head_attention, "a bias is forgotten", multi_head_attention_wrong_17),
    (checks.multi_head_attention, "the weights are returned too", multi_head_attention_wrong_18),
    (checks.multi_head_attention, "the input in place of the values", multi_head_attention_wrong_19),
    (checks.multi_head_attention, "heads averaged or added", multi_head_attention_wrong_20),
    (checks.multi_head_attention, "an axis of length 1 is lost", multi_head_attention_wrong_21),
    (checks.multi_head_attention, "a loop", multi_head_attention_wrong_22),
    (checks.multi_head_attention, "no gradient", multi_head_attention_wrong_23),
    (checks.multi_head_attention, "random numbers of its own", multi_head_attention_wrong_24),
    (checks.multi_head_attention, "correct", multi_head_attention_right_01),
    (checks.multi_head_attention, "correct", multi_head_attention_right_02),
    (checks.multi_head_attention, "correct", multi_head_attention_right_03),
    (checks.multi_head_attention, "correct", multi_head_attention_right_04),
    (checks.multi_head_attention, "correct", multi_head_attention_right_05),
    (checks.multi_head_attention, "correct", multi_head_attention_right_06),
]
