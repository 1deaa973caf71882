"""Lesson 08 (clinic): work on a model, and leave it as it was, to the last bit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook


@contextmanager
def as_it_was(model: nn.Module, full_precision: bool = False) -> Iterator[None]:
    """Let a model be trained and changed inside a ``with``; afterwards all is as before.

    What comes back: weights and buffers (the very same memory), gradients, ``requires_grad``, the mode of every module,
    and the random generators of PyTorch, NumPy and Python. Not what a module keeps in plain attributes.

    Args:
        model: Inside, its parameters are the same objects with a copy of the numbers.
        full_precision: Whether the copies of 16-bit numbers have 32 bits.
    """
    parameters = [(each, each.data, each.grad, each.requires_grad) for each in model.parameters()]  # shared ones once
    buffers = [(module, name, each) for module in model.modules() for name, each in module._buffers.items()]
    modes = [(module, module.training) for module in model.modules()]
    copies: dict[int, Tensor] = {}

    def copy_of(tensor: Tensor) -> Tensor:
        if id(tensor) not in copies:  # two modules may share one buffer
            wide = full_precision and tensor.dtype in (torch.float16, torch.bfloat16)
            copies[id(tensor)] = tensor.float() if wide else tensor.clone()
        return copies[id(tensor)]

    with random_numbers_as_they_were():
        try:
            for parameter, data, _, _ in parameters:
                parameter.grad = None
                parameter.data = copy_of(data)
            for module, name, buffer in buffers:
                module._buffers[name] = None if buffer is None else copy_of(buffer)
            yield
        finally:
            for parameter, data, grad, trained in parameters:
                parameter.grad = None  # first, since it may have another type than the data
                parameter.data = data
                parameter.requires_grad_(trained)
                parameter.grad = grad
            for module, name, buffer in buffers:
                module._buffers[name] = buffer
            for module, training in modes:
                module.training = training


@contextmanager
def random_numbers_as_they_were() -> Iterator[None]:
    """Give every random generator the state back that it had before the ``with``."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 (the generator of the caller)
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numbers)  # noqa: NPY002


class SeenOptimizers:
    """Notice every optimiser of PyTorch that takes a step inside a ``with``, and give it its state back at the end.

    Attributes:
        found: The optimisers, in the order of their first step.
    """

    def __init__(self) -> None:
        self.found: list[torch.optim.Optimizer] = []
        self._before: list[tuple[dict[Any, Any], list[dict[str, Any]]]] = []

    def __enter__(self) -> SeenOptimizers:
        self._hook = register_optimizer_step_pre_hook(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()
        self.rewind()

    def rewind(self) -> None:
        """Give each optimiser seen so far the state and the settings that it had when it was first seen."""
        for optimizer, (state, groups) in zip(self.found, self._before, strict=True):
            optimizer.state.clear()
            optimizer.state.update({key: _copied(each) for key, each in state.items()})
            for group, settings in zip(optimizer.param_groups, groups, strict=True):
                group.update(settings)

    def at_rate(self, factor: float) -> None:
        """Multiply every learning rate that each optimiser had when it was first seen."""
        for optimizer, (_, groups) in zip(self.found, self._before, strict=True):
            for group, settings in zip(optimizer.param_groups, groups, strict=True):
                group["lr"] = settings["lr"] * factor

    @property
    def rates(self) -> list[float]:
        """The learning rates as they were, of all groups, each once."""
        found = [float(settings["lr"]) for _, groups in self._before for settings in groups if "lr" in settings]
        return list(dict.fromkeys(found))

    def holds(self) -> set[int]:
        """Return the identities of all parameters that an optimiser seen so far holds."""
        return {id(each) for optimizer in self.found for group in optimizer.param_groups for each in group["params"]}

    def _note(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        if any(optimizer is each for each in self.found):
            return
        self.found.append(optimizer)
        groups = [{key: value for key, value in each.items() if key != "params"} for each in optimizer.param_groups]
        self._before.append(({key: _copied(each) for key, each in optimizer.state.items()}, groups))


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}
