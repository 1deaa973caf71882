"""Attempts at lesson 02 (embeddings), written from the tasks' texts by someone who had not seen the checks."""
# ruff: noqa  - learners' code

from course_utils.checks import embeddings as checks


def add_class_token_wrong_01():
    """Class token at the end."""
    import torch

    def add_class_token(tokens, class_token):
        return torch.cat([tokens, class_token.expand(len(tokens), -1, -1)], dim=1)

    return add_class_token


def add_class_token_wrong_02():
    """[raises] no expand: only a batch of one works."""
    import torch

    def add_class_token(tokens, class_token):
        return torch.cat([class_token, tokens], dim=1)

    return add_class_token


def add_class_token_wrong_03():
    """Joined along the batch."""
    import torch

    def add_class_token(tokens, class_token):
        return torch.cat([class_token.expand(1, tokens.shape[1], -1), tokens], dim=0)

    return add_class_token


def add_class_token_wrong_04():
    """Joined along the width."""
    import torch

    def add_class_token(tokens, class_token):
        return torch.cat([class_token.expand(*tokens.shape[:2], -1), tokens], dim=2)

    return add_class_token


def add_class_token_wrong_05():
    """Added instead of put in front."""

    def add_class_token(tokens, class_token):
        return tokens + class_token

    return add_class_token


def add_class_token_wrong_06():
    """Replaces the first token."""
    import torch

    def add_class_token(tokens, class_token):
        return torch.cat([class_token.expand(len(tokens), -1, -1), tokens[:, 1:]], dim=1)

    return add_class_token


def add_class_token_wrong_07():
    """A class token of zeros."""
    import torch

    def add_class_token(tokens, class_token):
        first = torch.zeros(tokens.shape[0], 1, tokens.shape[2])
        return torch.cat([first, tokens], dim=1)

    return add_class_token


def add_class_token_wrong_08():
    """A new random class token for each image."""
    import torch

    def add_class_token(tokens, class_token):
        return torch.cat([torch.randn(len(tokens), 1, tokens.shape[2]), tokens], dim=1)

    return add_class_token


def add_class_token_wrong_09():
    """Overwrites token 0 in place."""
    import torch

    def add_class_token(tokens, class_token):
        with torch.no_grad():
            tokens[:, 0] = class_token[0, 0]
        return tokens

    return add_class_token


def add_class_token_wrong_10():
    """[gradient] torch.tensor of lists: the class token is not trained."""
    import torch

    def add_class_token(tokens, class_token):
        first = class_token[0, 0].tolist()
        return torch.tensor([[first, *image] for image in tokens.tolist()], dtype=tokens.dtype)

    return add_class_token


def add_class_token_wrong_11():
    """[gradient] uses .data of the class token."""
    import torch

    def add_class_token(tokens, class_token):
        return torch.cat([class_token.data.repeat(tokens.shape[0], 1, 1), tokens], dim=1)

    return add_class_token


def add_class_token_wrong_12():
    """[corner] only for the first image, the others get zeros."""
    import torch

    def add_class_token(tokens, class_token):
        out = torch.zeros(tokens.shape[0], tokens.shape[1] + 1, tokens.shape[2])
        out[:, 1:] = tokens
        out[0, 0] = class_token
        return out

    return add_class_token


def add_class_token_wrong_13():
    """Returns a list of images."""
    import torch

    def add_class_token(tokens, class_token):
        return [torch.cat([class_token[0], image]) for image in tokens]

    return add_class_token


def add_class_token_wrong_14():
    """Repeats it N times: (B, 2 N, D)."""
    import torch

    def add_class_token(tokens, class_token):
        return torch.cat([class_token.expand(*tokens.shape[:2], -1), tokens], dim=1)

    return add_class_token


def add_class_token_wrong_15():
    """[corner] squeezes a batch of one."""
    import torch

    def add_class_token(tokens, class_token):
        return torch.cat([class_token.expand(len(tokens), -1, -1), tokens], dim=1).squeeze(0)

    return add_class_token


def add_class_token_right_01():
    """Repeat."""
    import torch
    from torch import Tensor, nn

    def add_class_token(tokens: Tensor, class_token: Tensor) -> Tensor:
        return torch.cat((class_token.repeat(tokens.size(0), 1, 1), tokens), 1)

    return add_class_token


def add_class_token_right_02():
    """Image by image, then stack."""
    import torch

    def add_class_token(tokens, class_token):
        return torch.stack([torch.cat([class_token[0], image], dim=0) for image in tokens])

    return add_class_token


