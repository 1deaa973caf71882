"""Trained weights: save, load, and those that ship with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from course_utils.model.config import ViTConfig
from course_utils.model.convert import WeightsError, check_fit
from course_utils.model.vit import VisionTransformer
from course_utils.support.files import ASSETS, DamagedFileError, load_tensors, save_tensors

FORMAT = "vit-course weights 1"
PRETRAINED_FOLDER = ASSETS / "weights"


def save_weights(
    model: VisionTransformer, path: str | Path, record: dict[str, Any] | None = None, half: bool = False
) -> None:
    """Save a model's weights and its config in one safetensors file, atomically, with a checksum.

    Args:
        model: The model. It is not changed.
        path: Where to write; the usual ending is ".safetensors".
        record: Anything about the run that made the weights, as JSON can hold it.
        half: Store float16: half the size, and about three digits of each number.

    Raises:
        OSError: The file cannot be written. What stood at ``path`` is untouched.
    """
    state = model.state_dict()
    if half:
        state = {name: tensor.half() for name, tensor in state.items()}
    metadata = {"format": FORMAT, "config": model.config.to_dict(), "record": record or {}}
    save_tensors(path, state, metadata)


def load_weights(path: str | Path) -> VisionTransformer:
    """Load a model that :func:`save_weights` wrote. Nothing in the file is ever run as code.

    Returns:
        The model in float32, on the CPU, in eval mode.

    Raises:
        FileNotFoundError: There is no such file.
        DamagedFileError: The file is cut off or was changed.
        WeightsError: The file is a pickle or holds no weights, or the weights do not fit the config beside them. The
            message lists every key that is missing, unexpected or of the wrong shape.
    """
    state, metadata = _read(path)
    model = VisionTransformer(ViTConfig.from_dict(metadata["config"]))
    check_fit(state, {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}, str(path))
    model.load_state_dict(state)
    return model.eval()


def read_record(path: str | Path) -> dict[str, Any]:
    """Return the record that was given to :func:`save_weights`.

    Raises:
        FileNotFoundError, DamagedFileError, WeightsError: As for :func:`load_weights`.
    """
    return _read(path)[1]["record"]


def pretrained_names() -> list[str]:
    """Return the names of the trained weights that come with the package."""
    return sorted(path.stem for path in PRETRAINED_FOLDER.glob("*.safetensors"))


def load_pretrained(name: str) -> VisionTransformer:
    """Load a trained model that comes with the package, in eval mode.

    Raises:
        ValueError: No weights have that name. The sentence lists those there are.
    """
    names = pretrained_names()
    if name not in names:
        raise ValueError(f"There are no weights {name!r}: this version comes with {', '.join(names) or 'none'}.")
    return load_weights(PRETRAINED_FOLDER / f"{name}.safetensors")


def _read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and metadata of a weights file, or say why it is none."""
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
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise WeightsError(f"{path} is a file of this course, but holds no weights: save_weights writes such a file.")
    return tensors, metadata
