"""The command line: ``python -m course_utils doctor | data | train | evaluate | attend | bench | experiments``.

Exit codes: 0 all went well; 1 something is wrong, one sentence on stderr says what; 2 the command was mistyped; 130
stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_utils.experiments.runner import Workplace
    from course_utils.experiments.sets import ExperimentSet, Run
    from course_utils.model.vit import VisionTransformer

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, TypeError, OSError, FloatingPointError, ModuleNotFoundError) as error:
        if options.traceback:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1


# ---------------------------------------------------------------------- the commands


def doctor(options: argparse.Namespace) -> int:
    """Say whether the course can run here, and on what."""
    from course_utils.doctor import check_environment

    return 0 if check_environment() else 1


def data(options: argparse.Namespace) -> int:
    """Fetch CIFAR-10, say what there is, and check the normalisation constants against it."""
    from course_utils.data import load_cifar10
    from course_utils.data.augment import CIFAR10_MEAN, CIFAR10_STD, compute_normalisation

    for split in ("train", "validation", "test"):
        image_set = load_cifar10(split, options.root, options.sample)
        print(image_set.description)
    if options.normalisation:
        mean, std = compute_normalisation(load_cifar10("trainval", options.root, options.sample))
        for name, found, known in (("mean", mean, CIFAR10_MEAN), ("std", std, CIFAR10_STD)):
            print(f"{name:4} computed {tuple(round(x, 4) for x in found)}, in use {known}")
            if max(abs(a - b) for a, b in zip(found, known, strict=True)) > (
                0.01 if image_set.source == "sample" else 5e-5
            ):
                raise ValueError(f"The {name} in use does not fit these images.")
    return 0


def train(options: argparse.Namespace) -> int:
    """Train, then look at the test set once, and write record, weights and pictures."""
    import torch

    from course_utils.analysis.snapshots import Snapshots
    from course_utils.data import load_cifar10
    from course_utils.model.config import ViTConfig
    from course_utils.model.vit import VisionTransformer
    from course_utils.report import write_report
    from course_utils.training import distributed
    from course_utils.training.recipes import Recipe
    from course_utils.training.trainer import Trainer

    budget = {name: getattr(options, name) for name in ("epochs", "steps", "minutes") if getattr(options, name)}
    recipe = Recipe.preset(options.recipe, **_settings(options.set), **budget)
    config = ViTConfig.preset(options.model, **_settings(options.model_set))
    if options.snapshots and recipe.early:
        raise ValueError(
            f"--snapshots shows one grid of patches from beginning to end, but this recipe begins with patches of "
            f"{recipe.early_patch_size} pixels: add --set early=0 --set early_patch_size=0, or leave --snapshots out."
        )
    run_dir = Path(options.runs) / (options.name or f"{options.model}-{options.recipe}-seed{options.seed}")
    if not options.resume:
        run_dir = _unused(run_dir)
    train_set, validation_set, test_set = (
        load_cifar10(split, options.root, options.sample) for split in ("train", "validation", "test")
    )
    with distributed.process_group():
        torch.manual_seed(options.seed)
        trainer = Trainer(
            VisionTransformer(config),
            train_set,
            validation_set,
            recipe,
            run_dir=run_dir,
            seed=options.seed,
            device=options.device,
            precision=options.precision,
            compile_model=options.compile,
            workers=options.workers,
            report_every=options.report_every,
        )
        if trainer.is_main:
            print(train_set.description)
            print(f"{options.model} on {trainer.device}, {trainer.precision}; writing to {run_dir}")
        watcher = None
        if options.snapshots and trainer.is_main:
            watcher = Snapshots(trainer.model, validation_set, run_dir / "snapshots.safetensors")
        record = trainer.fit(resume=options.resume, on_epoch=watcher)
        if record["status"] != "finished":
            return INTERRUPTED
        if trainer.is_main:
            record = write_report(run_dir, trainer.model, record, test_set, trainer.averaged_model)
            for name in ("last_weights", "average_weights"):
                if name in record["test"]:
                    print(f"{name.replace('_', ' ')}: {_accuracy_line(record['test'][name])}")
            print(f"Written to {run_dir}: {', '.join(sorted(path.name for path in run_dir.iterdir()))}")
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Evaluate weights on the test set."""
    from course_utils.analysis.evaluation import evaluate as figures_of
    from course_utils.analysis.evaluation import predict
    from course_utils.data import load_cifar10
    from course_utils.support.devices import pick_device

    model, mean, std, _classes = _load(options.weights)
    test_set = load_cifar10("test", options.root, options.sample)
    logits = predict(model.to(pick_device(options.device)), test_set.images, mean, std)
    found = figures_of(logits, test_set.labels, test_set.classes)
    if options.json:
        print(json.dumps({"data": test_set.describe(), **found}))
        return 0
    print(test_set.description)
    print(_accuracy_line(found))
    for name, share in zip(found["classes"], found["per_class_accuracy"], strict=True):
        print(f"  {name:12} {share:.1%}" if share is not None else f"  {name:12} no images")
    return 0


