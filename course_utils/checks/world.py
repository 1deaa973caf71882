"""An attempt is run so that the lesson goes on, whatever it does: raise, exit, print without end, change settings.

Each run begins with the same random numbers and PyTorch's usual settings. Afterwards everything is as it was before.
"""

from __future__ import annotations

import contextlib
import copy
import io
import random
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.checks.values import same_value

MOST_PRINTED = 1_500  # letters; of what an attempt prints, the rest is left out


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        value: The result.
        error: What it raised in place of one.
        changed: Whether it changed its arguments.
        settings: The settings that it left changed, in words.
        printed: What it printed, the beginning.
    """

    value: Any = None
    error: BaseException | None = None
    changed: bool = False
    settings: tuple[str, ...] = ()
    printed: str = ""


@dataclass(frozen=True)
class _Setting:
    """A setting of the whole program: its name, how it is read and set, and as what a check needs it."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]
    usual: Any = None  # None: as it is


def _set_device(device: torch.device) -> None:
    torch.set_default_device(None if device.type == "cpu" else device)


_SETTINGS = (
    _Setting("gradients are computed", torch.is_grad_enabled, torch.set_grad_enabled, True),
    _Setting("the type of new tensors", torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    _Setting("the device of new tensors", torch.get_default_device, _set_device, torch.device("cpu")),
    _Setting(
        "only repeatable algorithms", torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms
    ),
    _Setting("anomalies are searched for", torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    _Setting("the number of threads", torch.get_num_threads, torch.set_num_threads),
    _Setting("the exactness of products", torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    _Setting("what NumPy does about a division by 0", np.geterr, lambda rules: np.seterr(**rules)),
)


@contextlib.contextmanager
def usual_settings() -> Iterator[None]:
    """Set what a check relies on, and put back afterwards what was set before, random numbers included."""
    before = [setting.read() for setting in _SETTINGS]
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        for setting in _SETTINGS:
            if setting.usual is not None and setting.read() != setting.usual:
                setting.write(setting.usual)
        with torch.inference_mode(False), torch.set_grad_enabled(True):
            yield
    finally:
        _put_back(before)
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])  # noqa: NPY002


def _put_back(before: list[Any]) -> tuple[str, ...]:
    """Set all settings as they were before; return in words which of them had changed."""
    changed = []
    for setting, value in zip(_SETTINGS, before, strict=True):
        if (now := setting.read()) != value:
            setting.write(value)
            changed.append(f"{setting.name}: it was {value}, you left {now}")
    return tuple(changed)


def guarded_run(call: Callable[[], Any], warn: bool = False, seed: int = 0) -> Outcome:
    """Call something inside :func:`usual_settings`; keep its result, or what it raised.

    Args:
        call: What is run, without arguments.
        warn: Whether warnings are shown.
        seed: Where random numbers begin.
    """
    before, output, stop = [setting.read() for setting in _SETTINGS], _Beginning(), _StopButton()
    for begin in (torch.default_generator.manual_seed, random.seed, np.random.seed):
        begin(seed)
    value, error = None, None
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(output), stop:
            if not warn:
                warnings.simplefilter("ignore")
            value = _copied(call())
    except BaseException as raised:  # whatever the learner's code does, the lesson goes on
        if isinstance(raised, KeyboardInterrupt) and stop.pressed:
            raise
        error = raised
    finally:
        settings = _put_back(before)
    return Outcome(value, error, settings=settings, printed=output.text())


def run_on(
    run: Callable[..., Any], function: Callable[..., Any], example: tuple[Any, ...], warn: bool = False, seed: int = 0
) -> Outcome:
    """Run a function on a copy of an example, in the exercise's own way."""
    arguments = copy.deepcopy(example)
    outcome = guarded_run(lambda: run(function, *arguments), warn, seed)
    changed = outcome.error is None and not same_value(arguments, example, 0.0)
    return Outcome(outcome.value, outcome.error, changed, outcome.settings, outcome.printed)


def _copied(value: Any) -> Any:
    """Copy a result, so that a later run cannot change it: a list or tensor that an attempt keeps and goes on using."""
    try:
        if isinstance(value, Tensor):
            return value.detach().clone()
        if isinstance(value, np.ndarray):
            return value.copy()
        if type(value) in (list, tuple) and len(value) < 1_000:
            return type(value)(map(_copied, value))
        if type(value) is dict:
            return {key: _copied(each) for key, each in value.items()}
    except Exception:  # a list that holds itself, a tensor that cannot be copied
        pass
    return value


class _StopButton:
    """Tell the stop button (Ctrl-C) from a KeyboardInterrupt that the code raises by itself."""

    def __init__(self) -> None:
        self.pressed = False
        self._before: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            self.pressed = True  # it cannot be told here: take every one for the button's
            return
        self._before = signal.getsignal(signal.SIGINT)
        if callable(self._before):  # else the signal is ignored, or ends the program: no button raises anything
            signal.signal(signal.SIGINT, self._note)

    def _note(self, number: int, frame: FrameType | None) -> Any:
        self.pressed = True
        return self._before(number, frame)

    def __exit__(self, *_: object) -> None:
        if callable(self._before):
            signal.signal(signal.SIGINT, self._before)


class _Beginning(io.TextIOBase):
    """Take what is printed, and keep the beginning."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._kept = 0
        self._left_out = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        part = text[: MOST_PRINTED - self._kept]
        if part:
            self._parts.append(part)
        self._kept += len(part)
        self._left_out += len(text) - len(part)
        return len(text)

    def text(self) -> str:
        """Return what was kept, with a word on the rest."""
        rest = f"\n... and {self._left_out:,} letters more" if self._left_out else ""
        return "".join(self._parts).rstrip() + rest
