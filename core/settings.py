# SPDX-License-Identifier: GPL-3.0-or-later
"""What the settings of all methods have in common: how jobs hold them, and how wrong ones are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, ClassVar, TypeVar

from .errors import InputError

Own = TypeVar("Own", bound="Settings")


class Settings:
    """Base of the frozen dataclasses of settings; jobs hold them as JSON objects, in which tuples are lists.

    Attributes:
        of: what they are the settings of, as a sentence begins with it.
    """

    of: ClassVar[str]

    @classmethod
    def from_mapping(cls: type[Own], settings: Mapping[str, Any]) -> Own:
        """Read the settings of a job.

        Raises:
            InputError: an entry is unknown or not allowed.
        """
        known = {entry.name for entry in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(settings) - known)
        if unknown:
            raise InputError(f"{cls.of} knows no setting {unknown[0]!r}.")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()})

    def to_mapping(self) -> dict[str, Any]:
        """The settings as a job holds them."""
        mapping = asdict(self)  # type: ignore[call-overload]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in mapping.items()}

    def require_word(self, name: str, words: Sequence[str]) -> None:
        """Refuse a setting that is none of some words."""
        if getattr(self, name) not in words:
            raise InputError(f"{getattr(self, name)!r} is no known {name}: choose one of {', '.join(words)}.")

    def require_number(self, *names: str) -> None:
        """Refuse settings that are neither None nor numbers."""
        for name in names:
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise InputError(f"{name} must be a number, not {value!r}.")

    def require_positive(self, *names: str) -> None:
        """Refuse settings that are neither None nor positive numbers."""
        self.require_number(*names)
        for name in names:
            value = getattr(self, name)
            if value is not None and not value > 0.0:
                raise InputError(f"{name} must be a positive number, not {value!r}.")

    def require_count(self, name: str, title: str, least: int, most: int) -> None:
        """Refuse a setting that is neither None nor a whole number within limits."""
        value = getattr(self, name)
        if value is not None and not (type(value) is int and least <= value <= most):
            raise InputError(f"{title} must be from {least} to {most}, not {value!r}.")