def attend(options: argparse.Namespace) -> int:
    """Name the pictures and draw where the model looks."""
    import torch

    from course_utils.data.picture import load_picture
    from course_utils.report import attention_figure, save_figure

    model, mean, std, classes = _load(options.weights)
    size = (model.config.image_height, model.config.image_width)
    small = torch.stack([load_picture(path, size) for path in options.pictures])  # (B, 3, H, W)
    large = torch.stack([load_picture(path, (8 * size[0], 8 * size[1])) for path in options.pictures])
    names = [Path(path).name for path in options.pictures]
    figure = attention_figure(model, small, names, classes, mean, std, display=large)
    save_figure(figure, options.out)
    print(f"Written to {options.out}: {figure.get_label()}")
    return 0


def bench(options: argparse.Namespace) -> int:
    """Time our ViT beside the libraries' ViTs."""
    from course_utils.experiments import bench as speed
    from course_utils.model.config import ViTConfig
    from course_utils.support import environment
    from course_utils.support.devices import pick_device, pick_precision
    from course_utils.support.files import write_json

    device = pick_device(options.device)
    precision = pick_precision(options.precision, device)
    config = ViTConfig.preset(options.model)
    results = speed.benchmark(
        config,
        batch_size=options.batch_size,
        precision=precision,
        device=device,
        rounds=options.rounds,
        compile_models=options.compile,
        report=lambda line: print(line, file=sys.stderr),
    )
    absent = sorted({each.package for each in speed.CONTESTANTS} - {each.package for each in speed.installed()})
    print(f"{options.model}, batch {options.batch_size}, {precision}, {environment.device_name(device)}, "
          f"compiled: {'yes' if options.compile else 'no'}, rounds: {options.rounds}")  # fmt: skip
    print(speed.as_table(results, config))
    if absent:
        print(f"Not installed, so not measured: {', '.join(absent)}. pip install '.[bench]' brings them.")
    if options.out:
        what = {
            "command": environment.command_line(),
            "written": environment.now(),
            "environment": environment.describe(device),
        }
        write_json(options.out, what | {"precision": precision, "results": results})
    return 0


def experiments(options: argparse.Namespace) -> int:
    """List the experiments with their state, run what is missing, or write the page of results."""
    from course_utils.analysis.snapshots import RESULTS_FOLDER
    from course_utils.experiments import runner, sets, tables
    from course_utils.support.files import write_atomically
    from course_utils.support.settings import look_up

    every = {each.name: each for each in sets.load_sets(options.sets)}
    chosen = [look_up("experiment set", name, every) for name in options.names] or list(every.values())
    records = Path(options.results or RESULTS_FOLDER)
    if options.action == "list":
        print(tables.as_list(chosen, records))
    elif options.action == "report":
        page = tables.as_page(list(every.values()), records)  # all of it, whatever is drawn
        write_atomically(options.out, lambda file: file.write_text(page, encoding="utf-8"))
        print(f"Written to {options.out}.")
        if options.figures:
            _experiment_figures(chosen, records, Path(options.figures))
    else:
        place = runner.Workplace(
            records,
            Path(options.runs),
            options.root,
            options.device,
            options.precision,
            options.undisturbed,
        )
        wanted = [run for each in chosen for run in each.runs if options.seeds is None or run.seed in options.seeds]
        return _run_missing(wanted, place)
    return 0


