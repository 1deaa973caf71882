from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils.data import sample
from course_utils.data.official import read_official
from course_utils.data.splits import split_positions
from course_utils.support.files import DamagedFileError

FULL = os.environ.get("CIFAR10_ROOT")


@pytest.mark.parametrize(("part", "per_class", "whole"), [("train", 500, 50_000), ("test", 100, 10_000)])
def test_what_ships_is_what_was_made(part, per_class, whole):
    images, labels, indices = sample.load_sample(part)
    assert images.shape == (10 * per_class, 3, 32, 32)
    assert images.is_contiguous()
    assert sample.pixel_checksum(images) == sample.sample_record()["parts"][part]["pixels_sha256"]
    assert torch.bincount(labels).tolist() == [per_class] * 10
    assert (indices.diff() > 0).all()
    assert 0 <= indices[0] <= indices[-1] < whole


def test_the_folder_holds_what_the_record_names_and_is_small():
    files = {path.name: path.stat().st_size for path in sample.SAMPLE_FOLDER.iterdir()}
    sheets = [sheet["file"] for part in sample.sample_record()["parts"].values() for sheet in part["sheets"]]
    assert set(files) == {"README.md", "sample.json", *sheets}
    assert sum(files.values()) < 10_500_000


def test_the_record_names_its_source():
    record = sample.sample_record()
    assert "Learning Multiple Layers of Features from Tiny Images" in record["citation"]
    assert record["made_by"] == "python -m course_utils.data.sample ROOT"


@pytest.mark.skipif(not FULL, reason="CIFAR10_ROOT does not name the whole data set")
@pytest.mark.parametrize("part", ["train", "test"])
def test_what_ships_equals_the_official_pixels(part):
    images, labels, indices = sample.load_sample(part)
    official_images, official_labels = read_official(FULL, part)
    assert torch.equal(images, official_images[indices])
    assert torch.equal(labels, official_labels[indices])
    assert torch.equal(indices, sample._choose(official_labels, part, 500))


@pytest.fixture
def fast_encoder(monkeypatch):
    """Lossless as ever, but without the long search for the smallest file."""
    monkeypatch.setitem(sample.ENCODING, "method", 0)
    monkeypatch.setitem(sample.ENCODING, "quality", 0)


def test_a_sample_made_anew_is_lossless(tiny, tmp_path, monkeypatch, fast_encoder):
    monkeypatch.setattr(sample, "IMAGES_PER_SHEET", 30)
    tiny.write(tmp_path)
    sample.write_sample(tmp_path, tmp_path / "made", per_class=10)
    assert len(list((tmp_path / "made").glob("train_*.webp"))) == 4  # 100 images
    for part, per_class in {"train": 10, "test": 2}.items():
        images, labels, indices = sample.load_sample(part, tmp_path / "made")
        official_images, official_labels = tiny.part(part)
        assert np.array_equal(images, official_images[indices])
        assert np.array_equal(labels, official_labels[indices])
        assert torch.bincount(labels).tolist() == [per_class] * 10


def test_the_sample_takes_its_share_of_the_validation_images(tiny, tmp_path):
    labels = torch.from_numpy(tiny.part("train")[1])
    _, validation = split_positions(labels, torch.arange(200), seed=0)
    chosen = sample._choose(labels, "train", 10)
    assert torch.isin(chosen, validation).sum() == 10  # one of each class


def test_the_command_makes_the_same_bytes_again(tiny, tmp_path, monkeypatch, fast_encoder):
    write_sample = sample.write_sample
    monkeypatch.setattr(sample, "write_sample", lambda root, destination: write_sample(root, destination, 5))
    tiny.write(tmp_path)
    made = []
    for name in ("first", "second"):
        sample.main([str(tmp_path), str(tmp_path / name)])
        made.append({path.name: path.read_bytes() for path in Path(tmp_path, name).iterdir()})
    assert made[0] == made[1]
    assert set(made[0]) == {"train_00.webp", "test_00.webp", "sample.json"}


def test_the_command_starts_without_a_warning():
    command = [sys.executable, "-W", "error::RuntimeWarning", "-m", "course_utils.data.sample", "--help"]
    root = Path(sample.__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert "[destination]" in done.stdout


@pytest.mark.parametrize("name", ["sample.json", "test_03.webp"])
def test_a_missing_file_is_named(tmp_path, name):
    folder = shutil.copytree(sample.SAMPLE_FOLDER, tmp_path / "copy")
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name}, a part of the shipped sample, is missing: install"):
        sample.load_sample("test", folder)


def test_a_damaged_file_is_named(tmp_path):
    folder = shutil.copytree(sample.SAMPLE_FOLDER, tmp_path / "copy")
    content = bytearray((folder / "test_03.webp").read_bytes())
    content[5000] ^= 1
    (folder / "test_03.webp").write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"test_03\.webp, a part of the shipped sample, is damaged"):
        sample.load_sample("test", folder)
