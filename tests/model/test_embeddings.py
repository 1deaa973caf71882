import math

import pytest
import torch

from course_utils import VisionTransformer, ViTConfig
from course_utils.model.config import POSITIONS
from course_utils.model.embeddings import (
    POSITION_CODES,
    RelativePositionBias,
    Rotary2d,
    ViTEmbeddings,
    grid_coordinates,
    sincos_2d,
)


def places(grid):
    return [(row, column) for row in range(grid[0]) for column in range(grid[1])]


@pytest.mark.parametrize("grid", [(1, 1), (3, 5), (8, 8)])
def test_grid_coordinates_are_in_raster_order(grid):
    assert [tuple(place) for place in grid_coordinates(grid).tolist()] == places(grid)


# sin-cos


@pytest.mark.parametrize(("grid", "d"), [((4, 4), 16), ((2, 5), 24), ((1, 3), 4)])
def test_sincos_equals_a_loop(grid, d):
    codes = sincos_2d(grid, d)
    assert codes.dtype == torch.float32
    quarter = d // 4
    for patch, (row, column) in enumerate(places(grid)):
        slow = []
        for coordinate in (row, column):
            angles = [coordinate * 10_000 ** (-i / quarter) for i in range(quarter)]
            slow += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
        torch.testing.assert_close(codes[patch], torch.tensor(slow), atol=1e-6, rtol=0)


def test_sincos_codes_are_distinct_and_of_one_length():
    codes = sincos_2d((14, 14), 64)
    assert torch.cdist(codes, codes).fill_diagonal_(9).min() > 0.5
    torch.testing.assert_close(codes.norm(dim=1), torch.full((196,), 32**0.5))


def test_sincos_refuses_a_width_that_4_does_not_divide():
    with pytest.raises(ValueError, match="embed_dim that 4 divides, not 30"):
        sincos_2d((4, 4), 30)


# rotary


