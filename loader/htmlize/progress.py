"""A progress bar on standard error, where that is a terminal and `rich` is installed (extra "progress")."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["progress"]


@contextlib.contextmanager
def progress(total: int, *, wanted: bool) -> Iterator[Callable[[], None]]:
    """Inside, the function given counts one document of `total` as done.

    Lines written to standard error meanwhile appear above the bar, and the bar is gone at the end.
    """
    if not (wanted and total > 1 and sys.stderr is not None and sys.stderr.isatty()):
        yield _nothing
        return
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415
    except ImportError:
        yield _nothing
        return
    columns = (TextColumn("htmlize"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def _nothing() -> None:
    return
