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


def load_picture(source: str | Path | bytes, image_size: int | tuple[int, int] = 32) -> Tensor:
    """Load a picture as a model wants it: upright, RGB, cropped around the middle, then resized.

    The crop is the largest one with the wanted ratio of height to width; nothing is stretched. It depends on the ratio
    alone: to draw a map over a sharp picture, load the same file again with ``image_size=(512, 512)``.

    Args:
        source: The path of a file that Pillow can read (PNG, JPEG, WebP, GIF, BMP, TIFF, ...), or its bytes.
        image_size: (H, W) in pixels, or one number for a square.

    Returns:
        (3, H, W), uint8. Transparent parts are white; of an animation, the first frame.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: The path is a folder.
        DamagedFileError: The file is a picture, but cut off or damaged.
        ValueError: The file is empty, not a picture, or too large to open; or image_size is below 1.
    """
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    if height < 1 or width < 1:
        raise ValueError(f"image_size must be at least 1 pixel, not {height}x{width}.")
    name = "The picture" if isinstance(source, bytes) else str(source)
    content = source if isinstance(source, bytes) else _read(Path(source))
    if not content:
        raise ValueError(f"{name} is empty (0 bytes): save or copy the picture again.")
    picture = _upright_rgba(content, name)
    picture = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)  # crop and resize, antialiased
    white = Image.new("RGBA", picture.size, "white")
    pixels = np.asarray(Image.alpha_composite(white, picture).convert("RGB"))  # (H, W, 3)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).contiguous()  # -> (3, H, W)


def _read(path: Path) -> bytes:
    """Return the bytes of a file, or say why there are none."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the path of one picture file.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}: check the name and the folder.")
    return path.read_bytes()


def _upright_rgba(content: bytes, name: str) -> Image.Image:
    """Decode a picture, turn it as its EXIF orientation says, and convert it to 8-bit RGBA."""
    try:
        with warnings.catch_warnings():
            # Pillow warns above 89 million pixels and refuses above twice that. Opening reads the header only, so a
            # small file that claims to be huge is refused before any memory is taken.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture: Image.Image = Image.open(io.BytesIO(content))
        picture = ImageOps.exif_transpose(picture)
        if picture.mode.startswith("I"):  # 16 bits for each pixel: convert() would clip instead of scale
            picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
        return picture.convert("RGBA")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{name} has too many pixels (more than {Image.MAX_IMAGE_PIXELS:,}): make a smaller copy first."
        ) from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is not a picture that can be read here: save it as PNG or JPEG.") from error
    except Exception as error:  # each decoder has its own way to fail on damaged bytes
        raise DamagedFileError(f"{name} is damaged or cut off ({error}): save or copy the picture again.") from error
