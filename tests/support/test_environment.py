"""A record says what a repeat needs, and nothing about the folders of the machine."""

import subprocess
import sys

import torch

from course_utils.support import environment


def test_the_environment_is_named():
    found = environment.describe(torch.device("cpu"))
    assert found["torch"] == torch.__version__
    assert found["device"].startswith("cpu: ")
    assert found["device"].endswith(
        ", 1 thread" if torch.get_num_threads() == 1 else f", {torch.get_num_threads()} threads"
    )


def test_accelerators_are_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    assert environment.device_name(torch.device("cuda")) == "cuda: NVIDIA H100"
    assert environment.device_name(torch.device("mps")) == "mps: Apple GPU"


def test_the_command_line_leaves_out_paths(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/home/someone/course_utils/__main__.py", "train", "--steps", "3"])
    assert environment.command_line() == "python -m course_utils train --steps 3"
    monkeypatch.setattr(sys, "argv", ["/home/someone/bin/script.py", "x"])
    assert environment.command_line() == "script.py x"
    monkeypatch.setattr(sys, "argv", ["script.py", "--root", "/data/cifar", "--out=/data/a.json", "runs/x"])
    assert environment.command_line() == "script.py --root cifar --out=a.json runs/x"


def test_the_commit_says_whether_files_were_changed(monkeypatch):
    answers = {"rev-parse": "abc123\n", "status": " M README.md\n"}

    def run(command, **options):
        return subprocess.CompletedProcess(command, 0, stdout=answers[command[3]])

    monkeypatch.setattr(environment.subprocess, "run", run)
    assert environment.commit() == "abc123+changes"
    answers["status"] = ""
    assert environment.commit() == "abc123"


def test_outside_a_checkout_the_commit_is_unknown(monkeypatch):
    def no_git(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(environment.subprocess, "run", no_git)
    assert environment.commit() is None


def test_a_processor_without_a_name_is_described_by_the_platform(monkeypatch):
    monkeypatch.setattr(environment, "Path", lambda _: (_ for _ in ()).throw(OSError))
    monkeypatch.setattr(environment.platform, "processor", lambda: "")
    monkeypatch.setattr(environment.platform, "machine", lambda: "arm64")
    assert environment._processor() == "arm64"
