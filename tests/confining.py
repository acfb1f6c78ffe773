"""A program that confines itself as a worker does (tests/plugins/confine_run.c), opens a library and runs acts of it.

Acts that a confined process must not get done are in tests/plugins/acts.c; each says whether it was done.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: enum confine_part of loader/_core/worker/confine.h, by name.
PARTS = {
    name: 1 << bit
    for bit, name in enumerate(
        (
            "no_new_privs",
            "landlock",
            "seccomp",
            "rlimits",
            "descriptors",
            "environment",
            "namespaces",
            "capabilities",
            "network",
        )
    )
}
ALL = (1 << len(PARTS)) - 1
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
#: The host is this shell, so that what an act does to its parent is not done to pytest. It is of the same user.
HOST = ("sh", "-c", '"$@"; code=$?; exit $code', "sh")


#: Acts with an argument of their own, which files, limits and descriptors have tests of.
ELSEWHERE = {"grow_kept", "seal_kept", "many_files", "many_threads", "inherited", "old_call", "x32_call"}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What the program printed, and how it ended."""

    code: int
    report: Mapping[str, Any]
    errors: str

    @property
    def acts(self) -> dict[str, dict[str, int]]:
        """By act, then by place: 1 done, 0 not done, -1 there is no such act."""
        places = ("called", "in the constructor's thread", "in a new thread")
        found = {name: dict(zip(places, row, strict=True)) for name, row in self.report.get("acts", {}).items()}
        for name, done in self.report["loaded"].items():
            found.setdefault(name, {})["in the constructor"] = done
        return found

    def done(self) -> set[str]:
        """Acts that were done in one place at least."""
        return {name for name, places in self.acts.items() if any(done != 0 for done in places.values())}


@dataclasses.dataclass(frozen=True)
class Confined:
    """The program and its plugins, in a folder that every user may read."""

    program: Path
    acts: Path
    folder: Path
    user: str

    def command(self, *options: str, library: Path | None = None, acts: Sequence[str] = ()) -> list[str]:
        """Its command line, below a host of the same user."""
        user = AS_NOBODY if self.user == "nobody" else ()
        libraries = [word for path in LIBRARIES for word in ("--library", path)]
        last = [] if library is None else [str(library), *([",".join(acts)] if acts else [])]
        return [*user, *HOST, str(self.program), *libraries, *options, *last]

    def run(
        self,
        *options: str,
        library: Path | None = None,
        acts: Sequence[str] = (),
        load: Sequence[str] = (),
        without: int = 0,
        keep: Sequence[int] = (),
    ) -> Outcome:
        """Runs it. `acts` run in three places, `load` in the constructor; `keep` are given to it and stay open."""
        words = [*options, "--without", str(without), *(["--load", ",".join(load)] if load else [])]
        words += [word for number in keep for word in ("--keep", str(number))]
        command = self.command(*words, library=library or (self.acts if acts or load else None), acts=acts)
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
            pass_fds=keep,
            cwd="/",
            env=os.environ | {"LOADER_CONFINED": "is in the host's environment"},
        )
        output = done.stdout.decode(errors="replace")
        lines = [line for line in output.splitlines() if line.startswith("{")]
        report = json.loads(lines[-1]) if lines else {}
        report["loaded"] = dict(zip(load, report.get("at_load", ()), strict=False))
        return Outcome(done.returncode, report, output + done.stderr.decode(errors="replace"))

    def all_acts(self, listeners: Mapping[str, str]) -> list[str]:
        """All of the list, with arguments, but for those that have tests of their own."""
        given = {**listeners, **arguments(self.folder, self.user, self.acts.with_name("runtime.so"))}
        return [f"{name}:{given[name]}" if name in given else name for name in self.names() if name not in ELSEWHERE]

    def names(self) -> list[str]:
        """All acts."""
        library = ctypes.CDLL(str(self.acts))
        library.act_name.restype = ctypes.c_char_p
        found: list[str] = []
        while (name := library.act_name(ctypes.c_size_t(len(found)))) is not None:
            found.append(name.decode())
        return found


def give(path: Path, user: str) -> None:
    """Makes all below a folder the user's, so that owners and modes are not what stops an act."""
    for each in (path, *path.rglob("*")):
        if user == "nobody":
            os.chown(each, NOBODY, NOBODY, follow_symlinks=False)


def can_be_nobody() -> bool:
    """Whether tests can run as another user, too."""
    return os.geteuid() == 0 and shutil.which("setpriv") is not None


def arguments(folder: Path, user: str, library: Path) -> dict[str, str]:
    """An argument for each act on a file: one of the user's own, so that only confinement stops it."""
    for name in ("read", "write", "empty", "truncate", "remove", "from", "linked", "mode", "lock"):
        (folder / name).write_text("untouched")
    (folder / "empty_folder").mkdir()
    give(folder, user)
    at = str(folder)
    return {
        "read_file": f"{at}/read",
        "write_file": f"{at}/write",
        "append_file": f"{at}/write",
        "empty_file": f"{at}/empty",
        "truncate_file": f"{at}/truncate",
        "make_file": f"{at}/new",
        "make_setuid": f"{at}/setuid",
        "make_folder": f"{at}/new_folder",
        "remove_folder": f"{at}/empty_folder",
        "remove_file": f"{at}/remove",
        "make_fifo": f"{at}/fifo",
        "make_device": f"{at}/device",
        "rename_file": f"{at}/from>{at}/to",
        "hard_link": f"{at}/linked>{at}/second",
        "soft_link": f"{at}/linked>{at}/link",
        "set_mode": f"{at}/mode",
        "set_mode_open": f"{at}/mode",
        "set_owner": f"{at}/mode",
        "set_times": f"{at}/mode",
        "set_attribute": f"{at}/mode",
        "lock_file": f"{at}/lock",
        "reopen_for_writing": f"{at}/lock",
        "open_library": str(library),
    }
