"""Pictures of one's own: a folder with a subfolder a class."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import sys
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from course_utils.data.normalisation import Normalisation
from course_utils.data.picture import check_size, grey_if_without_colour, load_picture, read_file

_PARTS = {  # split -> parts
    "train": ("train",),
    "validation": ("validation",),
    "trainval": ("train", "validation"),
    "test": ("test",),
    "all": ("train", "validation", "test"),
}
_SHARE = 10  # one picture in ten is for validation, one for testing
_LEAST = 3  # so few pictures of a class can be divided into three parts
_NAMED = 3  # so many files are named in a note
_MADE_BY_SYSTEMS = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information"}
_NOT_READ_HERE = {".heic", ".heif"}  # pictures all the same, so they are named and not passed over


@dataclass(frozen=True, eq=False)
class PictureFolder:
    """The pictures of a folder, read once, with the part that each belongs to.

    Attributes:
        name: Of the folder, without the path to it.
        images: uint8 ``(N, C, H, W)``, ordered by class, then by the hash of their files.
        labels: int64 ``(N,)``.
        classes: The names of the subfolders, sorted, written the same way on every system.
        parts: For each picture ``"train"``, ``"validation"`` or ``"test"``.
        normalisation: Of the training part.
        skipped: Each file that could not be read (``"class/name"``), and why.
    """

    name: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    parts: tuple[str, ...]
    normalisation: Normalisation
    skipped: dict[str, str]

    def chosen(self, split: str) -> Tensor:
        """Return which pictures a split holds, bool ``(N,)``.

        Args:
            split: ``"train"``, ``"validation"``, ``"trainval"`` (both), ``"test"`` or ``"all"``.

        Raises:
            ValueError: There is no such split, or it is empty since every class is too small to be divided.
        """
        wanted = parts_of(split)
        chosen = torch.tensor([part in wanted for part in self.parts])
        if not chosen.any():
            raise ValueError(
                f"The {split} split of {self.name!r} is empty: no class has {_LEAST} different pictures to divide."
            )
        return chosen


def parts_of(split: str) -> tuple[str, ...]:
    """Return the parts that a split is made of: ``"trainval"`` of ``"train"`` and ``"validation"``.

    Raises:
        ValueError: There is no such split.
    """
    if split not in _PARTS:
        raise ValueError(f"There is no split {split!r}: choose one of {', '.join(map(repr, _PARTS))}.")
    return _PARTS[split]


class _Found(NamedTuple):
    label: int
    digest: str  # SHA-256 of the file
    image: Tensor  # (C, H, W)


def read_folder(
    path: str | Path, image_size: int | tuple[int, int], channels: int | None = None, show_progress: bool = True
) -> PictureFolder:
    """Read a folder that holds one subfolder a class, named after the class, with its pictures directly in it.

    Every file that Pillow can open counts, whatever it is called. Hidden files, and files that are no pictures by
    name or content, are passed over. Pictures that cannot be read are left out, and a note on stderr names them.

    Each picture's part follows from the content of its file, see :func:`divide`.

    Args:
        path: The folder.
        image_size: (H, W) in pixels that every picture is cropped and resized to, or one number for a square.
        channels: 3 for colour, 1 for grey; None: 1 if no picture has any colour, else 3.
        show_progress: Whether a bar is shown.

    Returns:
        The pictures. They do not depend on the names of the files, nor on their order.

    Raises:
        FileNotFoundError: There is no such folder.
        NotADirectoryError: The path is a file.
        PermissionError: A folder may not be read.
        MemoryError: A picture needs more memory than there is, or all of them together do.
        ValueError: There are not two or more subfolders with pictures directly in each; or image_size or channels is
            not possible.
    """
    read_as = 3 if channels is None else channels
    check_size(image_size, read_as)
    folder = Path(path).expanduser()
    files = _find(folder)
    _refuse_too_many(folder, sum(map(len, files.values())), image_size, read_as)
    name, classes = _readable(folder.resolve().name), tuple(files)
    found, skipped = _load(files, image_size, read_as, show_progress)
    if skipped:
        _say(f"{_count(skipped, 'file')} in {name!r} cannot be read and {_are(skipped)} left out: {_some(skipped)}.")
    part_of = divide(_hashes_by_class(folder, classes, found))
    _say_what_is_not_divided(name, classes, found, part_of)
    images = torch.stack([each.image for each in found])  # (N, C, H, W)
    if channels is None:
        images = grey_if_without_colour(images)
    labels = torch.tensor([each.label for each in found])
    parts = tuple(part_of[each.digest] for each in found)
    training = torch.tensor([part == "train" for part in parts])
    return PictureFolder(name, images, labels, classes, parts, Normalisation.of(images[training]), skipped)


def pictures_in(path: str | Path) -> list[Path]:
    """List the pictures of a folder: those directly in it, or else those in its subfolders, one of each in turn.

    Raises:
        OSError: The folder cannot be read, or is no folder.
        ValueError: There are none.
    """
    folder = Path(path).expanduser()
    entries = _entries(folder)
    found = list(filter(_is_picture, entries))
    if not found:
        of_each = [filter(_is_picture, _entries(entry)) for entry in entries if entry.is_dir()]
        found = [file for row in itertools.zip_longest(*of_each) for file in row if file is not None]
    if not found:
        raise ValueError(f"'{folder}' holds no pictures, nor do its subfolders.")
    return found


def divide(classes: Iterable[Iterable[str]]) -> dict[str, str]:
    """Divide pictures 80/10/10 into training, validation and test, by the hashes of their files.

    The pictures of a class queue up by hash, which is as good as by lot, but the same on every machine. The first
    tenth of the queue is for testing, the last tenth for validation, both rounded to the nearest whole number and
    at least 1. So

    - copies of a file fall into the same part, those in other classes too: the first class decides;
    - a class with 3 or more different pictures has some in each part; with fewer, all are for training;
    - a picture that is added pushes at most one other across each of the two borders, and none ever goes from
      validation to test or back. (That nothing moves, and that the shares are exact, cannot both be had.)

    Args:
        classes: For each class, the hashes of its files; copies may be among them.

    Returns:
        Hash -> ``"train"``, ``"validation"`` or ``"test"``.
    """
    part_of: dict[str, str] = {}
    for hashes in classes:
        queue = sorted(set(hashes) - part_of.keys())
        share = max(1, (len(queue) + _SHARE // 2) // _SHARE) if len(queue) >= _LEAST else 0
        for place, digest in enumerate(queue):
            last = place >= len(queue) - share
            part_of[digest] = "test" if place < share else "validation" if last else "train"
    return part_of


def _load(
    files: dict[str, list[Path]], image_size: int | tuple[int, int], channels: int, show_progress: bool
) -> tuple[list[_Found], dict[str, str]]:
    """Load the pictures of all classes, ordered by class and hash; return also which files were skipped, and why."""
    found: list[_Found] = []
    skipped: dict[str, str] = {}
    labelled = [(label, file) for label, of_class in enumerate(files.values()) for file in of_class]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow tells of odd metadata, which nobody needs here
        for label, file in tqdm(labelled, "reading pictures", unit="img", mininterval=0.5, disable=not show_progress):
            try:
                content = read_file(file)
                image = load_picture(content, image_size, channels)
            except (OSError, ValueError) as error:
                skipped[_readable(f"{file.parent.name}/{file.name}")] = str(error)
            else:
                found.append(_Found(label, hashlib.sha256(content).hexdigest(), image))
    return sorted(found, key=lambda each: (each.label, each.digest)), skipped


def _refuse_too_many(folder: Path, count: int, image_size: int | tuple[int, int], channels: int) -> None:
    """Say before the reading, which may take an hour, that the pictures do not fit into memory.

    Raises:
        MemoryError: They do not.
    """
    height, width = image_size if isinstance(image_size, tuple) else (image_size, image_size)
    needed = 2 * count * channels * height * width  # one byte a number; for a moment, each picture is there twice
    there_is = _memory()
    if there_is is not None and needed > there_is / 2:
        raise MemoryError(
            f"'{folder}' holds {count:,} pictures: at {height}x{width} pixels they need {needed / 1e9:.1f} GB of "
            f"memory, and this machine has {there_is / 1e9:.1f} GB, of which half is wanted for the training. "
            "Make the image size smaller, or take fewer pictures."
        )


def _memory() -> int | None:
    """Return the bytes of memory of this machine, if the system says it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _hashes_by_class(folder: Path, classes: tuple[str, ...], found: list[_Found]) -> list[list[str]]:
    hashes: list[list[str]] = [[] for _ in classes]
    for each in found:
        hashes[each.label].append(each.digest)
    for name, of_class in zip(classes, hashes, strict=True):
        if not of_class:
            raise ValueError(
                f"The subfolder {name!r} of '{folder}' holds no picture that can be read: "
                "put some into it, or delete it."
            )
    return hashes


