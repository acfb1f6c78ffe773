"""What a Python system tells the worker about itself: how to call, fail, be called back and render."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP))

import documents  # noqa: E402
import reference  # noqa: E402

Loop = Callable[[int], object]


@dataclass
class Peer:
    """One opened system.

    Args:
        process_role: how an application calls role tt: (role, text, post) -> str.
        post: what stands for post 42 by Joe in this system.
        failing: (callable, arguments, exception): a call that fails, and how its failure arrives.
        callback: runs n calls of a plugin into the host, inside one call of the plugin.
        called_back: what the plugin saw in the last callback, for the check.
        htmlize: text -> HTML; None: the plain host of reference.py around process_role.
        many_roles: the same with 1,000 roles registered.
        loops: job -> a loop of its own, for systems that are not called from Python.
        answers: job -> what the check is told, for those.
        close: ends the system.
    """

    process_role: Callable[[str, str, Any], str] = reference.tt
    post: Any = None
    failing: tuple[Callable[..., object], tuple[Any, ...], type[BaseException]] | None = None
    callback: Callable[[int], str] | None = None
    htmlize: Callable[[str], str] | None = None
    many_roles: Callable[[str], str] | None = None
    loops: dict[str, Loop] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    close: Callable[[], object] = lambda: None
    registered: dict[str, Callable[..., str]] = field(default_factory=dict)  # roles-1000, once asked for

    def render(self, text: str) -> str:
        """A whole document."""
        if self.htmlize is not None:
            return self.htmlize(text)
        return reference.htmlize(text, {"tt": self.process_role}, self.post)

    def render_many(self, text: str) -> str:
        """A whole document with 1,000 roles registered."""
        if self.many_roles is not None:
            return self.many_roles(text)
        if not self.registered:
            self.registered = {f"role_{number}": self.process_role for number in range(999)}
            self.registered["tt"] = self.process_role
        return reference.htmlize(text, self.registered, self.post)


def loop_of(peer: Peer, job: str, texts: dict[str, Any]) -> Loop:
    """The loop that is timed: n runs of the job. Locals are bound once, as in any hot loop."""
    if job in peer.loops:
        return peer.loops[job]
    if job in documents.CALL_TEXTS:
        return _calls(peer.process_role, documents.ROLE, documents.CALL_TEXTS[job], peer.post)
    if job == "error":
        assert peer.failing is not None
        return _failures(*peer.failing)
    if job == "callback":
        assert peer.callback is not None
        return peer.callback
    if job == "document-small":
        return _small(peer.render, texts["small"])
    if job == "document-small-joined":
        return _documents(peer.render, texts["small-joined"])
    if job == "roles-1000":
        return _documents(peer.render_many, texts["dense"])
    return _documents(peer.render, texts["prose" if job == "document-prose" else "dense"])


def _calls(function: Callable[..., object], role: str, text: str, post: object) -> Loop:
    def loop(count: int) -> None:
        called, first, second, third = function, role, text, post  # a closure's variables are no locals
        for _ in repeat(None, count):
            called(first, second, third)

    return loop


def _failures(function: Callable[..., object], arguments: tuple[Any, ...], error: type[BaseException]) -> Loop:
    def loop(count: int) -> None:
        for _ in repeat(None, count):
            try:  # noqa: SIM105  (a context manager would cost more than the call)
                function(*arguments)
            except error:
                pass

    return loop


def _documents(render: Callable[[str], str], text: str) -> Loop:
    def loop(count: int) -> None:
        for _ in repeat(None, count):
            render(text)

    return loop


def _small(render: Callable[[str], str], posts: list[str]) -> Loop:
    def loop(count: int) -> None:
        done = 0
        while done < count:
            part = posts[: count - done]
            for text in part:
                render(text)
            done += len(part)

    return loop


def answer_of(peer: Peer, job: str, texts: dict[str, Any]) -> str:
    """What the system answers to a job, for the check."""
    if job in peer.answers:
        return peer.answers[job]
    if job in documents.CALL_TEXTS:
        return peer.process_role(documents.ROLE, documents.CALL_TEXTS[job], peer.post)
    if job == "error":
        assert peer.failing is not None
        function, arguments, error = peer.failing
        try:
            function(*arguments)
        except error as failure:
            # Some wrap the plugin's words in their own ("rpc error: … desc = …", a traceback).
            return documents.ERROR if documents.ERROR in str(failure) else str(failure)
        return "it did not fail"
    if job == "callback":
        assert peer.callback is not None
        return peer.callback(3)
    if job == "document-small":
        return "\0".join(map(peer.render, texts["small"][:50]))
    if job == "document-small-joined":
        return peer.render(texts["small-joined"])
    if job == "roles-1000":
        return peer.render_many(texts["dense"])
    return peer.render(texts["prose" if job == "document-prose" else "dense"])
