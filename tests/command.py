"""The commands as real processes: shared by the tests of both."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import loader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PACKAGE = Path(loader.__file__).resolve().parent


@dataclass(frozen=True)
class Result:
    """What a process gave."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode()

    @property
    def json(self) -> Any:
        """Standard output as one JSON value."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Command:
    """A command, run by this Python in a process of its own, with `python -m`."""

    module: str
    folder: Path

    def words(self, *arguments: str | os.PathLike[str]) -> list[str]:
        """The whole command line."""
        return [sys.executable, "-m", self.module, *map(os.fspath, arguments)]

    def environment(self, more: Mapping[str, str] | None = None, *, path: Sequence[Path] = ()) -> dict[str, str]:
        """The environment: the package that is tested here comes first, `path` before it."""
        places = os.pathsep.join(map(str, (*path, PACKAGE.parent)))
        settings = {"PYTHONPATH": places, "PYTHONUTF8": "1", "PYTHONWARNINGS": "error"}
        return {**os.environ, **settings, **(more or {})}

    def __call__(
        self,
        *arguments: str | os.PathLike[str],
        stdin: bytes = b"",
        path: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        """Runs it to its end in the folder."""
        done = subprocess.run(
            self.words(*arguments),
            input=stdin,
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=self.environment(environment, path=path),
            timeout=120,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    def start(self, *arguments: str | os.PathLike[str], **options: Any) -> subprocess.Popen[bytes]:
        """Begins it; standard output and error are pipes unless `options` say otherwise."""
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        given |= {"cwd": self.folder, "env": self.environment(), **options}
        return subprocess.Popen(self.words(*arguments), **given)

    def shell(self, script: str, *arguments: str | os.PathLike[str]) -> Result:
        """Runs a line of the shell, in which "$@" is the command."""
        done = subprocess.run(
            ["sh", "-c", script, "sh", *self.words(*arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=self.environment(),
            timeout=120,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())


def one_line(text: str) -> str:
    """The line that standard error is to be."""
    assert text.count("\n") == 1
    assert text.endswith("\n")
    return text[:-1]


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """A pseudo-terminal: the end that reads what was shown, and the end that a process gets."""
    import pty

    reader, writer = pty.openpty()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)
