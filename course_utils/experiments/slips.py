"""What each slip of lesson 08 (clinic) costs, and which test finds it.

A slip may stand in the loop or in the data, so these runs are no training by a recipe: each patient is trained by its
own step. ``python -m course_utils.experiments.slips`` trains what is not recorded yet; the records lie beside those of
the other experiments.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.analysis.clinic.examination import examine
from course_utils.analysis.clinic.quick_tests import first_loss
from course_utils.analysis.clinic.slips import HEALTHY, LARGE_CODES, SLIPS, Patient, Slip
from course_utils.analysis.snapshots import RESULTS_FOLDER
from course_utils.data import ImageSet, load_cifar10
from course_utils.experiments.markdown import markdown_table
from course_utils.experiments.results import Results, load_results, spread
from course_utils.experiments.sets import slug
from course_utils.support import environment
from course_utils.support.devices import pick_device
from course_utils.support.files import write_json

NAME = "clinic"
VARIANTS: tuple[Slip, ...] = (HEALTHY, LARGE_CODES, *SLIPS)
SEEDS = (0, 1, 2)
STEPS, BATCH = 300, 64
ONE_BATCH_STEPS, ONE_BATCH = 100, 32
LOOK_EVERY = 20  # steps over which the loss is averaged for the history
EXAMINED = 512  # training images that examine is given
MODULE = "python -m course_utils.experiments.slips"


def record_of(
    slip: Slip, seed: int, train: ImageSet, test: ImageSet, device: torch.device, steps: int = STEPS
) -> dict[str, Any]:
    """Train a patient by its own step, and write down what came out.

    Args:
        slip: One of ``VARIANTS``.
        seed: Of the weights at the start and of the order of the images.
        train: What it learns from.
        test: Looked at once, at the end, with the right labels.
        device: Where.
        steps: Of the training.

    Returns:
        A record that JSON can hold: "test.accuracy" and "test.loss" after the training, "first_loss" before it,
        "one_batch.loss" of a new patient after steps on one batch alone, "found" (what ``examine`` finds with the
        loop: keys of ``SYMPTOMS``), and the history of the loss in "epochs".
    """
    start = time.perf_counter()
    patient = _moved(slip.patient(seed), device)
    labels = patient.label(train.labels)  # (N,)
    history, losses, order = [], [], torch.zeros(0, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    first = first_loss(patient.model, *_batch(patient, train.images, labels, torch.arange(ONE_BATCH), device))
    for step in range(1, steps + 1):
        if len(order) < BATCH:
            order = torch.randperm(len(train), generator=generator)
        chosen, order = order[:BATCH], order[BATCH:]
        losses.append(patient.step(patient.model, *_batch(patient, train.images, labels, chosen, device)))
        if step % LOOK_EVERY == 0:
            loss = _number(sum(losses) / len(losses))
            history.append({"epoch": step * BATCH / len(train), "step": step, "train_loss": loss})
            losses = []
    record: dict[str, Any] = {
        "command": f"{MODULE} --seeds {seed} --places {VARIANTS.index(slip)}",
        "experiment": NAME,
        "variant": slip.name,
        "place": VARIANTS.index(slip),
        "seed": seed,
        "status": "finished",
        "seen": slip.seen,
        "config": patient.model.config.to_dict(),  # type: ignore[union-attr, operator]
        "steps": steps,
        "batch_size": BATCH,
        "first_loss": first,
        "test": _tested(patient, test, device),
        "seconds": time.perf_counter() - start,
        "epochs": history,
    }
    again = _moved(slip.patient(seed), device)
    batch = _batch(again, train.images, labels, torch.arange(ONE_BATCH), device)
    for _ in range(ONE_BATCH_STEPS):
        again.step(again.model, *batch)
    with torch.no_grad():
        record["one_batch"] = {
            "steps": ONE_BATCH_STEPS,
            "images": ONE_BATCH,
            "loss": _number(F.cross_entropy(again.model(batch[0]), batch[1])),
        }
    again = _moved(slip.patient(seed), device)
    few = _batch(again, train.images, labels, torch.arange(min(EXAMINED, len(train))), device)
    record["found"] = examine(again.model, *few, again.step, say=lambda words: None).symptoms
    return record | {"data": train.describe(), "environment": environment.describe(device)}


def _moved(patient: Patient, device: torch.device) -> Patient:
    patient.model.to(device)
    return patient


def _batch(
    patient: Patient, images: Tensor, labels: Tensor, chosen: Tensor, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return images as the patient's loop gives them to the model, and the labels that it is given."""
    return patient.enter(images[chosen].to(device)), labels[chosen].to(device)


