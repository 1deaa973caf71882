"""The records and the page that come with the course fit the set files."""

import re
from pathlib import Path

import pytest

from course_utils.analysis.snapshots import RESULTS_FOLDER
from course_utils.experiments.runner import state_of, strangers
from course_utils.experiments.sets import load_sets
from course_utils.experiments.tables import as_page
from course_utils.zoo.weights import encoder_names, pretrained_names, read_record

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "experiments" / "results.md"
SETS = load_sets(ROOT / "experiments")
ABSOLUTE = re.compile(r"""(?:^|[\s"'`(=])((?:/|[A-Z]:\\)\w[^\s"'`)]*)""", re.MULTILINE)  # /data/cifar, --root=C:\\data


@pytest.mark.parametrize("experiment", SETS, ids=lambda each: each.name)
def test_no_record_is_stale_or_of_a_run_that_is_gone(experiment):
    stale = {run.name: why for run in experiment.runs if (why := state_of(run, RESULTS_FOLDER)[1])}
    assert not stale
    assert not strangers(experiment, RESULTS_FOLDER)


def test_the_page_is_what_the_command_writes_now():
    assert PAGE.read_text(encoding="utf-8") == as_page(SETS, RESULTS_FOLDER)


def test_records_are_small():
    assert sum(path.stat().st_size for path in RESULTS_FOLDER.glob("*/*.json")) < 3_000_000


def test_no_record_names_a_folder_of_one_machine():
    kept = {path.name: path.read_text(encoding="utf-8") for path in [*RESULTS_FOLDER.rglob("*.json"), PAGE]}
    kept |= {name: str(read_record(name)) for name in [*pretrained_names(), *encoder_names()]}
    assert len(kept) > 300
    assert not {name: found for name, text in kept.items() if (found := ABSOLUTE.findall(text))}


@pytest.mark.parametrize("text", ["--root /data/cifar", '"/home/a/b.json"', "--root=C:\\data", "`/x/y`"])
def test_a_folder_of_one_machine_would_be_found(text):
    assert ABSOLUTE.search(text)
