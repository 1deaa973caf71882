"""Write states and results of experiments as text: the list on the command line, and the page of results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from course_utils.experiments.markdown import markdown_table
from course_utils.experiments.results import Results, read_result, spread
from course_utils.experiments.runner import record_path, state_of, strangers
from course_utils.experiments.sets import ExperimentSet
from course_utils.experiments.slips import slips_section
from course_utils.experiments.trained import trained_section

_HEAD = """\
# Results of the experiments

Written by `python -m course_utils experiments report` from the records in `course_utils/assets/results/`; not by hand.

Every number is mean ± standard deviation over the seeds, with the sample's n - 1; a number without ± is of one run, or
the same in all. Choices were made on the validation images (5,000 that were not trained on); each run looked at the
10,000 test images once, at its end. With three seeds each, a difference below about 2.3 standard deviations may be
chance. A run of minutes is short of what the same model can reach: compare inside one table only.

What a table needs to be repeated: `python -m course_utils experiments run NAME` with the set file of the same name in
`experiments/`. A record holds all settings, the fingerprint of the images, versions, commit, history and figures.
"""

_UNITS = {"attention_distance": " in pixels", "attention_entropy": " in nats", "area": " under the curve"}
_COLUMNS = (
    "variant",
    "test accuracy in %",
    "validation accuracy in %",
    "seeds",
    "parameters",
    "multiply-adds in millions",
    "minutes of training",
)


def as_list(sets: Sequence[ExperimentSet], results: Path) -> str:
    """List every experiment with its state.

    Returns:
        A line for each set, a line for each variant below it with the seeds by state, and what is stale, and why.
    """
    lines, totals = [], {"recorded": 0, "stale": 0, "missing": 0}
    for each in sets:
        states = {run: state_of(run, results) for run in each.runs}
        found = [state for state, _ in states.values()]
        counts = {state: found.count(state) for state in totals}
        totals = {state: totals[state] + count for state, count in counts.items()}
        lines.append(f"{each.name}: {each.title} ({_counted(counts)}; about {each.minutes:g} minutes in all)")
        width = max(map(len, each.variants))
        for variant in each.variants:
            by_state: dict[str, list[int]] = {}
            reasons: dict[str, None] = {}
            for run, (state, why) in states.items():
                if run.variant == variant:
                    by_state.setdefault(state, []).append(run.seed)
                    reasons |= dict.fromkeys(why)
            seeds = "; ".join(f"{state}: seed {', '.join(map(str, seeds))}" for state, seeds in by_state.items())
            lines.append(f"  {variant:{width}}  {seeds}")
            lines += [f"  {'':{width}}    {reason}" for reason in reasons]
        lines += [f"  not in the set any more: {path.name}" for path in strangers(each, results)]
    return "\n".join([*lines, f"All sets: {_counted(totals)}."])


def as_page(sets: Sequence[ExperimentSet], results: Path) -> str:
    """Write all results as one Markdown page. It depends on set files and records alone, not on time or machine."""
    tables = [_section(each, results) for each in sets]
    return "\n".join([_HEAD, *trained_section(), *tables, *slips_section(results)])


def recorded(experiment: ExperimentSet, results: Path) -> Results:
    """Return the runs of a set that are recorded as its file asks; stale ones are left out."""
    runs = [run for run in experiment.runs if state_of(run, results)[0] == "recorded"]
    return Results(experiment.name, tuple(read_result(record_path(results, run)) for run in runs))


def with_spread(values: Sequence[float], digits: int = 1, scale: float = 1.0) -> str:
    """Write mean ± standard deviation, or one number if all are the same."""
    scaled = [scale * value for value in values]
    deviation = spread(scaled)
    mean = f"{statistics.fmean(scaled):,.{digits}f}"
    return mean if math.isnan(deviation) or deviation == 0 else f"{mean} ± {deviation:.{digits}f}"


def _section(experiment: ExperimentSet, results: Path) -> str:
    """Write heading, tables, and what they were measured with."""
    found = recorded(experiment, results)
    lines = [f"## {experiment.name}: {experiment.title}", "", experiment.question, ""]
    absent = len(experiment.runs) - len(found.records)
    if absent:
        lines += [f"**{absent} of {len(experiment.runs)} runs are still to be made.**", ""]
    if not found.records:
        return "\n".join(lines)
    rows, measured = [], {}
    for variant in found.variants:
        records = [record for record in found.records if record["variant"] == variant]
        finished = [record for record in records if record["status"] == "finished"]
        seeds = ", ".join(str(record["seed"]) for record in finished) or "none"
        diverged = len(records) - len(finished)
        row = [variant, "", "", seeds + (f" ({diverged} diverged)" if diverged else ""), *_cost(records[0]), ""]
        if finished:
            row[1], row[2] = (_score([record[part] for record in finished]) for part in ("test", "validation"))
            row[-1] = with_spread([record["seconds"] for record in finished], scale=1 / 60)
            measured[variant] = _measured([record["measurements"] for record in finished])
        rows.append(row)
    classified = all("accuracy" in each["test"] for each in found.records if each["status"] == "finished")
    head = _COLUMNS if classified else tuple(name.replace(" accuracy in %", "") for name in _COLUMNS)
    lines += [*markdown_table(head, rows), ""]
    if experiment.runs[0].marks:
        lines += [*race_table(found), ""]
    names = list(dict.fromkeys(name for values in measured.values() for name in values))
    if names:  # the measurements are many, so they stand below each other
        cells = [[name, *(values.get(name, "") for values in measured.values())] for name in names]
        lines += [*markdown_table(("measured after training", *measured), cells), ""]
    return "\n".join([*lines, *_circumstances(found.records), ""])


def race_table(found: Results) -> list[str]:
    """Write how long each variant took to the marks of its set, and how many times as long as the fastest.

    Args:
        found: Of a set with marks, such as ``load_results("race")``.

    Returns:
        The lines of a Markdown table.
    """
    marks = list(found.records[0]["minutes_to"])
    head = ["variant", "images a second", "share of matrix-product rate"]
    minutes = {mark: _minutes(found, mark) for mark in marks}
    rows = []
    for variant in found.by_variant("seconds"):
        share = found.values("throughput.share_of_matmul_rate", variant)
        row = [variant, with_spread(found.values("throughput.images_a_second", variant), 0)]
        row.append(f"{with_spread(share, 0, scale=100)}%")
        for mark in marks:
            row += _time_and_ratio(variant, minutes[mark], found.values("seconds", variant))
        rows.append(row)
    for mark in marks:
        head += [f"minutes to {mark}%", "times the fastest"]
    return markdown_table(head, rows)


def _minutes(found: Results, mark: str) -> dict[str, list[float]]:
    """Return variant -> minutes to a mark, one for each seed, of the variants whose seeds all reached it."""
    times: dict[str, list[float]] = {}
    for variant in found.by_variant("seconds"):
        taken = [record["minutes_to"][mark] for record in found.of(variant)]
        if None not in taken:
            times[variant] = taken
    return times


def _time_and_ratio(variant: str, times: dict[str, list[float]], seconds: Sequence[float]) -> tuple[str, str]:
    """Write minutes to a mark, and the ratio to the fastest with its smallest and largest value over the seeds."""
    fastest = min(times.values(), key=statistics.fmean, default=[])
    spent = times.get(variant, [each / 60 for each in seconds])
    if not fastest:
        return f"not in {with_spread(spent)}", ""
    ratios = [one / other for one in spent for other in fastest]
    span = f"{statistics.fmean(spent) / statistics.fmean(fastest):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
    if variant in times:
        return with_spread(spent), "1" if spent == fastest else span
    return f"not in {with_spread(spent)}", f"more than {span}" if max(ratios) > 1 else ""  # less says nothing


def _score(figures: Sequence[dict[str, Any]]) -> str:
    """Write the accuracies in percent, or, of a task without classes, each of its own figures."""
    if "accuracy" in figures[0]:
        return with_spread([each["accuracy"] for each in figures], scale=100)
    names = [name for name in figures[0] if name != "n"]
    return ", ".join(f"{name} {with_spread([each[name] for each in figures], 4)}" for name in names)


def _cost(record: dict[str, Any]) -> tuple[str, str]:
    return f"{record['cost']['parameters']:,}", f"{record['cost']['multiply_adds'] / 1e6:.1f}"


def _measured(measurements: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return one entry for each number, and for each layer of what is measured by layer and head."""
    found: dict[str, list[float]] = {}
    for each in measurements:
        for name, value in _numbers(each):
            found.setdefault(name, []).append(value)
    return {name: with_spread(values, _digits(max(map(abs, values)))) for name, values in found.items()}


