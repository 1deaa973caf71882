"""Read the files that say which experiments there are: ``experiments/NAME.toml``, one for each question.

A file looks like this; every line below ``[variants]`` is one experiment, and is run once with each seed::

    title = "Position codes"
    question = "How much do position codes bring, and which?"
    order = 2            # ``experiments run`` begins with the smallest
    minutes = 120        # what all runs of the set take, about: images over images a second, on one CPU thread
    seeds = [0, 1, 2]    # of the start, the order, the augmentation, and of which images are taken
    measure = []         # what is looked at after training: names of ``measurements.MEASUREMENTS``
    track = []           # what is looked at before and through training, likewise
    looks = 6            # how often, at most; and how often the accuracy on the validation images is taken
    marks = [60, 64]     # validation accuracies in percent: how long does it take to reach them? Left out = not asked

    [model]              # what all variants share: the kind (of ``kinds.KINDS``) and settings of its config
    kind = "vit"
    embed_dim = 96

    [recipe]             # settings of ``Recipe``
    epochs = 3

    [task]               # what is learned (a name in ``kinds.TASKS``), and what that task takes
    name = "classification"
    teacher = "SET; VARIANT"     # if the task takes one: a run of another set (with its first seed), to be run before
                                 # this set. Or a weights file, or the name of weights that ship

    [data]               # images: how many training images, the same number of each class; left out = all
    images = 10_000
    normalise = true     # false leaves the pixels between 0 and 1
    classes = ["cat", "dog"]     # only these, in training, validation and test; left out = all
    start = "SET; VARIANT"       # the body starts with what that run of the same seed has learned, the head with
                                 # zeros: run that set first. Or the name of weights that ship; left out = at random

    [variants]
    "learned" = {}
    "rotary" = { model.position = "rotary" }
    "rotary, slow" = { from = "rotary", recipe.learning_rate = 5e-4, seeds = [0] } # other seeds than the set's
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_utils.experiments.measurements import MEASUREMENTS
from course_utils.support.settings import Settings, look_up
from course_utils.training.recipes import Recipe
from course_utils.training.tasks import Classification
from course_utils.zoo.kinds import KINDS, TASKS
from course_utils.zoo.weights import encoder_names, pretrained_names

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path("experiments")
SOURCES = ("official", "sample")
_PARTS = ("model", "recipe", "task", "data")
_KEYS = ("title", "question", "order", "minutes", "seeds", "measure", "track", "looks", "marks", *_PARTS, "variants")
LOOKS = 6
# Settings that are younger than the first runs, with their defaults: these leave a digest what it was.
_YOUNG = {"only_classes": None, "begins_with": None, "taught_by": None}
_YOUNG_IN_RECIPES = {"freeze": 0, "backbone_rate": 1.0, "layer_decay": 1.0, "code_start": None}


@dataclass(frozen=True)
class Run:
    """One training run: a variant of a set with one seed.

    Attributes:
        experiment: Name of the set.
        variant: As the file calls it.
        place: Of the variant in its set, from 0.
        seed: Decides start, order, augmentation, dropout, and which images are taken.
        kind: Of the model: a name in ``KINDS``.
        config: Its settings.
        recipe: How it is trained.
        task: What is learned: the name of the task, and what it takes.
        source: "official", or "sample" for the images that ship with the course.
        images: How many training images; None means all of the training split.
        normalise: Whether pixels are normalised; if not, they lie between 0 and 1.
        measure: Measurements after training.
        track: Measurements before and through training.
        looks: How often the validation images are looked at, at most.
        marks: Validation accuracies, in percent, to which the time is taken.
        classes: The classes that images are taken of; None means all.
        start: What the body begins with: another run, or the name of weights that ship; None means random weights.
        teacher: What the task's teacher is: another run, or a weights file or its name; None means that it has none.
    """

    experiment: str
    variant: str
    place: int
    seed: int
    kind: str
    config: Settings
    recipe: Recipe
    task: Mapping[str, Any] = field(hash=False)  # a dict has no hash
    source: str
    images: int | None
    normalise: bool
    measure: tuple[str, ...]
    track: tuple[str, ...]
    looks: int
    marks: tuple[float, ...]
    classes: tuple[str, ...] | None = None
    start: Run | str | None = None
    teacher: Run | str | None = None

    @property
    def name(self) -> str:
        """Name of the run inside its set, fit for a file."""
        return f"{slug(self.variant)}-seed{self.seed}"

    def settings(self) -> dict[str, Any]:
        """Return everything that decides what is trained, and what is seen on the way."""
        return {
            "kind": self.kind,
            "config": self.config.to_dict(),
            "recipe": self.recipe.to_dict(),
            "task": dict(self.task),
            "source": self.source,
            "images": self.images,
            "normalise": self.normalise,
            "seed": self.seed,
            "track": list(self.track),
            "looks": self.looks,
            "only_classes": list(self.classes) if self.classes is not None else None,
            "begins_with": self.start.folder if isinstance(self.start, Run) else self.start,
            "taught_by": self.teacher.folder if isinstance(self.teacher, Run) else self.teacher,
        }

    @property
    def digest(self) -> str:
        """Eight characters that change when a setting does. Runs of two sets with the same settings share them."""
        settings = self.settings()
        settings["recipe"] = _without(settings["recipe"], _YOUNG_IN_RECIPES)
        return hashlib.sha256(json.dumps(_without(settings, _YOUNG), sort_keys=True).encode()).hexdigest()[:8]

    @property
    def folder(self) -> str:
        """Name of the folder of its checkpoints. Two sets may ask for the same training."""
        return f"{self.kind}-seed{self.seed}-{self.digest}"


@dataclass(frozen=True)
class ExperimentSet:
    """What one file says.

    Attributes:
        name: Of the file, without its ending.
        title: A few words.
        question: What the set is to answer.
        order: Sets with a smaller number are run first.
        minutes: What all its runs are expected to take on one thread.
        runs: Variant by variant, seed by seed.
    """

    name: str
    title: str
    question: str
    order: float
    minutes: float
    runs: tuple[Run, ...]

    @property
    def variants(self) -> list[str]:
        """The names of the variants, in the order of the file."""
        return list(dict.fromkeys(run.variant for run in self.runs))


def load_sets(folder: str | Path = FOLDER) -> list[ExperimentSet]:
    """Read every set of a folder, in the order in which they are to be run.

    Raises:
        FileNotFoundError: There is no set in the folder.
        ValueError: As for :func:`load_set`.
    """
    paths = sorted(Path(folder).glob("*.toml"))
    if not paths:
        raise FileNotFoundError(
            f"There is no experiment set in {Path(folder)}: run this in the course's folder, or name one with --sets."
        )
    return sorted((load_set(path) for path in paths), key=lambda each: (each.order, each.name))


def load_set(path: str | Path) -> ExperimentSet:
    """Read one set, and check every setting in it.

    Raises:
        ValueError: The file is no TOML, or a name or a value in it is impossible. The sentence names file and variant.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        _refuse_unknown(content, _KEYS)
        missing = [key for key in ("title", "question", "seeds", "recipe", "variants") if not content.get(key)]
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        variants = _inherit(content["variants"])
        runs = [
            _run(path, name, place, seed, content, changes)
            for place, (name, changes) in enumerate(variants.items())
            for seed in changes["seeds"] or content["seeds"]
        ]
        if len({run.name for run in runs}) < len(runs):
            raise ValueError("two variants have the same name, or a seed stands twice")
    except (ValueError, TypeError) as error:  # what is no TOML is a ValueError too
        raise ValueError(f"{path}: {str(error).rstrip('.')}.") from error
    title, question = content["title"], content["question"]
    return ExperimentSet(path.stem, title, question, content.get("order", 0), content.get("minutes", 0), tuple(runs))


