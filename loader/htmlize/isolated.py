"""Documents whose plugins are in processes of their own: the engine is opened there too, as one more plugin.

A document crosses once, whatever number of roles it has. What is not in that process (plugins of this one, plugins
that are not open yet) the engine asks for, one role at a time.
"""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from loader._core._call import limit_variable
from loader.contract import Contract
from loader.errors import CallCancelled, DeadlineExceeded, PluginCrashed, PluginError, TextError
from loader.htmlize.contract import HTMLIZE
from loader.load import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from loader.htmlize.post import Post
    from loader.isolation.pool import Pool
    from loader.plugin import Plugin

__all__ = ["IsolatedEngine", "open_documents"]

_ESCAPE, _KEEP, _ASCII, _LIMITED = 1, 2, 4, 8  # enum in documents.h
_HOOK: Final = 1 << 32
_NO_LIMIT: Final = (1 << 64) - 1
_numbers = itertools.count(1)
_logger = logging.getLogger("loader.htmlize")

Failure = tuple[str, "str | None", int, bool, int, str, "BaseException | None"]


def open_documents(workers: Pool) -> Plugin:
    """The engine, opened in these workers."""
    here = Path(__file__).parent
    contract = Contract.from_json((here / "documents.json").read_bytes(), believe=True)
    documents = load(here / "_documents" / "documents.so", contract=contract, workers=workers)
    workers.repeat_nothing(documents.owner)
    return documents


