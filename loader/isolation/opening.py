"""What workers have open: one plugin's library and those that come along with it, and where its symbols are there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loader.errors import LibraryError
from loader.isolation.message import numbers
from loader.library.refusal import explain

if TYPE_CHECKING:
    from loader.image import Image

__all__ = ["Opening", "RemoteLibrary", "addresses_of"]


@dataclass(frozen=True, slots=True)
class Opening:
    """One plugin's library and those that come along with it, as workers are told of them."""

    image: Image
    files: tuple[int, ...]  # descriptors here
    first: int  # the number of the first there; the others follow
    symbols: tuple[str, ...]
    count: int  # of the files
    forgotten: bool = False

    @property
    def path(self) -> str:
        """That of the plugin's library, in a worker."""
        return f"/proc/self/fd/{self.first}"

    def empty(self) -> Opening:
        """What stays of it where it is not opened any more: the numbers of its symbols."""
        return replace(self, files=(), forgotten=True)

    @property
    def pairs(self) -> list[tuple[str, str | bytes]]:
        """What a worker is told."""
        if self.forgotten:
            return []
        numbered: list[tuple[str, str | bytes]] = [("file", str(self.first + i)) for i in range(len(self.files))]
        return [*numbered, ("open", self.path), *(("symbol", name) for name in self.symbols)]


@dataclass(frozen=True, slots=True)
class RemoteLibrary:
    """A plugin's library in the workers of a pool; to plugin.py what a Library of this process is."""

    image: Image
    symbols: dict[str, int]
    inherited: bool = False

    def address(self, symbol: str) -> int | None:
        """The number by which the C side finds the symbol's address in a worker, or None: the library lacks it."""
        return self.symbols.get(symbol)


def addresses_of(opening: Opening, answer: list[tuple[str, str]]) -> tuple[int, ...]:
    """Where a worker that was told to open it says its symbols are; 0 for all where it is not opened any more.

    Raises LibraryError: the dynamic linker there refused it, or a symbol is not found.
    """
    if opening.forgotten:
        return (0,) * len(opening.symbols)
    found = dict(answer)
    if "failed" in found:
        text = found["failed"].replace(opening.path, opening.image.path)
        raise explain(opening.image, text)
    addresses = tuple(next(numbers(((name, found.get(name, "")),), name), 0) for name in opening.symbols)
    missing = [name for name, at in zip(opening.symbols, addresses, strict=True) if at == 0]
    if missing:  # the handshake saw it in the export table: the linker and we disagree
        raise LibraryError(f"its symbol {missing[0]} is not found once loaded", path=opening.image.path)
    return addresses
