"""What every frozen settings dataclass can do: refuse the impossible, be changed in a copy, and travel as JSON.

The annotation of a setting is its rule, and is held against the value whenever settings are made::

    depth: Size = 6  # a whole number of at least 1
    dropout: Rate = 0.0  # a number from 0 to below 1
    norm: Literal["layernorm", "rmsnorm"] = "layernorm"
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from numbers import Integral, Real
from reprlib import repr as shortened
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

S = TypeVar("S", bound="Settings")
T = TypeVar("T")


class Rule(NamedTuple):
    """What a setting takes: in words, and as a test of a value that has the right type already."""

    words: str
    holds: Callable[[Any], bool] = lambda value: True


Size = Annotated[int, Rule("a whole number of at least 1", lambda n: n >= 1)]
Count = Annotated[int, Rule("a whole number of at least 0", lambda n: n >= 0)]
Positive = Annotated[float, Rule("a number above 0", lambda x: x > 0)]
NotNegative = Annotated[float, Rule("a number of at least 0", lambda x: x >= 0)]
Share = Annotated[float, Rule("a number from 0 to 1", lambda x: 0 <= x <= 1)]
Rate = Annotated[float, Rule("a number from 0 to below 1", lambda x: 0 <= x < 1)]


class Settings:
    """Base of the settings dataclasses. Annotations say what a single setting takes.

    What several settings have to agree on, a subclass checks in its own ``__post_init__``, after ``super()``'s.

    Raises:
        TypeError: A setting is of the wrong type. The sentence names it and says what it takes.
        ValueError: A setting is impossible. So does this one.
    """

    def __post_init__(self) -> None:
        for name, kind in _kinds(type(self)).items():  # type: ignore[arg-type]
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, fit(value, kind))  # the way past frozen
            except (TypeError, ValueError) as error:
                sentence = f"{name} must be {words_for(kind)}, not {shortened(value)}."
                raise type(error)(sentence) from None

    def replace(self: S, **changes: Any) -> S:
        """Return a copy with some settings changed, checked like a new one.

        Raises:
            TypeError: A value is of the wrong type.
            ValueError: A name is unknown, or a value impossible.
        """
        self._refuse_unknown(changes)
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a plain dict that JSON can hold."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls: type[S], settings: Mapping[str, Any]) -> S:
        """Rebuild the settings from :meth:`to_dict`.

        Raises:
            TypeError: A value is of the wrong type.
            ValueError: A name is unknown to this version of the course, or a value impossible.
        """
        cls._refuse_unknown(settings)
        return cls(**settings)

    @classmethod
    def _refuse_unknown(cls, names: Iterable[str]) -> None:
        unknown = sorted(set(names) - {field.name for field in dataclasses.fields(cls)})  # type: ignore[arg-type]
        if unknown:
            raise ValueError(f"{cls.__name__} has no setting named {', '.join(unknown)}.")


def fit(value: Any, kind: Any) -> Any:
    """Return a value as a setting of this type keeps it: JSON's list as a tuple, NumPy's number as Python's.

    A whole number will do for a number, and stays whole. True and False are no numbers.

    Raises:
        TypeError: The value has another type.
        ValueError: The type is right, but the value is impossible. NaN and infinity always are.
    """
    origin, parts = get_origin(kind), get_args(kind)
    possible = True
    if origin is Annotated:
        value = fit(value, parts[0])
        possible = parts[1].holds(value)
    elif origin in (Union, UnionType):
        value = _fit_one_of(value, parts)
    elif origin is Literal:
        possible = fit(value, str) in parts
    elif origin is tuple:
        if parts[-1] is Ellipsis:  # tuple[int, ...]: as many as there are
            parts = parts[:1] * len(fit(value, (list, tuple)))
        possible = len(fit(value, (list, tuple))) == len(parts)
        value = tuple(map(fit, value, parts))
    elif kind in (int, float):
        if isinstance(value, bool) or not isinstance(value, Integral if kind is int else Real):
            raise TypeError
        if not abs(value) < 2**63:  # type: ignore[operator]  # too large for PyTorch, infinite, or NaN
            raise ValueError
        value = int(value) if isinstance(value, Integral) else float(value)
    elif not isinstance(value, kind):
        raise TypeError
    if not possible:
        raise ValueError
    return value


def words_for(kind: Any) -> str:
    """Say what a setting of this type takes, to be read after "must be"."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return parts[1].words
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin in (Union, UnionType):
        return " or ".join(words_for(part) for part in parts if part is not NoneType)
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[kind]


def _fit_one_of(value: Any, kinds: Iterable[Any]) -> Any:
    errors: list[Exception] = []
    for kind in kinds:
        try:
            return fit(value, kind)
        except (TypeError, ValueError) as error:
            errors.append(error)
    raise next((error for error in errors if isinstance(error, ValueError)), errors[0])


@cache
def _kinds(settings: type) -> dict[str, Any]:
    """Return the type of every setting, with its rule."""
    return get_type_hints(settings, include_extras=True)


def look_up(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Return ``table[name]``, or say what there is to choose from.

    Raises:
        ValueError: The table has no such name.
    """
    if name not in table:
        raise ValueError(f"There is no {kind} {name!r}: choose one of {', '.join(table)}.")
    return table[name]