# ---------------------------------------------------------------------- helpers


def _run_missing(wanted: Sequence[Run], place: Workplace) -> int:
    """Carry out the runs that are not recorded, or stale, and say what came out."""
    from course_utils.experiments import runner

    todo = [(run, state) for run in wanted if (state := runner.state_of(run, place.results)[0]) != "recorded"]
    print(f"{len(wanted) - len(todo)} of {len(wanted)} runs are recorded.")
    for number, (run, state) in enumerate(todo, start=1):
        print(f"{number} of {len(todo)}: {run.experiment}, {run.variant}, seed {run.seed} ({state})", flush=True)
        record = runner.carry_out(run, place)
        if record is None:
            return INTERRUPTED
        if record["status"] == "finished":
            print(f"  validation {record['validation']['accuracy']:.2%}, test {record['test']['accuracy']:.2%}")
        else:
            print(f"  {record['reason']}.")
    return 0


def _experiment_figures(chosen: Sequence[ExperimentSet], records: Path, folder: Path) -> None:
    """Draw the test accuracy of every set that has records, to be looked at."""
    from course_utils import plots
    from course_utils.experiments import tables
    from course_utils.report import save_figure

    for each in chosen:
        values = tables.recorded(each, records).by_variant("test.accuracy", scale=100)
        if values:
            figure = plots.seed_dots(values, title=each.title, x_label="test accuracy in %")
            save_figure(figure, folder / f"{each.name}.png")
            print(f"Written to {folder / each.name}.png: {figure.get_label()}")


def _settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Read NAME=VALUE pairs; values are JSON where they can be, else text."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"A setting is given as NAME=VALUE, not as {pair!r}.")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


def _unused(folder: Path) -> Path:
    """Return the folder, with a number behind its name if a run stands there already."""
    number, free = 2, folder
    while free.exists():
        free, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return free


def _accuracy_line(figures: dict[str, Any]) -> str:
    return (
        f"test accuracy {figures['accuracy']:.2%} ± {figures['accuracy_standard_error']:.2%} "
        f"on {figures['n']:,} images (top {figures['top_k']}: {figures['top_k_accuracy']:.2%}, "
        f"loss {figures['loss']:.4f}, calibration error {figures['calibration_error']:.2%})"
    )


