"""From a trained model to the files that a person looks at: test figures, weights and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils import plots
from course_utils.analysis.attention_maps import class_token_map, collect
from course_utils.analysis.evaluation import calibration, evaluate, predict
from course_utils.data import ImageSet
from course_utils.data.normalisation import classes_of, normalisation_of
from course_utils.model.vit import VisionTransformer
from course_utils.support.files import write_atomically, write_json
from course_utils.zoo.weights import load_weights, save_weights


def write_report(
    run_dir: str | Path,
    model: nn.Module,
    record: dict[str, Any],
    test_set: ImageSet,
    average: nn.Module | None = None,
) -> dict[str, Any]:
    """Look at the test set, once, and write what came out.

    Args:
        run_dir: Gets record.json, weights.safetensors, curves.png, classes.png, confusion.png, calibration.png,
            mistakes.png and, of a Vision Transformer, attention.png; with an average also weights_average.safetensors.
        model: The model after its last step.
        record: Of :meth:`course_utils.training.trainer.Trainer.fit`.
        test_set: The test split.
        average: The running average of the weights, reported beside the model itself.

    Returns:
        The record with a new entry "test": the data, and what ``evaluate`` found for "last_weights" and, if there is an
        average, for "average_weights": of the weights as they are kept, in half precision.

    Raises:
        OSError: A file cannot be written.
    """
    run_dir = Path(run_dir)
    models = {"last_weights": model} | ({"average_weights": average} if average is not None else {})
    files = {"last_weights": "weights.safetensors", "average_weights": "weights_average.safetensors"}
    figures, logits = {}, {}
    for name, each in models.items():
        save_weights(each, run_dir / files[name], record)
        kept = load_weights(run_dir / files[name]).to(next(each.parameters()).device)  # rounded, as it will be used
        logits[name] = predict(kept, test_set.images)
        figures[name] = evaluate(logits[name], test_set.labels, test_set.classes)
    record = record | {"test": {"data": test_set.describe(), **figures}}
    write_json(run_dir / "record.json", record)
    for name, each in models.items():
        save_weights(each, run_dir / files[name], record)
    last, labels, classes = figures["last_weights"], test_set.labels, test_set.classes
    pictures = {
        "curves": plots.training_curves(record["epochs"]),
        "classes": plots.class_accuracy_bars(last["per_class_accuracy"], classes),
        "confusion": plots.confusion_heatmap(last["confusion"], classes),
        "calibration": plots.reliability_diagram(calibration(logits["last_weights"], labels)),
    }
    if isinstance(model, VisionTransformer):
        pictures["attention"] = attention_figure(model, *_first_of_each_class(test_set, 6))
    if last["accuracy"] < 1:
        pictures["mistakes"] = plots.mistake_gallery(test_set.images, logits["last_weights"], labels, classes)
    for name, figure in pictures.items():
        save_figure(figure, run_dir / f"{name}.png")
    return record


def attention_figure(
    model: VisionTransformer,
    images: Tensor,
    names: list[str],
    display: Tensor | None = None,
) -> Figure:
    """Draw where the read-out looks in the last layer, mean over the heads, for some images.

    Args:
        model: A trained model; it knows its normalisation and its classes.
        images: uint8 (B, C, H, W), of the model's size.
        names: What to call each image.
        display: uint8 (B, C, H', W'): the same pictures, larger, to draw the maps on.
    """
    config, classes = model.config, classes_of(model)
    device = next(model.parameters()).device
    pixels = normalisation_of(model)(images.to(device))
    weights = collect(model, pixels, layers=[config.depth - 1])[:, 0].mean(dim=1)  # (B, 1, h, N, N) -> (B, N, N)
    maps = class_token_map(
        weights,
        config.grid,
        (config.image_height, config.image_width),
        config.num_prefix_tokens,
        config.has_class_token,
    )  # (B, N, N) -> (B, H, W)
    probability, predicted = predict(model, images).softmax(dim=1).max(dim=1)  # (B, K) -> two (B,)
    captions = [
        f"{name}\nsays {classes[index]}, {share:.0%}"
        for name, index, share in zip(names, predicted.tolist(), probability.tolist(), strict=True)
    ]
    return plots.attention_overlays(
        images if display is None else display,
        maps,
        captions,
        uniform=1 / config.num_tokens,
        label="weight, last layer",
    )


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as a PNG file, atomically."""
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=120))


def _first_of_each_class(image_set: ImageSet, count: int) -> tuple[Tensor, list[str]]:
    """Return the first image of each of the first classes: chosen before anything is known of the predictions."""
    found = [(image_set.labels == label).nonzero()[:1, 0] for label in range(min(count, len(image_set.classes)))]
    chosen = torch.cat(found)  # a class without images adds nothing
    return image_set.images[chosen], [f"true: {image_set.classes[label]}" for label in image_set.labels[chosen]]
