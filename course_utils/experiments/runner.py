"""Carry out experiments: say what is recorded already, run what is missing, write a record for each run.

A run may be killed at any time. Its checkpoints lie in ``runs/``, in a folder whose name changes with its settings, and
the next call goes on from there. Several processes can share the work if each has its own sets or seeds.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course_utils.data import ImageSet, Normalisation, load_cifar10, remember
from course_utils.data.splits import shuffled_by_class
from course_utils.experiments.cost import cost
from course_utils.experiments.measurements import Subject, measure
from course_utils.experiments.results import read_result
from course_utils.experiments.sets import ExperimentSet, Run
from course_utils.support import environment
from course_utils.support.devices import matmul_rate
from course_utils.support.files import write_json
from course_utils.training import checkpoints
from course_utils.training.tasks import Classification
from course_utils.training.trainer import NonFiniteLossError, Trainer
from course_utils.zoo.kinds import KINDS, TASKS
from course_utils.zoo.start import backbone_state, take_over
from course_utils.zoo.weights import load_weights

LEAST_STEPS = 20  # from one entry of the history to the next


@dataclass(frozen=True)
class Workplace:
    """Where and how runs are carried out. Nothing here may change what comes out, but for rounding.

    Attributes:
        results: Folder of the records: results/SET/RUN.json.
        runs: Folder of the checkpoints. Without it, everything that is not recorded is trained from the beginning.
        root: Folder of CIFAR-10; None looks where ``load_cifar10`` looks.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "fp32" or "bf16".
        undisturbed: Whether nothing else keeps the machine busy, so that seconds can be believed.
        show_progress: Whether a progress bar is shown.
    """

    results: Path
    runs: Path
    root: str | None = None
    device: str = "auto"
    precision: str = "fp32"
    undisturbed: bool = False
    show_progress: bool = True


def record_path(results: Path, run: Run) -> Path:
    """Return where the record of a run stands."""
    return results / run.experiment / f"{run.name}.json"


def state_of(run: Run, results: Path) -> tuple[str, list[str]]:
    """Say whether a run is "recorded", "stale" (recorded with other settings than the set file has now) or "missing".

    A setting that this version of the course added is taken to have had its default when the record was written.

    Returns:
        The state, and for a stale run what differs.

    Raises:
        DamagedFileError: The record is no JSON.
    """
    path = record_path(results, run)
    if not path.exists():
        return "missing", []
    differences = _differences(run, read_result(path))
    return ("stale", differences) if differences else ("recorded", [])


def strangers(experiment: ExperimentSet, results: Path) -> list[Path]:
    """Return the records of a set that belong to no run of its file any more."""
    known = {record_path(results, run) for run in experiment.runs}
    return sorted(set((results / experiment.name).glob("*.json")) - known)


def carry_out(run: Run, place: Workplace) -> dict[str, Any] | None:
    """Train, take the measurements, look at the test set once, and write the record.

    Returns:
        The record; None if the run was stopped by Ctrl-C. A run whose loss became NaN gets a record too, with the
        status "diverged" and without any accuracy: that is a result.

    Raises:
        ValueError: There are not enough images.
        OSError: A file cannot be read or written.
    """
    train, validation, test = (_split(split, place.root, run.source) for split in ("train", "validation", "test"))
    if run.classes is not None:
        train, validation, test = (each.of_classes(run.classes) for each in (train, validation, test))
    if run.images is not None:
        train = balanced_subset(train, run.images, run.seed)
    if not run.normalise:
        train = replace(train, normalisation=Normalisation.none(train.images.shape[1]))
    torch.manual_seed(run.seed)
    model = KINDS[run.kind].make(run.config)
    start = _begin_with(model, run.start, place) if run.start is not None else None
    settings = {name: value for name, value in run.task.items() if name != "name"}
    if run.teacher is not None:
        settings["teacher"] = trained_model(run.teacher, place.runs)
    task = TASKS[run.task["name"]](train, None, **settings)  # validation is looked at by _Watch, not after every pass
    folder = place.runs / run.folder
    passes = run.recipe.epochs or run.recipe.steps * run.recipe.batch_size / len(train)  # type: ignore[operator]
    trainer = Trainer(
        model,
        task,
        run.recipe,
        run_dir=folder,
        seed=run.seed,
        device=place.device,
        precision=place.precision,
        # An entry a pass, but a pass over a few images is over in a step, and a checkpoint comes with each entry.
        report_every=min(max(1.0, LEAST_STEPS * run.recipe.batch_size / len(train)), passes / run.looks),
        show_progress=place.show_progress,
        start=start,
    )
    rates = [_matmul_rate(trainer)]
    begun_in = _begun_in(folder, environment.describe(trainer.device))
    watch = _Watch(trainer, run, validation)
    beginning = {"epoch": 0.0, "step": 0, **measure(run.track, watch.subject(model))} if run.track else None
    try:
        record = trainer.fit(resume=True, on_report=watch)
    except NonFiniteLossError as error:
        record = trainer.record() | {"status": "diverged", "reason": str(error).split(". ")[0]}
    if record["status"] == "unfinished":
        return None

    record |= {
        "command": f"python -m course_utils experiments run {run.experiment} --seeds {run.seed}",
        "experiment": run.experiment,
        "variant": run.variant,
        "place": run.place,
        "kind": run.kind,
        "task": dict(run.task),  # as the file says it, to be compared with
        "subset": run.images,
        "normalise": run.normalise,
        "only_classes": run.settings()["only_classes"],
        "begins_with": run.settings()["begins_with"],
        "taught_by": run.settings()["taught_by"],
        "track": list(run.track),
        "looks": run.looks,
        "environment": begun_in,  # of the training, also when a later version only took one more measurement
        "written_in": record["environment"],
        "machine": "undisturbed" if place.undisturbed else "busy",
        "cost": cost(model, tuple(train.images.shape[1:])),  # type: ignore[arg-type]
        "epochs": [beginning] * (beginning is not None) + [e for e in record["epochs"] if _looked_at(e)],
    }
    record["minutes_to"] = {f"{mark:g}": minutes_to(record, mark / 100) for mark in run.marks}
    if record["status"] == "finished":
        record["throughput"] = _throughput(trainer, [*rates, _matmul_rate(trainer)])
        record["measurements"] = measure(run.measure, watch.subject(model))
        record |= _accuracies(trainer, model, validation, test)
        if trainer.averaged_model is not None:
            record["average"] = _accuracies(trainer, trainer.averaged_model, validation, test)
    write_json(record_path(place.results, run), record)
    (folder / checkpoints.PREVIOUS).unlink(missing_ok=True)
    return record


def _begin_with(model: nn.Module, start: Run | str, place: Workplace) -> dict[str, Any]:
    """Put trained weights into the body of a model; return what the record says of them.

    Raises:
        FileNotFoundError: The run that it starts from has not been carried out here.
        WeightsError: The weights do not fit.
    """
    if isinstance(start, str):
        trained = load_weights(start)
        trained = getattr(trained, "backbone", trained)
        take_over(model, trained.state_dict(), start)
        remember(model, trained.normalisation, None)
        return {"weights": start}
    state, progress = _finished(start, place.runs)
    take_over(model, backbone_state(state, start.kind), start.folder)
    remember(model, Normalisation(**progress["normalisation"]), None)
    return {"experiment": start.experiment, "variant": start.variant, "seed": start.seed, "digest": start.digest}


def trained_model(source: Run | str, runs: Path) -> nn.Module:
    """Return a trained model: that of a run, whose checkpoint lies in the folder ``runs``, or of a weights file.

    Raises:
        FileNotFoundError: The run has not been carried out here, or there is no such file.
    """
    if isinstance(source, str):
        return load_weights(source)
    state, progress = _finished(source, runs)
    model = KINDS[source.kind].make(source.config)
    model.load_state_dict(state)
    remember(model, Normalisation(**progress["normalisation"]), progress["data"]["classes"])
    return model.eval()


def _finished(run: Run, runs: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the weights that another run ended with, and its progress.

    Raises:
        FileNotFoundError: It has not been carried out here.
    """
    path = checkpoints.find_checkpoint(runs / run.folder)
    owners, progress = checkpoints.load_checkpoint(path) if path is not None else ({}, {"status": "missing"})
    if progress["status"] != "finished":
        raise FileNotFoundError(
            f"{run.variant!r} of {run.experiment}, seed {run.seed}, whose weights are needed, is not in {runs}: "
            f"run  python -m course_utils experiments run {run.experiment}  first."
        )
    return owners["model"], progress


