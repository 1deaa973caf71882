"""Results compared and described. An attempt may return anything at all: nothing here raises."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

SMALL = 32  # larger tensors are described by their shape
MOST_PARTS = 8  # of a list; the rest is left out
MOST_LETTERS = 600


def same_value(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two results are the same: kind, shape, and values within the tolerance.

    A tensor or an array that holds one number counts as that number, NaN as the same as NaN, and a list as the same
    as a tuple. What cannot be compared is not the same.
    """
    try:
        return _same(one, other, tolerance)
    except Exception:  # a list that holds itself, an object whose == raises
        return False


def _same(one: Any, other: Any, tolerance: float) -> bool:
    one, other = plain(one), plain(other)
    if isinstance(one, nn.Module) and isinstance(other, nn.Module):
        return _same(one.state_dict(), other.state_dict(), tolerance)
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        if one.shape != other.shape or one.is_complex() != other.is_complex() or unusual(one) or unusual(other):
            return False
        exact = torch.complex128 if one.is_complex() else torch.float64
        a, b = one.detach().to(exact), other.detach().to(exact)
        return torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return _same(torch.as_tensor(one), torch.as_tensor(other), tolerance)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(_same(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key], tolerance) for key in one)
    if is_number(one) and is_number(other):
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance) or (one != one and other != other)
    return type(one) is type(other) and bool(one == other)


def plain(value: Any) -> Any:
    """Return the number in a tensor or an array without axes, and NumPy's numbers as Python's; all else as it is."""
    if isinstance(value, Tensor):
        return value.item() if value.ndim == 0 and not unusual(value) else value
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Real) and not isinstance(value, (int, float)):
        return float(value)  # a Fraction
    return value


def is_number(value: Any) -> bool:
    """Whether a plain value is a real number; True and False are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def unusual(tensor: Tensor) -> str:
    """Say in words why the numbers of a tensor cannot be read as usual, or return nothing."""
    if tensor.is_nested:
        return "a nested tensor"
    if tensor.layout != torch.strided:
        return "a sparse tensor"
    if tensor.is_quantized:
        return "a quantised tensor"
    if tensor.device.type == "meta":
        return "a tensor without numbers, on the device meta"
    return "" if tensor.device.type == "cpu" else f"a tensor on the device {tensor.device}"


def same_kind(one: Any, other: Any) -> bool:
    """Whether two results are of the same kind, so that their values can be compared."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other)
    return kind(one) == kind(other)


def kind(value: Any) -> str:
    """Name the kind of a result in words."""
    if isinstance(value, Tensor) and unusual(value):
        return unusual(value)
    value = plain(value)
    if isinstance(value, (list, tuple)):
        what = "tensor" if value and all(isinstance(each, Tensor) for each in value) else "value"
        return f"a {type(value).__name__} of {len(value)} {what}{'' if len(value) == 1 else 's'}"
    words: tuple[tuple[bool, str], ...] = (
        (isinstance(value, Tensor), "a tensor"),
        (isinstance(value, np.ndarray), "a NumPy array"),
        (isinstance(value, bool), "True or False"),
        (is_number(value), "a number"),
        (isinstance(value, complex), "a complex number"),
        (isinstance(value, str), "a string"),
        (isinstance(value, dict), "a dict"),
        (inspect.isgenerator(value), "a generator"),
        (inspect.isroutine(value), "a function"),
    )
    return next((word for holds, word in words if holds), f"of type {type(value).__name__}")


def describe(value: Any) -> str:
    """Write a value out if it is small, else its shape, or its beginning."""
    try:
        return cut(_described(value))
    except Exception:  # an object whose repr raises, a list that holds itself, a number of a million digits
        return f"something of type {type(value).__name__}"


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        if unusual(value):
            return f"{unusual(value)}, of shape {tuple(value.shape)}" if not value.is_nested else unusual(value)
        values = value.detach().double().round(decimals=4) if value.is_floating_point() else value
        numbers = f": {values.tolist()}" if value.numel() <= SMALL else ""
        return f"tensor of shape {tuple(value.shape)}{numbers}"
    if isinstance(value, np.ndarray):
        return _described(torch.as_tensor(value)).replace("tensor", "array")
    if isinstance(value, (list, tuple)):
        left = [f"... ({len(value)} in all)"] if len(value) > MOST_PARTS else []
        parts = ", ".join([*map(describe, value[:MOST_PARTS]), *left])
        return f"[{parts}]" if isinstance(value, list) else f"({parts})"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, nn.Module):
        return type(value).__name__
    if inspect.isgenerator(value) or inspect.isroutine(value):
        return kind(value)  # its repr is an address
    return repr(value.item() if isinstance(value, np.generic) else value)


def cut(text: str, letters: int = MOST_LETTERS, lines: int = 12) -> str:
    """Shorten a text that nobody would read to its end."""
    kept = "\n".join(text[: letters + 1].splitlines()[:lines])[:letters]
    return text if kept == text.rstrip("\n") else f"{kept} ..."


def all_finite(value: Any) -> bool:
    """Whether a result holds neither nan nor infinity."""
    value = plain(value)
    if isinstance(value, Tensor) and not unusual(value):
        return bool(value.isfinite().all())
    return not (isinstance(value, float) and not math.isfinite(value))


def differs_how(found: Any, expected: Any) -> str:
    """Say in a sentence how values of the right form differ from the right ones, as far as that can be seen."""
    found, expected = plain(found), plain(expected)
    if isinstance(found, dict) and isinstance(expected, dict):
        wrong = [key for key in expected if not same_value(found[key], expected[key], 1e-6)]
        return f"The result has the right keys, but other values for {', '.join(map(repr, wrong))}."
    general = "The result has the right form, but other values."
    if not (isinstance(found, Tensor) and isinstance(expected, Tensor)):
        return general
    if found.is_complex() or found.numel() < 2:
        return "The result should hold real numbers, but yours are complex." if found.is_complex() else general
    a, b = found.detach().double().flatten(), expected.detach().double().flatten()
    if a.isnan().any() and not b.isnan().any():
        return f"{general} Some are nan, no number: is 0 divided by 0, or infinity by infinity?"
    if a.isinf().any() and not b.isinf().any():
        return f"{general} Some are infinite: is something divided by 0, or exp() of a large number taken?"
    if torch.allclose(a.sort().values, b.sort().values, rtol=1e-4, atol=1e-4):
        return "The numbers are right, but they stand in other places: axes, rows or columns are exchanged."
    return general


def guarded(call: Callable[[], str]) -> str:
    """Return a text, or nothing where making it fails: an error whose own words raise one."""
    try:
        return str(call())
    except Exception:
        return ""
