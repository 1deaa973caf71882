"""What the first cells of a lesson rely on, wherever it is opened."""

import sys
import types
from importlib.metadata import PackageNotFoundError

import pytest

from course_utils import doctor


@pytest.fixture
def versions(monkeypatch):
    """Let the environment hold other versions than it does."""
    found = {}
    real = doctor.importlib.metadata.version

    def version(name):
        if name in found and found[name] is None:
            raise PackageNotFoundError(name)
        return found.get(name) or real(name)

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    return found


def test_a_whole_environment_is_well(capsys):
    assert doctor.check_environment()
    said = capsys.readouterr().out
    for word in ("torch", "ipywidgets", "device", "threads", "CIFAR-10", "All is well"):
        assert word in said
    assert "jupyterlab" not in said  # Colab and VS Code have none


@pytest.mark.parametrize(
    ("version", "words"), [(None, "torch is missing"), ("1.13.1", "torch is 1.13.1, but the course needs >=2.4")]
)
def test_what_is_missing_or_too_old_gets_one_sentence(capsys, versions, version, words):
    versions["torch"] = version
    assert not doctor.check_environment()
    said = capsys.readouterr().out
    assert words in said
    assert 'pip install "torch>=2.4"' in said
    assert "All is well" not in said


def test_versions_with_a_local_part_and_previews_are_new_enough(capsys, versions):
    versions["torch"] = "2.6.0a0+git1234"
    assert doctor.check_environment()


def test_colab_is_told_by_its_module(monkeypatch):
    assert not doctor.in_colab()
    for name in ("google", "google.colab"):
        module = types.ModuleType(name)
        module.__spec__ = types.SimpleNamespace(name=name)
        module.__path__ = []
        monkeypatch.setitem(sys.modules, name, module)
    assert doctor.in_colab()