def add_class_token_right_03():
    """A buffer filled by slices."""

    def add_class_token(tokens, class_token):
        b, n, d = tokens.shape
        out = tokens.new_empty(b, n + 1, d)
        out[:, :1] = class_token
        out[:, 1:] = tokens
        return out

    return add_class_token


def add_class_token_right_04():
    """Padding in front, then an addition in one place."""
    from torch import Tensor, nn

    def add_class_token(tokens, class_token):
        padded = nn.functional.pad(tokens, (0, 0, 1, 0))
        return padded + nn.functional.pad(class_token, (0, 0, 0, tokens.shape[1]))

    return add_class_token


def add_class_token_right_05():
    """Expand_as and hstack."""
    import torch

    def add_class_token(tokens, class_token):
        return torch.hstack([class_token.expand_as(tokens[:, :1]), tokens])

    return add_class_token


def add_class_token_right_06():
    """Lambda."""
    import torch

    add_class_token = lambda tokens, class_token: torch.cat([torch.cat([class_token] * tokens.shape[0]), tokens], dim=1)

    return add_class_token


def add_class_token_right_07():
    """At the end, then rolled to the front."""
    import torch

    def add_class_token(tokens, class_token):
        sequence = torch.cat([tokens, class_token.broadcast_to(len(tokens), 1, -1)], dim=1)
        return sequence.roll(1, dims=1)

    return add_class_token


def add_class_token_right_08():
    """Nn.Module with forward."""
    import torch
    from torch import Tensor, nn

    class Front(nn.Module):
        def forward(self, tokens, class_token):
            ones = torch.ones(tokens.shape[0], dtype=tokens.dtype)
            return torch.cat([torch.einsum("b,xyd->byd", ones, class_token), tokens], dim=-2)

    add_class_token = Front()

    return add_class_token


def add_class_token_wrong_16():
    """[gradient] numpy inside."""
    import numpy as np
    import torch

    def add_class_token(tokens, class_token):
        first = np.repeat(class_token.detach().numpy(), len(tokens), axis=0)
        return torch.from_numpy(np.concatenate([first, tokens.detach().numpy()], axis=1))

    return add_class_token


def position_similarity_wrong_01():
    """Dot products without the lengths."""

    def position_similarity(codes):
        return codes @ codes.T

    return position_similarity


def position_similarity_wrong_02():
    """Divides by the lengths of one side only."""

    def position_similarity(codes):
        return (codes / codes.norm(dim=1, keepdim=True)) @ codes.T

    return position_similarity


def position_similarity_wrong_03():
    """Lengths along the wrong axis."""

    def position_similarity(codes):
        unit = codes / codes.norm(dim=0, keepdim=True)
        return unit @ unit.T

    return position_similarity


def position_similarity_wrong_04():
    """One length for the whole table."""

    def position_similarity(codes):
        unit = codes / codes.norm()
        return unit @ unit.T

    return position_similarity


def position_similarity_wrong_05():
    """Compares the channels: (D, D)."""

    def position_similarity(codes):
        unit = codes / codes.norm(dim=1, keepdim=True)
        return unit.T @ unit

    return position_similarity


def position_similarity_wrong_06():
    """Squared lengths: the root is missing."""

    def position_similarity(codes):
        unit = codes / (codes**2).sum(dim=1, keepdim=True)
        return unit @ unit.T

    return position_similarity


def position_similarity_wrong_07():
    """Correlation: the mean of each code is taken away."""

    def position_similarity(codes):
        centred = codes - codes.mean(dim=1, keepdim=True)
        unit = centred / centred.norm(dim=1, keepdim=True)
        return unit @ unit.T

    return position_similarity


def position_similarity_wrong_08():
    """The mean code is taken away first."""

    def position_similarity(codes):
        centred = codes - codes.mean(dim=0)
        unit = centred / centred.norm(dim=1, keepdim=True)
        return unit @ unit.T

    return position_similarity


def position_similarity_wrong_09():
    """Only with itself: (N,)."""
    import torch.nn.functional as F

    def position_similarity(codes):
        return F.cosine_similarity(codes, codes, dim=-1)

    return position_similarity


def position_similarity_wrong_10():
    """Absolute values."""

    def position_similarity(codes):
        unit = codes / codes.norm(dim=1, keepdim=True)
        return (unit @ unit.T).abs()

    return position_similarity


def position_similarity_wrong_11():
    """Clamps to 0..1."""

    def position_similarity(codes):
        unit = codes / codes.norm(dim=1, keepdim=True)
        return (unit @ unit.T).clamp(0, 1)

    return position_similarity


def position_similarity_wrong_12():
    """Distances."""
    import torch

    def position_similarity(codes):
        return 1 - torch.cdist(codes, codes)

    return position_similarity


