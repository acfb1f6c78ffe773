"""The document engine: failures, limits, and one role at a time."""

from __future__ import annotations

from typing import Any

import pytest
import reference
from engine_hooks import POST, ROLES, Hooks
from hypothesis import given, settings
from hypothesis import strategies as st

import loader.plugin  # noqa: F401  gives the C side its exceptions
from loader._core._call import Limit
from loader.errors import CallCancelled, PluginError, TextError

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
    limit.enter()
    limit.cancel()
    try:
        with pytest.raises(CallCancelled):
            hooks.engine(roles, contents).render(":tt:`x` :stops:`x`" * 40, keep=keep)
    finally:
        limit.leave()


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
def test_one_role_refuses_other_arguments(hooks: Hooks, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Too few, too many, twice, unknown, of the wrong type: TypeError."""
    with pytest.raises(TypeError):
        hooks.engine(["tt"]).process_role(*args, **kwargs)


@pytest.mark.parametrize("role", ["", "t", "ttt", "TT", "té", "x" * 10_000])
def test_an_unknown_role_names_the_known_ones(hooks: Hooks, role: str) -> None:
    """LookupError, with what could have been meant."""
    with pytest.raises(LookupError, match="known roles: tt, latin"):
        hooks.engine(["tt", "latin"]).process_role(role, "a", POST)
