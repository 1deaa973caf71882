from __future__ import annotations

import dataclasses
import hashlib
import io
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from picture_folder import write_picture_folder

from course_utils.data import cifar10, official


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No network, no data set that happens to be on this machine, an empty working folder."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CIFAR10_OFFLINE", "1")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("CIFAR10_ROOT", raising=False)
    cifar10._say_once.cache_clear()


class Python2Pickler(pickle._Pickler):
    """Writes all strings as Python 2 wrote them, like the official files."""

    def save_string(self, value):
        content = value.encode("latin1") if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)

    dispatch = {**pickle._Pickler.dispatch, str: save_string, bytes: save_string}  # noqa: RUF012


def python2_pickle(value) -> bytes:
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(value)
    return stream.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


class Tiny:
    """A stand-in for CIFAR-10 in the official layouts: 5 batches of 40 images and 50 test images, class-balanced."""

    def __init__(self):
        random = np.random.default_rng(0)
        self.labels = {name: random.permutation(np.arange(40) % 10) for name in official.PYTHON.train}
        self.labels["test_batch"] = random.permutation(np.arange(50) % 10)
        self.pixels = {
            name: random.integers(0, 256, (len(labels), 3072), np.uint8) for name, labels in self.labels.items()
        }
        self.files = {"cifar-10-batches-py": {}, "cifar-10-batches-bin": {}}
        for name, labels in self.labels.items():
            batch = {"batch_label": name, "labels": labels.tolist(), "data": self.pixels[name]}
            self.files["cifar-10-batches-py"][name] = python2_pickle(batch)
            records = np.concatenate([labels.astype(np.uint8)[:, None], self.pixels[name]], 1)
            self.files["cifar-10-batches-bin"][f"{name}.bin"] = records.tobytes()

    def layout(self, layout: official.Layout) -> official.Layout:
        """Return the layout with the digests of these files."""
        digests = {name: hashlib.md5(content).hexdigest() for name, content in self.files[layout.folder].items()}
        return dataclasses.replace(
            layout,
            train={name: digests[name] for name in layout.train},
            test={name: digests[name] for name in layout.test},
        )

    def write(self, folder: Path, layout: str = "cifar-10-batches-bin") -> Path:
        """Write one layout below ``folder``."""
        place = folder / layout
        place.mkdir(parents=True)
        for name, content in self.files[layout].items():
            (place / name).write_bytes(content)
        return place

    def part(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the images (N, 3, 32, 32) and labels (N,) in the official order."""
        names = ["test_batch"] if part == "test" else list(official.PYTHON.train)
        images = np.concatenate([self.pixels[name] for name in names]).reshape(-1, 3, 32, 32)
        return images, np.concatenate([self.labels[name] for name in names])


@pytest.fixture
def tiny(monkeypatch) -> Tiny:
    """Make the package take a small made-up data set for the published one."""
    data = Tiny()
    monkeypatch.setattr(official, "LAYOUTS", (data.layout(official.PYTHON), data.layout(official.BINARY)))
    return data


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """Return a folder of pictures as people have them; nobody writes into it."""
    return write_picture_folder(tmp_path_factory.mktemp("own") / "my pictures")
