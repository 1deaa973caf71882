"""A person's own picture: from a file of any usual kind to the pixels that a model takes."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from course_utils.support.files import DamagedFileError


def load_picture(source: str | Path | bytes, image_size: int | tuple[int, int] = 32, channels: int = 3) -> Tensor:
    """Load a picture as a model wants it: upright, in colour or grey, cropped around the middle, then resized.

    The crop is the largest one with the wanted ratio of height to width; nothing is stretched. It depends on the ratio
    alone: to draw a map over a sharp picture, load the same file again with ``image_size=(512, 512)``.

    Args:
        source: The path of a file that Pillow can read (PNG, JPEG, WebP, GIF, BMP, TIFF, ...), or its bytes.
        image_size: (H, W) in pixels, or one number for a square.
        channels: 3 for red, green and blue; 1 for grey.

    Returns:
        (C, H, W), uint8. Transparent parts are white; of an animation, the first frame.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: The path is a folder.
        DamagedFileError: The file is a picture, but cut off or damaged.
        MemoryError: The picture is sound, but needs more memory than there is.
        ValueError: The file is empty, not a picture, or too large to open; nothing says which of its numbers is white;
            or image_size or channels is not possible.
    """
    height, width = check_size(image_size, channels)
    name = "The picture" if isinstance(source, bytes) else str(source)
    content = source if isinstance(source, bytes) else read_file(source)
    if not content:
        raise ValueError(f"{name} is empty (0 bytes): save or copy the picture again.")
    try:
        picture = _decode(content, name, at_least=4 * max(height, width))
        return fit_picture(picture, (height, width), channels, name)
    except MemoryError as error:
        raise MemoryError(f"There is not enough memory to open {name}: make a smaller copy first.") from error


def fit_picture(
    picture: Image.Image, image_size: int | tuple[int, int] = 32, channels: int = 3, name: str = "The picture"
) -> Tensor:
    """Crop and resize a picture of Pillow's, of any mode, as :func:`load_picture` does with a file.

    Args:
        picture: Taken as it stands: an EXIF orientation is not looked at.
        image_size: (H, W) in pixels, or one number for a square.
        channels: 3 for red, green and blue; 1 for grey.
        name: What an error calls it.

    Returns:
        (C, H, W), uint8.

    Raises:
        ValueError: Nothing says which of its numbers is white; or image_size or channels is not possible.
    """
    height, width = check_size(image_size, channels)
    picture = ImageOps.fit(_to_rgba(picture, name), (width, height), Image.Resampling.LANCZOS)  # antialiased
    white = Image.new("RGBA", picture.size, "white")
    picture = Image.alpha_composite(white, picture).convert("RGB" if channels == 3 else "L")
    pixels = torch.from_numpy(np.array(picture)).view(height, width, channels)
    return pixels.permute(2, 0, 1).contiguous()  # (H, W, C) -> (C, H, W)


def check_size(image_size: int | tuple[int, int], channels: int = 3) -> tuple[int, int]:
    """Return height and width.

    Raises:
        ValueError: A side is below 1 pixel, or there are neither 1 nor 3 channels.
    """
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    if height < 1 or width < 1:
        raise ValueError(f"image_size must be at least 1 pixel, not {height}x{width}.")
    if channels not in (1, 3):
        raise ValueError(f"A picture has 1 channel (grey) or 3 (red, green, blue), not {channels}.")
    return height, width


def grey_if_without_colour(images: Tensor) -> Tensor:
    """Keep one channel if in every picture all three are equal: (N, 3, H, W) -> (N, 1, H, W)."""
    has_colour = (images != images[:, :1]).any()
    return images if has_colour else images[:, :1].contiguous()


def read_file(path: str | Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: The path is a folder.
        ValueError: It is a pipe or a device.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the path of one picture file.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}: check the name and the folder.")
    if not path.is_file():  # reading a pipe would wait for ever
        raise ValueError(f"{path} is no regular file: give the path of one picture file.")
    return path.read_bytes()


def _decode(content: bytes, name: str, at_least: int) -> Image.Image:
    """Decode a picture and turn it as its EXIF orientation says.

    A JPEG is decoded at a half, a quarter or an eighth of its size where that leaves ``at_least`` pixels on each side:
    ten times as fast for a photo of 12 megapixels. Nothing moves by more than one of the pixels that are left.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns above 89 million pixels and refuses above twice that. Opening reads the header only, so a
            # small file that claims to be huge is refused before any memory is taken.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content))
        picture.draft(None, (at_least, at_least))  # type: ignore[arg-type]  # None: any mode
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)
        return picture
    except MemoryError:
        raise  # the file is sound
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{name} has too many pixels (more than {Image.MAX_IMAGE_PIXELS:,}): make a smaller copy first."
        ) from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is not a picture that can be read here: save it as PNG or JPEG.") from error
    except Exception as error:  # each decoder has its own way to fail on damaged bytes
        raise DamagedFileError(f"{name} is damaged or cut off ({error}): save or copy the picture again.") from error


def _to_rgba(picture: Image.Image, name: str) -> Image.Image:
    """Convert any of Pillow's modes to 8-bit RGBA, so that white is 255."""
    if picture.mode[0] in "IF":  # large whole numbers (I, I;16, I;16B, ...) or floats: convert() would clip them
        picture = _scale_to_8_bits(picture, name)
    if picture.mode == "La":  # grey, already multiplied by its opacity
        picture = picture.convert("LA")
    return picture.convert("RGBA")


def _scale_to_8_bits(picture: Image.Image, name: str) -> Image.Image:
    """Turn numbers from 0 to the level of white into a grey picture, 0 to 255.

    Raises:
        ValueError: They fit none of the usual levels.
    """
    numbers = np.asarray(picture)  # (H, W)
    low, high = numbers.min(), numbers.max()
    levels = [white for white in _levels_of_white(picture) if low >= 0 and high <= white]
    if not levels:  # a NaN fits no level either
        raise ValueError(
            f"{name} holds numbers from {low:g} to {high:g}, and nothing says which of them is white: "
            "save it with 8 bits a channel, as PNG or JPEG."
        )
    return Image.fromarray((numbers * 255.0 / levels[0]).round().astype(np.uint8))


def _levels_of_white(picture: Image.Image) -> tuple[int, ...]:
    """List what white can be; the first level that is high enough is taken."""
    if picture.mode == "F":
        return 1, 255
    if picture.mode == "I" and picture.format not in ("PNG", "PPM"):  # 32 bits: whoever wrote them chose the level
        return 255, 65535
    return (65535,)  # 16 bits