@pytest.mark.parametrize("prefix", [0, 2])
def test_rotary_equals_turning_each_pair_by_hand(prefix):
    grid, d = (3, 4), 8
    x = torch.randn(1, 1, prefix + 12, d, dtype=torch.float64)
    turned = Rotary2d(grid, d, prefix)(x)[0, 0]
    assert torch.equal(turned[:prefix], x[0, 0, :prefix])
    for patch, (row, column) in enumerate(places(grid), start=prefix):
        for pair in range(d // 2):
            coordinate = row if pair < d // 4 else column
            angle = coordinate * 100 ** (-(pair % (d // 4)) / (d // 4))
            number = complex(x[0, 0, patch, pair], x[0, 0, patch, pair + d // 2])
            number *= complex(math.cos(angle), math.sin(angle))
            found = complex(turned[patch, pair], turned[patch, pair + d // 2])
            assert abs(found - number) < 1e-6


def test_rotary_scores_depend_on_the_offset_only():
    rows, columns = 5, 7
    rotary = Rotary2d((rows, columns), 16)
    q, k = torch.randn(2, 1, 1, 1, 16)
    q, k = (rotary(x.expand(1, 1, rows * columns, 16))[0, 0] for x in (q, k))
    scores = (q @ k.T).reshape(rows, columns, rows, columns)  # the same query and key at every place
    moved = scores[1:, 2:, 1:, 2:] - scores[:-1, :-2, :-1, :-2]  # both one row down and two columns to the right
    assert moved.abs().max() < 1e-5
    assert (scores[0, 0] - scores[0, 1]).abs().max() > 0.1  # another offset, another score


def test_rotary_keeps_lengths():
    x = torch.randn(2, 3, 17, 16)
    torch.testing.assert_close(Rotary2d((4, 4), 16, 1)(x).norm(dim=-1), x.norm(dim=-1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_rotary_keeps_the_dtype(dtype):
    assert Rotary2d((2, 2), 8)(torch.randn(1, 1, 4, 8, dtype=dtype)).dtype == dtype


# relative


@pytest.mark.parametrize("prefix", [0, 1, 3])
@pytest.mark.parametrize("grid", [(1, 1), (3, 4), (4, 2)])
def test_relative_index_equals_a_loop(grid, prefix):
    bias = RelativePositionBias(grid, num_heads=2, num_prefix_tokens=prefix)
    rows, columns = grid
    extra = 3 if prefix else 0
    assert bias.table.shape == (extra + (2 * rows - 1) * (2 * columns - 1), 2)
    tokens = [None] * prefix + places(grid)
    for query, from_place in enumerate(tokens):
        for key, to_place in enumerate(tokens):
            if from_place is None:
                expected = 2 if to_place is None else 0
            elif to_place is None:
                expected = 1
            else:
                down, right = from_place[0] - to_place[0], from_place[1] - to_place[1]
                expected = extra + (down + rows - 1) * (2 * columns - 1) + (right + columns - 1)
            assert bias.index[query, key] == expected


def test_relative_bias_depends_on_the_offset_only_and_uses_every_entry():
    bias = RelativePositionBias((4, 5), num_heads=3, num_prefix_tokens=1)
    with torch.no_grad():
        bias.table.normal_()
    matrix = bias()
    assert matrix.shape == (3, 21, 21)
    patches = matrix[:, 1:, 1:].reshape(3, 4, 5, 4, 5)
    assert torch.equal(patches[:, 1:, 2:, 1:, 2:], patches[:, :-1, :-2, :-1, :-2])
    assert not torch.equal(patches[:, 0, 0], patches[:, 0, 1])
    assert len(matrix[0].unique()) == len(bias.table)
    assert matrix[0, 0, 1:].unique() == bias.table[0, 0]  # class token asks patch
    assert matrix[0, 1:, 0].unique() == bias.table[1, 0]  # patch asks class token
    assert matrix[0, 0, 0] == bias.table[2, 0]


# the sequence


def test_the_sequence_is_class_token_registers_patches_plus_positions():
    config = ViTConfig(image_size=8, embed_dim=12, num_registers=2)
    embeddings = ViTEmbeddings(config)
    with torch.no_grad():
        for parameter in embeddings.parameters():
            parameter.normal_()
    images = torch.randn(2, 3, 8, 8)
    tokens = embeddings(images) - embeddings.position_code
    assert tokens.shape == (2, 7, 12)
    parts = [embeddings.class_token.expand(2, -1, -1), embeddings.registers.expand(2, -1, -1)]
    parts.append(embeddings.patch_embedding(images))
    torch.testing.assert_close(tokens, torch.cat(parts, dim=1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("position", ["none", "rotary", "relative"])
def test_only_absolute_codes_are_added_at_the_start(position):
    embeddings = ViTEmbeddings(ViTConfig(position=position, pooling="mean"))
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(embeddings(images), embeddings.patch_embedding(images))


def test_sincos_codes_leave_the_prefix_alone():
    embeddings = ViTEmbeddings(ViTConfig(image_size=8, embed_dim=12, position="sincos2d", num_registers=1))
    assert torch.equal(embeddings.position_code[0, :2], torch.zeros(2, 12))
    assert torch.equal(embeddings.position_code[0, 2:], sincos_2d((2, 2), 12))


@pytest.mark.parametrize("position", ["sincos2d", "rotary", "relative"])
def test_tables_that_can_be_computed_are_not_stored(position):
    names = VisionTransformer(ViTConfig(depth=1, position=position)).state_dict()
    assert not [name for name in names if name.endswith(("position_code", "cos", "sin", "index"))]


@pytest.mark.parametrize("position", POSITIONS)
def test_the_model_has_of_each_code_what_the_table_says(position):
    assert tuple(POSITION_CODES) == POSITIONS
    config = ViTConfig(depth=1, position=position)
    model, code = VisionTransformer(config), POSITION_CODES[position]
    attention = model.encoder.blocks[0].attention
    held = model.embeddings.position_code, attention.rotary, attention.relative_bias
    assert [type(part) for part in held] == [type(make(config)) for make in code]
    assert sum(part is not None for part in held) == (position != "none")