def slug(name: str) -> str:
    """Turn a name into what can stand in a file name: "2-D sines" becomes "2-d-sines"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _inherit(variants: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Add to each variant what the one behind its "from" changes: variant -> part -> setting -> value."""
    found: dict[str, dict[str, Any]] = {}
    for name, variant in variants.items():
        if ";" in name or " minus " in name or not slug(name):
            raise ValueError(f"variant {name!r}: a finding could not name it, with ';' or 'minus' or without a letter")
        changes = dict(variant)
        before = look_up("variant further up", changes.pop("from"), found) if "from" in changes else {}
        _refuse_unknown(changes, (*_PARTS, "seeds"))
        found[name] = {part: {**before.get(part, {}), **changes.get(part, {})} for part in _PARTS}
        found[name]["seeds"] = changes.get("seeds")
    return found


def _run(path: Path, variant: str, place: int, seed: int, content: dict, changes: dict) -> Run:
    """Put together what all variants share and what this one changes."""
    model = {"kind": "vit", **content.get("model", {}), **changes["model"]}
    task = {"name": Classification.name, **content.get("task", {}), **changes["task"]}
    data = {**content.get("data", {}), **changes["data"]}
    kind = model.pop("kind")
    try:
        _refuse_unknown(data, ("source", "images", "normalise", "classes", "start"))
        look_up("task", task["name"], TASKS)
        config = look_up("model kind", kind, KINDS).config.from_dict(model)
        recipe = Recipe.from_dict(content["recipe"]).replace(**changes["recipe"])
        if recipe.minutes is not None:
            raise ValueError("a budget in minutes cannot be repeated on another machine: give epochs or steps")
        if data.get("source", "official") not in SOURCES:
            raise ValueError(f"source {data['source']!r} is unknown: choose one of {', '.join(SOURCES)}")
        start = _start(path, seed, data["start"]) if "start" in data else None
        teacher = _teacher(path, task["teacher"]) if "teacher" in task else None
        measure, track = (tuple(content.get(key, ())) for key in ("measure", "track"))
        for name in (*measure, *track):
            look_up("measurement", name, MEASUREMENTS)
    except (ValueError, TypeError) as error:
        raise ValueError(f"variant {variant!r}: {error}") from error
    return Run(
        path.stem,
        variant,
        place,
        seed,
        kind,
        config,
        recipe,
        task,
        source=data.get("source", "official"),
        images=data.get("images"),
        normalise=data.get("normalise", True),
        measure=measure,
        track=track,
        looks=content.get("looks", LOOKS),
        marks=tuple(content.get("marks", ())),
        classes=tuple(data["classes"]) if "classes" in data else None,
        start=start,
        teacher=teacher,
    )


