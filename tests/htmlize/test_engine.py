"""The document engine: compared with the plain reference, and attacked by plugins that misbehave."""

from __future__ import annotations

import ctypes
import subprocess
import sysconfig
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tree import ROOT

import loader.plugin  # noqa: F401  gives the C side its exceptions
from loader._core._call import Layout, Limit, Owner
from loader.errors import CallCancelled, PluginError, TextError
from loader.htmlize._engine import SCANS, Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

import reference

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


@pytest.fixture(scope="session")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Hooks:
    """Compiled once, opened once: plugins are never unloaded."""
    library = tmp_path_factory.mktemp("engine") / "engine_hooks.so"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()
    subprocess.run(
        [*compiler, *FLAGS, "-I", ROOT / "include", ROOT / "tests/plugins/engine_hooks.c", "-o", library],
        check=True,
    )
    return Hooks(ctypes.CDLL(str(library)))


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
def test_contents_hooks_come_between(
    hooks: Hooks, scan: str, text: str, escape: bool, names: list[str]
) -> None:
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
def test_names_alike_are_told_apart(
    hooks: Hooks, scan: str, known: set[str], names: list[str], between: str
) -> None:
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


# ---- Failures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("escape", [False, True])
@pytest.mark.parametrize("size", [0, 100_000])
def test_a_failure_names_plugin_role_and_byte(hooks: Hooks, size: int, escape: bool) -> None:
    """By default a plugin's error fails the document; the byte counts in the text as it was given."""
    with pytest.raises(PluginError) as caught:
        hooks.engine(["picky"]).render("é" * size + "&\n\n :picky:`x`", POST, escape)
    assert caught.value.plugin == "the_picky"
    assert caught.value.message == "no x, please: x"
    assert caught.value.status == 1
    assert f"in role 'picky' at byte {2 * size + 4} of the document" in str(caught.value)


def test_after_hooks_the_byte_counts_in_their_text(hooks: Hooks) -> None:
    """What hooks did to the text cannot be undone, so the message says which text it means."""
    engine = hooks.engine(["picky"], ["same", "fails"])
    html, problems = engine.render("é:picky:`x`", keep=True)
    assert html == "<p>é:picky:`x`</p>\n\n"
    assert [problem[:4] for problem in problems] == [
        ("the_fails", None, 0, False),
        ("the_picky", "picky", 5, True),
    ]
    with pytest.raises(PluginError, match="in role 'picky' at byte 3 of the text after the contents hooks"):
        hooks.engine(["picky"], ["same"]).render(":picky:`x`")


def test_a_contents_hook_fails_the_document(hooks: Hooks) -> None:
    """Its text is in the error."""
    with pytest.raises(PluginError, match="no contents today") as caught:
        hooks.engine([], ["fails"]).render("x")
    assert caught.value.plugin == "the_fails"
    assert caught.value.function == "process_contents"


MISBEHAVING = [
    ("not_utf8", 1, "wrote invalid UTF-8 at byte 5 of its answer"),
    ("unknown_status", 77, ""),
    ("moves_back", 1, "left the end of its output outside of the room that it had"),
]


@pytest.mark.parametrize(("role", "status", "message"), MISBEHAVING)
def test_misbehaviour_is_a_failure(hooks: Hooks, role: str, status: int, message: str) -> None:
    """Invalid UTF-8, unknown statuses and a torn output end the document, or leave the match with `keep`."""
    engine = hooks.engine([role])
    text = f"a :{role}:`x` b"
    with pytest.raises(PluginError) as caught:
        engine.render(text)
    assert (caught.value.status, caught.value.message) == (status, message)
    problem = (f"the_{role}", role, 2, False, status, message, None)
    assert engine.render(text, keep=True) == (f"<p>{text}</p>\n\n", [problem])
    with pytest.raises(PluginError) as caught:
        engine.process_role(role, "x", POST)
    assert (caught.value.status, caught.value.message) == (status, message)


def test_an_error_that_was_withdrawn_is_forgotten(hooks: Hooks) -> None:
    """A text that a plugin reported and then got over is not taken for the next plugin's."""
    engine = hooks.engine(["second_thoughts", "unknown_status"])
    with pytest.raises(PluginError) as caught:
        engine.render(":second_thoughts:`x` :unknown_status:`x`")
    assert caught.value.message == ""


