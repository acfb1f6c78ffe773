"""Values of contracts that were parsed before, by the digest of their header: a file each, see loader/kept.py.

Parsing costs tens of milliseconds, most of it the import of pycparser; this costs a fraction of one.
"""

# Importing pathlib, json or hashlib costs more than all else here: no pathlib at all, the others when needed.
# ruff: noqa: PLC0415

from __future__ import annotations

import os
from typing import Any

from loader import kept
from loader.header.target import TARGET

__all__ = ["keep", "recall"]


def recall(digest: str) -> dict[str, Any] | None:
    """What was kept for this digest, or None. The values' form is for the caller to check."""
    return kept.recall(_name(digest))


def keep(digest: str, values: dict[str, Any]) -> None:
    """Remembers `values` for this digest: whole or not at all, and silently not if that cannot be."""
    kept.keep(_name(digest), values)


def _name(digest: str) -> str:
    return f"{digest}-{_rules()}-{TARGET}.json"


def _rules() -> str:
    """Names the code that made the values, by its files' sizes and times: older rules may have been wrong."""
    try:
        with os.scandir(os.path.dirname(__file__)) as entries:
            states = sorted((entry.name, entry.stat()) for entry in entries if entry.name.endswith(".py"))
    except OSError:  # in an archive
        return "packed"
    from hashlib import sha256

    return sha256(repr([(name, s.st_size, s.st_mtime_ns) for name, s in states]).encode()).hexdigest()[:8]
