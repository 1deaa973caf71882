"""Trained weights: save, load, and those that ship with the package."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.beyond.flexivit import FlexiViT
from course_utils.data.normalisation import Normalisation, remember
from course_utils.model.convert import WeightsError, check_fit
from course_utils.model.vit import VisionTransformer
from course_utils.support.files import ASSETS, DamagedFileError, load_tensors, save_tensors
from course_utils.zoo.kinds import KINDS

FORMAT = "vit-course weights 2"
OLD_FORMAT = "vit-course weights 1"  # knew one kind of model, and kept normalisation and classes in the record alone
PRETRAINED_FOLDER = ASSETS / "weights"
ENCODERS_FOLDER = ASSETS / "encoders"  # models that learned without labels: they name no classes


def save_weights(model: nn.Module, path: str | Path, record: dict[str, Any] | None = None, half: bool = True) -> None:
    """Save a model in one safetensors file, atomically, with a checksum: weights, kind, config, normalisation, classes.

    What :func:`load_weights` would refuse is refused here, before anything is written.

    Args:
        model: Of a kind in ``kinds.KINDS``. It is not changed.
        path: Where to write; the usual ending is ".safetensors".
        record: Anything about the run that made the weights, as JSON can hold it.
        half: Store float16: half the size, and about three digits of each number.

    Raises:
        WeightsError: The model is of no known kind, or its weights do not fit its config, or do not fit float16.
        OSError: The file cannot be written. What stood at ``path`` is untouched.
    """
    kind = _kind_of(model)
    state = model.state_dict()
    check_fit(state, _shapes(kind, model.config), "this model")
    if half:
        state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
        lost = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
        if lost:
            raise WeightsError(f"{lost[0]} holds numbers that float16 cannot hold (above 65,504, infinite, or NaN): "
                               "save with half=False, or look for what made them so large.")  # fmt: skip
    normalisation, classes = getattr(model, "normalisation", None), getattr(model, "classes", None)
    metadata = {
        "format": FORMAT,
        "kind": kind,
        "config": model.config.to_dict(),  # type: ignore[union-attr, operator]
        "normalisation": asdict(normalisation) if normalisation is not None else None,
        "classes": list(classes) if classes is not None else None,
        "record": record or {},
    }
    save_tensors(path, state, metadata)


def load_weights(source: str | Path) -> Any:
    """Load a model that :func:`save_weights` wrote. Nothing in the file is ever run as code.

    Args:
        source: A file, or the name of weights that ship.

    Returns:
        The model, of whatever kind it is, in float32, on the CPU, in eval mode. It knows its ``normalisation`` and
        ``classes``, if the one that was saved did.

    Raises:
        FileNotFoundError: There is no such file.
        DamagedFileError: The file is cut off or was changed.
        WeightsError: The file is a pickle, holds no weights or those of an older version, or the weights do not fit the
            config beside them.
    """
    state, metadata = _read(source)
    kind = metadata["kind"]
    if kind not in KINDS:
        raise WeightsError(f"{source} holds a model of the kind {kind!r}, but this version knows {', '.join(KINDS)}.")
    config = KINDS[kind].config.from_dict(metadata["config"])
    check_fit(state, _shapes(kind, config), str(source))
    model = KINDS[kind].make(config)
    model.load_state_dict(state)
    normalisation = metadata["normalisation"]
    remember(model, Normalisation(**normalisation) if normalisation is not None else None, metadata["classes"])
    return model.eval()


def load_vit(source: str | Path) -> VisionTransformer:
    """Load a model as :func:`load_weights` does, if it is a Vision Transformer with attention maps to look at.

    A FlexiViT becomes the plain Vision Transformer that it is at its own patch size.

    Raises:
        FileNotFoundError, DamagedFileError, WeightsError: As for :func:`load_weights`; or it is another kind of model.
    """
    model = load_weights(source)
    if isinstance(model, FlexiViT):
        model = model.at(model.config.patch_size)
    if not isinstance(model, VisionTransformer):
        raise WeightsError(f"{source} holds a {type(model).__name__}, which has no attention maps to look at.")
    return model


def read_record(source: str | Path) -> dict[str, Any]:
    """Return the record that was given to :func:`save_weights`.

    Raises:
        FileNotFoundError, DamagedFileError, WeightsError: As for :func:`load_weights`.
    """
    return _read(source)[1]["record"]


def weights_checksum(source: str | Path) -> str:
    """Return the SHA-256 of a weights file, or of shipped weights, by which a record can name them.

    Raises:
        OSError: The file cannot be read.
    """
    return hashlib.sha256(_path(source).read_bytes()).hexdigest()


def pretrained_names() -> list[str]:
    """Return the names of the trained weights that come with the package."""
    return sorted(path.stem for path in PRETRAINED_FOLDER.glob("*.safetensors"))


def load_pretrained(name: str) -> Any:
    """Load a trained model that comes with the package, in eval mode.

    Raises:
        ValueError: No weights have that name. The sentence lists those there are.
    """
    names = pretrained_names()
    if name not in names:
        raise ValueError(f"There are no weights {name!r}: this version comes with {', '.join(names) or 'none'}.")
    return load_weights(name)


def encoder_names() -> list[str]:
    """Return the names of the models that come with the package and learned without labels."""
    return sorted(path.stem for path in ENCODERS_FOLDER.glob("*.safetensors"))


def convert_old(path: str | Path) -> None:
    """Turn a weights file of an older version into one of this version, in place. The numbers stay as they are.

    Raises:
        FileNotFoundError, DamagedFileError: As for :func:`load_weights`.
        WeightsError: The file holds no weights of an older version.
        OSError: The file cannot be written; it is untouched then.
    """
    state, metadata = _open(path)
    if metadata.get("format") != OLD_FORMAT:
        raise WeightsError(f"{path} holds no weights of an older version: there is nothing to convert.")
    record = metadata["record"]
    fresh = metadata | {
        "format": FORMAT,
        "kind": "vit",
        "normalisation": record.get("normalisation"),
        "classes": record.get("data", {}).get("classes"),
    }
    save_tensors(path, state, fresh)


def _kind_of(model: nn.Module) -> str:
    """Return the name of the kind of a model, or say why it has none."""
    for name, kind in KINDS.items():
        if type(model) is kind.make:
            return name
    inside = next((name for name in ("_orig_mod", "module") if isinstance(getattr(model, name, None), nn.Module)), None)
    advice = f"save the model inside, model.{inside}" if inside else "give it a line in zoo/kinds.py"
    raise WeightsError(
        f"A {type(model).__name__} could not be loaded again: known kinds are {', '.join(KINDS)}. So {advice}."
    )


def _shapes(kind: str, config: Any) -> dict[str, tuple[int, ...]]:
    """Return name -> shape for every parameter and buffer of a kind of model with these settings."""
    with torch.device("meta"):  # names and shapes without numbers
        state = KINDS[kind].make(config).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _read(source: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and metadata of a weights file of this version, or say why it is none."""
    path = _path(source)
    tensors, metadata = _open(path)
    if metadata.get("format") == OLD_FORMAT:
        raise WeightsError(
            f"{path} was written by an older version of the course: convert it with  "
            f'python -m course_utils convert "{path}"  and nothing in it is lost.'
        )
    if metadata.get("format") != FORMAT:
        raise WeightsError(f"{path} is a file of this course, but holds no weights: save_weights writes such a file.")
    return tensors, metadata


def _path(source: str | Path) -> Path:
    for folder, names in ((PRETRAINED_FOLDER, pretrained_names()), (ENCODERS_FOLDER, encoder_names())):
        if source in names:
            return folder / f"{source}.safetensors"
    return Path(source)


def _open(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and metadata of a file, or say that it is a pickle."""
    try:
        tensors, metadata = load_tensors(path)
    except DamagedFileError as error:
        with Path(path).open("rb") as file:
            start = file.read(2)
        if start in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05"):  # torch.save's zip archive; a bare pickle
            raise WeightsError(
                f"{path} looks like a .pt or .pth file. Such a file is a pickle: opening it can run any program that "
                "is hidden in it, so it is not opened here. If you trust its maker, read it with "
                "torch.load(path, weights_only=True), put it into a VisionTransformer with load_state_dict, and save "
                "that with save_weights."
            ) from error
        raise
    return tensors, metadata if isinstance(metadata, dict) else {}
