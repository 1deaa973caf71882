"""Lesson 09 (finetuning): a trained model as an ONNX file, which runs without PyTorch and without this course."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.analysis.evaluation import evaluation_mode
from course_utils.data.normalisation import Normalisation, classes_of, normalisation_of
from course_utils.support.files import write_atomically

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
BATCHES = (1, 2, 7, 200)  # sizes that the file is tried with
LARGEST_DIFFERENCE = 1e-3  # of a logit


class FromPixels(nn.Module):
    """A model with its normalisation in front, so that nobody can forget it: it takes pixels from 0 to 255.

    Args:
        model: Maps normalised floats (B, C, H, W) to logits (B, K).
        normalisation: Its own.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        self.model = model
        device = next(model.parameters()).device
        for name in ("mean", "std"):
            numbers = torch.tensor(getattr(normalisation, name), device=device).view(-1, 1, 1)  # (C,) -> (C, 1, 1)
            self.register_buffer(name, numbers, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map pixels (B, C, H, W), uint8, to logits (B, K)."""
        return self.model((pixels.float() / 255 - self.mean) / self.std)


def export_onnx(model: nn.Module, path: str | Path) -> dict[str, Any]:
    """Write a model to an ONNX file, and compare that file with the model, on batches of several sizes.

    The file has one input, "pixels", uint8 (B, C, H, W) with a free B: pixels from 0 to 255, cropped and resized, not
    normalised, since that is in the file. Its one output is "logits" (B, K). The names of the classes stand in its
    metadata, as JSON under "classes".

    Args:
        model: With a ``config``, its normalisation and the names of its classes. For another image size, resize the
            model first (``model.with_image_size``): position codes are numbers in the file.
        path: Where to write.

    Returns:
        What the comparison found: "batches", and "largest_difference" of any logit.

    Raises:
        ModuleNotFoundError: A package is missing that this needs, and the course does not.
        ValueError: The model does not know its normalisation or classes; or the file does not compute the same.
        OSError: The file cannot be written.

    Source: the ONNX exporter of PyTorch, through ``torch.export``.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"The export needs {', '.join(missing)}, which the course does not: pip install {' '.join(PACKAGES)}"
        )
    whole, classes = FromPixels(model, normalisation_of(model)), classes_of(model)
    with evaluation_mode(whole) as device:
        example = _pixels(model, 3).to(device)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # the exporter tells of its steps
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                whole,
                (example,),
                dynamo=True,
                verbose=False,
                input_names=["pixels"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
        assert program is not None
        program.model.metadata_props["classes"] = json.dumps(classes)
        found: dict[str, Any] = {}

        def write(file: Path) -> None:
            program.save(file, external_data=False)
            found.update(_compare(whole, file, {batch: _pixels(model, batch) for batch in BATCHES}))

        write_atomically(path, write)
    return found


def _pixels(model: nn.Module, batch: int) -> Tensor:
    """Make random pixels for a model, uint8 (batch, C, H, W)."""
    config: Any = model.config
    size = getattr(config, "image_size", 32)  # a CNN takes images of any size
    height, width = size if isinstance(size, tuple) else (size, size)
    generator = torch.Generator().manual_seed(batch)
    return torch.randint(256, (batch, config.in_channels, height, width), dtype=torch.uint8, generator=generator)


def _compare(whole: nn.Module, file: Path, batches: dict[int, Tensor]) -> dict[str, Any]:
    """Run the file and the model on the same pixels.

    Raises:
        ValueError: They differ.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    largest = 0.0
    device = next(whole.parameters()).device
    for batch, pixels in batches.items():
        with torch.no_grad():
            expected = whole(pixels.to(device)).float().cpu()  # (B, K)
        logits = torch.from_numpy(session.run(["logits"], {"pixels": pixels.numpy()})[0])  # (B, K)
        difference = (logits - expected).abs().max().item()
        if logits.shape != expected.shape or not difference < LARGEST_DIFFERENCE:
            raise ValueError(
                f"The file does not compute what the model does: for {batch} images logits differ by {difference:.2g}. "
                "Another version of PyTorch or onnxruntime may."
            )
        largest = max(largest, difference)
    return {"batches": list(batches), "largest_difference": largest}
