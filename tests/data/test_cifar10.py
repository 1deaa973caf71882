from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils.data import (
    CIFAR10_CLASSES,
    ImageSet,
    Normalisation,
    cifar10,
    download,
    find_cifar10,
    find_local,
    load_cifar10,
    official,
)
from course_utils.data.splits import split_positions
from course_utils.support.files import DamagedFileError

FULL = os.environ.get("CIFAR10_ROOT")
needs_full = pytest.mark.skipif(not FULL, reason="CIFAR10_ROOT does not name the whole data set")
PLAIN = Normalisation.none(3)
BOTH = pytest.mark.parametrize("layout", ["cifar-10-batches-py", "cifar-10-batches-bin"])


def small_set(n=6, classes=3) -> ImageSet:
    images = torch.randint(0, 256, (n, 3, 4, 4), dtype=torch.uint8)
    return ImageSet(images, torch.arange(n) % classes, tuple("abc"[:classes]), "train", "synthetic", PLAIN)


# ---- the container


def test_image_set_gives_images_and_labels():
    images = small_set()
    image, label = images[4]
    assert len(images) == 6
    assert torch.equal(image, images.images[4])
    assert (label, type(label)) == (1, int)
    with pytest.raises(IndexError):
        images[6]
    with pytest.raises(TypeError, match="subset"):
        images[1:3]


def test_image_set_works_in_a_data_loader():
    images = small_set()
    batches = list(torch.utils.data.DataLoader(images, batch_size=4))
    assert [tuple(batch.shape) for batch, _ in batches] == [(4, 3, 4, 4), (2, 3, 4, 4)]
    assert torch.equal(torch.cat([labels for _, labels in batches]), images.labels)


@pytest.mark.parametrize(
    ("indices", "positions"),
    [([3, 0], [3, 0]), (torch.tensor([5]), [5]), (torch.arange(6) % 3 == 1, [1, 4]), ([], [])],
)
def test_subset_takes_what_it_is_told(indices, positions):
    images = small_set()
    part = images.subset(indices)
    assert torch.equal(part.images, images.images[positions])
    assert torch.equal(part.labels, images.labels[positions])
    for field in ("classes", "split", "source", "normalisation", "name"):
        assert getattr(part, field) == getattr(images, field)


def test_record_is_json_and_notices_any_change():
    images = small_set()
    record = images.describe()
    assert json.loads(json.dumps(record)) == record
    assert (record["source"], record["split"], record["images"], record["shape"]) == (
        "synthetic",
        "train",
        6,
        [3, 4, 4],
    )
    pixels = images.images.clone()
    pixels[5, 2, 3, 3] ^= 1
    other_pixels = ImageSet(pixels, images.labels, images.classes, "train", "synthetic", PLAIN)
    other_labels = ImageSet(images.images, images.labels.flip(0), images.classes, "train", "synthetic", PLAIN)
    assert len({each.describe()["sha256"] for each in (images, other_pixels, other_labels)}) == 3


def test_description_is_one_line_with_the_source():
    text = repr(small_set())
    assert "synthetic images, train split: 6 images of 3x4x4 in 3 classes" in text
    assert "\n" not in text


PIXELS = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
LABELS = torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (PIXELS.float(), LABELS, "images must be a uint8 tensor"),
        (PIXELS[:, 0], LABELS, r"\(N, C, H, W\), not .*\(2, 4, 4\)"),
        (PIXELS, LABELS.float(), "labels must be an int64 tensor"),
        (PIXELS, LABELS[:1], r"of shape \(2,\), not .*\(1,\)"),
        (PIXELS, LABELS + 1, "between 0 and 1"),
        (PIXELS, LABELS - 1, "between 0 and 1"),
    ],
)
def test_image_set_refuses_wrong_tensors(images, labels, message):
    with pytest.raises(ValueError, match=message):
        ImageSet(images, labels, ("a", "b"), "train", "synthetic", PLAIN)


def test_image_set_refuses_a_normalisation_for_other_channels():
    with pytest.raises(ValueError, match="normalisation is for 1 channels, but the images have 3"):
        ImageSet(PIXELS, LABELS, ("a", "b"), "train", "synthetic", Normalisation.none(1))


# ---- the official files


@BOTH
@pytest.mark.parametrize(("split", "part"), [("trainval", "train"), ("test", "test")])
def test_both_layouts_give_the_official_images_in_order(tiny, tmp_path, layout, split, part):
    tiny.write(tmp_path, layout)
    loaded = load_cifar10(split, tmp_path, sample="never")
    images, labels = tiny.part(part)
    assert np.array_equal(loaded.images, images)
    assert np.array_equal(loaded.labels, labels)
    assert (loaded.source, loaded.split, loaded.classes) == ("official", split, CIFAR10_CLASSES)
    assert loaded.description.startswith(f"official CIFAR-10, {split} split: {len(images)} images")


