"""What every frozen settings dataclass of the course can do: be changed in a copy, and travel as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

S = TypeVar("S", bound="Settings")
T = TypeVar("T")


class Settings:
    """Base of the settings dataclasses. Their own ``__post_init__`` refuses impossible values."""

    def replace(self: S, **changes: Any) -> S:
        """Return a copy with some settings changed, checked like a new one.

        Raises:
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
            ValueError: A name is unknown to this version of the course, or a value impossible.
        """
        cls._refuse_unknown(settings)
        return cls(**settings)

    @classmethod
    def _refuse_unknown(cls, names: Iterable[str]) -> None:
        unknown = sorted(set(names) - {field.name for field in dataclasses.fields(cls)})  # type: ignore[arg-type]
        if unknown:
            raise ValueError(f"{cls.__name__} has no setting named {', '.join(unknown)}.")


def look_up(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Return ``table[name]``, or say what there is to choose from.

    Raises:
        ValueError: The table has no such name.
    """
    if name not in table:
        raise ValueError(f"There is no {kind} {name!r}: choose one of {', '.join(table)}.")
    return table[name]
