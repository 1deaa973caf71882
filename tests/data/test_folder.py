from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from picture_folder import BROKEN, CLASSES, PER_CLASS, write_picture_folder
from PIL import Image
from torchvision import datasets
from torchvision.transforms import v2

from course_utils.data import ImageSet, Normalisation
from course_utils.data.folder import divide, read_folder
from course_utils.data.picture import load_picture

SPLITS = ("train", "validation", "test")


def plain_folder(folder: Path, pictures: dict[str, int], colour: bool = True) -> Path:
    """Write folders with so many different small pictures each."""
    random = np.random.default_rng(0)
    for name, count in pictures.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = random.integers(0, 256, (4, 4, 3) if colour else (4, 4), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def hashes(image_set: ImageSet) -> set[str]:
    return {hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in image_set.images}


@pytest.fixture
def own(tmp_path) -> Path:
    """Return an empty folder."""
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


# ---- a folder from real life


def test_a_folder_from_real_life_is_read(pictures, capsys):
    read = read_folder(pictures, 32)
    assert read.images.shape == (3 * PER_CLASS, 3, 32, 32)
    assert read.images.dtype == torch.uint8
    assert read.classes == tuple(CLASSES)
    assert torch.bincount(read.labels).tolist() == [PER_CLASS] * 3
    assert Counter(read.parts) == {"train": 24, "validation": 3, "test": 3}
    assert set(read.skipped) == set(BROKEN)
    assert "damaged or cut off" in read.skipped[BROKEN[0]]
    assert "is not a picture that can be read here" in read.skipped[BROKEN[1]]
    note = "2 files in 'my pictures' cannot be read and are left out: 'Kätzchen klein/cut off.jpg', 'ships & boats/page"
    assert note in capsys.readouterr().err


def test_each_picture_is_what_load_picture_gives(pictures):
    read = read_folder(pictures, (24, 40), show_progress=False)
    for label, name in enumerate(CLASSES):
        of_class = read.images[read.labels == label]
        for file in ("photo 1.png", "Bild ä1.JPG", "one.webp", "no ending", "last.jpg"):
            assert (of_class == load_picture(pictures / name / file, (24, 40))).flatten(1).all(1).sum() == 1


def test_the_splits_are_the_whole_and_share_no_picture(pictures):
    whole = ImageSet.from_folder(pictures, 32)
    splits = [ImageSet.from_folder(pictures, 32, split) for split in SPLITS]
    assert [len(each) for each in splits] == [24, 3, 3]
    assert [torch.bincount(each.labels).tolist() for each in splits] == [[8] * 3, [1] * 3, [1] * 3]
    assert set.union(*map(hashes, splits)) == hashes(whole)
    assert len(hashes(whole)) == len(whole) == 30
    trainval = ImageSet.from_folder(pictures, 32, "trainval")
    assert hashes(trainval) == hashes(splits[0]) | hashes(splits[1])


def test_all_splits_are_normalised_as_the_training_part(pictures):
    read = read_folder(pictures, 32)
    train = ImageSet.from_pictures(read, "train")
    assert train.normalisation == Normalisation.of(train.images)
    assert {ImageSet.from_pictures(read, split).normalisation for split in (*SPLITS, "all")} == {train.normalisation}


def test_the_record_names_the_folder_without_its_path(pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    image_set = ImageSet.from_folder(".", 16, "test")
    assert image_set.description == "folder my pictures, test split: 3 images of 3x16x16 in 3 classes"
    record = image_set.describe()
    assert json.loads(json.dumps(record)) == record
    assert (record["source"], record["name"]) == ("folder", "my pictures")
    assert str(pictures.parent) not in json.dumps(record)
    assert image_set.subset([0]).name == "my pictures"
    assert "name" not in image_set.__class__(*list(vars(image_set).values())[:-1]).describe()


def test_names_and_places_of_the_files_decide_nothing(pictures, own):
    copy = shutil.copytree(pictures, own / "my pictures")
    for place in copy.iterdir():
        for i, file in enumerate(sorted(place.glob("*.png") if place.is_dir() else [], reverse=True)):
            file.rename(file.with_name(f"renamed {i}.png"))
    for split in SPLITS:
        assert ImageSet.from_folder(copy, 32, split).describe() == ImageSet.from_folder(pictures, 32, split).describe()


def test_a_progress_bar_is_shown_unless_it_is_not_wanted(pictures, capsys):
    read_folder(pictures, 8)
    assert "reading pictures" in capsys.readouterr().err
    read_folder(pictures, 8, show_progress=False)
    assert "reading pictures" not in capsys.readouterr().err


def test_the_fixture_is_written_the_same_way_again(pictures, own):
    again = write_picture_folder(own / "my pictures")
    assert ImageSet.from_folder(again, 32).describe() == ImageSet.from_folder(pictures, 32).describe()


# ---- grey and colour


def test_pictures_without_any_colour_have_one_channel(own):
    plain_folder(own, {"a": 3, "b": 3}, colour=False)
    grey = Image.open(own / "a" / "0.png")
    grey.convert("RGB").save(own / "a" / "0.png")  # grey, though stored in three channels
    image_set = ImageSet.from_folder(own, 4)
    assert image_set.images.shape == (6, 1, 4, 4)
    assert len(image_set.normalisation.mean) == 1
    assert ImageSet.from_folder(own, 4, channels=3).images.shape == (6, 3, 4, 4)


def test_one_picture_in_colour_makes_three_channels_unless_grey_is_wanted(own):
    plain_folder(own, {"a": 3, "b": 3}, colour=False)
    Image.new("RGB", (4, 4), "red").save(own / "a" / "red.png")
    assert ImageSet.from_folder(own, 4).images.shape == (7, 3, 4, 4)
    grey = ImageSet.from_folder(own, 4, channels=1).images
    assert grey.shape == (7, 1, 4, 4)
    assert (grey == 76).flatten(1).all(1).sum() == 1


# ---- which part a picture belongs to


DIGESTS = st.lists(
    st.sets(st.integers(0, 10_000).map(lambda n: hashlib.sha256(bytes([n % 256, n // 256])).hexdigest()))
)


@pytest.mark.parametrize(
    ("count", "shares"),
    [
        (1, (1, 0, 0)),
        (2, (2, 0, 0)),
        (3, (1, 1, 1)),
        (10, (8, 1, 1)),
        (14, (12, 1, 1)),
        (15, (11, 2, 2)),
        (100, (80, 10, 10)),
        (1000, (800, 100, 100)),
    ],
)
def test_shares_of_a_class(count, shares):
    parts = Counter(divide([[f"{i:05}" for i in range(count)]]).values())
    assert tuple(parts[split] for split in SPLITS) == shares


@given(DIGESTS)
def test_every_class_with_three_pictures_of_its_own_has_some_in_each_part(classes):
    part_of = divide(classes)
    assert set(part_of) == set().union(*classes)
    seen: set[str] = set()
    for each in classes:
        own = each - seen
        seen |= each
        parts = Counter(part_of[digest] for digest in own)
        assert parts["validation"] == parts["test"]
        assert abs(parts["test"] - len(own) / 10) <= max(0.5, 1 - len(own) / 10)
        assert len(own) < 3 or min(parts[split] for split in SPLITS) >= 1


@given(st.sets(st.binary(min_size=2, max_size=4), min_size=3, max_size=60), st.binary(min_size=2, max_size=4))
def test_a_new_picture_moves_at_most_one_other_across_each_border(names, new):
    digests = {hashlib.sha256(name).hexdigest() for name in names}
    before, after = divide([digests]), divide([digests | {hashlib.sha256(new).hexdigest()}])
    moves = Counter((before[digest], after[digest]) for digest in digests if before[digest] != after[digest])
    for part in ("validation", "test"):
        assert moves["train", part] + moves[part, "train"] <= 1
    assert moves["validation", "test"] == moves["test", "validation"] == 0


def test_order_and_copies_decide_nothing():
    digests = [hashlib.sha256(bytes([i])).hexdigest() for i in range(40)]
    assert divide([digests[::-1] + digests[:7]]) == divide([digests])


def test_the_division_is_the_same_on_every_machine():
    digests = [hashlib.sha256(bytes([i])).hexdigest() for i in range(20)]
    part_of = divide([digests])
    assert [i for i, digest in enumerate(digests) if part_of[digest] == "test"] == [3, 10]
    assert [i for i, digest in enumerate(digests) if part_of[digest] == "validation"] == [12, 18]


def test_copies_of_a_file_count_and_stay_together_even_in_other_classes(own):
    plain_folder(own, {"a": 20, "b": 20})
    for file in (own / "a").glob("?.png"):
        shutil.copy(file, own / "a" / f"copy of {file.name}")
        shutil.copy(file, own / "b" / f"also {file.name}")
    read = read_folder(own, 4)
    assert torch.bincount(read.labels).tolist() == [30, 30]
    splits = [hashes(ImageSet.from_pictures(read, split)) for split in SPLITS]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 40


def test_a_class_too_small_to_divide_is_for_training_and_said(own, capsys):
    plain_folder(own, {"big": 10, "small": 2})
    assert torch.bincount(ImageSet.from_folder(own, 4, "train").labels).tolist() == [8, 2]
    note = (
        "In 'own' all pictures of 'small' are for training, none for validation or test: "
        "a class needs 3 different ones to be divided."
    )
    assert note in capsys.readouterr().err.splitlines()
    plain_folder(own / "other", {"one": 2, "two": 1})
    with pytest.raises(ValueError, match=r"The test split of 'other' is empty: no class has 3 different pictures"):
        ImageSet.from_folder(own / "other", 4, "test")


# ---- what cannot be read


def test_of_many_broken_files_the_first_few_are_named(own, capsys):
    plain_folder(own, {"a": 3, "b": 3})
    for i in range(15):
        (own / "b" / f"broken {i:02}.png").write_bytes(b"rubbish")
    read = read_folder(own, 4)
    assert len(read.skipped) == 15
    expected = (
        "15 files in 'own' cannot be read and are left out: "
        "'b/broken 00.png', 'b/broken 01.png', 'b/broken 02.png' and 12 more."
    )
    assert expected in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("name", ["empty.png", "phone.HEIC", "dangling.jpg", "pipe.jpg"])
def test_every_kind_of_unreadable_picture_is_named(own, capsys, name):
    plain_folder(own, {"a": 3, "b": 3})
    place = own / "a" / name
    if name == "dangling.jpg":
        place.symlink_to(own / "nowhere")
    elif name == "pipe.jpg":
        os.mkfifo(place)
    else:
        place.write_bytes(b"" if name == "empty.png" else b"\0\0\0\x18ftypheic")
    assert set(read_folder(own, 4).skipped) == {f"a/{name}"}
    assert f"1 file in 'own' cannot be read and is left out: 'a/{name}'." in capsys.readouterr().err


def test_a_pipe_without_a_pictures_name_is_passed_over(own):
    plain_folder(own, {"a": 3, "b": 3})
    os.mkfifo(own / "a" / "pipe")
    assert read_folder(own, 4).skipped == {}


def test_pictures_in_no_class_are_said(own, capsys):
    plain_folder(own, {"a": 3, "b": 3})
    shutil.copy(own / "a" / "0.png", own / "cover.png")
    assert len(ImageSet.from_folder(own, 4)) == 6
    expected = "1 picture directly in 'own', in the subfolder of no class, is left out: 'cover.png'."
    assert expected in capsys.readouterr().err.splitlines()


def test_too_little_memory_is_no_broken_file(own, monkeypatch):
    def fail(*_):
        raise MemoryError

    plain_folder(own, {"a": 3, "b": 3})
    monkeypatch.setattr(Image.Image, "convert", fail)
    with pytest.raises(MemoryError, match="not enough memory"):
        read_folder(own, 4)


def test_a_path_that_is_no_folder(own):
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere': check the name\."):
        ImageSet.from_folder(own / "nowhere", 32)
    (own / "a.zip").write_bytes(b"PK")
    with pytest.raises(NotADirectoryError, match=r"a\.zip' is a file: give the folder that holds a subfolder for each"):
        ImageSet.from_folder(own / "a.zip", 32)


def test_a_folder_that_may_not_be_read(own, monkeypatch):
    def forbid(self):
        raise PermissionError(13, "Permission denied")

    plain_folder(own, {"a": 3, "b": 3})
    monkeypatch.setattr(Path, "iterdir", forbid)
    with pytest.raises(PermissionError, match=r"You may not read the folder .*: change its permissions first\."):
        ImageSet.from_folder(own, 32)


def test_a_folder_without_subfolders(own):
    Image.new("RGB", (4, 4)).save(own / "a.png")
    with pytest.raises(ValueError, match=r"holds no subfolders: make one for each class, named after it, and put its"):
        ImageSet.from_folder(own, 32)


def test_a_single_class(own):
    plain_folder(own, {"a": 3})
    with pytest.raises(ValueError, match=r"holds one subfolder, 'a': there must be two classes or more\."):
        ImageSet.from_folder(own, 32)


@pytest.mark.parametrize("content", [None, b"rubbish"])
def test_a_class_without_a_picture(own, content):
    plain_folder(own, {"a": 3, "b": 3, "empty": 0})
    if content:
        (own / "empty" / "broken.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"The subfolder 'empty' of .* holds no picture that can be read: put some"):
        ImageSet.from_folder(own, 32)


def test_folders_in_the_folder_of_a_class_are_refused(own):
    for part in ("train", "val"):
        plain_folder(own / part, {"cats": 3, "dogs": 3})
    message = (
        r"train' holds further folders \('cats', 'dogs'\), but .*: if these are the classes, give .*train' instead"
    )
    with pytest.raises(ValueError, match=message):
        ImageSet.from_folder(own, 32)
    assert ImageSet.from_folder(own / "train", 4).classes == ("cats", "dogs")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 0}, "at least 1 pixel, not 0x0"),
        ({"image_size": 32, "channels": 4}, "1 channel .* not 4"),
        ({"image_size": 32, "channels": 0}, "1 channel .* not 0"),
        ({"image_size": 32, "split": "dev"}, "no split 'dev': choose one of 'train', 'validation', 'trainval', 'test'"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_before_reading(own, arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageSet.from_folder(own / "nowhere", **arguments)


def test_class_names_are_the_same_on_every_system(own):
    plain_folder(own, {"Ka\u0308tzchen": 3, os.fsdecode(b"No\xebl"): 3})  # as macOS stores it; no UTF-8 at all
    classes = ImageSet.from_folder(own, 4).classes
    assert classes == ("K\u00e4tzchen", "No\\xebl")
    plain_folder(own, {"K\u00e4tzchen": 2})  # the same name for people
    assert torch.bincount(ImageSet.from_folder(own, 4).labels).tolist() == [5, 3]


# ---- torchvision


class Listed:
    """A data set as small as it can be."""

    def __init__(self, *items, classes=None):
        self.items = items
        if classes:
            self.classes = classes

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def picture(width=4, height=4, mode="RGB", seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def test_fake_data_of_torchvision():
    fake = datasets.FakeData(size=20, image_size=(3, 8, 6), num_classes=3)
    image_set = ImageSet.from_torchvision(fake)
    assert image_set.images.shape == (20, 3, 8, 6)
    assert image_set.classes == ("0", "1", "2")
    assert torch.equal(image_set.images[7], v2.functional.pil_to_tensor(fake[7][0]))
    assert image_set.labels.tolist() == [int(fake[i][1]) for i in range(20)]
    assert image_set.normalisation == Normalisation.of(image_set.images)
    assert image_set.description == "torchvision's FakeData, train split: 20 images of 3x8x6 in 3 classes"
    assert image_set.describe()["name"] == "FakeData"


def test_an_image_folder_of_torchvision(own):
    plain_folder(own, {"cats": 3, "dogs": 2})
    image_set = ImageSet.from_torchvision(datasets.ImageFolder(own), "all")
    assert image_set.classes == ("cats", "dogs")
    assert image_set.labels.tolist() == [0, 0, 0, 1, 1]
    own = ImageSet.from_folder(own, 4)
    assert hashes(own) == hashes(image_set)


def test_grey_images_have_one_channel():
    grey = Listed((picture(mode="L"), 0), (picture(mode="L", seed=1), 1), classes=["0 - zero", "1 - one"])
    image_set = ImageSet.from_torchvision(grey)
    assert image_set.images.shape == (2, 1, 4, 4)
    assert np.array_equal(image_set.images[1, 0], np.asarray(picture(mode="L", seed=1)))
    assert image_set.classes == ("0 - zero", "1 - one")
    assert ImageSet.from_torchvision(grey, channels=3).images.shape == (2, 3, 4, 4)


@pytest.mark.parametrize("channels", [1, 3])
def test_uint8_tensors_and_labels_of_other_kinds(channels):
    images = torch.randint(0, 256, (3, channels, 4, 6), dtype=torch.uint8)
    labels = (np.int64(2), torch.tensor(0), 1)
    image_set = ImageSet.from_torchvision(Listed(*zip(images, labels, strict=True)))
    assert torch.equal(image_set.images, images)
    assert image_set.labels.tolist() == [2, 0, 1]


def test_images_of_different_sizes_need_one_size():
    cars = Listed((picture(8, 6), 0), (picture(10, 6), 1))
    with pytest.raises(ValueError, match="Listed has images of 6x8 and of 6x10 pixels: give one image_size for all"):
        ImageSet.from_torchvision(cars)
    assert ImageSet.from_torchvision(cars, image_size=(4, 5)).images.shape == (2, 3, 4, 5)
    with pytest.raises(ValueError, match="at least 1 pixel, not 0x0"):
        ImageSet.from_torchvision(cars, image_size=0)


def test_names_of_the_classes():
    items = (picture(), 0), (picture(), 1)
    assert ImageSet.from_torchvision(Listed(*items, classes=[("tench", "Tinca"), "ray"])).classes == (
        "tench, Tinca",
        "ray",
    )
    assert ImageSet.from_torchvision(Listed(*items), classes=["a", "b", "c"]).classes == ("a", "b", "c")
    with pytest.raises(ValueError, match="labels must lie between 0 and 0"):
        ImageSet.from_torchvision(Listed(*items), classes=["a"])


def test_other_parts_take_the_normalisation_of_the_training_part():
    train = ImageSet.from_torchvision(Listed((picture(), 0)))
    with pytest.raises(ValueError, match=r"The test split takes the training part's normalisation=\.\.\., not one of"):
        ImageSet.from_torchvision(Listed((picture(seed=1), 0)), "test")
    test = ImageSet.from_torchvision(Listed((picture(seed=1), 0)), "test", normalisation=train.normalisation)
    assert (test.split, test.normalisation) == ("test", train.normalisation)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Listed(), "Listed holds no images"),
        (Listed((torch.zeros(3, 4, 4), 0)), r"tensors of torch.float32: make it without transform=\.\.\., for an imag"),
        (Listed((np.zeros((4, 4, 3)), 0)), "images as ndarray: it must give PIL images or uint8 tensors"),
        (Listed((torch.zeros(4, 4, dtype=torch.uint8), 0)), r"of the shape \(4, 4\): it must be \(1 or 3, H, W\)"),
        (Listed((picture(), {"boxes": []})), "label of image 0 of Listed is no whole number but of the type dict"),
        (Listed((picture(), 0.5)), "no whole number but of the type float"),
        (Listed((picture(), 0, 1)), "Item 0 of Listed is no pair of image and label"),
        (Listed(picture()), "Item 0 of Listed is no pair"),
        (Listed((Image.new("F", (4, 4), 300.0), 0)), "Image 0 of Listed holds numbers from 300 to 300"),
        (Listed((picture(), -1), (picture(), 1)), "labels must lie between 0 and 1"),
    ],
)
def test_other_data_sets_get_one_sentence(dataset, message):
    with pytest.raises(ValueError, match=message):
        ImageSet.from_torchvision(dataset)


# Some classes alone, and a folder that is too large


def test_some_classes_alone_count_from_zero_in_the_new_order():
    images = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1)
    whole = ImageSet(
        images, torch.tensor([0, 1, 2, 0, 1, 2]), ("a", "b", "c"), "train", "synthetic", Normalisation.none(1)
    )
    some = whole.of_classes(["c", "a"])
    assert some.images.flatten().tolist() == [0, 2, 3, 5]
    assert some.labels.tolist() == [1, 0, 1, 0]
    assert (some.classes, some.normalisation) == (("c", "a"), whole.normalisation)


@pytest.mark.parametrize(
    ("names", "words"), [(["a", "z"], "no class 'z'"), (["a"], "two or more"), (["a", "a"], "two")]
)
def test_classes_that_cannot_be_taken_are_named(names, words):
    whole = ImageSet(
        torch.zeros(2, 1, 1, 1, dtype=torch.uint8), torch.tensor([0, 1]), ("a", "b"), "x", "y", Normalisation.none(1)
    )
    with pytest.raises(ValueError, match=words):
        whole.of_classes(names)


def test_a_folder_that_does_not_fit_into_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    plain_folder(tmp_path / "many", {"a": 5, "b": 5})
    monkeypatch.setattr(
        "course_utils.data.folder._memory", lambda: 2 * 2 * 10 * 3 * 64 * 48 - 1
    )  # half is for the model
    monkeypatch.setattr("course_utils.data.folder._load", lambda *_: pytest.fail("it was read"))
    with pytest.raises(MemoryError, match="holds 10 pictures: at 64x48 pixels they need"):
        read_folder(tmp_path / "many", (64, 48), show_progress=False)


def test_a_folder_that_just_fits_is_read(tmp_path, monkeypatch):
    plain_folder(tmp_path / "many", {"a": 5, "b": 5})
    monkeypatch.setattr("course_utils.data.folder._memory", lambda: 2 * 2 * 10 * 3 * 64 * 48)
    assert len(read_folder(tmp_path / "many", (64, 48), show_progress=False).images) == 10
    monkeypatch.setattr("course_utils.data.folder._memory", lambda: None)  # a system that does not say
    assert len(read_folder(tmp_path / "many", 8, show_progress=False).images) == 10
