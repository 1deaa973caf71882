"""``evaluate``: figures of trained weights on images that they have not seen."""

from __future__ import annotations

import argparse
import json

from course_utils.cli.options import Commands, accuracy_line, add_command, with_device, with_images


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    command = add_command(
        commands,
        evaluate,
        "evaluate runs/mine/weights.safetensors",
        "evaluate runs/mine/weights.safetensors --json",
        "evaluate runs/cats/weights.safetensors --data pictures/cats",
    )
    with_images(command)
    with_device(command)
    command.add_argument("weights", help="a file, or the name of shipped weights")
    command.add_argument("--json", action="store_true", help="print all figures as JSON")


def refuse_other_classes(weights: str, known: tuple[str, ...], asked: tuple[str, ...], images: str) -> None:
    """Say which classes a model knows, if the images have others.

    Raises:
        ValueError: They have.
    """
    if known != asked:
        raise ValueError(
            f"{weights} knows the classes {', '.join(known)}, but {images} has {', '.join(asked)}: "
            "evaluate it on images of its own classes (--data FOLDER)."
        )


def evaluate(options: argparse.Namespace) -> int:
    """Evaluate weights on images that they have not seen: CIFAR-10's test set, or a folder of your own."""
    from course_utils.analysis.evaluation import evaluate as figures_of
    from course_utils.analysis.evaluation import predict
    from course_utils.cli.images import test_images
    from course_utils.data import CIFAR10_CLASSES, classes_of
    from course_utils.support.devices import pick_device
    from course_utils.zoo.weights import load_weights, read_record

    model, record = load_weights(options.weights), read_record(options.weights)
    if "data" not in record:
        raise ValueError(f"{options.weights} holds no record of a training, so nothing says what it has not seen.")
    if options.data is None:
        refuse_other_classes(options.weights, classes_of(model), CIFAR10_CLASSES, "CIFAR-10")  # before it is fetched
    test_set = test_images(options, record)
    refuse_other_classes(options.weights, classes_of(model), test_set.classes, f"{test_set.name!r}")
    logits = predict(model.to(pick_device(options.device)), test_set.images)
    found = figures_of(logits, test_set.labels, test_set.classes)
    if options.json:
        print(json.dumps({"data": test_set.describe(), **found}))
        return 0
    print(test_set.description)
    print(accuracy_line(found))
    for name, share in zip(found["classes"], found["per_class_accuracy"], strict=True):
        print(f"  {name:12} {share:.1%}" if share is not None else f"  {name:12} no images")
    return 0
