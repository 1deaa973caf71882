"""The records and the page that come with the course fit the set files."""

from pathlib import Path

import pytest

from course_utils.analysis.snapshots import RESULTS_FOLDER
from course_utils.experiments.runner import state_of, strangers
from course_utils.experiments.sets import load_sets
from course_utils.experiments.tables import as_page

ROOT = Path(__file__).parents[2]
SETS = load_sets(ROOT / "experiments")


@pytest.mark.parametrize("experiment", SETS, ids=lambda each: each.name)
def test_no_record_is_stale_or_of_a_run_that_is_gone(experiment):
    stale = {run.name: why for run in experiment.runs if (why := state_of(run, RESULTS_FOLDER)[1])}
    assert not stale
    assert not strangers(experiment, RESULTS_FOLDER)


def test_the_page_is_what_the_command_writes_now():
    assert (ROOT / "experiments" / "results.md").read_text(encoding="utf-8") == as_page(SETS, RESULTS_FOLDER)


def test_records_are_small():
    assert sum(path.stat().st_size for path in RESULTS_FOLDER.glob("*/*.json")) < 2_000_000
