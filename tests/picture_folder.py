"""A folder of pictures as people have them: the sample's own images under odd names, in many formats, with rubbish."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from course_utils.data.sample import load_sample

CLASSES = {"Kätzchen klein": 3, "frogs": 6, "ships & boats": 8}  # name of the folder -> label in CIFAR-10
PER_CLASS = 10  # pictures that can be read
BROKEN = ("Kätzchen klein/cut off.jpg", "ships & boats/page not found.jpg")
SIZES = [(32, 32), (48, 40), (40, 64), (150, 90)]  # width, height


def pictures_of(label: int, count: int) -> list[Image.Image]:
    """Take the first images of a class of the sample."""
    images, labels, _ = load_sample("train")
    chosen = images[labels == label][:count]
    return [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in chosen]  # (3, 32, 32) -> (32, 32, 3)


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def write_picture_folder(folder: Path) -> Path:
    """Write three classes of ten pictures each, one of them grey, one CMYK, one without an ending; two broken files;
    and what systems and people leave in folders."""
    for name, label in CLASSES.items():
        place = folder / name
        place.mkdir(parents=True)
        pictures = [
            picture.resize(SIZES[i % len(SIZES)]) for i, picture in enumerate(pictures_of(label, PER_CLASS + 1))
        ]
        files = {f"photo {i}.png": encoded(picture, "PNG") for i, picture in enumerate(pictures[:4])}
        files |= {f"Bild ä{i}.JPG": encoded(picture, "JPEG") for i, picture in enumerate(pictures[4:7])}
        files |= {"one.webp": encoded(pictures[7], "WEBP", lossless=True), "no ending": encoded(pictures[8], "PNG")}
        files["last.jpg"] = encoded(pictures[9].convert({3: "RGB", 6: "L", 8: "CMYK"}[label]), "JPEG")
        files |= {".DS_Store": b"\0\0\0\1Bud1", "._photo 0.png": b"\0\5\x16\7", "notes.txt": b"Taken in May."}
        files["Thumbs.db"] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        if label == 3:
            files["cut off.jpg"] = encoded(pictures[10], "JPEG")[:-300]
        if label == 8:
            files["page not found.jpg"] = b"<!DOCTYPE html><title>404</title>"
        for file, content in files.items():
            (place / file).write_bytes(content)
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / ".cache").mkdir()
    (folder / "__MACOSX").mkdir()
    return folder


def write_dark_folder(folder: Path, channels: int = 3, per_class: int = 20) -> Path:
    """Write three classes of small dark pictures, whose brightness tells the class: 20 and 30 and 40 of 255."""
    noise = np.random.default_rng(0)
    for label, name in enumerate(("bird", "cat", "dog")):
        place = folder / name
        place.mkdir(parents=True)
        for number in range(per_class):
            pixels = noise.integers(0, 8, (16, 16, channels)) + 20 + 10 * label
            picture = Image.fromarray(pixels.astype(np.uint8).squeeze())
            picture.save(place / f"{number}.png")
    return folder
