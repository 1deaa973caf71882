"""Position codes compared, and made from sines and cosines."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.analysis import attention_maps
from course_utils.checks.core import Exercise, Mistake
from course_utils.model import embeddings
from course_utils.model.embeddings import frequencies, grid_coordinates


def _codes() -> list[tuple[Tensor]]:
    """Three codes whose similarities are 0, 1 and 0.7071 by hand; then others, among them very short and long ones."""
    torch.manual_seed(0)
    by_hand = torch.tensor([[0.5, 0.0], [0.0, 2.0], [3.0, 3.0]])
    lengths = torch.tensor([[0.01], [1000.0], [1.0], [30.0], [0.2]])
    return [(by_hand,), (torch.randn(4, 6) + 1,), (lengths * torch.randn(5, 3),)]


def _cosine(codes: Tensor) -> Tensor:
    return attention_maps.position_similarity(codes)


def _lengths(codes: Tensor) -> Tensor:
    return codes.norm(dim=1, keepdim=True)  # (N, D) -> (N, 1)


position_similarity = Exercise(
    "position_similarity",
    attention_maps.position_similarity,
    _codes,
    (
        Mistake(
            "lengths left in",
            "These are dot products. Long codes get large numbers, whatever their direction. Each dot product must be "
            "divided by the lengths of both codes: then the diagonal is 1.",
            lambda c: c @ c.T,
        ),
        Mistake(
            "divided by one length only",
            "Each dot product is divided by the length of one of the two codes only. The similarity of a with b must "
            "be that of b with a: look at whether your result is symmetric.",
            lambda c: c @ c.T / _lengths(c),
            lambda c: c @ c.T / _lengths(c).T,
        ),
        Mistake(
            "length of the columns",
            "You took lengths along the wrong axis: of each of the D columns, instead of each of the N codes. A code "
            "is a row of D numbers; its length is taken over these D.",
            lambda c: F.normalize(c, dim=0) @ F.normalize(c, dim=0).T,
        ),
        Mistake(
            "one length for all codes",
            "You divide by one number, the length of the whole table. Every code has a length of its own: without "
            "`dim`, a norm runs over all numbers.",
            lambda c: (c / c.norm()) @ (c / c.norm()).T,
            lambda c: c @ c.T / c.norm(),
        ),
        Mistake(
            "squared lengths",
            "You divide by squared lengths: the root is missing. Test it with one code of length 2: its similarity "
            "with itself should be 1.",
            lambda c: (c / _lengths(c) ** 2) @ (c / _lengths(c) ** 2).T,
            lambda c: c @ c.T / (_lengths(c) ** 2 @ (_lengths(c) ** 2).T),
        ),
        Mistake(
            "lengths in the wrong shape",
            "You divide (N, D) by N lengths of shape (N,). PyTorch lines up the last axes, so it would divide the "
            "columns by them. Keep the axis, so that the lengths have the shape (N, 1): one for each row.",
            lambda c: c / c.norm(dim=1),
        ),
        Mistake(
            "lengths below 1 kept",
            "Long codes are right, short ones are not: a length below 1 is taken for 1, or something is added to "
            "it. Divide by the length itself, whatever it is.",
            lambda c: (c / _lengths(c).clamp(min=1)) @ (c / _lengths(c).clamp(min=1)).T,
            lambda c: c @ c.T / (_lengths(c) @ _lengths(c).T).clamp(min=1),
            lambda c: c @ c.T / (_lengths(c) @ _lengths(c).T + 1),
            lambda c: (c / (_lengths(c) + 1)) @ (c / (_lengths(c) + 1)).T,
            *(
                lambda c, small=small: (c / (_lengths(c) + small)) @ (c / (_lengths(c) + small)).T
                for small in (1e-1, 1e-2, 1e-3, 1e-4)
            ),
        ),
        Mistake(
            "transpose forgotten",
            "(N, D) times (N, D) does not fit, unless N = D. To compare every code with every code, the sum must run "
            "over D: turn one of the two tables round.",
            lambda c: c @ c,
        ),
        Mistake(
            "columns compared",
            "Your table is (D, D): it compares the D columns with each other. We want to compare the N codes, so the "
            "product must be taken over D.",
            lambda c: F.normalize(c, dim=0).T @ F.normalize(c, dim=0),
            lambda c: F.normalize(c, dim=1).T @ F.normalize(c, dim=1),
            lambda c: c.T @ c,
        ),
        Mistake(
            "each code with itself only",
            "There are N numbers, all 1: each code was compared with itself only. We need every code with every "
            "other, (N, N).",
            lambda c: F.cosine_similarity(c, c, dim=1),
            lambda c: F.cosine_similarity(c, c, dim=0),
        ),
        Mistake(
            "mean taken away first",
            "You subtract the mean of each code first: that is a correlation. It is near the cosine, but not the "
            "same. Take the codes as they are.",
            torch.corrcoef,
            lambda c: _cosine(c - c.mean(dim=1, keepdim=True)),
            lambda c: _cosine(c - c.mean(dim=0)),
        ),
        Mistake(
            "distances",
            "These are distances: 0 for equal codes, and they grow without end. A similarity is largest for equal "
            "codes.",
            lambda c: torch.cdist(c, c),
            lambda c: torch.cdist(F.normalize(c, dim=1), F.normalize(c, dim=1)),
            lambda c: 1 - torch.cdist(c, c),
            lambda c: 1 / (1 + torch.cdist(c, c)),
        ),
        Mistake(
            "angles",
            "These are angles: 0 for equal codes. The cosine of the angle is asked, 1 for equal codes.",
            lambda c: _cosine(c).clamp(-1, 1).acos(),
        ),
        Mistake(
            "another length",
            "You divide by the sum of the absolute values. A length is the root of the sum of the squares, so that "
            "the diagonal is 1.",
            lambda c: F.normalize(c, p=1, dim=1) @ F.normalize(c, p=1, dim=1).T,
        ),
        Mistake(
            "a softmax",
            "You take a softmax of the dot products, as attention does. Here only lengths are divided out: the "
            "diagonal is 1.",
            lambda c: (c @ c.T).softmax(dim=-1),
            lambda c: (c @ c.T / c.shape[1] ** 0.5).softmax(dim=-1),
        ),
        Mistake(
            "half of the table is empty",
            "Half of your table is 0. The similarity of a with b is that of b with a: fill both.",
            lambda c: _cosine(c).tril(),
            lambda c: _cosine(c).triu(),
            lambda c: _cosine(c).tril(-1),
            lambda c: _cosine(c).triu(1),
        ),
    ),
    "Every code is compared with every other by its direction alone, from -1 to 1.",
    forbidden=(attention_maps.position_similarity,),
    in_a_model=False,
)


def _waves(places: Tensor, speeds: Tensor) -> Tensor:
    """Sines, then cosines, of places (N,): (N, 2 * speeds)."""
    angles = places.double()[:, None] * speeds  # (N, speeds)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _joined(rows: Tensor, columns: Tensor, speeds: Tensor) -> Tensor:
    return torch.cat([_waves(rows, speeds), _waves(columns, speeds)], dim=1)


def _exponents(grid: tuple[int, int], embed_dim: int, base: float, divisor: float) -> Tensor:
    """The code with other speeds: base ** -(i / divisor)."""
    speeds = base ** -(torch.arange(embed_dim // 4).double() / divisor)
    rows, columns = grid_coordinates(grid).unbind(1)
    return _joined(rows, columns, speeds)


def _parts(grid: tuple[int, int], embed_dim: int, base: float, order: str) -> Tensor:
    """The right numbers in another order: of r (sine of row), R (cosine of row), c, C."""
    quarters = dict(zip("rRcC", embeddings.sincos_2d(grid, embed_dim, base).chunk(4, dim=1), strict=True))
    return torch.cat([quarters[name] for name in order], dim=1)


def _interleaved(grid: tuple[int, int], embed_dim: int, base: float) -> Tensor:
    row_sin, row_cos, column_sin, column_cos = embeddings.sincos_2d(grid, embed_dim, base).chunk(4, dim=1)
    halves = (torch.stack([row_sin, row_cos], dim=2), torch.stack([column_sin, column_cos], dim=2))
    return torch.cat([half.flatten(1) for half in halves], dim=1)


def _column_by_column(grid: tuple[int, int], embed_dim: int, base: float) -> Tensor:
    codes = embeddings.sincos_2d(grid, embed_dim, base).unflatten(0, grid)  # (N, D) -> (rows, columns, D)
    return codes.transpose(0, 1).flatten(0, 1)


def _one_dimensional(grid: tuple[int, int], embed_dim: int, base: float) -> Tensor:
    return _waves(torch.arange(grid[0] * grid[1]), frequencies(embed_dim // 2, base))


def _from_one(grid: tuple[int, int], embed_dim: int, base: float) -> Tensor:
    rows, columns = (grid_coordinates(grid) + 1).unbind(1)
    return _joined(rows, columns, frequencies(embed_dim // 4, base))


def _summed(grid: tuple[int, int], embed_dim: int, base: float) -> Tensor:
    rows, columns = grid_coordinates(grid).unbind(1)
    speeds = frequencies(embed_dim // 2, base)
    return _waves(rows, speeds) + _waves(columns, speeds)


def _of_places(
    grid: tuple[int, int], embed_dim: int, base: float, places: Callable[..., tuple[Tensor, Tensor]]
) -> Tensor:
    """The code with rows and columns found in another way, from the numbers of the patches."""
    return _joined(*places(torch.arange(grid[0] * grid[1]), *grid), frequencies(embed_dim // 4, base))


def _as_shares(n: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    return n // columns / max(1, rows - 1), n % columns / max(1, columns - 1)


sincos_2d = Exercise(
    "sincos_2d",
    embeddings.sincos_2d,
    lambda: [((2, 2), 4, 10_000.0), ((1, 3), 8, 10_000.0), ((2, 3), 16, 100.0), ((4, 3), 12, 30.0)],
    (
        Mistake(
            "column before row",
            "Row and column have changed places: the first half of the code must tell the row. Another order would "
            "work as well, but trained weights and the rest of the course expect this one.",
            lambda g, d, b: _parts(g, d, b, "cCrR"),
        ),
        Mistake(
            "patches column by column",
            "The codes are right, but they go down the first column first. Patches are numbered in raster order: the "
            "column changes fastest.",
            _column_by_column,
        ),
        Mistake(
            "cosine before sine",
            "The cosines stand before the sines. For each axis the sines come first.",
            lambda g, d, b: _parts(g, d, b, "RrCc"),
        ),
        Mistake(
            "all sines first",
            "First all sines (row and column), then all cosines: the numbers are right, their order is not. The code "
            "has two halves, row and column; each half has its own sines and cosines.",
            lambda g, d, b: _parts(g, d, b, "rcRC"),
        ),
        Mistake(
            "sine and cosine in turns",
            "Sine and cosine of the same speed stand side by side, as in the first Transformer. Here all sines of an "
            "axis come first, then all its cosines.",
            _interleaved,
        ),
        Mistake(
            "speeds fall too slowly",
            "The first speed is 1, as it should be, but the speeds do not fall far enough. The exponent is i divided "
            "by the number of speeds of one axis. How many speeds are there?",
            lambda g, d, b: _exponents(g, d, b, d / 2),
            lambda g, d, b: _exponents(g, d, b, d),
        ),
        Mistake(
            "speeds fall too far",
            "The speeds fall too far. The exponent is i divided by the number of speeds, not by one less, and i grows "
            "in steps of 1.",
            lambda g, d, b: _exponents(g, d, b, max(d // 4 - 1, 1)),
            lambda g, d, b: _exponents(g, d, b, d / 8),
        ),
        Mistake(
            "speeds grow",
            "Your speeds grow from 1 to thousands of radians a patch: neighbours get numbers without any relation. "
            "They must fall. Look at the sign of the exponent.",
            lambda g, d, b: _exponents(g, d, b, -d / 4),
        ),
        Mistake(
            "one speed for all",
            "All waves have the same speed, so each half of the code repeats two numbers, and after a full turn the "
            "codes come back. Use a speed of its own for each wave.",
            lambda g, d, b: _exponents(g, d, b, float("inf")),
        ),
        Mistake(
            "base written in",
            "It is right for a base of 10,000, but your code does not use the argument `base`.",
            lambda g, d, b: embeddings.sincos_2d(g, d),
        ),
        Mistake(
            "number of the patch instead of row and column",
            "The waves run along the number of the patch: that is a 1-D code. It does not tell that a patch is right "
            "below another one. Use row and column.",
            _one_dimensional,
        ),
        Mistake(
            "one axis used twice",
            "Both halves of the code tell the same axis, so patches that differ in the other one get the same code. "
            "One half belongs to the row, the other to the column.",
            lambda g, d, b: _parts(g, d, b, "rRrR"),
            lambda g, d, b: _parts(g, d, b, "cCcC"),
        ),
        Mistake(
            "another width",
            "Your codes are not D numbers wide. There are four parts: sines and cosines, of row and column. So each "
            "part has D/4 speeds.",
            lambda g, d, b: embeddings.sincos_2d(g, 2 * d, b),
            lambda g, d, b: embeddings.sincos_2d(g, 4 * d, b),
            lambda g, d, b: _parts(g, d, b, "rR"),
            lambda g, d, b: _parts(g, d, b, "rc"),
        ),
        Mistake(
            "counted from 1",
            "Rows and columns are counted from 1. The first patch is at row 0, column 0: its sines are 0 and its "
            "cosines 1.",
            _from_one,
        ),
        Mistake(
            "row and column added",
            "The waves of row and column are added, so (0, 1) and (1, 0) get the same code. Give each a half of the "
            "width and join the halves.",
            _summed,
        ),
        Mistake(
            "row found with the number of rows",
            "The row of patch n is n divided by the number of *columns*, and its column is the rest. You divide by "
            "the number of rows: that is right for square grids only.",
            lambda g, d, b: _of_places(g, d, b, lambda n, rows, columns: (n // rows, n % rows)),
        ),
        Mistake(
            "places from 0 to 1",
            "You scale rows and columns to go from 0 to 1. Here they count patches: 0, 1, 2, ...",
            lambda g, d, b: _of_places(g, d, b, _as_shares),
        ),
        Mistake(
            "the grid not flattened",
            "Your codes still stand in rows and columns. The result has two axes, (rows * columns, D), for tokens "
            "come in one line.",
            lambda g, d, b: embeddings.sincos_2d(g, d, b).reshape(*g, d),
        ),
        Mistake(
            "a code for the class token",
            "There is one code too many, in front. The class token is no part of the grid: here only the patches get "
            "codes.",
            lambda g, d, b: F.pad(embeddings.sincos_2d(g, d, b), (0, 0, 1, 0)),
        ),
        Mistake(
            "too many speeds, then cut",
            "You compute more codes than there is room for, and cut what is too much: the columns lose their part. "
            "Each axis has D/2 numbers, so D/4 speeds.",
            lambda g, d, b: embeddings.sincos_2d(g, 2 * d, b)[:, :d],
        ),
    ),
    "Row in the first half, column in the second, for every patch in raster order and any grid, width and base.",
    forbidden=(embeddings.sincos_2d,),
)
