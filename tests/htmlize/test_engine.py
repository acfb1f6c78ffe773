"""The document engine: compared with the plain reference, and attacked by plugins that misbehave."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import reference
from engine_hooks import ALL_SCANS, CONTENTS, POST, POST_LAYOUT, ROLES, Hooks, outcome, texts
from hypothesis import example, given, settings
from hypothesis import strategies as st

import loader.plugin  # noqa: F401  gives the C side its exceptions
from loader._core._call import Owner
from loader.htmlize._engine import SCANS, Engine

if TYPE_CHECKING:
    from collections.abc import Callable


# ---- The same as the reference ----------------------------------------------------------------------------


@ALL_SCANS
@given(text=texts(), escape=st.booleans())
@example(text="", escape=False)
@example(text="\n", escape=False)
@example(text=" \n\n", escape=False)
@example(text="a\n\n \u2003", escape=False)
@example(text="\n\n\n\u00a0a\n", escape=False)
@example(text="a\n\n :tt:`b\n\n \n\n c\nd`", escape=True)
@example(text="a:picky:`x:tt:`y`", escape=False)
@example(text="a:unknown:`x:tt:`y`z`", escape=False)
@example(text="&:tt:`<`:tt:`<`'" * 30, escape=True)
@example(text=":tt:`" + "x" * 61 + "\n\n" + "y" * 62 + "\n`", escape=False)
@settings(max_examples=400, deadline=None)
def test_a_document_is_what_the_reference_says(hooks: Hooks, scan: str, text: str, escape: bool) -> None:
    """Rules 1 and 3, escaping and keeping, on every path of vectors, from str and from bytes."""
    engine = hooks.engine(list(ROLES), scan=scan)
    assert outcome(engine, text, escape=escape) == reference.htmlize(text, ROLES, escape=escape, keep=True)


@ALL_SCANS
@given(
    text=texts(),
    escape=st.booleans(),
    names=st.lists(st.sampled_from(list(CONTENTS)), min_size=1, max_size=3),
)
@example(text="", escape=False, names=["more"])
@example(text="a:picky:`<x\n\n>`'", escape=True, names=["same"])
@settings(max_examples=200, deadline=None)
def test_contents_hooks_come_between(hooks: Hooks, scan: str, text: str, escape: bool, names: list[str]) -> None:
    """Rule 2: each hook gets what the one before wrote, roles are looked for in what the last one wrote."""
    engine = hooks.engine(list(ROLES), names, scan=scan)
    chain = [CONTENTS[name] for name in names]
    expected = reference.htmlize(text, ROLES, chain, escape=escape, keep=True)
    assert outcome(engine, text, escape=escape) == expected


@given(text=texts(), escape=st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_hook_that_changes_nothing_changes_nothing(hooks: Hooks, text: str, escape: bool) -> None:
    """One pass without hooks gives what two passes around an idle hook give; only offsets count elsewhere."""
    one, two = hooks.engine(list(ROLES)), hooks.engine(list(ROLES), ["same"])
    assert outcome(one, text, escape=escape).text == outcome(two, text, escape=escape).text


@ALL_SCANS
@pytest.mark.parametrize("length", [*range(130), 1000, 4095, 4096, 4097])
def test_every_length_and_every_place(hooks: Hooks, scan: str, length: int) -> None:
    """A mark at any distance from the text's end is found, and nothing behind the end is looked at."""
    engine = hooks.engine(["tt"], scan=scan)
    for end in ("", "\n", "\n\n", "`", ":tt:`a`", " "):
        text = "a" * length + end
        assert engine.render(text) == reference.htmlize(text, ROLES).text


def test_the_original_s_example(hooks: Hooks) -> None:
    """What existing programs of the same name print."""
    engine = hooks.engine(["tt"])
    text = "I like :tt:`pie`\nand\n\n\ncake "
    assert engine.render(text) == "<p>I like <tt>pie</tt> and</p>\n\n<p>cake</p>\n\n"


def test_a_large_document(hooks: Hooks) -> None:
    """Growth of the output, release of the GIL: nothing changes with size."""
    text = "Words :tt:`pie` & :unknown:`cake`\nand :thousand:`x` é.\n\n" * 5000
    assert hooks.engine(list(ROLES)).render(text) == reference.htmlize(text, ROLES).text


def test_a_thousand_roles(hooks: Hooks) -> None:
    """Each of many roles is found, and names that only resemble one are not."""
    address, owner = hooks.address("role_show"), Owner("many", "/many.so")
    names = [f"r{number}" for number in range(1000)] + ["r" * 100]
    engine = Engine([(name, owner, address) for name in names], [], POST_LAYOUT)
    for name in names:
        assert engine.render(f":{name}:`x`", POST).startswith(f"<p>[{name}|x|")
    assert engine.render(":r1000:`x`:r:`x`:R1:`x`") == "<p>:r1000:`x`:r:`x`:R1:`x`</p>\n\n"


ALIKE = ["a", "b", "aa", "ab", "ba", "aab", "abba", "babab", "ababab", "bababa", "abababa", "abababab", "babababab"]


