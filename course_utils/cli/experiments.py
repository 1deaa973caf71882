"""``experiments``: list them, run what is missing, write the page of results."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.cli.options import INTERRUPTED, Commands, add_command, with_device, with_root

if TYPE_CHECKING:
    from course_utils.experiments.runner import Workplace
    from course_utils.experiments.sets import ExperimentSet, Run


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    command = add_command(
        commands,
        experiments,
        "experiments",
        "experiments run",
        "experiments run positions --seeds 0 1",
        "experiments run finetuning --part 2/8",
        "experiments report --figures figures",
    )
    command.add_argument("action", nargs="?", choices=("list", "run", "report"), default="list")
    command.add_argument("names", nargs="*", metavar="NAME", help="sets (default: all, in their order)")
    with_device(command)
    with_root(command)
    command.add_argument("--seeds", type=int, nargs="+", help="run these seeds only")
    command.add_argument("--part", metavar="K/N", help="run every N-th run only, from the K-th: N processes share them")
    command.add_argument("--sets", default="experiments", help="folder of the set files")
    command.add_argument("--results", help="folder of the records (default: inside the package)")
    command.add_argument("--runs", default="runs/experiments", help="where checkpoints are kept")
    command.add_argument("--precision", default="fp32", help="auto, fp32 or bf16 (default: fp32, in all runs)")
    command.add_argument("--undisturbed", action="store_true", help="nothing else runs here: times can be believed")
    command.add_argument("--out", default="experiments/results.md", help="the page that report writes")
    command.add_argument("--figures", help="folder for a figure of each set, which report draws")


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
        return _run_missing(_part(wanted, options.part), place)
    return 0


def _part(runs: Sequence[Run], part: str | None) -> Sequence[Run]:
    """Return every N-th run from the K-th, for "K/N".

    Raises:
        ValueError: The part is written in another way.
    """
    if part is None:
        return runs
    first, slash, count = part.partition("/")
    if not (slash and first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise ValueError(f"A part is given as K/N, from 1/N to N/N, not as {part!r}.")
    return runs[int(first) - 1 :: int(count)]


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
            print(f"  validation {_figures(record['validation'])}; test {_figures(record['test'])}")
        else:
            print(f"  {record['reason']}.")
    return 0


def _figures(found: Mapping[str, float]) -> str:
    """Say what was found on an image set, the task's figures."""
    return ", ".join(f"{name} {found[name]:.4f}" for name in found if name not in ("n", "accuracy_standard_error"))


def _experiment_figures(chosen: Sequence[ExperimentSet], records: Path, folder: Path) -> None:
    """Draw the test accuracy of every set that has records, to be looked at."""
    from course_utils import plots
    from course_utils.experiments import tables
    from course_utils.report import save_figure

    for each in chosen:
        found = tables.recorded(each, records)
        finished = [record for record in found.records if record["status"] == "finished"]
        if finished and all("accuracy" in record["test"] for record in finished):  # another task has other figures
            values = found.by_variant("test.accuracy", scale=100)
            figure = plots.seed_dots(values, title=each.title, x_label="test accuracy in %")
            save_figure(figure, folder / f"{each.name}.png")
            print(f"Written to {folder / each.name}.png: {figure.get_label()}")