def minutes_to(record: Mapping[str, Any], accuracy: float) -> float | None:
    """Return the minutes of training before the first look that found this validation accuracy; None: it never did."""
    looks = (entry for entry in record["epochs"] if entry.get("validation_accuracy", -1.0) >= accuracy)
    return next((entry["seconds"] / 60 for entry in looks), None)


def _matmul_rate(trainer: Trainer) -> float:
    """Return the floating-point operations a second of a large matrix product, in the format of the training."""
    return matmul_rate(torch.bfloat16 if trainer.precision == "bf16" else torch.float32, trainer.device)


def _throughput(trainer: Trainer, matmul_rates: Sequence[float]) -> dict[str, Any]:
    """Say how fast it was trained, and beside that how fast matrix products were, before and after.

    "share_of_matmul_rate" counts the operations of forward and backward pass, which is three times the forward pass's,
    and leaves out those of the optimiser.
    """
    recipe, shape = trainer.recipe, tuple(trainer.task.train_set.images.shape[1:])
    multiply_adds: float = cost(trainer.model, shape)["multiply_adds"]  # type: ignore[arg-type]
    if recipe.early:
        first = cost(trainer.model.with_patch_size(recipe.early_patch_size), shape)  # type: ignore[arg-type, operator]
        multiply_adds = recipe.early * first["multiply_adds"] + (1 - recipe.early) * multiply_adds
    images_a_second = trainer.step * recipe.batch_size / trainer.history.seconds
    rate = 3 * 2 * multiply_adds * images_a_second
    return {
        "images_a_second": images_a_second,
        "matmul_rates": list(matmul_rates),
        "share_of_matmul_rate": rate / statistics.fmean(matmul_rates),
    }