def position_similarity_wrong_13():
    """Angles instead of cosines."""
    import torch

    def position_similarity(codes):
        unit = codes / codes.norm(dim=1, keepdim=True)
        return torch.acos((unit @ unit.T).clamp(-1, 1))

    return position_similarity


def position_similarity_wrong_14():
    """[corner] adds 0.001 to the lengths: wrong for short codes."""

    def position_similarity(codes):
        unit = codes / (codes.norm(dim=1, keepdim=True) + 1e-3)
        return unit @ unit.T

    return position_similarity


def position_similarity_wrong_15():
    """[mutates] divides the codes in place."""

    def position_similarity(codes):
        codes /= codes.norm(dim=1, keepdim=True)
        return codes @ codes.T

    return position_similarity


def position_similarity_wrong_16():
    """A norm of sums of absolute values."""

    def position_similarity(codes):
        unit = codes / codes.abs().sum(dim=1, keepdim=True)
        return unit @ unit.T

    return position_similarity


def position_similarity_wrong_17():
    """Softmax of the dot products."""

    def position_similarity(codes):
        return (codes @ codes.T / codes.shape[1] ** 0.5).softmax(dim=-1)

    return position_similarity


def position_similarity_wrong_18():
    """Half of the table is left at 0."""
    import torch

    def position_similarity(codes):
        n = len(codes)
        table = torch.zeros(n, n)
        for i in range(n):
            for j in range(i + 1):
                table[i, j] = codes[i] @ codes[j] / (codes[i].norm() * codes[j].norm())
        return table

    return position_similarity


def position_similarity_wrong_19():
    """[corner] two numbers for a code hard-coded."""

    def position_similarity(codes):
        length = (codes[:, 0] ** 2 + codes[:, 1] ** 2).sqrt()
        return codes @ codes.T / (length[:, None] * length)

    return position_similarity


def position_similarity_right_01():
    """Cosine_similarity with broadcasting."""
    import torch.nn.functional as F
    from torch import Tensor, nn

    def position_similarity(codes: Tensor) -> Tensor:
        return F.cosine_similarity(codes[:, None], codes[None], dim=-1)

    return position_similarity


def position_similarity_right_02():
    """F.normalize."""
    import torch
    import torch.nn.functional as F

    def position_similarity(codes):
        return torch.mm(F.normalize(codes, dim=1), F.normalize(codes, dim=1).t())

    return position_similarity


def position_similarity_right_03():
    """Two loops."""
    import torch

    def position_similarity(codes):
        table = torch.empty(len(codes), len(codes), dtype=codes.dtype)
        for i, a in enumerate(codes):
            for j, b in enumerate(codes):
                table[i, j] = (a * b).sum() / ((a * a).sum() * (b * b).sum()).sqrt()
        return table

    return position_similarity


def position_similarity_right_04():
    """Gram matrix divided by the roots of its diagonal."""
    import torch

    def position_similarity(codes):
        gram = torch.einsum("id,jd->ij", codes, codes)
        length = gram.diagonal().sqrt()
        return gram / torch.outer(length, length)

    return position_similarity


def position_similarity_right_05():
    """Numpy in float64."""
    import numpy as np
    import torch

    def position_similarity(codes):
        x = codes.detach().numpy().astype(np.float64)
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        return torch.from_numpy(x @ x.T).to(codes.dtype)

    return position_similarity


def position_similarity_right_06():
    """Plain Python."""
    import math
    import torch

    def position_similarity(codes):
        rows = codes.tolist()
        lengths = [math.hypot(*row) for row in rows]
        table = [[sum(map(float.__mul__, a, b)) / m / n for b, n in zip(rows, lengths)] for a, m in zip(rows, lengths)]
        return torch.tensor(table, dtype=codes.dtype)

    return position_similarity


def position_similarity_right_07():
    """From the distances of the unit vectors."""
    import torch

    def position_similarity(codes):
        unit = codes.double() / torch.linalg.vector_norm(codes.double(), dim=1, keepdim=True)
        squares = (unit[:, None] - unit).square().sum(dim=-1)
        return (1 - squares / 2).to(codes.dtype)

    return position_similarity


def position_similarity_right_08():
    """Clamped to -1..1 against rounding."""

    def position_similarity(codes):
        unit = codes * codes.square().sum(1, True).rsqrt()
        return (unit @ unit.T).clamp(min=-1, max=1)

    return position_similarity


