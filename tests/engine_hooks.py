"""Plugins for the document engine, in C and in Python, and texts in which much happens."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import reference
from hypothesis import strategies as st

import loader.plugin  # noqa: F401  gives the C side its exceptions
from loader._core._call import Layout, Owner
from loader.htmlize._engine import SCANS, Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

POST_LAYOUT = Layout(
    "htmlize_post",
    64,
    True,
    (
        ("id", "i", 8, 8, True),
        ("author", "t", 16, 16, False),
        ("title", "t", 32, 16, False),
        ("contents", "t", 48, 16, False),
    ),
)
POST = {"id": 42, "author": "Joe", "title": "A pie"}
FLAGS = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")
ALL_SCANS = pytest.mark.parametrize("scan", SCANS)


# ---- The plugin, in C and in Python -----------------------------------------------------------------------


@dataclass(frozen=True)
class Hooks:
    """tests/plugins/engine_hooks.c, compiled: where its functions are."""

    library: ctypes.CDLL

    def address(self, name: str) -> int:
        """The address of a function, which lives as long as the process."""
        address = ctypes.cast(self.library[name], ctypes.c_void_p).value
        assert address
        return address

    def engine(
        self,
        roles: Sequence[str] = (),
        contents: Sequence[str] = (),
        *,
        scan: str | None = None,
        **options: Any,
    ) -> Engine:
        """An engine with a plugin for each name: role "tt" is role_tt, hook "same" is contents_same."""

        def owner(name: str) -> Owner:
            return Owner(f"the_{name}", f"/{name}.so", **options)

        return Engine(
            [(name, owner(name), self.address(f"role_{name}")) for name in roles],
            [(owner(name), self.address(f"contents_{name}")) for name in contents],
            POST_LAYOUT,
            scan=scan,
        )


def picky(text: str) -> str:
    """role_picky."""
    if "x" in text:
        raise reference.Failed(f"no x, please: {text}")
    return f"half {text}"


def contents_fails(_contents: str) -> str:
    """contents_fails."""
    raise reference.Failed("no contents today")


ROLES: dict[str, Callable[[str], str]] = {
    "tt": lambda text: f"<tt>{text}</tt>",
    "picky": picky,
    "thousand": lambda text: text * 1000,
    "nothing": lambda _text: "",
    "latin": lambda text: f"é{text}",
}
CONTENTS: dict[str, Callable[[str], str]] = {
    "same": str,
    "more": lambda contents: contents.replace("a", "a:tt:`é`\n\n"),
    "none": lambda _contents: "",
    "fails": contents_fails,
}


# ---- Texts ------------------------------------------------------------------------------------------------

SPACES = "\t\v\f\r \x1c\x1f\x85\xa0\u1680\u2003\u200b\u2028\u202f\u205f\u3000"
PIECES = [
    *":`\n a_b1x<&\"'>é🥧",
    *SPACES,
    *(f":{role}:`" for role in (*ROLES, "unknown")),
    *(":tt:`pie`", ":picky:`x<x`", ":picky:`ok`", ":unknown:`a&b`", ":tt:", "::tt:`", ":a:b:`", ":té:`"),
    *("\n\n", "\n\n\n", " \n\n ", "</p>\n\n<p>", "\n \n", "``"),
]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Texts where something happens often, some of them where a vector, a block or the text ends."""
    pad = draw(st.sampled_from([0, 0, 1, 15, 16, 31, 32, 33, 47, 61, 62, 63, 64, 65, 126, 127, 128]))
    parts = draw(st.lists(st.sampled_from(PIECES), max_size=40))
    tail = draw(st.sampled_from([0, 0, 1, 60, 63, 64, 65, 127]))
    return "w" * pad + "".join(parts) + "v" * tail


def outcome(engine: Engine, text: str, *, escape: bool = False) -> reference.Outcome:
    """What the engine makes of it, in the reference's terms; str and bytes must agree."""
    given = engine.render(text, POST, escape, keep=True)
    encoded = engine.render(text.encode(), POST, escape, keep=True)
    assert (encoded[0].decode(), encoded[1]) == given
    assert type(given[0]) is str
    html, problems = given
    return reference.Outcome(html, [(role, offset) for _, role, offset, *_ in problems])
