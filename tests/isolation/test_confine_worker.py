"""The acts of tests/plugins/acts.c in real workers, as a plugin of a contract: none is done."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from confining import ELSEWHERE, arguments
from tree import EMULATED, PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or EMULATED, reason="workers are confined on Linux, and not by qemu-user"
)
SIZE = 256 << 20
FLAGS = ["-ldl", "-Wno-overlength-strings"]  # all acts in one macro


def test_no_act_is_done_in_a_worker(
    build: Callable[..., Path], tmp_path: Path, listeners: dict[str, str], confined_program: tuple[Path, Path]
) -> None:
    """In strict mode: in the constructor, in a call, and in a thread that the constructor started."""
    contract = loader.Contract.from_header(PLUGINS / "acts_contract.h")
    given = {**listeners, **arguments(tmp_path, "this user", confined_program[1].with_name("runtime.so"))}
    isolation = loader.Isolation(sandbox="strict", memory=SIZE // 2)
    names: list[str] = []
    first = loader.load(build("acts_plugin.c", flags=["-ldl"]), contract=contract, isolation=isolation)
    while name := first.name_of(len(names)):
        names.append(name)
    acts = [f"{name}:{given[name]}" if name in given else name for name in names if name not in ELSEWHERE]
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.iterdir()}
    at_load = ",".join(acts)
    library = build("acts_plugin.c", f'ACT_AT_LOAD="{at_load}"', name="acts_at_load", flags=FLAGS)
    plugin = loader.load(library, contract=contract, isolation=isolation)
    done = [(act, "constructor") for number, act in enumerate(acts) if plugin.at_load(number) != 0]
    done += [
        (act, place) for act in acts for place in ("called", "in_thread") if getattr(plugin, place)(act, SIZE) != 0
    ]
    assert len(acts) > 200
    assert not done
    assert before == {path: path.lstat().st_mtime_ns for path in tmp_path.iterdir()}


@pytest.mark.skipif(os.geteuid() != 0, reason="others than root may not do some of them anyway")
def test_acts_can_be_done_in_a_worker(build: Callable[..., Path], tmp_path: Path) -> None:
    """Without a sandbox they are: so the test above can fail."""
    contract = loader.Contract.from_header(PLUGINS / "acts_contract.h")
    acts = ["fork", "read_passwd", "signal_host", "socket_tcp", "own_memory", f"make_file:{tmp_path}/new", "shell"]
    library = build("acts_plugin.c", f'ACT_AT_LOAD="{",".join(acts)}"', name="some_acts", flags=["-ldl"])
    plugin = loader.load(library, contract=contract, isolation=loader.Isolation(sandbox="off"))
    assert [plugin.at_load(number) for number in range(len(acts))] == [1] * len(acts)
    assert [plugin.called(act, SIZE) for act in acts if "make_file" not in act] == [1] * (len(acts) - 1)