def _tested(patient: Patient, test: ImageSet, device: torch.device) -> dict[str, Any]:
    patient.model.eval()
    with torch.no_grad():
        logits = torch.cat([patient.model(patient.enter(part.to(device))) for part in test.images.split(250)])
    labels = test.labels.to(device)
    share = (logits.argmax(dim=1) == labels).double().mean().item()
    error = math.sqrt(share * (1 - share) / len(test))
    loss = _number(F.cross_entropy(logits, labels))
    return {"n": len(test), "accuracy": share, "accuracy_standard_error": error, "loss": loss}


def _number(value: Tensor | float) -> float | None:
    """Return a number that JSON can hold; None for NaN and infinity."""
    return float(value) if math.isfinite(value) else None


def slips_section(results: Path) -> list[str]:
    """Write the section of the page of results; nothing if there is no record."""
    if not any((results / NAME).glob("*.json")):
        return []
    found = load_results(NAME, results)
    first = found.records[0]
    rows = [_row(found, name) for name in found.variants]
    devices = "; ".join(dict.fromkeys(str(record["environment"]["device"]) for record in found.records))
    return [
        f"## {NAME}: what each slip costs",
        "",
        f"A small ViT, {first['steps']} steps of {first['batch_size']} images from the sample that ships with the "
        "course; accuracy on its",
        f'{first["test"]["n"]:,} test images. "One batch": the loss after {first["one_batch"]["steps"]} steps on the '
        'same images. "examine" was given the loop.',
        "",
        *markdown_table(
            ("slip", "test accuracy in %", "first loss", "one batch", "examine finds (in so many of the runs)"), rows
        ),
        "",
        f"- Hardware: {devices}",
        f"- Repeat: `{MODULE}`",
        "",
    ]


def _row(found: Results, variant: str) -> list[str]:
    records = found.of(variant)
    named = [symptom for record in records for symptom in record["found"]]
    finds = ", ".join(f"{name} ({named.count(name)})" for name in dict.fromkeys(named)) or "nothing"
    accuracies = [100 * record["test"]["accuracy"] for record in records]
    one = [record["one_batch"]["loss"] for record in records]
    first = [record["first_loss"] for record in records]
    return [variant, *(_mean(values, digits) for values, digits in ((accuracies, 1), (first, 2), (one, 3))), finds]


def _mean(values: Sequence[float | None], digits: int) -> str:
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return "no number"
    mean = f"{sum(numbers) / len(numbers):.{digits}f}"
    return mean if len(numbers) < 2 else f"{mean} ± {spread(numbers):.{digits}f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train every patient that is not recorded yet."""
    parser = argparse.ArgumentParser(prog=MODULE, description=main.__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--places", type=int, nargs="+", help="of the slips, from 0 (default: all)")
    parser.add_argument("--results", type=Path, default=RESULTS_FOLDER, help="folder of the records")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer only to try it")
    options = parser.parse_args(arguments)
    train, test = (load_cifar10(split, sample="always") for split in ("train", "test"))
    device = pick_device(options.device)
    for seed in options.seeds:
        for place in options.places or range(len(VARIANTS)):
            slip = VARIANTS[place]
            path = options.results / NAME / f"{slug(slip.name)}-seed{seed}.json"
            if path.exists():
                continue
            record = record_of(slip, seed, train, test, device, options.steps)
            write_json(path, record)
            said = f"test accuracy {record['test']['accuracy']:.1%}, found {', '.join(record['found']) or 'nothing'}"
            print(f"{slip.name}, seed {seed}: {said}", flush=True)


if __name__ == "__main__":
    main()
