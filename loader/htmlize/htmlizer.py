"""Htmlizer: plugins on one side, documents on the other, the C engine between.

A document goes: Python -> C engine once -> plugins, straight through function pointers -> back.
"""

from __future__ import annotations

import codecs
import logging
import os
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from weakref import WeakSet

from loader.cache import AnswerCache
from loader.contract.layout import layout_of
from loader.errors import HandshakeError, IsolationError, LoaderError, RegistryError, TextError
from loader.host import Host
from loader.htmlize._engine import Engine
from loader.htmlize.contract import HTMLIZE
from loader.htmlize.hooks import read_hooks
from loader.htmlize.post import Post
from loader.htmlize.posts import POSTS
from loader.lazy import LazyPlugin
from loader.plugin import address_of
from loader.trust import may_isolate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from loader._core._call import Owner
    from loader.isolation.pool import Pool
    from loader.isolation.settings import Isolation
    from loader.plugin import Plugin
    from loader.trust import Policy

__all__ = ["Htmlizer", "Problem", "shipped_plugins"]

_logger = logging.getLogger("loader.htmlize")
_NO_POST = Post()
_POST = layout_of(HTMLIZE.struct("htmlize_post"))

Text = TypeVar("Text", str, bytes)


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin's failure in a document that went on without it.

    `role` is None for a contents hook. `offset` counts bytes, from the start of the document or, if
    `rewritten`, of the text that contents hooks made of it. `cause` is what a service raised, or None.
    """

    plugin: str
    role: str | None
    offset: int
    rewritten: bool
    status: int
    message: str
    cause: BaseException | None = None

    def __str__(self) -> str:
        what = "changing the contents" if self.role is None else f"in role {self.role!r} at byte {self.offset}"
        return f"plugin {self.plugin} failed {what}: {self.message or f'status {self.status}'}"


class Htmlizer:
    """Turns documents into HTML with a set of plugins. Safe to use from several threads.

    Args:
        plugins: folders and files to load, in order (a folder's files by name); None: the plugins that ship
            with the package, tt and narcissist.
        posts: an object with ``title(id) -> str``, lent to plugins as the service "htmlize.posts/1".
        services: further services, by id; see :meth:`loader.Host.provide`.
        policy: what must hold of a plugin file before its code runs.
        quarantine: report of :func:`loader.crash.enable`, or several; a file that crashed an earlier process
            is refused.
        lazy: open a plugin when one of its roles is used for the first time. What it answers for is cached by
            the file's digest in the user's cache folder (loader/cache.py), so only files that are new there,
            and plugins that change contents, are opened now. What keeps a plugin from being opened (TrustError,
            LibraryError, ...) is raised by the document that wants it.
        strict: refuse two plugins for one role, and raise the first failure to load instead of noting it.
        max_output: the most bytes that one answer of a plugin may have.
        isolation: open the plugins in a process of their own, which they share with the engine: a document crosses
            once. None: those for which the policy asks it. With `on_crash="retry"` a document whose process died is
            turned once more if process_role and process_contents are said to be `repeatable`.
    """

    def __init__(
        self,
        plugins: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
        *,
        posts: object = None,
        services: Mapping[str, Any] | None = None,
        policy: Policy | None = None,
        quarantine: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
        lazy: bool = False,
        strict: bool = False,
        max_output: int | None = None,
        isolation: Isolation | None = None,
    ) -> None:
        lent = dict(services or {})
        if posts is not None:
            lent[POSTS] = posts
        self.host = Host(
            HTMLIZE,
            policy=policy,
            services=lent,
            strict=strict,
            max_output=max_output,
            quarantine=quarantine,
            isolation=isolation,
            together=True,
        )
        self._documents: Plugin | None = None
        #: By path and digest: new code of a plugin that is reloaded is asked before it is the plugin's.
        self._changes_contents: set[tuple[str, str | None]] = set()
        self._confirmed: WeakSet[Plugin] = WeakSet()
        self._answers = AnswerCache(f"{HTMLIZE.name}-{HTMLIZE.major}-hooks") if lazy else None
        self.host.load_all(shipped_plugins() if plugins is None else plugins, claims=self._claims, lazy=lazy)
        if self._answers is not None:
            self._answers.save()
        self._build()
        self.host.on_reload = self._build

    @classmethod
    def from_directory(cls, folder: str | os.PathLike[str], **options: Any) -> Htmlizer:
        """An Htmlizer with all plugins of a folder, by file name. Options as for the class.

        Files that cannot be loaded are noted in :attr:`failures`; raises PluginNotFound if there is no such
        folder.
        """
        app = cls(plugins=[folder], **options)
        for failure in app.failures:
            if failure.path == os.path.abspath(folder):
                raise failure
        return app

    # ---- Plugins ----

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """The plugins loaded, in order."""
        return self.host.plugins

    @property
    def failures(self) -> list[LoaderError]:
        """What could not be loaded, with reason and cure."""
        return self.host.failures

    @property
    def roles(self) -> dict[str, Plugin]:
        """Role name -> the plugin that answers it."""
        return {claim.removeprefix("role:"): plugin for claim, plugin in self.host.registry.claims.items()}

    @property
    def contents_hooks(self) -> tuple[Plugin, ...]:
        """The plugins that change contents, in the order in which they do."""
        return tuple(plugin for plugin in self.plugins if _code_of(plugin) in self._changes_contents)

    def load(self, path: str | os.PathLike[str], *, isolated: bool | None = None) -> Plugin:
        """Loads one more plugin; documents that are being rendered now go on without it.

        `isolated`: whether it is opened in the process of isolated plugins; None: as the others. Both kinds work
        in one document; a role of the other kind costs a message there and one back.

        Raises what :func:`loader.load` raises, RegistryError for hooks that are malformed or taken, and
        PluginError if ``hooks`` fails.
        """
        before = self.plugins
        plugin = self.host.load(path, claims=self._claims, isolated=isolated)
        try:
            self._build()
        except BaseException:
            if plugin not in before:
                self.host.registry.remove(plugin)
            raise
        return plugin

    def reload(self, name: str) -> Plugin:
        """Puts what a plugin's file holds now in the place of what was loaded: see :meth:`loader.Host.reload`.

        Its roles and hooks are those of the new code; documents that are being rendered now end with the old one.
        ``app.host.watch()`` does so whenever a file changes. Raises what :meth:`load` raises, and RegistryError for a
        name that no plugin has.
        """
        return self.host.reload(name)

    def _claims(self, plugin: Plugin) -> list[str]:
        """What a plugin takes part in: its ``hooks``, checked."""
        remembers = self._answers is not None and isinstance(plugin, LazyPlugin)  # others are open: they are asked
        cached = self._answers.recall(plugin.path) if self._answers is not None and remembers else None
        if cached is not None:
            try:
                roles, contents = read_hooks(plugin, cached)
            except RegistryError:  # what was cached is damaged
                contents = True
            if not contents:
                return roles
        hooks = plugin.functions["hooks"]()
        roles, contents = read_hooks(plugin, hooks)
        if self._answers is not None:
            self._answers.keep(plugin.path, plugin.digest, hooks)
        for function, wanted in (("process_role", bool(roles)), ("process_contents", contents)):
            if wanted and function not in plugin.functions:
                raise HandshakeError(
                    "does not have what its hooks promise",
                    path=plugin.path,
                    plugin=plugin.name,
                    function=function,
                    expected=f"an exported function {function}",
                    found="none",
                    cure="Define it with C linkage and default visibility, or leave the hook out",
                )
        if contents:  # noted of a plugin that may still be refused: the registry decides what counts
            self._changes_contents.add(_code_of(plugin))
        return roles

    def _build(self) -> None:
        """A new engine for the plugins that there are now. Engines never change, so documents need no lock."""
        plugins = None
        while plugins is not self.plugins:  # another thread has loaded one: its engine and ours lack each other's
            plugins = self.plugins
            workers = self._workers()
            if workers is not None:
                self._build_isolated(workers)
                continue
            roles = [self._entry(name, plugin) for name, plugin in self.roles.items()]
            contents = [_bound(plugin, "process_contents") for plugin in self.contents_hooks]
            engine = Engine(roles, contents, _POST)
            process_role = engine.process_role
            self._detours = 0
            self._render: Any = engine.render
            #: ``process_role(role, text, post) -> str``: one role, one call. LookupError if no plugin has it.
            self.process_role: Callable[[str, str, Post], str] = process_role

    def _workers(self) -> Pool | None:
        """Where the engine is to be, if not here: with a plugin that is in another process, or may come there."""
        if self.host.isolation is None and not any(plugin.worker for plugin in self.plugins):
            closed = any(isinstance(plugin, LazyPlugin) and not plugin.opened for plugin in self.plugins)
            if not (closed and may_isolate(self.host.policy)):
                return None
        try:
            return self.host.shared_workers()
        except IsolationError:  # there can be none here: whoever opens such a plugin is told
            return None

    def _build_isolated(self, workers: Pool) -> None:
        from loader.htmlize.isolated import IsolatedEngine, open_documents  # noqa: PLC0415 - where it is wanted

        if self._documents is None:
            self._documents = open_documents(workers)
        roles, hooks = list(self.roles.items()), list(self.contents_hooks)
        engine = IsolatedEngine(self._documents, workers, roles, hooks, self.host.max_output, self._note_use)
        self._detours = 0
        self._render = engine.render
        self.process_role = engine.process_role

    def _note_use(self, plugin: Plugin, role: str) -> None:
        """A plugin is called from here. One that was not open is asked first, and joins the others before long."""
        if isinstance(plugin, LazyPlugin) and plugin not in self._confirmed:
            self._confirm(plugin, role)
            self._build()

    def _entry(self, name: str, plugin: Plugin) -> tuple[str, Owner, int | Callable[[str], tuple[Owner, int]]]:
        """What the engine is told of a role: whose it is, and the function's address or who finds it."""
        if isinstance(plugin, LazyPlugin) and not plugin.opened:
            return name, plugin.stand_in, partial(self._function_of, plugin)
        return name, *_bound(plugin, "process_role")

    def _function_of(self, plugin: LazyPlugin, role: str) -> tuple[Owner, int]:
        """Who answers a role whose plugin was not open when the engine was made. Called by the engine, on a
        document's thread.
        """
        if plugin not in self._confirmed:
            self._confirm(plugin, role)
        if plugin.worker is not None:  # asked for since the engine was made, which only calls what is in this process
            self._build()
            raise IsolationError(
                "was opened in a process of its own while a document was under way",
                path=plugin.path,
                plugin=plugin.name,
                cure="Turn the document once more: the next ones find it there",
            )
        # This detour costs a microsecond or two in each call, a new engine a few for each role: it is made when as
        # much was spent on detours, so that to open n plugins, one by one, takes n steps and not n times n.
        self._detours += 1
        if self._detours * 2 >= len(self.host.registry.plugins):
            self._build()
        return _bound(plugin, "process_role")

    def _confirm(self, plugin: LazyPlugin, role: str) -> None:
        """Opens it, and asks it whether it has the hooks that are cached for it."""
        hooks = plugin.functions["hooks"]()
        roles, contents = read_hooks(plugin, hooks)
        if self._answers is not None:
            self._answers.keep(plugin.path, plugin.digest, hooks)
            self._answers.save()
        if contents or f"role:{role}" not in roles or "process_role" not in plugin.functions:
            raise RegistryError(
                "does not have the hooks that are cached for it",
                path=plugin.path,
                plugin=plugin.name,
                expected=f"role:{role}",
                found=hooks,
                cure="Begin with a new Htmlizer: it asks the plugin",
            )
        self._confirmed.add(plugin)

    # ---- Documents ----

    def htmlize(
        self,
        text: Text,
        post: Post = _NO_POST,
        # No "*" here: CPython looks up the default of each keyword-only argument in a dict, in each call: that was a
        # sixth of a small document's time.
        escape: bool = False,
        errors: str = "strict",
        plugin_errors: Literal["raise", "keep"] = "raise",
        report: Callable[[Problem], object] | None = None,
    ) -> Text:
        """One document as HTML: str gives str, bytes give bytes. Name the options: their order may change.

        Args:
            text: the document; bytes are UTF-8.
            post: what it belongs to.
            escape: write ``&``, ``<``, ``>`` and quotes outside of plugins' answers as entities. A plugin gets
                the raw text of its role, and its answer is left alone.
            errors: what to do with text that is not valid Unicode, as in Python's codecs ("strict", "replace").
            plugin_errors: "raise", or "keep": a role whose plugin fails stays as it stood.
            report: called with a :class:`Problem` for each failure that was kept; None: a warning is logged.

        Raises TextError with the offset of what is not valid, PluginError with plugin, role and offset, ValueError
        for `errors` and `plugin_errors` that there are not, CallCancelled or DeadlineExceeded if a limit stops it.
        """
        if errors != "strict":
            _check_codec_errors(errors)
            text = _repair(text, errors)
        try:
            if plugin_errors == "raise":
                rendered: Text = self._render(text, post, escape)
                return rendered
            if plugin_errors != "keep":
                raise ValueError(f"plugin_errors is 'raise' or 'keep', not {plugin_errors!r}")
            kept: Text
            kept, problems = self._render(text, post, escape, keep=True)
        except UnicodeEncodeError as error:
            raise TextError(
                f"the text is not valid Unicode: {error.reason}",
                offset=error.start,
                found=f"character {error.start}",
                cure='Mend the text, or pass errors="replace"',
            ) from None
        for problem in problems:
            self._report(Problem(*problem), report)
        return kept

    @staticmethod
    def _report(problem: Problem, report: Callable[[Problem], object] | None) -> None:
        if report is None:
            _logger.warning("%s", problem)
        else:
            report(problem)

    def __repr__(self) -> str:
        return f"<Htmlizer with {', '.join(plugin.name for plugin in self.plugins) or 'no plugins'}>"


def _code_of(plugin: Plugin) -> tuple[str, str | None]:
    """What tells the code of a plugin, which may be reloaded; one that is not opened yet is not opened by it."""
    state = vars(plugin)
    return state["path"], state.get("digest")


def _bound(plugin: Plugin, name: str) -> tuple[Owner, int]:
    """Of one state: the plugin may be reloaded between two questions."""
    function = plugin.functions[name]
    return function.__self__.owner, address_of(function)


def _check_codec_errors(errors: str) -> None:
    """Raises ValueError for a name that no codec knows, also where the text is valid and it would not be met."""
    try:
        codecs.lookup_error(errors)
    except (LookupError, TypeError):
        known = "'strict', 'replace', 'ignore', 'backslashreplace' or another name that Python's codecs know"
        raise ValueError(f"errors is {known}, not {errors!r}") from None


def _repair(text: Text, errors: str) -> Text:
    if isinstance(text, bytes):
        return text.decode("utf-8", errors).encode()
    return text.encode("utf-8", errors).decode()


def shipped_plugins() -> list[str]:
    """The files of the plugins that come with the package: tt and narcissist."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "plugins")
    suffix = {"win32": ".dll", "cygwin": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    return [os.path.join(folder, name + suffix) for name in ("narcissist", "tt")]