def sincos_2d_wrong_01():
    """Column before row."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / count)
        row, column = embeddings.grid_coordinates(grid).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([b.sin(), b.cos(), a.sin(), a.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_02():
    """Sines of both first, then cosines of both."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / count)
        row, column = embeddings.grid_coordinates(grid).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), b.sin(), a.cos(), b.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_03():
    """Sine and cosine alternate."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / count)
        row, column = embeddings.grid_coordinates(grid).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([torch.stack([t.sin(), t.cos()], dim=-1).flatten(1) for t in (a, b)], dim=1)

    return sincos_2d


def sincos_2d_wrong_04():
    """Cosine before sine."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / count)
        row, column = embeddings.grid_coordinates(grid).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.cos(), a.sin(), b.cos(), b.sin()], dim=1)

    return sincos_2d


def sincos_2d_wrong_05():
    """Speeds with count - 1 (as big_vision)."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / max(1, count - 1))
        row, column = embeddings.grid_coordinates(grid).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_06():
    """Base hard-coded."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = 10_000.0 ** -(torch.arange(count) / count)
        row, column = embeddings.grid_coordinates(grid).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_07():
    """Minus in the exponent forgotten."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** (torch.arange(count) / count)
        row, column = embeddings.grid_coordinates(grid).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_08():
    """Exponent i / D instead of i / (D/4)."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / embed_dim)
        row, column = embeddings.grid_coordinates(grid).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_09():
    """Exponent 2i / (D/2) as in one dimension, but with i over D/2: twice too wide, cut."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 2
        speeds = base ** -(torch.arange(count) / count)
        row, column = embeddings.grid_coordinates(grid).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)[:, :embed_dim]

    return sincos_2d


def sincos_2d_wrong_10():
    """[corner] square grids only."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / count)
        row, column = embeddings.grid_coordinates((grid[0], grid[0])).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_11():
    """[corner] row number by division by the number of rows."""
    import torch

    def sincos_2d(grid, embed_dim, base=10_000.0):
        rows, columns = grid
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / count)
        n = torch.arange(rows * columns)
        row, column = n // rows, n % rows
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_12():
    """Patches numbered column by column."""
    import torch

    def sincos_2d(grid, embed_dim, base=10_000.0):
        rows, columns = grid
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / count)
        n = torch.arange(rows * columns)
        row, column = n % rows, n // rows
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_13():
    """Counts places from 1."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / count)
        row, column = embeddings.grid_coordinates(grid).T + 1
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_14():
    """One axis only: the number of the patch."""
    import torch

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 2
        speeds = base ** -(torch.arange(count) / count)
        angles = torch.arange(grid[0] * grid[1])[:, None] * speeds
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_15():
    """Returns (rows, columns, D)."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / count)
        row, column = embeddings.grid_coordinates(grid).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1).reshape(*grid, embed_dim)

    return sincos_2d


def sincos_2d_wrong_16():
    """Whole-number division in the exponent: all speeds 1."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) // count).float()
        row, column = embeddings.grid_coordinates(grid).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_17():
    """Places scaled to 0..1."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / count)
        row, column = embeddings.grid_coordinates(grid).T
        row, column = row / max(1, grid[0] - 1), column / max(1, grid[1] - 1)
        a, b = row[:, None] * speeds, column[:, None] * speeds
        return torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)

    return sincos_2d


def sincos_2d_wrong_18():
    """A code for the class token in front."""
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        count = embed_dim // 4
        speeds = base ** -(torch.arange(count) / count)
        row, column = embeddings.grid_coordinates(grid).T
        a, b = row[:, None] * speeds, column[:, None] * speeds
        codes = torch.cat([a.sin(), a.cos(), b.sin(), b.cos()], dim=1)
        return torch.cat([torch.zeros(1, embed_dim), codes])

    return sincos_2d


def sincos_2d_right_01():
    """Plain Python."""
    import math
    import torch

    def sincos_2d(grid, embed_dim, base=10_000.0):
        quarter = embed_dim // 4
        speeds = [base ** (-i / quarter) for i in range(quarter)]
        codes = []
        for r in range(grid[0]):
            for c in range(grid[1]):
                codes.append([f(x * w) for x in (r, c) for f in (math.sin, math.cos) for w in speeds])
        return torch.tensor(codes)

    return sincos_2d