def _load(weights: str) -> tuple[VisionTransformer, tuple[float, ...], tuple[float, ...], tuple[str, ...]]:
    """Load a file or shipped weights: the model, its normalisation (mean, std) and its class names."""
    from course_utils.zoo.weights import PRETRAINED_FOLDER, load_weights, pretrained_names, read_record

    path = PRETRAINED_FOLDER / f"{weights}.safetensors" if weights in pretrained_names() else Path(weights)
    model, record = load_weights(path), read_record(path)
    if not {"normalisation", "data"} <= record.keys():
        raise ValueError(f"{path} holds no record of a training run, so its normalisation and classes are unknown.")
    normalisation = record["normalisation"]
    return model, tuple(normalisation["mean"]), tuple(normalisation["std"]), tuple(record["data"]["classes"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m course_utils", description="The Vision Transformer course on the command line."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(command: Callable[[argparse.Namespace], int], *examples: str) -> argparse.ArgumentParser:
        lines = "\n".join(f"  python -m course_utils {example}" for example in examples)
        added = commands.add_parser(
            command.__name__,
            help=command.__doc__,
            description=command.__doc__,
            epilog=f"examples:\n{lines}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(command=command)
        added.add_argument("--traceback", action="store_true", help="show where an error arose")
        return added

    def with_data(command: argparse.ArgumentParser) -> None:
        command.add_argument("--root", help="folder of CIFAR-10 (default: $CIFAR10_ROOT, data/, the cache)")
        command.add_argument(
            "--sample", choices=("auto", "never", "always"), default="auto", help="use the shipped sample"
        )

    def with_device(command: argparse.ArgumentParser) -> None:
        command.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")

    add(doctor, "doctor")

    command = add(data, "data", "data --root ~/data --normalisation", "data --sample always")
    with_data(command)
    command.add_argument("--normalisation", action="store_true", help="compute mean and std, and check those in use")

    command = add(
        train,
        "train",
        "train --recipe half-hour",
        "train --recipe evening --epochs 20 --set learning_rate=2e-3 --model-set pooling=mean",
        "train --name mine --resume",
    )
    with_data(command)
    with_device(command)
    command.add_argument("--model", default="cifar_micro", help="a preset of ViTConfig")
    command.add_argument("--recipe", default="cpu-minutes", help="a preset of Recipe")
    command.add_argument("--epochs", type=float, help="budget in passes over the data")
    command.add_argument("--steps", type=int, help="budget in optimiser steps")
    command.add_argument("--minutes", type=float, help="budget in minutes of training")
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change the recipe")
    command.add_argument("--model-set", action="append", default=[], metavar="NAME=VALUE", help="change the model")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--name", help="folder of the run, inside --runs")
    command.add_argument("--runs", default="runs", help="where runs are kept")
    command.add_argument("--resume", action="store_true", help="go on with the run of that name")
    command.add_argument(
        "--snapshots", action="store_true", help="keep position codes, attention and predictions after every pass"
    )
    command.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    command.add_argument("--compile", action="store_true", help="compile the model: a minute first, faster then")
    command.add_argument("--workers", type=int, default=0, help="processes that prepare batches ahead, for a GPU")
    command.add_argument("--report-every", type=float, default=1.0, help="passes between two looks at validation")

    command = add(evaluate, "evaluate runs/mine/weights.safetensors", "evaluate runs/mine/weights.safetensors --json")
    with_data(command)
    with_device(command)
    command.add_argument("weights", help="a file, or the name of shipped weights")
    command.add_argument("--json", action="store_true", help="print all figures as JSON")

    command = add(attend, "attend cat.jpg --weights runs/mine/weights.safetensors --out cat_attention.png")
    command.add_argument("pictures", nargs="+", help="picture files")
    command.add_argument("--weights", required=True, help="a file, or the name of shipped weights")
    command.add_argument("--out", default="attention.png", help="where to write the figure")

    command = add(bench, "bench", "bench --model cifar_micro --batch-size 64 --rounds 20", "bench --compile")
    with_device(command)
    command.add_argument("--model", default="cifar_small", help="a preset of ViTConfig")
    command.add_argument("--batch-size", type=int, default=128)
    command.add_argument("--rounds", type=int, default=10)
    command.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    command.add_argument("--compile", action="store_true", help="compile all models")
    command.add_argument("--out", help="write every measurement to this JSON file")

    command = add(
        experiments,
        "experiments",
        "experiments run",
        "experiments run positions --seeds 0 1",
        "experiments report --figures figures",
    )
    command.add_argument("action", nargs="?", choices=("list", "run", "report"), default="list")
    command.add_argument("names", nargs="*", metavar="NAME", help="sets (default: all, in their order)")
    with_device(command)
    command.add_argument("--root", help="folder of CIFAR-10 (default: $CIFAR10_ROOT, data/, the cache)")
    command.add_argument("--seeds", type=int, nargs="+", help="run these seeds only")
    command.add_argument("--sets", default="experiments", help="folder of the set files")
    command.add_argument("--results", help="folder of the records (default: inside the package)")
    command.add_argument("--runs", default="runs/experiments", help="where checkpoints are kept")
    command.add_argument("--precision", default="fp32", help="auto, fp32 or bf16 (default: fp32, in all runs)")
    command.add_argument("--undisturbed", action="store_true", help="nothing else runs here: times can be believed")
    command.add_argument("--out", default="experiments/results.md", help="the page that report writes")
    command.add_argument("--figures", help="folder for a figure of each set, which report draws")
    return parser
