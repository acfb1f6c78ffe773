"""PyInstaller's hook for this package, found by the entry point group pyinstaller40: no option is needed.

In: nothing. Out: the folder of hook-loader.py, which says what a frozen application needs of loader.
"""

from __future__ import annotations

import os

__all__ = ["get_hook_dirs"]


def get_hook_dirs() -> list[str]:
    """Where PyInstaller finds the hook."""
    return [os.path.dirname(__file__)]
