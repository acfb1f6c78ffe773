"""Scenes: limits, and documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import loader
from loader._core._call import Limit
from loader.htmlize import Htmlizer, Post
from starving.calls import probe
from starving.scene import FOLDER, Scene, equal

if TYPE_CHECKING:
    from collections.abc import Callable


# ---- Limits ------------------------------------------------------------------------------------------------


def under_limits() -> None:
    """A call under a deadline and a token."""
    with loader.deadline(100), loader.CancelToken():
        equal(probe.echo("x"), "x")


def document_under_limit() -> None:
    """A document under a deadline."""
    with loader.deadline(100):
        equal(app.htmlize(TEXT), HTML)


def expires() -> None:
    """A deadline that has passed."""
    try:
        with loader.deadline(0):
            probe.spin(1000)
    except loader.DeadlineExceeded:
        return
    raise AssertionError("it was not stopped")


def no_limit(_: bool) -> None:
    """No limit stays in force."""
    assert Limit.current() is None, "a limit stays in force"


SCENES = {
    "limits": Scene(under_limits, no_limit, alone=True),
    "a document under a limit": Scene(document_under_limit, no_limit, alone=True),
    "a deadline": Scene(expires, no_limit, alone=True),
}


# ---- Documents ---------------------------------------------------------------------------------------------

app, hooked = Htmlizer([FOLDER / "roles.so"]), Htmlizer([FOLDER / "roles.so", FOLDER / "wraps.so"])
careless = Htmlizer([FOLDER / "careless.so"])
TEXT = "one :fatal:`two` three\n\nfour :fatal:`\u00e9` " * 30
HTML, HOOKED = app.htmlize(TEXT), hooked.htmlize(TEXT)
HUNDRED = "0123456789" * 30


def keeps(as_text: Callable[[str], Any]) -> None:
    """Documents go on without the roles that failed: those that had no memory too, in the order met."""
    tail = "tail " * 3000 + "end"
    document = f"x :careless:`{HUNDRED}` y :recovers:`b` :fails:`no` {tail}"
    problems: list[Any] = []
    html = careless.htmlize(as_text(document), plugin_errors="keep", report=problems.append)
    *starved, last = problems
    equal((last.role, last.status, last.message), ("fails", 1, "no" if last.message else ""))
    right = document.replace(":recovers:`b`", "b")
    if [problem.role for problem in starved] != ["careless"]:
        assert not starved
        right = right.replace(f":careless:`{HUNDRED}`", HUNDRED * 100)
    equal(html, as_text(f"<p>{right}</p>\n\n"))
    if starved:
        assert starved[0].status == 2
        raise loader.PluginError("as it should be")


DOCUMENTS: dict[str, Callable[[], object]] = {
    "a document": lambda: equal(app.htmlize(TEXT), HTML),
    "a document anew": lambda: equal(app.htmlize(f"{TEXT}."), HTML[:-6] + " .</p>\n\n"),
    "a document in bytes": lambda: equal(app.htmlize(TEXT.encode()), HTML.encode()),
    "contents hooks": lambda: equal(hooked.htmlize(TEXT), HOOKED),
    "a post": lambda: equal(app.htmlize(TEXT, Post(id=1, author="\u00e9", title="t")), HTML),
    "a document that grows": lambda: equal(careless.htmlize(f":careless:`{HUNDRED}`"), f"<p>{HUNDRED * 100}</p>\n\n"),
    "a document in bytes that grows": lambda: equal(
        careless.htmlize(f"a :careless:`{HUNDRED}`".encode()), f"<p>a {HUNDRED * 100}</p>\n\n".encode()
    ),
    "problems that are kept": lambda: keeps(str),
    "problems that are kept, in bytes": lambda: keeps(str.encode),
    "one role": lambda: equal(app.process_role("fatal", "\u00e9" * 400, None), "\u00e9" * 400),
    "one role that grows": lambda: equal(careless.process_role("careless", HUNDRED, None), HUNDRED * 100),
}
SCENES |= {name: Scene(play) for name, play in DOCUMENTS.items()}