def _begun_in(folder: Path, now: dict[str, Any]) -> dict[str, Any]:
    """Return the environment in which a run was begun: the one noted in its folder, or else this one, noted there."""
    path = folder / "begun_in.json"
    if not path.exists():
        write_json(path, now)
    return read_result(path)


def balanced_subset(image_set: ImageSet, count: int, seed: int) -> ImageSet:
    """Take as many images of each class, in the official order. With one seed, a smaller choice is part of a larger.

    Raises:
        ValueError: The classes cannot have equally many, or there are not so many images.
    """
    classes = len(image_set.classes)
    shuffled = shuffled_by_class(image_set.labels, torch.arange(len(image_set)), seed)
    most = classes * min(map(len, shuffled))
    if count % classes or not 0 < count <= most:
        raise ValueError(f"images must be a multiple of {classes} from {classes} to {most:,}, not {count:,}.")
    return image_set.subset(torch.cat([order[: count // classes] for order in shuffled]).sort().values)


class _Watch:
    """Look at the validation images a few times in a run, and at what the set wants tracked.

    What it finds goes into the trainer's entry for the pass, so it is in the checkpoints too.
    """

    def __init__(self, trainer: Trainer, run: Run, validation_set: ImageSet) -> None:
        self.trainer, self.run, self.validation_set = trainer, run, validation_set

    def __call__(self, record: dict[str, Any]) -> dict[str, Any]:
        entries, total = record["epochs"], record["total_steps"]
        looked = max((entry["step"] for entry in entries if _looked_at(entry)), default=0)
        if entries[-1]["step"] * self.run.looks // total == looked * self.run.looks // total:
            return {}
        trainer = self.trainer  # a look may be rounded, as the training is
        found = trainer.task.figures(trainer.learner.at_work, self.validation_set, trainer.precision)
        seen = {f"validation_{name}": value for name, value in found.items()}
        return seen | measure(self.run.track, self.subject(trainer.model))

    def subject(self, model: nn.Module) -> Subject:
        """Return what the measurements are given."""
        train_set, precision = self.trainer.task.train_set, self.trainer.precision
        return Subject(model, self.validation_set, self.run.recipe.batch_size, precision, train_set)


def _looked_at(entry: Mapping[str, Any]) -> bool:
    """Whether the validation images were looked at for this entry of a history."""
    return any(name.startswith("validation_") for name in entry)


def _accuracies(trainer: Trainer, model: nn.Module, validation: ImageSet, test: ImageSet) -> dict[str, Any]:
    """Return the figures on the validation images and on the test images."""
    return {"validation": _figures(trainer, model, validation), "test": _figures(trainer, model, test)}


def _figures(trainer: Trainer, model: nn.Module, image_set: ImageSet) -> dict[str, Any]:
    """Return the figures that a record keeps of one image set, in float32."""
    found: dict[str, Any] = {"n": len(image_set), **trainer.task.figures(model, image_set)}
    if "accuracy" in found:
        found["accuracy_standard_error"] = math.sqrt(found["accuracy"] * (1 - found["accuracy"]) / found["n"])
    return found


def _differences(run: Run, record: Mapping[str, Any]) -> list[str]:
    """Say where a record was made with other settings than the run has, or lacks a measurement."""
    if record["kind"] != run.kind:
        return [f"kind: {record['kind']} recorded, {run.kind} wanted"]
    try:  # through the settings classes: they add the defaults of settings that are younger than the record
        found = {
            "kind": record["kind"],
            "config": KINDS[run.kind].config.from_dict(record["config"]).to_dict(),
            "recipe": type(run.recipe).from_dict(record["recipe"]).to_dict(),
            "task": record.get("task", {"name": Classification.name}),
            "source": record["data"]["source"],
            "images": record["subset"],
            "normalise": record["normalise"],
            "seed": record["seed"],
            "track": record["track"],
            "looks": record["looks"],
            "only_classes": record.get("only_classes"),
            "begins_with": record.get("begins_with"),
            "taught_by": record.get("taught_by"),
        }
    except (ValueError, TypeError) as error:
        return [f"recorded with settings that are impossible now: {error}"]
    recorded, wanted = dict(_flat(found)), dict(_flat(run.settings()))
    differences = [f"{key}: {recorded.get(key, 'nothing')} recorded, {wanted.get(key, 'nothing')} wanted"
                   for key in {**wanted, **recorded} if recorded.get(key) != wanted.get(key)]  # fmt: skip
    taken = record.get("measurements", run.measure)  # a run that diverged has none
    missing = [name for name in run.measure if name not in taken]
    missing += [f"minutes to {mark:g}%" for mark in run.marks if f"{mark:g}" not in record["minutes_to"]]
    return differences + [f"{name}: not measured yet" for name in missing]


def _flat(settings: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Turn nested settings into pairs of "recipe.epochs" and value."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", each) for inner, each in value.items())
        else:
            yield key, value


@functools.lru_cache(maxsize=3)
def _split(split: str, root: str | None, source: str) -> ImageSet:
    """Load a split once for all runs, and never the sample in place of the whole data set."""
    return load_cifar10(split, root, "always" if source == "sample" else "never")
