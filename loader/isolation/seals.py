"""Sealing of memory files, so that no other process can cut them off.

Only Linux has that. This can be imported anywhere, as all modules here, and is called where check_available() holds.
"""

from __future__ import annotations

try:
    import fcntl
except ImportError:  # Windows; elsewhere now, since at the end of Python nothing can be imported
    fcntl = None  # type: ignore[assignment]

__all__ = ["seal"]


def seal(descriptor: int, *, contents: bool = False) -> None:
    """Keeps a memory file's size, and with `contents` what is in it, as they are. Raises OSError."""
    more = fcntl.F_SEAL_WRITE if contents else 0
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL | more)