def _start(path: Path, seed: int, name: str) -> Run | str:
    """Find what a run starts from: shipped weights, or the run of another set in the same folder, with its seed."""
    if ";" not in name:
        return look_up("shipped weights", name, {each: each for each in (*pretrained_names(), *encoder_names())})
    return _run_of_another_set(path, name, {seed})


def _teacher(path: Path, name: str) -> Run | str:
    """Find who teaches a run: weights by name or file, which are looked for when it is run; or a run, one for all."""
    return _run_of_another_set(path, name, None) if ";" in name else name


def _run_of_another_set(path: Path, name: str, seeds: set[int] | None) -> Run:
    """Find the run that "SET; VARIANT" names: with one of these seeds, or with the first that it has."""
    other, _, variant = (part.strip() for part in name.partition(";"))
    if other == path.stem:
        raise ValueError(f"{name!r} lies in the same set: put what is to be run first into a set of its own")
    runs: dict[str, Run] = {}
    for run in load_set(path.with_name(f"{other}.toml")).runs:
        if seeds is None or run.seed in seeds:
            runs.setdefault(run.variant, run)
    return look_up("variant", variant, runs)


def _without(settings: Mapping[str, Any], young: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what has its default and did not exist when the first runs were made."""
    return {name: value for name, value in settings.items() if name not in young or value != young[name]}


def _refuse_unknown(found: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = [key for key in found if key not in known]
    if unknown:
        raise ValueError(f"{unknown[0]} means nothing here: choose from {', '.join(known)}")
