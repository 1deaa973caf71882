"""Which device and which number format a computation runs in."""

from __future__ import annotations

import time

import torch

PRECISIONS = ("auto", "fp32", "bf16")


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of that name, or for "auto" the best one there is: CUDA, then Apple's MPS, then the CPU.

    Raises:
        ValueError: The name is unknown, or this machine has no such device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"There is no device named {name!r}: choose auto, cpu, cuda or mps.") from None
    if not available.get(device.type, False):
        raise ValueError(f"This machine has no working {device.type} device: choose auto or cpu.")
    return device


def pick_precision(name: str, device: torch.device) -> str:
    """Return "fp32" or "bf16"; for "auto" the one that is faster on this device.

    CUDA takes bfloat16 where the chip has it, MPS float32. CPUs differ widely (those with matrix units gain, others
    lose), so there one matrix product is timed in both.

    Raises:
        ValueError: The name is not one of ``PRECISIONS``.
    """
    if name not in PRECISIONS:
        raise ValueError(f"There is no precision {name!r}: choose one of {', '.join(PRECISIONS)}.")
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    if device.type == "mps":
        return "fp32"
    gain = matmul_rate(torch.bfloat16, device, size=512) / matmul_rate(torch.float32, device, size=512)
    return "bf16" if gain > 1.3 else "fp32"  # autocast itself costs something: a small gain is none


def matmul_rate(dtype: torch.dtype, device: torch.device, size: int = 1024, repeats: int = 7) -> float:
    """Time square matrix products and return the best rate in floating-point operations a second."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(repeats + 2):  # the first two warm up
        synchronize(device)
        start = time.perf_counter()
        a @ b
        synchronize(device)
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds[2:])


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was asked to do, so that a clock can be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
