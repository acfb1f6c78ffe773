"""What the package and its plugins log, as lines on standard error."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from loader.cli import streams

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["log_to_stderr"]


class _Lines(logging.Handler):
    """Log records as messages; those of a plugin name it."""

    def __init__(self, program: str, level: int) -> None:
        super().__init__(level)
        self.program = program

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - a line that cannot be formatted is no reason to fail
            text = str(record.msg)
        name = record.name.removeprefix("loader.plugin.")
        source = f"plugin {name}: " if name != record.name else ""
        streams.message(self.program, record.levelname.lower(), source + text)


@contextlib.contextmanager
def log_to_stderr(program: str, level: int) -> Iterator[None]:
    """Inside, log records of the package and of plugins from `level` on are lines on standard error."""
    logger = logging.getLogger("loader")
    handler = _Lines(program, level)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before[0], before[1]
