"""Read what experiments found: the records of a set, and mean and spread of any number in them.

Lessons read their findings here. Only the records are needed, which come with the package, not the set files.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.analysis.snapshots import RESULTS_FOLDER
from course_utils.support.files import DamagedFileError


@dataclass(frozen=True)
class Results:
    """The finished runs of a set.

    A key names a number of a record: "test.accuracy", "seconds", "cost.multiply_adds",
    "measurements.deletion_test.rollout.area".

    Attributes:
        name: Of the set.
        records: Variant by variant, seed by seed.
    """

    name: str
    records: tuple[dict[str, Any], ...]

    @property
    def variants(self) -> list[str]:
        """The names of the variants, in the order of the set file."""
        return list(dict.fromkeys(record["variant"] for record in self.records))

    @property
    def seeds(self) -> list[int]:
        """Every seed that some variant was run with."""
        return sorted({record["seed"] for record in self.records})

    def of(self, variant: str) -> list[dict[str, Any]]:
        """Return the records of a variant that finished, by seed.

        Raises:
            ValueError: There is none.
        """
        found = [each for each in self.records if each["variant"] == variant and each["status"] == "finished"]
        if not found:
            raise ValueError(f"{self.name} has no finished run of {variant!r}: there are {', '.join(self.variants)}.")
        return found

    def values(self, key: str, variant: str) -> list[float]:
        """Return one number for each seed.

        Raises:
            ValueError: The set has no such variant, or its records no such number.
        """
        return [look_in(record, key) for record in self.of(variant)]

    def by_variant(self, key: str, scale: float = 1.0) -> dict[str, list[float]]:
        """Return variant -> one number for each seed, times ``scale`` (100 for percents), of those that finished."""
        finished = {record["variant"] for record in self.records if record["status"] == "finished"}
        names = [variant for variant in self.variants if variant in finished]
        return {name: [scale * value for value in self.values(key, name)] for name in names}

    def mean(self, key: str, variant: str) -> float:
        """Return the mean over the seeds."""
        return statistics.fmean(self.values(key, variant))

    def spread(self, key: str, variant: str) -> float:
        """Return the sample standard deviation over the seeds; NaN if there is only one."""
        return spread(self.values(key, variant))

    def differences(self, key: str, variant: str, other: str) -> list[float]:
        """Return variant minus other, for each seed that both have.

        Runs with one seed see the same images in the same order, so the difference is often steadier than either.

        Raises:
            ValueError: They have no seed in common.
        """
        one, two = ({record["seed"]: look_in(record, key) for record in self.of(name)} for name in (variant, other))
        if not one.keys() & two.keys():
            raise ValueError(f"{self.name}: {variant!r} and {other!r} have no seed in common.")
        return [one[seed] - two[seed] for seed in one if seed in two]

    def history(self, key: str, variant: str) -> tuple[list[float], np.ndarray]:
        """Return how something tracked went through training.

        Args:
            key: Of an entry of the history: "validation_accuracy", "attention_distance".
            variant: Which one.

        Returns:
            The T epochs, and the values (seeds, T, ...).

        Raises:
            ValueError: There is no such variant or key.
        """
        rows = [[entry for entry in record["epochs"] if key in entry] for record in self.of(variant)]
        if not rows[0]:
            raise ValueError(f"{self.name}: nothing named {key!r} was tracked.")
        return [entry["epoch"] for entry in rows[0]], np.array([[entry[key] for entry in row] for row in rows])


def load_results(name: str, folder: str | Path = RESULTS_FOLDER) -> Results:
    """Load the records of a set.

    Raises:
        FileNotFoundError: Nothing of that set is recorded.
        DamagedFileError: A record is no JSON.
    """
    records = [read_result(path) for path in sorted((Path(folder) / name).glob("*.json"))]
    if not records:
        raise FileNotFoundError(
            f"No run of {name!r} is recorded: python -m course_utils experiments run {name} carries the set out."
        )
    return Results(name, tuple(sorted(records, key=lambda record: (record["place"], record["seed"]))))


def read_result(path: Path) -> dict[str, Any]:
    """Read one record.

    Raises:
        DamagedFileError: The file is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DamagedFileError(f"{path} is damaged ({error}): delete it and run the experiment again.") from error


def finding(reference: str, folder: str | Path = RESULTS_FOLDER) -> float:
    """Read the one number that a sentence states.

    Args:
        reference: "SET; VARIANT; KEY" for the mean over the seeds, "SET; VARIANT minus VARIANT; KEY" for the mean
            difference, seed by seed; with "; spread" behind it the standard deviation instead of the mean.
        folder: Of the records.

    Raises:
        ValueError: The reference has another form, or names what is not there.
        FileNotFoundError: Nothing of that set is recorded.

    Example:
        >>> finding("positions; rotary minus learned; test.accuracy")  # doctest: +SKIP
        0.021
    """
    name, variants, key, *rest = [part.strip() for part in reference.split(";")] + [""] * 2
    if not key or rest not in (["", ""], ["spread", "", ""]):
        raise ValueError(f"A finding is named SET; VARIANT; KEY, or with ; spread behind it, not {reference!r}.")
    results = load_results(name, folder)
    one, minus, other = variants.partition(" minus ")
    values = results.differences(key, one, other) if minus else results.values(key, one)
    return spread(values) if rest[0] else statistics.fmean(values)


def look_in(record: dict[str, Any], key: str) -> float:
    """Return the number that a dotted key names.

    Raises:
        ValueError: There is none.
    """
    value: Any = record
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ValueError(f"The record of {record['variant']!r}, seed {record['seed']}, holds no {key!r}.")
        value = value[part]
    if not isinstance(value, (int, float)):
        raise ValueError(f"{key!r} is not one number.")
    return value


def spread(values: Sequence[float]) -> float:
    """Return the sample standard deviation, NaN for a single value."""
    return statistics.stdev(values) if len(values) > 1 else float("nan")
