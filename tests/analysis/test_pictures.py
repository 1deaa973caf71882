"""Pictures are written with Pillow into a temporary folder, so every pixel that comes back is known."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.data.picture import load_picture
from course_utils.support.files import DamagedFileError

RED, BLUE, WHITE = [255, 0, 0], [0, 0, 255], [255, 255, 255]


def encode(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def halves():
    """A picture 40 wide, 20 high: left half red, right half blue."""
    pixels = np.zeros((20, 40, 3), dtype=np.uint8)
    pixels[:, :20], pixels[:, 20:] = RED, BLUE
    return Image.fromarray(pixels)


def test_a_picture_of_the_right_size_comes_back_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "own.png")
    for source in (tmp_path / "own.png", str(tmp_path / "own.png"), (tmp_path / "own.png").read_bytes()):
        picture = load_picture(source, (6, 8))
        assert picture.dtype == torch.uint8
        assert picture.is_contiguous()
        assert torch.equal(picture, torch.from_numpy(pixels).permute(2, 0, 1))


def test_the_crop_is_around_the_middle_and_nothing_is_stretched(halves):
    square = load_picture(encode(halves), 20)  # columns 10 to 29 of 40
    assert square.shape == (3, 20, 20)
    assert (square[:, :, :10].permute(1, 2, 0) == torch.tensor(RED)).all()
    assert (square[:, :, 10:].permute(1, 2, 0) == torch.tensor(BLUE)).all()
    flat = load_picture(encode(halves), (10, 40))  # rows 5 to 14 of 20
    assert flat.shape == (3, 10, 40)
    assert flat[:, 0, 0].tolist() == RED
    assert flat[:, 9, 39].tolist() == BLUE


def test_shrinking_averages_instead_of_picking_pixels():
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    small = load_picture(encode(Image.fromarray(checks.astype(np.uint8))), 8)
    assert small.shape == (3, 8, 8)
    assert (small.float() - 127.5).abs().max() < 12


def test_the_exif_orientation_is_honoured(halves):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the left edge of the stored picture is the upper edge
    upright = load_picture(encode(halves, exif=exif), (40, 20))
    assert upright[:, 0, 10].tolist() == RED
    assert upright[:, 39, 10].tolist() == BLUE


def test_transparent_parts_are_white():
    pixels = np.zeros((4, 4, 4), dtype=np.uint8)
    pixels[..., :3] = RED
    pixels[:, :2, 3] = 255
    pixels[:, 2, 3] = 51  # one fifth
    picture = load_picture(encode(Image.fromarray(pixels)), 4)
    assert [picture[:, 0, x].tolist() for x in range(4)] == [RED, RED, [255, 204, 204], WHITE]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_usual_kind_of_pixel_becomes_rgb(mode):
    grey = Image.fromarray(np.full((4, 4), 255, dtype=np.uint8))
    picture = Image.fromarray(np.full((4, 4), 65535, dtype=np.uint16)) if mode == "I;16" else grey.convert(mode)
    loaded = load_picture(encode(picture, "TIFF" if mode == "CMYK" else "PNG"), 4)
    assert loaded.shape == (3, 4, 4)
    assert (loaded == 255).all()


def test_16_bits_are_scaled_and_not_clipped():
    picture = Image.fromarray(np.array([[0, 257, 32896, 65535]], dtype=np.uint16))
    assert load_picture(encode(picture), (1, 4))[0, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("size", [(1, 1000), (1000, 1), (1, 1)])
def test_thin_pictures_are_no_problem(size):
    assert load_picture(encode(Image.new("RGB", size, "red")), (4, 6)).shape == (3, 4, 6)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*cat\.png: check the name"):
        load_picture(tmp_path / "cat.png")
    with pytest.raises(IsADirectoryError, match="is a folder: give the path of one picture file"):
        load_picture(tmp_path)


def test_an_empty_file_and_one_that_is_no_picture(tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"cat\.png is empty \(0 bytes\)"):
        load_picture(path)
    path.write_text("This is a text, whatever its name says.")
    with pytest.raises(ValueError, match=r"cat\.png is not a picture"):
        load_picture(path)
    with pytest.raises(ValueError, match="The picture is empty"):
        load_picture(b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_half_a_file_is_refused_with_a_sentence(kind):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    content = encode(Image.fromarray(pixels), kind)
    assert load_picture(content).shape == (3, 32, 32)
    with pytest.raises((DamagedFileError, ValueError), match=r"is damaged or cut off|is not a picture"):
        load_picture(content[: len(content) // 2])


def test_a_cut_off_photo_is_called_damaged(halves):
    with pytest.raises(DamagedFileError, match="The picture is damaged or cut off"):
        load_picture(encode(halves, "JPEG")[:-200])


@pytest.mark.parametrize("side", [10_000, 50_000])  # Pillow warns of the first and refuses the second
def test_a_decompression_bomb_is_refused_by_its_header(side):
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in chunks:
        content += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    with pytest.raises(ValueError, match=r"too many pixels \(more than 89,478,485\): make a smaller copy"):
        load_picture(content)


@pytest.mark.parametrize("size", [0, (32, 0), (-1, 32)])
def test_the_size_must_be_at_least_one_pixel(halves, size):
    with pytest.raises(ValueError, match="at least 1 pixel"):
        load_picture(encode(halves), size)
