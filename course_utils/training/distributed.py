"""Training in several processes with torchrun: the few calls that the trainer needs.

Each of them is also right in a single process, so the trainer has one loop for both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor


def active() -> bool:
    """Whether this process belongs to a group."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if active() else 0


def world_size() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if active() else 1


@contextmanager
def process_group() -> Iterator[None]:
    """Join the group that torchrun describes in the environment; do nothing without torchrun."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    on_cuda = torch.cuda.is_available()
    if on_cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if on_cuda else "gloo")
    try:
        yield
        dist.barrier()  # nobody leaves while another still talks: an early end can take the others down
    finally:
        dist.destroy_process_group()


def share_from_main(value: float, device: torch.device) -> float:
    """Return the main process's value in every process."""
    if not active():
        return value
    tensor = torch.tensor([value], dtype=torch.float64, device=device)
    dist.broadcast(tensor, src=0)
    return tensor.item()


def add_up(values: Sequence[float], device: torch.device) -> list[float]:
    """Return the sum of each number over all processes."""
    if not active():
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(tensor)
    return tensor.tolist()


def sum_of_all(tensor: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes, as a tensor of its own."""
    if not active():
        return tensor
    total = tensor.clone()
    dist.all_reduce(total)
    return total
