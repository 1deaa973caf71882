"""One small finished run, made through the command line, for all tests of it."""

import pytest
from tiny_run import TINY

from course_utils.cli import main


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory):
    """Folder of a run of three steps on the sample, with an average of the weights."""
    runs = tmp_path_factory.mktemp("runs")
    arguments = ["--sample", "always", "--steps", "3", "--set", "ema=0.5", "--runs", str(runs), "--name", "tiny"]
    assert main(["train", *TINY, *arguments]) == 0
    return runs / "tiny"
