"""Pictures are written with Pillow into a temporary folder, so every pixel that comes back is known."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.data.picture import fit_picture, load_picture
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


def palette(mode):
    """Make one pixel that is the second colour of a palette, one fifth opaque if the mode is PA."""
    picture = Image.new("P", (1, 1), 1)
    picture.putpalette([0, 0, 0, 200, 30, 40])
    if mode == "PA":
        picture.putalpha(51)
    return picture


FIFTH_OF_WHITE = 204  # what a white ground leaves of black that is one fifth opaque: 255 * 4 / 5
CONVERSIONS = {  # mode -> a pixel of that mode, the right colour, the right grey
    "1": (Image.new("1", (1, 1), 1), WHITE, 255),
    "L": (Image.new("L", (1, 1), 77), [77, 77, 77], 77),
    "LA": (Image.new("LA", (1, 1), (0, 51)), [FIFTH_OF_WHITE] * 3, FIFTH_OF_WHITE),
    "La": (Image.new("La", (1, 1), (0, 51)), [FIFTH_OF_WHITE] * 3, FIFTH_OF_WHITE),
    "P": (palette("P"), [200, 30, 40], 82),
    "PA": (palette("PA"), [244, 210, 212], 220),
    "RGB": (Image.new("RGB", (1, 1), (200, 30, 40)), [200, 30, 40], 82),
    "RGBA": (Image.new("RGBA", (1, 1), (255, 0, 0, 51)), [255, 204, 204], 219),
    "RGBX": (Image.new("RGBX", (1, 1), (200, 30, 40, 0)), [200, 30, 40], 82),
    "RGBa": (Image.new("RGBa", (1, 1), (51, 0, 0, 51)), [255, 204, 204], 219),
    "CMYK": (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), RED, 76),
    "YCbCr": (Image.new("YCbCr", (1, 1), (76, 85, 255)), [254, 0, 0], 76),
    "HSV": (Image.new("HSV", (1, 1), (0, 255, 255)), RED, 76),
    "LAB": (Image.new("LAB", (1, 1), (136, 208, 195)), [250, 3, 11], 78),
    "I": (Image.new("I", (1, 1), 32896), [128] * 3, 128),
    "I;16": (Image.new("I;16", (1, 1), 32896), [128] * 3, 128),
    "I;16B": (Image.new("I;16B", (1, 1), 32896), [128] * 3, 128),
    "I;16L": (Image.new("I;16L", (1, 1), 32896), [128] * 3, 128),
    "I;16N": (Image.new("I;16N", (1, 1), 32896), [128] * 3, 128),
    "F": (Image.new("F", (1, 1), 0.25), [64] * 3, 64),
}


def test_every_mode_of_pillow_has_a_rule():
    assert set(CONVERSIONS) >= set(Image.MODES)


@pytest.mark.parametrize("mode", CONVERSIONS)
def test_every_mode_becomes_the_right_colour_and_the_right_grey(mode):
    picture, colour, grey = CONVERSIONS[mode]
    assert picture.mode == mode
    in_colour, in_grey = fit_picture(picture, 2), fit_picture(picture, 2, channels=1)
    assert (in_colour.shape, in_grey.shape) == ((3, 2, 2), (1, 2, 2))
    # 1 for rounding, which differs among releases of Pillow
    assert (in_colour.int() - torch.tensor(colour).view(3, 1, 1)).abs().max() <= 1
    assert (in_grey.int() - grey).abs().max() <= 1


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("TIFF", mode) for mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "I;16", "F")]
    + [("TIFF", "I;16B"), ("IM", "I;16L"), ("PPM", "I;16"), ("PNG", "I;16"), ("PNG", "P"), ("PNG", "LA"), ("PNG", "1")],
)
def test_every_mode_is_right_in_a_file_too(kind, mode):
    picture, colour, _ = CONVERSIONS[mode]
    loaded = load_picture(encode(picture, kind), 1)
    assert (loaded.flatten().int() - torch.tensor(colour)).abs().max() <= 1


def test_a_cmyk_photo_keeps_its_colours(halves):
    loaded = load_picture(encode(halves.convert("CMYK"), "JPEG", quality=95), (20, 40))
    for x, colour in ((5, RED), (35, BLUE)):
        assert (loaded[:, 10, x].int() - torch.tensor(colour)).abs().max() < 8


def numbers(values, dtype, kind="TIFF"):
    return encode(Image.fromarray(np.array([values], dtype=dtype)), kind)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (numbers([0, 257, 32896, 65535], np.uint16, "PNG"), [0, 1, 128, 255]),  # 16 bits are scaled, not clipped
        (numbers([0, 100, 200, 255], np.uint16, "PNG"), [0, 0, 1, 1]),  # and so they are if all of them are dark
        (numbers([0, 257, 32896, 65535], np.int32), [0, 1, 128, 255]),
        (numbers([0, 100, 200, 255], np.int32), [0, 100, 200, 255]),
        (numbers([0, 0.25, 0.5, 1], np.float32), [0, 64, 128, 255]),
        (numbers([0, 100, 200.4, 255], np.float32), [0, 100, 200, 255]),
    ],
)
def test_numbers_are_scaled_so_that_white_is_255(content, expected):
    assert load_picture(content, (1, 4))[0, 0].tolist() == expected


@pytest.mark.parametrize(
    ("content", "bounds"),
    [
        (numbers([-1, 0, 1, 1], np.float32), "from -1 to 1"),
        (numbers([0, 1, 2, 300], np.float32), "from 0 to 300"),
        (numbers([0, 1, np.nan, 1], np.float32), "from nan to nan"),
        (numbers([0, 1, 2, np.inf], np.float32), "from 0 to inf"),
        (numbers([0, 1, 2, 65536], np.int32), "from 0 to 65536"),
        (numbers([-1, 1, 2, 3], np.int32), "from -1 to 3"),
    ],
)
def test_numbers_of_an_unknown_range_are_refused(content, bounds):
    with pytest.raises(ValueError, match=f"The picture holds numbers {bounds}, and nothing says which of them is wh"):
        load_picture(content)


def test_grey_is_the_luminance_of_colour(halves):
    grey = load_picture(encode(halves), (20, 40), channels=1)
    assert grey.is_contiguous()
    assert (grey[0, 0, 0].item(), grey[0, 0, 39].item()) == (76, 29)  # 0.299 * 255 and 0.114 * 255
    assert torch.equal(load_picture(encode(halves.convert("L")), (20, 40)), grey.expand(3, -1, -1))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(kind):
    first, second = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    content = encode(first, kind, save_all=True, append_images=[second])
    assert Image.open(io.BytesIO(content)).n_frames == 2
    assert (load_picture(content, 1).flatten().int() - torch.tensor(RED)).abs().max() <= 4


def test_a_large_photo_is_decoded_small_and_the_pixels_stay():
    smooth = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8))
    content = encode(smooth.resize((1200, 900), Image.Resampling.BICUBIC), "JPEG", quality=95)
    whole = encode(Image.open(io.BytesIO(content)))  # as PNG, which has no smaller size to decode
    assert (load_picture(content, (30, 20)).int() - load_picture(whole, (30, 20)).int()).abs().max() <= 2


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


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "cat.png")
    with pytest.raises(ValueError, match=r"cat\.png is no regular file: give the path of one picture file"):
        load_picture(tmp_path / "cat.png")


def test_too_little_memory_is_not_called_damage(halves, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", fail)
    with pytest.raises(MemoryError, match="There is not enough memory to open The picture: make a smaller copy"):
        load_picture(encode(halves))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(MemoryError, match="not enough memory"):
        load_picture(encode(halves))


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_there_are_1_or_3_channels(halves, channels):
    with pytest.raises(ValueError, match=rf"1 channel \(grey\) or 3 \(red, green, blue\), not {channels}"):
        load_picture(encode(halves), 4, channels)


@pytest.mark.parametrize("size", [0, (32, 0), (-1, 32)])
def test_the_size_must_be_at_least_one_pixel(halves, size):
    with pytest.raises(ValueError, match="at least 1 pixel"):
        load_picture(encode(halves), size)