@ALL_SCANS
@given(
    known=st.sets(st.sampled_from(ALIKE), min_size=1),
    names=st.lists(st.sampled_from(ALIKE), max_size=30),
    between=st.sampled_from(["", " ", ":", "a", "b:", " " * 9, "\n\n"]),
)
@settings(max_examples=200, deadline=None)
def test_names_alike_are_told_apart(hooks: Hooks, scan: str, known: set[str], names: list[str], between: str) -> None:
    """A role is the one that its whole name says, whichever role came before: names that end or begin like it."""
    address, owner = hooks.address("role_show"), Owner("many", "/many.so")
    engine = Engine([(name, owner, address) for name in sorted(known)], [], POST_LAYOUT, scan=scan)
    text = "words before " + between.join(f":{name}:`x`" for name in names)
    shown: dict[str, Callable[[str], str]] = {}
    for name in known:
        shown[name] = f"[{name}|{{}}|42|Joe|A pie|{len(text)}]".format
    assert engine.render(text, POST) == reference.htmlize(text, shown).text


def test_the_later_of_two_roles_wins(hooks: Hooks) -> None:
    """Two plugins for one role: the one that was given last."""
    owner = Owner("a", "/a.so")
    both = [("r", owner, hooks.address("role_nothing")), ("r", owner, hooks.address("role_tt"))]
    assert Engine(both, [], POST_LAYOUT).render(":r:`x`") == "<p><tt>x</tt></p>\n\n"


# ---- What plugins are told --------------------------------------------------------------------------------


def test_a_role_is_told_name_text_and_post(hooks: Hooks) -> None:
    """The post's own contents are passed on; where it has none, the document's text is lent as such."""
    engine = hooks.engine(["show"])
    text = ":show:`é`"
    assert engine.render(text, POST) == f"<p>[show|é|42|Joe|A pie|{len(text.encode())}]</p>\n\n"
    assert engine.render(text, {**POST, "contents": "four"}) == "<p>[show|é|42|Joe|A pie|4]</p>\n\n"
    assert engine.render(text) == f"<p>[show|é|0|||{len(text.encode())}]</p>\n\n"


def test_a_post_is_checked(hooks: Hooks) -> None:
    """A post that does not fit is a TypeError before any plugin is called."""
    with pytest.raises(TypeError):
        hooks.engine(["show"]).render(":show:`é`", {"id": "42"})


def test_arguments_of_render(hooks: Hooks) -> None:
    """What render does not know is a TypeError that says what it knows."""
    engine: Any = hooks.engine(["show"])
    assert engine.render("&", None, 1) == "<p>&amp;</p>\n\n"
    for arguments in ((), ("x", None, False, False)):
        with pytest.raises(TypeError, match="positional arguments"):
            engine.render(*arguments)
    for names in ({"escape": True}, {"keep": True, "other": True}):
        with pytest.raises(TypeError, match="only keep"):
            engine.render("x", **names)


# ---- The engine itself ------------------------------------------------------------------------------------


def test_an_engine_s_parts_can_be_read(hooks: Hooks) -> None:
    """Roles and contents are what it was made of, and cannot be set."""
    engine = hooks.engine(["tt"], ["same"])
    assert [(name, owner.name) for name, owner, _ in engine.roles] == [("tt", "the_tt")]
    assert [owner.name for owner, _ in engine.contents] == ["the_same"]
    with pytest.raises(AttributeError):
        engine.roles = ()


@pytest.mark.parametrize(
    ("roles", "contents"),
    [
        ([("tt", None, 1)], []),
        ([("tt", 1)], []),
        (["tt"], []),
        ([], [(1, 2)]),
        ([], [None]),
        (None, []),
        ([], 3),
    ],
)
def test_an_engine_of_other_things_is_refused(roles: Any, contents: Any) -> None:
    """What is not (name, Owner, address) or (Owner, address) is a TypeError."""
    with pytest.raises(TypeError):
        Engine(roles, contents, POST_LAYOUT)


def test_an_engine_refuses_no_address_and_no_scan() -> None:
    """A null address or an unknown path of vectors: ValueError."""
    with pytest.raises(ValueError, match="address"):
        Engine([("tt", Owner("a", "/a"), 0)], [], POST_LAYOUT)
    with pytest.raises(ValueError, match="scan"):
        Engine([], [], POST_LAYOUT, scan="mmx")


def test_the_portable_scan_is_there() -> None:
    """What the vector paths are compared with exists on every machine, last."""
    assert SCANS[-1] == "portable"


def test_threads_share_an_engine(hooks: Hooks) -> None:
    """Any number of threads may use one engine at once."""
    engine, text = hooks.engine(list(ROLES)), "a :tt:`é` :picky:`x`\n\n" * 2000
    expected = reference.htmlize(text, ROLES, keep=True).text
    results: list[bool] = []

    def work() -> None:
        results.extend(engine.render(text, POST, keep=True)[0] == expected for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 80
