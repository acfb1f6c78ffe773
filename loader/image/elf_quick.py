"""The facts of an ELF file by C, for the files that nearly all plugins are: see loader/_core/elf/elf_read.h."""

from __future__ import annotations

from typing import Final

from loader._core._elf import read_facts
from loader.image.elf import libc_of
from loader.image.image import File, Image, Machine, this_machine
from loader.image.traces import GO_SYMBOLS

#: Where the files that are meant can run, and whether that is here.
MACHINES: Final = tuple(Machine("elf", "linux", name, 64, "little") for name in ("x86_64", "aarch64"))
HERE: Final = this_machine() in MACHINES
#: What all of them have in common.
COMMON: Final = {
    "machine": this_machine(),
    "kind": "shared library",
    "defines": frozenset(),
    "minimum_system": None,
    "go": False,
    "go_version": None,
    "go_build_mode": None,
    "sanitizer": None,
    "no_dlopen": False,
    "auxiliaries": (),
    "filters": (),
    "no_default_folders": False,
    "slices": (),
}


def read_quickly(file: File) -> Image | None:
    """What read_elf says of the file, or None: it is to be asked."""
    facts = read_facts(file.data) if HERE else None
    if facts is None or not GO_SYMBOLS.isdisjoint(facts["exports"]):
        return None
    facts["file"] = file
    facts["libc"] = libc_of(facts["needed"], "linux")
    facts.update(COMMON)
    # All fields are there, as one dict: a dataclass's own __init__ sets two dozen, each by a line that runs for the
    # first time, and takes longer than the reading.
    image = object.__new__(Image)
    vars(image).update(facts)
    return image
