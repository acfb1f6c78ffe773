"""The process that tests/call/test_out_of_memory.py starts: each scene is played again and again, and every time
another allocation fails.

    python -m starving MODE FOLDER

    MODE    "core" or "python"
    FOLDER  the plugins, and where the file `progress` goes

    core    allocations that the C core asks for, itself or through Python's C API: the n-th alone fails, and all
            from the n-th on, for every n until none does
    python  any allocation of Python or the core: the n-th alone, for every n

A scene ends with the right answer or with MemoryError or an error of ours, and leaves all as it was. It is played
until blocks and descriptors stay as they are; what a failure leaves behind would show every time.
Prints for each scene: its name, the allocations that were failed, and how many of these the scene failed of.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from pathlib import Path

import loader
from loader._core import _call
from loader.htmlize import _engine as engine_module
from loader.library.opened import libraries
from starving import calls, documents, loads
from starving.scene import FOLDER, MODE, unnamed

ALL = 1 << 60
#: (whether only what the core asks for, how many fail from the n-th on)
MODES = {"core": ((True, 1), (True, ALL)), "python": ((False, 1),)}
ROUNDS = 20  # Python's free lists fill up in the first ones
MOST = 20_000  # allocations of a scene
#: Made before blocks are counted: an int beyond 256 is one.
NUMBERS = tuple(range(MOST))
SCENES = calls.SCENES | documents.SCENES | loads.SCENES


class Starve:
    """plugins/starve.c, which is preloaded."""

    def __init__(self) -> None:
        library = ctypes.PyDLL(None)
        self.call = library.starve_call
        self.call.argtypes = [ctypes.py_object, ctypes.c_long, ctypes.c_long, ctypes.c_int]
        self.call.restype = ctypes.py_object
        self.seen, self.blocks = library.starve_seen, library.starve_blocks
        self.seen.restype = self.blocks.restype = ctypes.c_long
        library.starve_watch.argtypes = [ctypes.c_size_t] * 2
        ours = {os.path.basename(module.__file__) for module in (_call, engine_module)}
        for line in Path("/proc/self/maps").read_text().splitlines():
            if " r-xp " in line and os.path.basename(line) in ours:
                library.starve_watch(*(int(number, 16) for number in line.split()[0].split("-")))
        list(map(lambda _: library.starve_hook(), [None]))  # noqa: C417 - from a Python function that C called


def descriptors() -> int:
    """How many are open."""
    return len(os.listdir("/proc/self/fd"))


def settle() -> None:
    """What Python keeps for later goes: garbage, free lists, names in the cache of types' attributes."""
    sys._clear_type_cache()
    gc.collect()


class Stage:
    """Plays one scene for every n."""

    def __init__(self, starve: Starve, name: str, core: bool, count: int) -> None:
        self.starve, self.name, self.scene = starve, name, SCENES[name]
        self.core, self.count = core, count
        self.failed = self.opened = 0

    def once(self, n: int) -> bool:
        """The n-th fails, and `count - 1` after it. False if there is none."""
        note(f"{self.name}: allocation {n}, core {self.core}, count {self.count}")
        self.scene.before()
        succeeded = False
        try:
            self.starve.call(self.scene.play, n, self.count, self.core)
            succeeded = True
        except (MemoryError, loader.LoaderError):
            pass
        except SystemError as error:
            if not unnamed(error):
                raise
        reached: bool = self.starve.seen() > n
        self.scene.after(succeeded)
        self.failed += not succeeded
        self.opened += loads.image.digest in libraries
        assert reached or succeeded, "it failed although nothing did"
        return reached

    def round(self) -> tuple[int, int, int]:
        """Allocations failed, and the blocks and descriptors that stay after it."""
        settle()
        open_before = descriptors()
        self.starve.blocks()
        self.failed = self.opened = 0
        n = next(n for n in NUMBERS if not self.once(n))
        settle()
        left = descriptors() - open_before
        if self.scene.grows:  # one for each library, and where there was no memory for what dlopen returned
            left = max(0, left - self.opened - 1)
        return n, self.starve.blocks(), left


def play(starve: Starve, name: str, core: bool, count: int) -> tuple[int, int]:
    """Rounds, until two leave nothing behind. Allocations failed, and how often the scene failed."""
    stage = Stage(starve, name, core, count)
    stage.once(-1)  # with memory: CPython 3.11 crashes where a thread's first context finds none
    clean = 0
    for _ in range(ROUNDS):
        n, blocks, left = stage.round()
        # CPython 3.11 keeps a function's arguments for ever where its closure finds no memory: only what the core
        # asks for counts.
        clean = clean + 1 if left <= 0 and (blocks <= 0 or not core or stage.scene.grows) else 0
        if clean == 2:
            return n, stage.failed
    raise AssertionError(f"{name}: leaves {blocks} blocks and {left} descriptors behind, each time")


def note(text: str) -> None:
    """Says what is tried, in a file that outlives the process."""
    os.pwrite(progress, f"{text:100}\n".encode(), 0)


progress = os.open(FOLDER / "progress", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
if __name__ == "__main__":
    starved = Starve()
    for each, scene in SCENES.items():
        ways = MODES[MODE][:1] if scene.alone else MODES[MODE]
        found = [play(starved, each, core, count) for core, count in ways]
        print(f"{each}: {' '.join(f'{n} {failed}' for n, failed in found)}", flush=True)