def _say_what_is_not_divided(name: str, classes: tuple[str, ...], found: list[_Found], part_of: dict[str, str]) -> None:
    divided = {each.label for each in found if part_of[each.digest] != "train"}
    if undivided := [classes[label] for label in range(len(classes)) if label not in divided]:
        _say(
            f"In {name!r} all pictures of {_some(undivided)} are for training, none for validation or test: "
            f"a class needs {_LEAST} different ones to be divided."
        )


def _find(folder: Path) -> dict[str, list[Path]]:
    """Find the classes of a folder, and the files of each that are pictures by name or content."""
    entries = _entries(folder)
    files: dict[str, list[Path]] = {}
    for entry in sorted(filter(Path.is_dir, entries), key=lambda entry: _readable(entry.name)):
        files.setdefault(_readable(entry.name), []).extend(_files(entry))
    if not files:
        raise ValueError(
            f"'{folder}' holds no subfolders: make one for each class, named after it, and put its pictures there."
        )
    if len(files) == 1:
        raise ValueError(f"'{folder}' holds one subfolder, {_some(files)}: there must be two classes or more.")
    astray = [entry.name for entry in entries if _is_picture(entry)]
    if astray:
        _say(
            f"{_count(astray, 'picture')} directly in {folder.name!r}, in the subfolder of no class, "
            f"{_are(astray)} left out: {_some(astray)}."
        )
    return files