class IsolatedEngine:
    """What Engine is for plugins of this process: made for roles and hooks, and never changed.

    Args:
        documents: the engine, as a plugin (open_documents).
        workers: where it is open.
        roles: (name, plugin) of each; hooks: the plugins that change contents, in their order.
        limit: the most bytes that one answer may have, or None.
        used: called with plugin and role before a plugin is called from here.
    """

    def __init__(
        self,
        documents: Plugin,
        workers: Pool,
        roles: list[tuple[str, Plugin]],
        hooks: list[Plugin],
        limit: int | None,
        used: Callable[[Plugin, str], None],
    ) -> None:
        self._render = documents.functions["render"]
        self._roles, self._hooks, self._used = roles, hooks, used
        self._number = next(_numbers)
        places = [workers.path_there(plugin) or "-" for _, plugin in roles]
        most = _NO_LIMIT if limit is None else limit
        lines = [f"role\t{name}\t{place}\t{most}" for (name, _), place in zip(roles, places, strict=True)]
        self._setup = [*lines, *(f"hook\t{workers.path_there(plugin) or '-'}\t{most}" for plugin in hooks)]
        # Their functions as they are now; of a plugin that is not open yet, when it is wanted.
        self._process = {name: (plugin, plugin.__dict__.get("functions")) for name, plugin in roles}
        declared = {each.name: each for each in HTMLIZE.functions}
        called = ["process_role", *(["process_contents"] if hooks else [])]
        self._repeatable = all(workers.isolation.may_repeat(declared[name]) for name in called)
        #: Numbers of the roles and hooks that are called from here.
        self.away = {number for number, place in enumerate(places) if place == "-"}

    # ---- Single roles ----

    def process_role(self, role: str, text: str, post: Post | None = None) -> str:
        """One role, one call: what its plugin answers. Raises LookupError if no plugin has the role."""
        plugin, functions = self._process.get(role, (None, None))
        if plugin is None:
            known = ", ".join(self._process)
            raise LookupError(f"no plugin answers the role {role!r}; known roles: {known}")
        if functions is None:
            self._used(plugin, role)
            functions = plugin.functions
        try:
            return functions["process_role"](role, text, {} if post is None else post)  # type: ignore[no-any-return]
        except PluginError as error:
            error.where = f"in role {role!r}"
            raise

    # ---- Documents ----

    def render(self, text: Any, post: Post | None = None, escape: bool = False, *, keep: bool = False) -> Any:
        """The HTML of a document, and with `keep` the problems that it went on after; see Engine.render."""
        if isinstance(text, bytes):
            html = self.render(_decoded(text), post, escape, keep=keep)
            return (html[0].encode(), html[1]) if keep else html.encode()
        if not isinstance(text, str):
            raise TypeError(f"text must be str or bytes, not {type(text).__name__}")
        options = (_ESCAPE if escape else 0) | (_KEEP if keep else 0) | (_ASCII if text.isascii() else 0)
        if limit_variable.get(None) is not None:
            options |= _LIMITED
        there = _Elsewhere(self, post, text)
        html, problems = self._run(text, post, options, there)
        return (html, [self._kept(each, there) for each in problems]) if keep else html

    def _run(self, text: str, post: Post | None, options: int, there: _Elsewhere) -> Any:
        """A document; once more if its process died, and its plugins' functions may be called twice."""
        try:
            return self._try(text, post, options, there)
        except PluginCrashed as error:
            if not self._repeatable or (error.signal is None and error.exit_status is None):
                raise
            _logger.warning("%s; the document is turned once more", error)
        there.failures.clear()
        return self._try(text, post, options, there)

    def _try(self, text: str, post: Post | None, options: int, there: _Elsewhere) -> Any:
        numbers = memoryview(bytearray(32)).cast("Q")
        arguments: tuple[Any, ...] = ({} if post is None else post, self._number)
        try:
            try:
                return self._render(text, *arguments, (), options, there, numbers)
            except PluginError as error:
                if error.status != 3 or error.message != "unknown":
                    raise
            return self._render(text, *arguments, self._setup, options, there, numbers)
        except (PluginCrashed, DeadlineExceeded, CallCancelled) as error:
            if "\n" in error.message and not isinstance(error, PluginCrashed):
                raise self._failure(error) from error.__cause__
            raise self._ended(error, numbers) from None
        except PluginError as error:
            if error.message.partition("\n")[1]:
                raise self._failure(error) from error.__cause__
            raise

    def _whose(self, role: int, hook: int) -> tuple[Plugin | None, str | None, str]:
        """A plugin, its role (None: its contents hook) and its function, by the engine's numbers."""
        if 0 <= role < len(self._roles):
            name, plugin = self._roles[role]
            return plugin, name, "process_role"
        if 0 <= hook < len(self._hooks):
            return self._hooks[hook], None, "process_contents"
        return None, None, "render"

    def _kept(self, problem: Any, there: _Elsewhere) -> Failure:
        plugin, role, _ = self._whose(problem.role, problem.hook)
        name = "htmlize" if plugin is None else plugin.name
        place = problem.offset, bool(problem.rewritten)
        if problem.role in self.away and there.failures:  # what it was before it crossed
            error = there.failures.pop(0)
            return name, role, *place, error.status, error.message, error.__cause__
        return name, role, *place, problem.status, problem.message, None

    def _failure(self, error: PluginError) -> PluginError:
        """The failure that ended a document, as the engine of this process would raise it."""
        first, _, message = error.message.partition("\n")
        role, hook, offset, rewritten = (int(part) for part in first.split(" "))
        plugin, name, function = self._whose(role, hook)
        cause = error.__cause__
        if isinstance(cause, PluginError) and cause.plugin == (None if plugin is None else plugin.name):
            found: PluginError = cause  # it is one of this process, or was opened just now
        else:
            found = type(error).__new__(type(error), message)
            found.__dict__ = {"status": error.status, "message": message}
            found.__cause__ = cause
        if plugin is None:
            found.path, found.plugin, found.function = "", "htmlize", None
        else:
            found.path, found.plugin, found.function = plugin.path, plugin.name, function
        if name is not None:
            of = "the text after the contents hooks" if rewritten else "the document"
            found.where = f"in role {name!r} at byte {offset} of {of}"
        found.__dict__.pop("what", None)
        return found

    def _ended(self, error: PluginError, trail: memoryview) -> PluginError:
        """A document whose process ended, or was ended: the breadcrumb says in which plugin."""
        number = trail[0]
        role, hook = (number - 1, -1) if number < _HOOK else (-1, number - 1 - _HOOK)
        plugin, name, function = self._whose(role, hook)
        if plugin is not None:
            if name is not None:
                of = "the text after the contents hooks" if self._hooks else "the document"
                error.where = f"in role {name!r} at byte {trail[2]} of {of}"
            if isinstance(error, PluginCrashed):
                place = function if error.where is None else f"{function} {error.where}"
                words = error.what.replace(f"plugin {error.plugin}", f"plugin {plugin.name}", 1)
                error.what = words.replace(f" in {error.function}", f" in {place}", 1)
            else:
                error.__dict__.pop("what", None)
            error.path, error.plugin, error.function = plugin.path, plugin.name, function
        return error


class _Elsewhere:
    """Answers for roles and hooks of plugins that the engine cannot call itself. One for each document."""

    def __init__(self, engine: IsolatedEngine, post: Post | None, text: str) -> None:
        self._engine, self._post, self._text = engine, post, text
        self.failures: list[PluginError] = []

    def _told(self) -> Any:
        """The post; its contents are the text where it has none."""
        post = self._post
        if post is None:
            return {"contents": self._text}
        if getattr(post, "contents", ""):
            return post
        return {name: getattr(post, name) for name in ("id", "author", "title")} | {"contents": self._text}

    def process_role(self, role: int, text: str) -> str:
        name, plugin = self._engine._roles[role]  # noqa: SLF001 - a part of it
        self._engine._used(plugin, name)  # noqa: SLF001
        try:
            return plugin.functions["process_role"](name, text, self._told())  # type: ignore[no-any-return]
        except PluginError as error:
            self.failures.append(error)
            raise

    def process_contents(self, hook: int, contents: str) -> str:
        plugin = self._engine._hooks[hook]  # noqa: SLF001
        return plugin.functions["process_contents"](contents, self._told())  # type: ignore[no-any-return]


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TextError(
            f"byte {error.start} of the text (0x{data[error.start]:02x}) is not valid UTF-8",
            offset=error.start,
            cure='Say errors="replace", or decode it from its own encoding',
        ) from None
