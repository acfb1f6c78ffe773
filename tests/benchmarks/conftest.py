"""pytest tests/benchmarks: the side-by-side measurement as pytest-benchmark's results.

It measures only if this folder is named on the command line: then pytest reads this file before it sets
itself up. As a part of the whole test suite, nothing here is collected.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

HERE = Path(__file__).resolve().parent


def _asked(config: pytest.Config) -> bool:
    """Whether this folder, or a file in it, is named on the command line."""
    paths = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    return any(path == HERE or HERE in path.parents for path in paths)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the command, as far as they make sense here."""
    group = parser.getgroup("side-by-side")
    group.addoption("--full", action="store_true", help="a full measurement instead of a quick one")
    group.addoption("--systems", help="only these systems, comma-separated")
    group.addoption("--jobs", help="only these jobs, comma-separated")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """pytest-benchmark is switched off for the test suite (pyproject.toml); here it is on."""
    if _asked(config):
        config.option.benchmark_disable = False
        config.option.benchmark_warmup = False


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Nothing of this folder belongs to the test suite."""
    return None if _asked(config) or collection_path.suffix != ".py" else True