def _files(folder: Path) -> list[Path]:
    """List the pictures of one class."""
    entries = _entries(folder)
    if folders := [entry.name for entry in entries if entry.is_dir()]:
        raise ValueError(
            f"'{folder}' holds further folders ({_some(folders)}), but a class has its pictures directly in its "
            f"folder: if these are the classes, give '{folder}' instead."
        )
    return [entry for entry in entries if _is_picture(entry)]


def _entries(folder: Path) -> list[Path]:
    """List what people put into a folder, by name."""
    try:
        if not folder.exists():
            raise FileNotFoundError(f"There is no folder '{folder}': check the name.")
        if not folder.is_dir():
            raise NotADirectoryError(f"'{folder}' is a file: give the folder that holds a subfolder for each class.")
        entries = sorted(folder.iterdir())
    except PermissionError as error:
        raise PermissionError(f"You may not read the folder '{folder}': change its permissions first.") from error
    return [entry for entry in entries if not entry.name.startswith(".") and entry.name not in _MADE_BY_SYSTEMS]


def _is_picture(file: Path) -> bool:
    """Tell a picture by its name, or else by how its content begins.

    So a broken picture is not taken for some other file, and a picture without an ending is found.
    """
    if file.is_dir():
        return False
    if file.suffix.lower() in _picture_suffixes():
        return True
    if not file.is_file():  # a pipe, which would let Pillow wait for ever
        return False
    try:
        with Image.open(file):
            return True
    except Exception:  # each of Pillow's readers has its own way to say no
        return False


@functools.cache
def _picture_suffixes() -> frozenset[str]:
    known = Image.registered_extensions()  # also reads in all of Pillow's formats
    return frozenset({suffix for suffix, kind in known.items() if kind in Image.OPEN} | _NOT_READ_HERE)


def _readable(name: str) -> str:
    """Write a name the same way on every system: some store é as one letter, some as two; some names are no text."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "backslashreplace"))


def _say(note: str) -> None:
    print(note, file=sys.stderr)


def _count(things: Sequence[Any] | dict[str, Any], noun: str) -> str:
    return f"{len(things):,} {noun}{'s' * (len(things) != 1)}"


def _are(things: Sequence[Any] | dict[str, Any]) -> str:
    return "is" if len(things) == 1 else "are"


def _some(names: Iterable[str]) -> str:
    """Name the first few: "'a', 'b', 'c' and 12 more"."""
    names = [repr(_readable(name)) for name in names]
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")
