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


def evaluate(options: argparse.Namespace) -> int:
    """Evaluate weights on images that they have not seen: CIFAR-10's test set, or a folder of your own."""
    from course_utils.analysis.evaluation import evaluate as figures_of
    from course_utils.analysis.evaluation import predict
    from course_utils.cli.images import test_images
    from course_utils.data import classes_of
    from course_utils.support.devices import pick_device
    from course_utils.zoo.weights import load_weights, read_record

    model, record = load_weights(options.weights), read_record(options.weights)
    if "data" not in record:
        raise ValueError(f"{options.weights} holds no record of a training, so nothing says what it has not seen.")
    test_set = test_images(options, record)
    if test_set.classes != classes_of(model):
        raise ValueError(
            f"{options.weights} was trained on other classes ({', '.join(classes_of(model))}) than these images have "
            f"({', '.join(test_set.classes)})" + (": name its folder with --data." if options.data is None else ".")
        )
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