@pytest.mark.parametrize("padding", [0, 10_000])
def test_a_plugin_s_output_has_a_limit(hooks: Hooks, padding: int) -> None:
    """An answer may be as long as its owner's limit, wherever it stands in the document; more fails."""
    engine = hooks.engine(["thousand"], max_output=3000)
    assert engine.render("a" * padding + ":thousand:`xyz`").endswith("xyz</p>\n\n")
    for render in (engine.render, lambda _: engine.process_role("thousand", "wxyz")):
        with pytest.raises(PluginError, match="longer than the host allows") as caught:
            render("a" * padding + ":thousand:`wxyz`")
        assert caught.value.status == 2


def test_bytes_are_checked_before_any_plugin_runs(hooks: Hooks) -> None:
    """Bytes that are not UTF-8 are refused with the offset of the first bad one."""
    engine = hooks.engine(["picky"])
    for good in (b"", b":picky:`x`", b"\xc3\xa9" * 100, b"a" * 1000):
        with pytest.raises(TextError) as caught:
            engine.render(good + b"\xff:picky:`x`")
        assert caught.value.offset == len(good)


def test_lone_surrogates_are_refused(hooks: Hooks) -> None:
    """A str that has no UTF-8 is refused with the index of the character."""
    with pytest.raises(TextError) as caught:
        hooks.engine(["tt"]).render("aé\ud800")
    assert caught.value.offset == 2
    with pytest.raises(TextError):
        hooks.engine(["tt"]).process_role("tt", "\ud800", POST)


@pytest.mark.parametrize("wrong", [None, 3, bytearray(b"x"), ["x"]])
def test_only_str_and_bytes_are_texts(hooks: Hooks, wrong: object) -> None:
    """Anything else is a TypeError."""
    with pytest.raises(TypeError):
        hooks.engine(["tt"]).render(wrong)


# ---- Stopping ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(("roles", "contents"), [(["tt"], []), (["stops"], []), ([], ["same"])])
def test_a_cancelled_document_stops(hooks: Hooks, roles: list[str], contents: list[str], keep: bool) -> None:
    """A cancel flag ends the document also with `keep`, whether the plugin or the engine notices it."""
    limit = Limit()
    scope = limit.enter()
    limit.cancel()
    try:
        with pytest.raises(CallCancelled):
            hooks.engine(roles, contents).render(":tt:`x` :stops:`x`" * 40, keep=keep)
    finally:
        limit.leave(scope)


# ---- One role ---------------------------------------------------------------------------------------------


@given(
    text=st.text(alphabet=[*"ax<\n`:é🥧"], max_size=60).map(lambda text: text * 12),
    role=st.sampled_from(list(ROLES)),
)
@settings(max_examples=100, deadline=None)
def test_one_role_one_call(hooks: Hooks, role: str, text: str) -> None:
    """process_role answers as the role's function does, short and long texts alike."""
    call = hooks.engine(list(ROLES)).process_role
    try:
        expected = ROLES[role](text)
    except reference.Failed:
        with pytest.raises(PluginError, match=f"in role '{role}'"):
            call(role, text, POST)
    else:
        assert call(role, text, POST) == expected


def test_one_role_takes_keywords(hooks: Hooks) -> None:
    """Positional, by keyword, and without a post."""
    call = hooks.engine(["show"]).process_role
    assert call("show", "a", POST) == "[show|a|42|Joe|A pie|0]"
    assert call("show", post=POST, text="a") == call("show", "a", POST)
    assert call(role="show", text="a", post=POST) == call("show", "a", POST)
    assert call("show", "a") == "[show|a|0|||0]"


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        (("tt",), {}),
        (("tt", "a", None, 1), {}),
        (("tt", "a"), {"role": "tt"}),
        (("tt", "a"), {"x": 1}),
        ((1, "a", None), {}),
        (("tt", b"a", None), {}),
    ],
)
def test_one_role_refuses_other_arguments(
    hooks: Hooks, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Too few, too many, twice, unknown, of the wrong type: TypeError."""
    with pytest.raises(TypeError):
        hooks.engine(["tt"]).process_role(*args, **kwargs)


@pytest.mark.parametrize("role", ["", "t", "ttt", "TT", "té", "x" * 10_000])
def test_an_unknown_role_names_the_known_ones(hooks: Hooks, role: str) -> None:
    """LookupError, with what could have been meant."""
    with pytest.raises(LookupError, match="known roles: tt, latin"):
        hooks.engine(["tt", "latin"]).process_role(role, "a", POST)


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
