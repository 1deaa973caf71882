"""Look at what the modules inside a model put out, without changing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

from torch import Tensor, nn


@contextmanager
def kept_outputs(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Inside a ``with``, keep what each of these modules puts out, under its name, in the order of the computation.

    If a module puts out a tuple, as attention and block do, its first member is kept.
    """
    found: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, inputs: object, output: Tensor | tuple) -> None:
        found[name] = output[0] if isinstance(output, tuple) else output

    with ExitStack() as hooks:  # takes every hook off again, after an error too
        for name, module in modules.items():
            hooks.enter_context(module.register_forward_hook(partial(keep, name)))
        yield found
