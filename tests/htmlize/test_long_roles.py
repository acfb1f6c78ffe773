"""Roles that write long answers, which the host copies itself: what is ASCII is known, and forgotten in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loader.htmlize import Htmlizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LETTERS = "a" * 4096


@pytest.fixture
def app(build: Callable[..., Path]) -> Htmlizer:
    """An application with the roles `long` and `broken`."""
    return Htmlizer([build("long_roles.c")])


@pytest.mark.parametrize("text", ["x", "é", "x" * 3000, "é" * 3000, "日本語" * 900])
def test_long_answers(app: Htmlizer, text: str) -> None:
    """A long answer is the same str alone and in a document, whatever follows its ASCII."""
    assert app.process_role("long", text) == LETTERS + text
    assert app.htmlize(f":long:`{text}` and é") == f"<p>{LETTERS}{text} and é</p>\n\n"


@pytest.mark.parametrize("before", ["", "é" * 5000])
def test_answer_that_is_taken_back(app: Htmlizer, before: str) -> None:
    """What a role wrote before it failed is forgotten with what was known of it: other text stands there now."""
    document = f"{before} :broken:`x` " + "é" * 1000 + "x" * 9000
    html = app.htmlize(document, plugin_errors="keep", report=lambda _: None)
    assert html == f"<p>{document.strip()}</p>\n\n"
    assert html.encode().decode() == html