def test_places_are_searched_in_order(tiny, tmp_path, monkeypatch):
    cache = tmp_path / "cache" / "vit-course"
    tiny.write(cache)
    assert find_cifar10() == cache / "cifar-10-batches-bin"
    tiny.write(Path("data"))
    assert find_cifar10() == Path("data", "cifar-10-batches-bin")
    monkeypatch.setenv("CIFAR10_ROOT", str(tmp_path / "env"))
    assert find_cifar10() == Path("data", "cifar-10-batches-bin")  # nothing there yet
    tiny.write(tmp_path / "env", "cifar-10-batches-py")
    assert find_cifar10() == tmp_path / "env" / "cifar-10-batches-py"
    named = tiny.write(tmp_path / "named")
    assert find_cifar10(tmp_path / "named") == named
    assert find_cifar10(named) == named  # the folder of the files itself


def test_find_local_neither_downloads_nor_raises(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("CIFAR10_OFFLINE", "0")
    monkeypatch.setattr(download, "download", lambda *_: pytest.fail("it downloads"))
    assert find_local(tmp_path / "named") is None
    named = tiny.write(tmp_path / "named")
    assert find_local(tmp_path / "named") == named


def test_cache_folder_without_xdg_is_in_the_home_folder(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cifar10.cache_folder() == Path.home() / ".cache" / "vit-course"


def test_the_more_complete_layout_is_taken(tiny, tmp_path):
    (tiny.write(tmp_path, "cifar-10-batches-py") / "data_batch_3").unlink()
    complete = tiny.write(tmp_path, "cifar-10-batches-bin")
    assert find_cifar10(tmp_path) == complete


@BOTH
@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1] + bytes([content[-1] ^ 1]), lambda content: content[:1000]]
)
@pytest.mark.parametrize("sample", ["auto", "never"])
def test_a_damaged_file_is_named(tiny, tmp_path, layout, damage, sample):
    place = tiny.write(tmp_path, layout)
    (bad,) = place.glob("data_batch_4*")
    bad.write_bytes(damage(bad.read_bytes()))
    with pytest.raises(DamagedFileError, match=r"data_batch_4\S* is damaged.*MD5.*run again"):
        load_cifar10("train", tmp_path, sample=sample)
    assert len(load_cifar10("test", tmp_path, sample=sample)) == 50  # the test batch is whole


def test_a_missing_file_is_named(tiny, tmp_path):
    (tiny.write(tmp_path) / "data_batch_2.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"data_batch_2\.bin is missing"):
        load_cifar10("train", tmp_path)


def test_reading_from_a_place_without_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither cifar-10-batches-py nor cifar-10-batches-bin"):
        official.read_official(tmp_path, "train")


class Evil:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_a_changed_pickle_is_not_even_opened(tiny, tmp_path, monkeypatch):
    place = tiny.write(tmp_path, "cifar-10-batches-py")
    (place / "test_batch").write_bytes(pickle.dumps(Evil()))
    monkeypatch.setattr(official, "_ArrayUnpickler", lambda *_, **__: pytest.fail("it was unpickled"))
    with pytest.raises(DamagedFileError):
        load_cifar10("test", tmp_path)
    assert not Path("ran").exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_cannot_run_code_even_with_the_right_md5(tiny, tmp_path, monkeypatch, protocol):
    tiny.files["cifar-10-batches-py"]["test_batch"] = pickle.dumps(Evil(), protocol=protocol)
    tiny.write(tmp_path, "cifar-10-batches-py")
    monkeypatch.setattr(official, "LAYOUTS", (tiny.layout(official.PYTHON),))
    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        load_cifar10("test", tmp_path)
    assert not Path("ran").exists()


# ---- splits


def test_splits_are_balanced_and_disjoint_and_complete(tiny, tmp_path):
    tiny.write(tmp_path)
    sets = {split: load_cifar10(split, tmp_path) for split in cifar10.SPLITS}
    assert {split: len(images) for split, images in sets.items()} == {
        "train": 180,
        "validation": 20,
        "trainval": 200,
        "test": 50,
    }
    assert torch.bincount(sets["train"].labels).tolist() == [18] * 10
    assert torch.bincount(sets["validation"].labels).tolist() == [2] * 10

    def distinct(images):
        return {image.numpy().tobytes() for image in images.images}

    assert not distinct(sets["train"]) & distinct(sets["validation"])
    assert distinct(sets["train"]) | distinct(sets["validation"]) == distinct(sets["trainval"])


def test_the_split_depends_on_the_seed_alone(tiny, tmp_path):
    tiny.write(tmp_path)
    torch.manual_seed(1)
    first = load_cifar10("validation", tmp_path)
    torch.manual_seed(2)
    assert load_cifar10("validation", tmp_path, seed=0).describe() == first.describe()
    assert load_cifar10("validation", tmp_path, seed=1).describe() != first.describe()


def test_the_split_is_the_same_in_every_release():
    _, validation = split_positions(torch.arange(60) % 2, torch.arange(60), seed=0)
    assert validation.tolist() == [2, 3, 11, 13, 20, 48]


def test_a_part_of_the_data_is_split_like_the_whole():
    labels = torch.arange(1000) % 10
    train, validation = split_positions(labels, torch.arange(1000), seed=3)
    halves = [part[labels[part] == label][: len(part) // 20] for part in (train, validation) for label in range(10)]
    chosen = torch.cat(halves).sort().values
    part_train, part_validation = split_positions(labels[chosen], chosen, seed=3)
    assert set(chosen[part_train].tolist()) <= set(train.tolist())
    assert set(chosen[part_validation].tolist()) <= set(validation.tolist())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "val"}, "no split 'val'.*'validation'"),
        ({"split": "train", "sample": True}, "sample=True means nothing.*'always'"),
        ({"split": "train", "seed": -1}, "seed must be 0 or more, not -1"),
    ],
)
def test_bad_arguments_get_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_cifar10(**arguments)


