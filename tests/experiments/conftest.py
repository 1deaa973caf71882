"""The tiny set, carried out once for all tests that only look at what came out."""

import pytest
from tiny_set import SET, run_set

from course_utils.experiments.results import load_results
from course_utils.experiments.sets import load_set


@pytest.fixture
def write_set(tmp_path):
    """Write a set file, with some of its text replaced, and return its path."""

    def write(*replacements, name="tiny"):
        text = SET
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def done(tmp_path_factory):
    """Folder with a set, its records and its checkpoints. Not to be changed."""
    folder = tmp_path_factory.mktemp("experiments")
    (folder / "tiny.toml").write_text(SET, encoding="utf-8")
    assert run_set(folder) == 0
    return folder


@pytest.fixture(scope="session")
def tiny(done):
    """The set file, as it is read."""
    return load_set(done / "tiny.toml")


@pytest.fixture(scope="session")
def results(done):
    """The records, as they are read."""
    return load_results("tiny", done / "results")
