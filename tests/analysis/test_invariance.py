"""Pictures that are moved or scrambled, and what a model says to them."""

import pytest
import torch
from torch import nn

from course_utils import VisionTransformer, ViTConfig
from course_utils.analysis.invariance import scramble_test, scrambled, shift_test, shifted
from course_utils.data import Normalisation, remember
from course_utils.model.patches import patchify


class Corner(nn.Module):
    """Says in which column the brightest pixel of row 0 stands."""

    def forward(self, images):
        return images[:, 0, 0]


def corner():
    model = Corner()
    model.weight = nn.Parameter(torch.zeros(1))
    remember(model, Normalisation((0.0,) * 3, (1.0,) * 3), tuple("abcd"))
    return model


def test_a_shift_moves_pixels_and_reflects_at_the_border():
    row = torch.tensor([[1, 2, 3, 4, 5]], dtype=torch.uint8)  # (1, 5): H = 1
    assert shifted(row, 0, 2).tolist() == [[3, 2, 1, 2, 3]]
    assert shifted(row, 0, -1).tolist() == [[2, 3, 4, 5, 4]]
    assert shifted(row.T, -1, 0).T.tolist() == [[2, 3, 4, 5, 4]]
    assert shifted(row, 0, 4).tolist() == [[5, 4, 3, 2, 1]]
    assert shifted(row, 0, 2).dtype == torch.uint8


def test_a_shift_is_what_padding_and_cutting_gives():
    images = torch.rand(2, 3, 8, 11)
    padded = nn.functional.pad(images, (5, 5, 5, 5), mode="reflect")
    for rows, columns in ((3, -5), (0, 4), (-2, 1)):
        expected = padded[..., 5 - rows : 13 - rows, 5 - columns : 16 - columns]
        assert torch.equal(shifted(images, rows, columns), expected)


@pytest.mark.parametrize(("rows", "columns", "side"), [(8, 0, 8), (0, -11, 11)])
def test_a_shift_out_of_the_picture_is_refused(rows, columns, side):
    with pytest.raises(ValueError, match=f"leaves nothing of a side of {side}"):
        shifted(torch.zeros(1, 3, 8, 11), rows, columns)


def test_scrambled_pieces_are_the_same_pieces_in_another_order():
    images = torch.arange(2 * 3 * 8 * 12).reshape(2, 3, 8, 12)
    other = scrambled(images, 4)
    for before, after in zip(patchify(images, 4).tolist(), patchify(other, 4).tolist(), strict=True):
        assert before != after
        assert sorted(before) == sorted(after)
    orders = [[before.index(piece) for piece in after] for before, after in
              zip(patchify(images, 4).tolist(), patchify(other, 4).tolist(), strict=True)]  # fmt: skip
    assert orders[0] != orders[1]  # each image has its own
    assert torch.equal(scrambled(images, 4), other)
    assert not torch.equal(scrambled(images, 4, seed=1), other)
    assert torch.equal(scrambled(images[:, :, :, :8], 8), images[:, :, :, :8])


def test_the_shift_test_counts_right_answers_of_four_directions():
    images = torch.zeros(3, 3, 4, 4, dtype=torch.uint8)
    images[:, :, :, 1] = 255  # a column: up and down change nothing
    found = shift_test(corner(), images, torch.tensor([1, 1, 2]), distances=(0, 1))
    assert found["0"] == {"accuracy": pytest.approx(2 / 3), "standard_error": pytest.approx(1 / 3), "same": 1.0}
    # up, down: 1. Left: 0. Right: reflected, the columns are then 1, 0, 1 and so on; the first, 0, is the brightest.
    assert found["1"]["accuracy"] == pytest.approx(2 / 3 * 2 / 4)
    assert found["1"]["same"] == pytest.approx(2 / 4)


def test_a_vit_without_codes_does_not_notice_that_its_patches_were_scrambled(randomise):
    config = ViTConfig(image_size=16, embed_dim=16, depth=2, num_heads=2, position="none")
    model = randomise(VisionTransformer(config)).eval()
    remember(model, Normalisation((0.5,) * 3, (0.2,) * 3), None)
    images = torch.randint(256, (40, 3, 16, 16), dtype=torch.uint8)
    found = scramble_test(model, images, torch.zeros(40, dtype=torch.long), sides=(16, 8, 4, 2))
    assert [found[side]["same"] for side in ("16", "8", "4")] == [1, 1, 1]
    assert found["2"]["same"] < 1
