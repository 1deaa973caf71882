"""CIFAR-10 for the course: the whole data set where it can be had, a real sample of it where it cannot."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

import torch

from course_utils.data import download
from course_utils.data.image_set import ImageSet
from course_utils.data.normalisation import CIFAR10_NORMALISATION
from course_utils.data.official import CIFAR10_CLASSES, find_official, read_official
from course_utils.data.splits import split_positions
from course_utils.support.files import DamagedFileError

SPLITS = ("train", "validation", "trainval", "test")
_SAMPLE_CHOICES = ("auto", "never", "always")


def load_cifar10(split: str, root: str | Path | None = None, sample: str = "auto", seed: int = 0) -> ImageSet:
    """Load one split of CIFAR-10.

    The data set is looked for as :func:`find_cifar10` says, and downloaded if it is nowhere. Every file is checked
    against its published MD5. Where it cannot be had, the sample that ships with the course takes its place, one
    line on stderr says so, and the result's ``source`` is ``"sample"``.

    ============  ==========  ======
    split         whole data  sample
    ============  ==========  ======
    train         45,000      4,500
    validation    5,000       500
    trainval      50,000      5,000
    test          10,000      1,000
    ============  ==========  ======

    Training and validation are divided class by class. With the same seed the sample's training images are among
    the training images of the whole data set, and its validation images among the validation images.

    Args:
        split: ``"train"``, ``"validation"``, ``"trainval"`` (both together) or ``"test"``.
        root: A folder to look in first, and to download to.
        sample: ``"auto"``: use the sample if the whole data set cannot be had; ``"never"``: raise an error then;
            ``"always"``: use the sample without looking for the whole data set.
        seed: Decides which training images are for validation; 0 or more.

    Returns:
        The images in the official order.

    Raises:
        ValueError: An argument has none of the values above.
        DamagedFileError: A file of the data set is not the published one. The sentence names it.
        FileNotFoundError: A file of the data set is missing; or, with ``sample="never"``, the data set is nowhere
            and ``$CIFAR10_OFFLINE`` forbids a download.
        DownloadError: With ``sample="never"``: no address gave the data set.
        OSError: With ``sample="never"``: the data set cannot be written (disk full, no permission).
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}: choose one of {', '.join(map(repr, SPLITS))}.")
    if sample not in _SAMPLE_CHOICES:
        raise ValueError(f"sample={sample!r} means nothing: choose one of {', '.join(map(repr, _SAMPLE_CHOICES))}.")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}.")
    folder = None if sample == "always" else _find_or_fall_back(root, sample)
    part = "test" if split == "test" else "train"
    if folder is None:
        from course_utils.data.sample import load_sample  # late: it needs an image library, the whole data set does not

        images, labels, indices = load_sample(part)
    else:
        images, labels = read_official(folder, part)
        indices = torch.arange(len(labels))
    if split in ("train", "validation"):
        train, validation = split_positions(labels, indices, seed)
        chosen = train if split == "train" else validation
        images, labels = images[chosen], labels[chosen]
    return ImageSet(
        images, labels, CIFAR10_CLASSES, split, "sample" if folder is None else "official", CIFAR10_NORMALISATION
    )


def find_cifar10(root: str | Path | None = None) -> Path:
    """Find the whole data set on this machine, or download it.

    Looked through in this order: ``root``, ``$CIFAR10_ROOT``, ``data/`` in the working folder, the user's cache
    folder. Each may hold ``cifar-10-batches-py``, ``cifar-10-batches-bin`` or ``cifar-10-python.tar.gz``, which is
    then unpacked. A download goes to the first of ``root``, ``$CIFAR10_ROOT`` and the cache folder that is named.
    ``CIFAR10_OFFLINE=1`` in the environment forbids it.

    Returns:
        The folder that holds the files.

    Raises:
        DamagedFileError: The archive that was found is not the published one.
        FileNotFoundError: The data set is nowhere, and ``$CIFAR10_OFFLINE`` forbids a download.
        DownloadError: No address gave it.
        OSError: It cannot be written (disk full, no permission).
    """
    if folder := find_local(root):
        return folder
    places = _places(root)
    for place in places:
        if (place / download.ARCHIVE).is_file():
            return download.extract(place / download.ARCHIVE, place, download.ARCHIVE_MD5)
    if os.environ.get("CIFAR10_OFFLINE", "0").lower() not in ("", "0", "false", "no"):
        raise FileNotFoundError(
            "CIFAR-10 is not on this machine, and CIFAR10_OFFLINE forbids a download."
            f"\n  Looked in: {', '.join(map(str, places))}"
        )
    target = (places[:-2] or places[-1:])[0]  # a folder that somebody named, or the cache
    archive = download.download(
        download.MIRRORS, target / download.ARCHIVE, download.ARCHIVE_MD5, download.ARCHIVE_SIZE
    )
    folder = download.extract(archive, target, download.ARCHIVE_MD5)
    archive.unlink()
    return folder


def find_local(root: str | Path | None = None) -> Path | None:
    """Return the folder of the whole data set if it is on this machine, unpacked; look where find_cifar10 looks."""
    return next((found[1] for place in _places(root) if (found := find_official(place))), None)


def _places(root: str | Path | None) -> list[Path]:
    named = [Path(place).expanduser() for place in (root, os.environ.get("CIFAR10_ROOT")) if place]
    return [*named, Path("data"), cache_folder()]


def cache_folder() -> Path:
    """Return the folder for downloads that nobody gave another place: ``vit-course`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "vit-course")


def _find_or_fall_back(root: str | Path | None, sample: str) -> Path | None:
    try:
        return find_cifar10(root)
    except DamagedFileError:
        raise  # the person has the data set and should repair it
    except OSError as error:
        if sample == "never":
            raise
        reason = str(error).splitlines()[0].rstrip(".")  # the lines after it are details
        _say_once(
            "CIFAR-10: using the sample that ships with the course (real images: 5,000 for training and validation, "
            "1,000 for testing), so accuracies are not comparable with those on the whole data set. "
            f"Why: {reason}. To use the whole data set: go online and run this again, or put {download.ARCHIVE} from "
            "https://www.cs.toronto.edu/~kriz/cifar.html into the folder data/ or into one that CIFAR10_ROOT names."
        )
        return None


@functools.cache
def _say_once(message: str) -> None:
    """Print to stderr, but not again for the next split."""
    print(message, file=sys.stderr)
