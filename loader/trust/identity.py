"""What a plugin file is called and which build of it this is: the words that lock files and signatures
bind.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.errors import TrustError
from loader.trust.handshake import markers

if TYPE_CHECKING:
    from loader.image import Image

__all__ = ["Identity", "identify", "plugin_name", "version_key"]

_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,7}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """A plugin file as lock files and signatures know it.

    Attributes:
        name: the plugin's name, from the file's.
        platform: "linux-x86_64", "linux-x86_64-musl", "macos-aarch64", ...
        contract: by the file's own markers: "htmlize 1.0", several separated by ", ", or "none" for a library
            that a plugin needs.
        sha256: of the file's bytes, hexadecimal.
    """

    name: str
    platform: str
    contract: str
    sha256: str

    def facts(self) -> dict[str, str]:
        """The fields by name, in order."""
        return {
            "name": self.name,
            "platform": self.platform,
            "contract": self.contract,
            "sha256": self.sha256,
        }


def identify(image: Image) -> Identity:
    """What a file is, from its name and bytes."""
    platform = f"{image.machine.system}-{image.machine.machine}".replace(" ", "-")
    versions = sorted((name, each) for name, found in markers(image).items() for each in found)
    contract = ", ".join(f"{name} {major}.{minor}" for name, (major, minor) in versions) or "none"
    return Identity(plugin_name(image.path), platform + ("-musl" if image.musl else ""), contract, image.digest)


def plugin_name(path: str) -> str:
    """The name of the plugin in a file: "tt" for tt.so, libtt.so, libtt.so.1, tt.dll."""
    # What basename does, in a quarter of the time: every first load asks.
    name = path.rpartition("/")[2] if os.sep == "/" else os.path.basename(path)
    for suffix in (".so", ".dylib", ".dll"):
        stem, found, rest = name.partition(suffix)
        if found and stem and (not rest or rest.startswith(".")):
            name = stem
            break
    return name.removeprefix("lib") or name


def version_key(version: str, *, path: str | None = None) -> tuple[int, ...]:
    """Something to compare versions by.

    A version is one to eight decimal numbers with dots between them; it is compared number by number, and
    numbers that are left out are 0: 1.2 = 1.2.0 < 1.10. Raises TrustError for anything else, suffixes such as
    "rc1" included, whose order people disagree about.
    """
    if not _VERSION.match(version):
        raise TrustError(
            "has a version that cannot be compared",
            path=path,
            expected="one to eight decimal numbers with dots between them, as 1.12.0",
            found=repr(version[:80]),
        )
    numbers = [int(number) for number in version.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        del numbers[-1]
    return tuple(numbers)