# ---- the sample instead


def test_offline_the_sample_is_used_and_said_once(capsys):
    train, validation, test = (load_cifar10(split) for split in ("train", "validation", "test"))
    assert (len(train), len(validation), len(test)) == (4500, 500, 1000)
    assert {each.source for each in (train, validation, test)} == {"sample"}
    assert torch.bincount(validation.labels).tolist() == [50] * 10
    assert "not comparable" in train.description
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    for part in ("sample", "5,000", "1,000", "not comparable", "CIFAR10_OFFLINE forbids", "go online", "CIFAR10_ROOT"):
        assert part in said
    assert str(Path.cwd().parent) not in said  # no machine's paths in a lesson


def test_without_a_sample_the_error_says_where_was_looked(tmp_path):
    with pytest.raises(FileNotFoundError, match="CIFAR10_OFFLINE forbids") as caught:
        load_cifar10("train", tmp_path / "mine", sample="never")
    assert str(tmp_path / "mine") in str(caught.value)
    assert str(tmp_path / "cache" / "vit-course") in str(caught.value)


def test_always_the_sample_means_no_search_and_no_line(monkeypatch, capsys):
    monkeypatch.setattr(cifar10, "find_cifar10", lambda root: pytest.fail("it searched"))
    assert load_cifar10("trainval", sample="always").source == "sample"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("value", ["", "0", "false", "No"])
def test_offline_can_be_switched_off(monkeypatch, value):
    monkeypatch.setenv("CIFAR10_OFFLINE", value)
    asked = []
    monkeypatch.setattr(download, "download", lambda *arguments: asked.append(arguments) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        find_cifar10()
    assert asked[0][0] == download.MIRRORS


def test_when_no_download_succeeds_the_sample_is_used(monkeypatch, capsys):
    monkeypatch.setenv("CIFAR10_OFFLINE", "0")

    def fail(*_):
        raise download.DownloadError("the archive could not be downloaded.\n  http://one: 404\n  http://two: 503")

    monkeypatch.setattr(download, "download", fail)
    assert load_cifar10("test").source == "sample"
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "the archive could not be downloaded. To use" in said
    with pytest.raises(download.DownloadError, match="http://two: 503"):
        load_cifar10("test", sample="never")


def test_importing_is_light():
    heavy = ["matplotlib", "ipywidgets", "PIL", "torchvision", "IPython"]
    code = f"import sys, course_utils.data; print([name for name in {heavy} if name in sys.modules])"
    root = Path(cifar10.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- the whole data set, where it is


@needs_full
def test_the_whole_data_set():
    train = load_cifar10("train", FULL, sample="never")
    assert len(train) == 45_000
    assert torch.bincount(train.labels).tolist() == [4500] * 10
    assert len(load_cifar10("test", FULL, sample="never")) == 10_000


@needs_full
def test_the_sample_is_split_like_the_whole_data_set():
    def distinct(images):
        return {image.numpy().tobytes() for image in images.images}

    whole_train = distinct(load_cifar10("train", FULL))
    assert distinct(load_cifar10("train", sample="always")) <= whole_train
    assert not distinct(load_cifar10("validation", sample="always")) & whole_train
