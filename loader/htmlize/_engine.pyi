"""Types of the document engine. Private: people use loader.htmlize.Htmlizer."""

from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias, final, overload

from loader._core._call import Layout, Owner

#: The ways to scan text that work on this machine, best first; "portable" is always the last.
SCANS: tuple[str, ...]

#: What `keep` reports: plugin, role (None: a contents hook), byte offset, whether that counts in the text
#: that contents hooks left, status, the plugin's text, cause.
Problem: TypeAlias = tuple[str, str | None, int, bool, int, str, BaseException | None]

#: Where a role's function is, or who opens its plugin at the first use and tells whose it is and where.
Function: TypeAlias = int | Callable[[str], tuple[Owner, int]]

@final
class Engine:
    def __new__(
        cls,
        roles: Iterable[tuple[str, Owner, Function]],
        contents: Iterable[tuple[Owner, int]],
        post_layout: Layout,
        *,
        scan: str | None = None,
    ) -> Engine: ...
    @property
    def roles(self) -> tuple[tuple[str, Owner, Function], ...]: ...
    @property
    def contents(self) -> tuple[tuple[Owner, int], ...]: ...
    def process_role(self, role: str, text: str, post: object = None) -> str: ...
    @overload
    def render(
        self, text: str, post: object = None, escape: bool = False, /, *, keep: Literal[False] = False
    ) -> str: ...
    @overload
    def render(
        self, text: bytes, post: object = None, escape: bool = False, /, *, keep: Literal[False] = False
    ) -> bytes: ...
    @overload
    def render(
        self, text: str, post: object = None, escape: bool = False, /, *, keep: Literal[True]
    ) -> tuple[str, list[Problem]]: ...
    @overload
    def render(
        self, text: bytes, post: object = None, escape: bool = False, /, *, keep: Literal[True]
    ) -> tuple[bytes, list[Problem]]: ...
