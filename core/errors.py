# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong in words a user can act on.

Every message is one sentence that says what is wrong, where, and what to change.
"""

from __future__ import annotations


class HyperResError(Exception):
    """Root of all errors that are reported to the user as a sentence, never as a traceback."""


class InputError(HyperResError):
    """A raster, table or parameter cannot be used as given."""


class BandsError(InputError):
    """Bands or wavelengths are missing, contradictory or do not fit together."""


class MemoryBudgetError(HyperResError):
    """The work does not fit into the memory or disk space that it may use."""


class EnvironmentMissingError(HyperResError):
    """The engine's Python environment is absent, incomplete or broken."""


class Cancelled(HyperResError):  # noqa: N818 - a request, not a fault
    """The user asked to stop."""


BY_NAME: dict[str, type[HyperResError]] = {
    kind.__name__: kind
    for kind in (HyperResError, InputError, BandsError, MemoryBudgetError, EnvironmentMissingError, Cancelled)
}