def _digits(largest: float) -> int:
    """Return how many decimals show about three figures."""
    return 3 if largest < 1 else 2 if largest < 10 else 1 if largest < 100 else 0


def _numbers(value: Any, name: str = "") -> Iterable[tuple[str, float]]:
    """Walk through nested measurements: numbers, and the mean over the heads for each layer. Curves are for figures."""
    if isinstance(value, dict):
        for key, each in value.items():
            label = key.replace("_", " ") + _UNITS.get(key, "")
            yield from _numbers(each, f"{name}, {label}" if name else label)
    elif isinstance(value, list) and isinstance(value[0], list):
        for layer, heads in enumerate(value):  # from 0, as in the lessons
            yield f"{name}, layer {layer}", statistics.fmean(heads)
    elif not isinstance(value, list):
        yield name, value


def _circumstances(records: Sequence[dict[str, Any]]) -> list[str]:
    """Say with what the runs were made: each thing that differs between runs is named with all its values."""

    def all_of(values: Iterable[Any]) -> str:
        return "; ".join(dict.fromkeys(map(str, values)))

    environments = [record["environment"] for record in records]
    data = records[0]["data"]
    images = all_of(f"{record['data']['images']:,}" for record in records)
    machine = all_of(
        "nothing else was running" if record["machine"] == "undisturbed" else "other work was running, so minutes are"
        " too long" for record in records
    )  # fmt: skip
    return [
        f"- Trained on: {images} images ({data['source']} CIFAR-10), {all_of(r['total_steps'] for r in records)} steps "
        f"of {all_of(record['recipe']['batch_size'] for record in records)} images, "
        f"{all_of(record['precision'] for record in records)}",
        f"- Hardware: {all_of(each['device'] for each in environments)}; {machine}",
        f"- Software: torch {all_of(each['torch'] for each in environments)}, Python "
        f"{all_of(each['python'] for each in environments)}, course at commit "
        f"{all_of(str(each['commit'])[:10] + str(each['commit'])[40:] for each in environments)}",  # 40: "+changes"
        f"- Repeat: `python -m course_utils experiments run {records[0]['experiment']}`",
    ]


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counts.items())
