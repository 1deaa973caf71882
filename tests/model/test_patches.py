import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.model.patches import (
    ConvPatchEmbedding,
    PatchEmbedding,
    conv_to_linear_weight,
    linear_to_conv_weight,
    patchify,
    unpatchify,
)

# batch, channels, patch rows, patch columns, patch size
SHAPES = [(2, 3, 4, 4, 4), (1, 1, 2, 3, 5), (3, 3, 3, 1, 2), (2, 4, 1, 1, 7), (2, 3, 4, 2, 1)]
shapes = st.tuples(*(st.integers(1, most) for most in (3, 4, 5, 5, 5)))


def images_of(shape):
    b, c, rows, columns, p = shape
    return torch.randn(b, c, rows * p, columns * p), p


def patchify_by_loop(image, p):
    patches = []
    for top in range(0, image.shape[1], p):
        for left in range(0, image.shape[2], p):
            numbers = [
                image[channel, top + row, left + column]
                for channel in range(image.shape[0])
                for row in range(p)
                for column in range(p)
            ]
            patches.append(torch.stack(numbers))
    return torch.stack(patches)


@pytest.mark.parametrize("shape", SHAPES)
def test_patchify_equals_an_explicit_loop(shape):
    images, p = images_of(shape)
    assert torch.equal(patchify(images, p), torch.stack([patchify_by_loop(image, p) for image in images]))


def test_a_worked_example():
    image = torch.arange(16.0).reshape(1, 4, 4)
    expected = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert patchify(image, 2).tolist() == expected


@given(shapes)
@settings(max_examples=50, deadline=None)
def test_patchify_equals_unfold_and_has_an_exact_inverse(shape):
    images, p = images_of(shape)
    patches = patchify(images, p)
    assert torch.equal(patches, F.unfold(images, p, stride=p).transpose(1, 2))
    assert torch.equal(unpatchify(patches, p, tuple(images.shape[2:])), images)
    for image, own_patches in zip(images, patches, strict=True):  # one image = that image of a batch
        assert torch.equal(patchify(image, p), own_patches)
        assert torch.equal(unpatchify(own_patches, p, tuple(image.shape[1:])), image)


def test_unpatchify_guesses_a_square():
    images = torch.randn(2, 3, 12, 12)
    assert torch.equal(unpatchify(patchify(images, 4), 4), images)
    assert torch.equal(unpatchify(patchify(images[0], 4), 4), images[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_patch_embedding_is_a_strided_convolution(shape):
    images, p = images_of(shape)
    linear = PatchEmbedding(p, images.shape[1], 16).double()
    conv = ConvPatchEmbedding.from_linear(linear)
    images = images.double()
    torch.testing.assert_close(conv(images), linear(images), atol=1e-12, rtol=0)
    back = conv.to_linear()
    for name, weight in linear.state_dict().items():
        assert torch.equal(back.state_dict()[name], weight)
    assert back.patch_size == p
    assert back.projection.weight.dtype == torch.float64


def test_weights_change_their_shape_and_nothing_else():
    conv = torch.randn(8, 3, 4, 4)
    linear = conv_to_linear_weight(conv)
    assert linear.shape == (8, 48)
    assert torch.equal(linear_to_conv_weight(linear, 3), conv)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: patchify(torch.zeros(8, 8), 4), r"\(C, H, W\) or \(B, C, H, W\).*\(8, 8\)"),
        (lambda: patchify(torch.zeros(3, 8, 8), 0), "patch_size must be at least 1"),
        (lambda: patchify(torch.zeros(3, 8, 9), 4), "patch_size 4 does not divide the image, 8 high and 9 wide"),
        (lambda: patchify(torch.zeros(3, 9, 8), 4), "patch_size 4 does not divide the image, 9 high and 8 wide"),
        (lambda: unpatchify(torch.zeros(48), 4), r"\(N, C\*P\*P\) or \(B, N, C\*P\*P\)"),
        (lambda: unpatchify(torch.zeros(6, 48), 4), "6 patches make no square image: give image_size"),
        (lambda: unpatchify(torch.zeros(6, 48), 4, (8, 8)), "do not fill an image of size"),
        (lambda: unpatchify(torch.zeros(4, 48), 4, (8, 9)), "do not fill an image of size"),
        (lambda: unpatchify(torch.zeros(4, 50), 4), r"holds C\*16 numbers, but these hold 50"),
        (lambda: unpatchify(torch.zeros(4, 48), 0), "patch_size must be at least 1"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