def sincos_2d_right_02():
    """Numpy meshgrid, cast at the end."""
    import numpy as np
    import torch

    def sincos_2d(grid, embed_dim, base=10_000.0):
        r, c = np.meshgrid(np.arange(grid[0]), np.arange(grid[1]), indexing="ij")
        w = base ** -np.linspace(0, 1, embed_dim // 4, endpoint=False)
        a, b = np.outer(r.ravel(), w), np.outer(c.ravel(), w)
        return torch.from_numpy(np.hstack([np.sin(a), np.cos(a), np.sin(b), np.cos(b)])).float()

    return sincos_2d


def sincos_2d_right_03():
    """Each axis once, then repeated."""
    import torch
    from torch import Tensor, nn

    def sincos_2d(grid: tuple[int, int], embed_dim: int, base: float = 10_000.0) -> Tensor:
        def clock(n):
            angles = torch.arange(n)[:, None] * base ** (-4 * torch.arange(embed_dim // 4) / embed_dim)
            return torch.cat([angles.sin(), angles.cos()], dim=1)

        rows, columns = grid
        return torch.cat([clock(rows).repeat_interleave(columns, 0), clock(columns).repeat(rows, 1)], dim=1)

    return sincos_2d


def sincos_2d_right_04():
    """Complex numbers."""
    import math
    import torch
    from course_utils.model import embeddings

    def sincos_2d(grid, embed_dim, base=10_000.0):
        k = embed_dim // 4
        speeds = torch.exp(-math.log(base) * torch.arange(k, dtype=torch.float64) / k)
        places = embeddings.grid_coordinates(grid)
        hands = torch.polar(torch.ones(1, dtype=torch.float64), places[:, :, None] * speeds)
        return torch.cat([hands.imag, hands.real], dim=-1).flatten(1).float()

    return sincos_2d


def sincos_2d_right_05():
    """Cosine as a shifted sine, in float64."""
    import math
    import torch

    def sincos_2d(grid, embed_dim, base=10_000.0):
        k = embed_dim // 4
        w = torch.pow(torch.tensor(base, dtype=torch.float64), -torch.arange(k) / k)
        n = torch.arange(grid[0] * grid[1])
        row, column = torch.div(n, grid[1], rounding_mode="floor"), n % grid[1]
        angles = torch.stack([row, column], 1)[:, :, None, None] * w
        turned = angles + torch.tensor([0, math.pi / 2], dtype=torch.float64)[:, None]
        return turned.sin().reshape(len(n), embed_dim).to(torch.float32)

    return sincos_2d


def sincos_2d_right_06():
    """Filled column by column."""
    import torch

    def sincos_2d(grid, embed_dim, base=10_000.0):
        k = embed_dim // 4
        out = torch.zeros(grid[0], grid[1], embed_dim)
        for i in range(k):
            speed = 1 / base ** (i / k)
            r, c = torch.arange(grid[0]) * speed, torch.arange(grid[1]) * speed
            out[..., i], out[..., k + i] = r.sin()[:, None], r.cos()[:, None]
            out[..., 2 * k + i], out[..., 3 * k + i] = c.sin(), c.cos()
        return out.reshape(-1, embed_dim)

    return sincos_2d


def sincos_2d_right_07():
    """Other default written as 1e4, result detached from nothing, class with __call__."""
    import torch

    class Codes:
        def __call__(self, grid, embed_dim, base=1e4):
            speeds = base ** -torch.linspace(0, 1, embed_dim // 4 + 1)[:-1]
            rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
            angles = [torch.outer(t.flatten().float(), speeds) for t in (rows, columns)]
            return torch.cat([f(a) for a in angles for f in (torch.sin, torch.cos)], dim=-1)

    sincos_2d = Codes()

    return sincos_2d


def embed_wrong_01():
    """Bias forgotten."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight.T
        first = class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1) + position_code

    return embed


def embed_wrong_02():
    """Position codes forgotten."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight.T + bias
        first = class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1)

    return embed


def embed_wrong_03():
    """No code for the class token."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight.T + bias
        tokens = tokens + position_code[:, 1:]
        return torch.cat([class_token.expand(len(tokens), -1, -1), tokens], dim=1)

    return embed


def embed_wrong_04():
    """Codes shifted by one: patch n gets code n."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight.T + bias + position_code[:, :-1]
        first = class_token.expand(len(tokens), -1, -1) + position_code[:, -1:]
        return torch.cat([first, tokens], dim=1)

    return embed


def embed_wrong_05():
    """Class token at the end."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight.T + bias
        first = class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([tokens, first], dim=1) + position_code

    return embed


def embed_wrong_06():
    """[raises] class token not expanded."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight.T + bias
        return torch.cat([class_token, tokens], dim=1) + position_code

    return embed


def embed_wrong_07():
    """Codes multiplied."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight.T + bias
        first = class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1) * position_code

    return embed


def embed_wrong_08():
    """Codes joined along the width."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight.T + bias
        x = torch.cat([class_token.expand(len(tokens), -1, -1), tokens], dim=1)
        return torch.cat([x, position_code.expand_as(x)], dim=2)

    return embed


def embed_wrong_09():
    """[raises] weight not transposed."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight + bias
        first = class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1) + position_code

    return embed


def embed_wrong_10():
    """Bare reshape instead of patchify."""
    import torch

    def embed(images, patch_size, weight, bias, class_token, position_code):
        patches = images.reshape(len(images), -1, weight.shape[1])
        tokens = patches @ weight.T + bias
        first = class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1) + position_code

    return embed


def embed_wrong_11():
    """Bias also on the class token."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight.T
        first = class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1) + bias + position_code

    return embed


def embed_wrong_12():
    """Codes twice."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight.T + bias + position_code[:, 1:]
        first = class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1) + position_code

    return embed


def embed_wrong_13():
    """A new random nn.Linear instead of weight and bias."""
    import torch
    from torch import Tensor, nn
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = nn.Linear(weight.shape[1], weight.shape[0])(patchify(images, patch_size))
        first = class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1) + position_code

    return embed


def embed_wrong_14():
    """A module with .data: no gradient reaches weight and bias [gradient]."""
    import torch
    from torch import Tensor, nn
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data, linear.bias.data = weight.data, bias.data
        tokens = linear(patchify(images, patch_size))
        first = class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1) + position_code

    return embed


def embed_wrong_15():
    """[gradient] under no_grad."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        with torch.no_grad():
            tokens = patchify(images, patch_size) @ weight.T + bias
            first = class_token.expand(tokens.shape[0], -1, -1)
            return torch.cat([first, tokens], dim=1) + position_code

    return embed


def embed_wrong_16():
    """A class token drawn at random."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight.T + bias
        first = torch.randn(len(tokens), 1, tokens.shape[2])
        return torch.cat([first, tokens], dim=1) + position_code

    return embed


def embed_wrong_17():
    """Convolution without bringing the tokens to axis 1: bare reshape."""
    import torch
    import torch.nn.functional as F

    def embed(images, patch_size, weight, bias, class_token, position_code):
        kernels = weight.reshape(len(weight), -1, patch_size, patch_size)
        tokens = F.conv2d(images, kernels, bias, stride=patch_size).reshape(len(images), -1, len(weight))
        first = class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1) + position_code

    return embed


def embed_wrong_18():
    """ReLU behind the linear map."""
    import torch
    import torch.nn.functional as F
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = F.relu(F.linear(patchify(images, patch_size), weight, bias))
        first = class_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1) + position_code

    return embed


def embed_wrong_19():
    """[mutates] adds the class token to its code in place."""
    import torch
    import torch.nn.functional as F
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = patchify(images, patch_size) @ weight.T + bias
        with torch.no_grad():
            position_code[:, :1] += class_token
        return F.pad(tokens, (0, 0, 1, 0)) + position_code

    return embed


def embed_right_01():
    """F.linear."""
    import torch
    import torch.nn.functional as F
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = F.linear(patchify(images, patch_size), weight, bias)
        return torch.cat([class_token.repeat(len(images), 1, 1), tokens], 1).add(position_code)

    return embed


def embed_right_02():
    """Convolution."""
    import torch
    import torch.nn.functional as F

    def embed(images, patch_size, weight, bias, class_token, position_code):
        kernels = weight.reshape(len(weight), images.shape[1], patch_size, patch_size)
        tokens = F.conv2d(images, kernels, bias, stride=patch_size).flatten(2).transpose(1, 2)
        first = class_token.expand(images.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1) + position_code

    return embed


def embed_right_03():
    """Codes added to each part, then joined."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        first, rest = position_code[:, :1], position_code[:, 1:]
        tokens = torch.einsum("bnk,dk->bnd", patchify(images, patch_size), weight) + (bias + rest)
        return torch.cat([(class_token + first).expand(len(images), -1, -1), tokens], dim=1)

    return embed


def embed_right_04():
    """Image by image."""
    import torch
    from torch import Tensor, nn
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(
        images: Tensor, patch_size: int, weight: Tensor, bias: Tensor, class_token: Tensor, position_code: Tensor
    ) -> Tensor:
        out = []
        for image in images:
            tokens = torch.addmm(bias, patchify(image[None], patch_size)[0], weight.T)
            out.append(torch.cat([class_token[0], tokens]) + position_code[0])
        return torch.stack(out)

    return embed


def embed_right_05():
    """Float64 inside and cast back."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        images64, w, b, c, p = (t.double() for t in (images, weight, bias, class_token, position_code))
        tokens = patchify(images64, patch_size) @ w.T + b
        return (torch.cat([c.expand(len(tokens), -1, -1), tokens], dim=1) + p).to(images.dtype)

    return embed


def embed_right_06():
    """The course's PatchEmbedding with functional_call."""
    import torch
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        layer = PatchEmbedding(patch_size, images.shape[1], len(weight))
        tokens = torch.func.functional_call(layer, {"projection.weight": weight, "projection.bias": bias}, (images,))
        return torch.cat([class_token.expand(len(tokens), -1, -1), tokens], dim=-2) + position_code

    return embed


def embed_right_07():
    """Loop over patches with slices."""
    import torch

    def embed(images, patch_size, weight, bias, class_token, position_code):
        p, (b, c, h, w) = patch_size, images.shape
        sequence = [class_token[:, 0].expand(b, -1)]
        for top in range(0, h, p):
            for left in range(0, w, p):
                sequence.append(images[:, :, top : top + p, left : left + p].flatten(1) @ weight.T + bias)
        return torch.stack([t + position_code[0, i] for i, t in enumerate(sequence)], dim=1)

    return embed


def embed_right_08():
    """Padding instead of cat."""
    import torch.nn.functional as F
    from course_utils.model.patches import PatchEmbedding, patchify, unpatchify

    def embed(images, patch_size, weight, bias, class_token, position_code):
        tokens = F.pad(F.linear(patchify(images, patch_size), weight, bias), (0, 0, 1, 0))
        return tokens + position_code + F.pad(class_token, (0, 0, 0, tokens.shape[1] - 1))

    return embed


# exercise, what the check says (None: wrong, without a name), attempt
ATTEMPTS = [
    (checks.add_class_token, "appended at the end", add_class_token_wrong_01),
    (checks.add_class_token, "not repeated for each image", add_class_token_wrong_02),
    (checks.add_class_token, "joined along the batch", add_class_token_wrong_03),
    (checks.add_class_token, "joined along the width", add_class_token_wrong_04),
    (checks.add_class_token, "added instead of put in front", add_class_token_wrong_05),
    (checks.add_class_token, "put over the first patch", add_class_token_wrong_06),
    (checks.add_class_token, "a new token instead of the given one", add_class_token_wrong_07),
    (checks.add_class_token, "random numbers of its own", add_class_token_wrong_08),
    (checks.add_class_token, "put over the first patch", add_class_token_wrong_09),
    (checks.add_class_token, "no gradient", add_class_token_wrong_10),
    (checks.add_class_token, "no gradient", add_class_token_wrong_11),
    (checks.add_class_token, "only the first image gets it", add_class_token_wrong_12),
    (checks.add_class_token, "a list in place of a tensor", add_class_token_wrong_13),
    (checks.add_class_token, "one class token for each patch", add_class_token_wrong_14),
    (checks.add_class_token, "an axis of length 1 is lost", add_class_token_wrong_15),
    (checks.add_class_token, "correct", add_class_token_right_01),
    (checks.add_class_token, "correct", add_class_token_right_02),
    (checks.add_class_token, "correct", add_class_token_right_03),
    (checks.add_class_token, "correct", add_class_token_right_04),
    (checks.add_class_token, "correct", add_class_token_right_05),
    (checks.add_class_token, "correct", add_class_token_right_06),
    (checks.add_class_token, "correct", add_class_token_right_07),
    (checks.add_class_token, "correct", add_class_token_right_08),
    (checks.add_class_token, "no gradient", add_class_token_wrong_16),
    (checks.position_similarity, "lengths left in", position_similarity_wrong_01),
    (checks.position_similarity, "divided by one length only", position_similarity_wrong_02),
    (checks.position_similarity, "length of the columns", position_similarity_wrong_03),
    (checks.position_similarity, "one length for all codes", position_similarity_wrong_04),
    (checks.position_similarity, "columns compared", position_similarity_wrong_05),
    (checks.position_similarity, "squared lengths", position_similarity_wrong_06),
    (checks.position_similarity, "mean taken away first", position_similarity_wrong_07),
    (checks.position_similarity, "mean taken away first", position_similarity_wrong_08),
    (checks.position_similarity, "each code with itself only", position_similarity_wrong_09),
    (checks.position_similarity, "the sign is cut off", position_similarity_wrong_10),
    (checks.position_similarity, "the sign is cut off", position_similarity_wrong_11),
    (checks.position_similarity, "distances", position_similarity_wrong_12),
    (checks.position_similarity, "angles", position_similarity_wrong_13),
    (checks.position_similarity, "lengths below 1 kept", position_similarity_wrong_14),
    (checks.position_similarity, "changes its input", position_similarity_wrong_15),
    (checks.position_similarity, "another length", position_similarity_wrong_16),
    (checks.position_similarity, "a softmax", position_similarity_wrong_17),
    (checks.position_similarity, "half of the table is empty", position_similarity_wrong_18),
    (checks.position_similarity, None, position_similarity_wrong_19),
    (checks.position_similarity, "correct", position_similarity_right_01),
    (checks.position_similarity, "correct", position_similarity_right_02),
    (checks.position_similarity, "correct", position_similarity_right_03),
    (checks.position_similarity, "correct", position_similarity_right_04),
    (checks.position_similarity, "correct", position_similarity_right_05),
    (checks.position_similarity, "correct", position_similarity_right_06),
    (checks.position_similarity, "correct", position_similarity_right_07),
    (checks.position_similarity, "correct", position_similarity_right_08),
    (checks.sincos_2d, "column before row", sincos_2d_wrong_01),
    (checks.sincos_2d, "all sines first", sincos_2d_wrong_02),
    (checks.sincos_2d, "sine and cosine in turns", sincos_2d_wrong_03),
    (checks.sincos_2d, "cosine before sine", sincos_2d_wrong_04),
    (checks.sincos_2d, "speeds fall too far", sincos_2d_wrong_05),
    (checks.sincos_2d, "base written in", sincos_2d_wrong_06),
    (checks.sincos_2d, "speeds grow", sincos_2d_wrong_07),
    (checks.sincos_2d, "speeds fall too slowly", sincos_2d_wrong_08),
    (checks.sincos_2d, "too many speeds, then cut", sincos_2d_wrong_09),
    (checks.sincos_2d, "right for some sizes only", sincos_2d_wrong_10),
    (checks.sincos_2d, "row found with the number of rows", sincos_2d_wrong_11),
    (checks.sincos_2d, "patches column by column", sincos_2d_wrong_12),
    (checks.sincos_2d, "counted from 1", sincos_2d_wrong_13),
    (checks.sincos_2d, "number of the patch instead of row and column", sincos_2d_wrong_14),
    (checks.sincos_2d, "the grid not flattened", sincos_2d_wrong_15),
    (checks.sincos_2d, "one speed for all", sincos_2d_wrong_16),
    (checks.sincos_2d, "places from 0 to 1", sincos_2d_wrong_17),
    (checks.sincos_2d, "a code for the class token", sincos_2d_wrong_18),
    (checks.sincos_2d, "correct", sincos_2d_right_01),
    (checks.sincos_2d, "correct", sincos_2d_right_02),
    (checks.sincos_2d, "correct", sincos_2d_right_03),
    (checks.sincos_2d, "correct", sincos_2d_right_04),
    (checks.sincos_2d, "correct", sincos_2d_right_05),
    (checks.sincos_2d, "correct", sincos_2d_right_06),
    (checks.sincos_2d, "correct", sincos_2d_right_07),
    (checks.embed, "no bias", embed_wrong_01),
    (checks.embed, "no position codes", embed_wrong_02),
    (checks.embed, "the class token without its code", embed_wrong_03),
    (checks.embed, "codes moved by one", embed_wrong_04),
    (checks.embed, "the class token at the end", embed_wrong_05),
    (checks.embed, "the class token not repeated for each image", embed_wrong_06),
    (checks.embed, "codes multiplied", embed_wrong_07),
    (checks.embed, "codes joined along the width", embed_wrong_08),
    (checks.embed, "weight not turned round", embed_wrong_09),
    (checks.embed, "patches cut by a bare reshape", embed_wrong_10),
    (checks.embed, "the bias added to the class token too", embed_wrong_11),
    (checks.embed, "the codes added twice", embed_wrong_12),
    (checks.embed, "a projection of its own", embed_wrong_13),
    (checks.embed, "no gradient", embed_wrong_14),
    (checks.embed, "no gradient", embed_wrong_15),
    (checks.embed, "random numbers of its own", embed_wrong_16),
    (checks.embed, "a bare reshape of a convolution", embed_wrong_17),
    (checks.embed, "a ReLU behind the projection", embed_wrong_18),
    (checks.embed, "changes its input", embed_wrong_19),
    (checks.embed, "correct", embed_right_01),
    (checks.embed, "correct", embed_right_02),
    (checks.embed, "correct", embed_right_03),
    (checks.embed, "correct", embed_right_04),
    (checks.embed, "correct", embed_right_05),
    (checks.embed, "correct", embed_right_06),
    (checks.embed, "correct", embed_right_07),
    (checks.embed, "correct", embed_right_08),
]
