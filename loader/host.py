"""Host: an application's side of a contract: policy, services, the plugins loaded, the failures met."""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from loader._core._call import Owner
from loader.again import untold
from loader.discover import find
from loader.errors import HandshakeError, LoaderError, RegistryError
from loader.events import tell_failure
from loader.limits import output_limit
from loader.load import FolderLibraries, check_kinds, load, read_plugin
from loader.registry import Registry, file_at
from loader.services import ServiceTable
from loader.trust import DEFAULT_POLICY
from loader.trust.identity import plugin_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from loader._core._call import Instance
    from loader.contract import Contract, Service
    from loader.isolation.pool import Pool
    from loader.isolation.settings import Isolation
    from loader.observe.process_state import StateWatch
    from loader.observe.survey import SurveyRow
    from loader.plugin import Plugin, SelfTest
    from loader.trust import Policy
    from loader.trust.quarantine import Quarantine
    from loader.watch import Watch

__all__ = ["Host"]


class Host:
    """Holds a contract, what is lent to plugins, the plugins loaded, and the failures met.

    Several hosts, with different contracts or versions of one, live side by side in a process.

    Args:
        contract: what plugins of this host implement.
        policy: what must hold of a file before its code runs.
        services: id -> object, each handed to :meth:`provide`.
        strict: refuse what is otherwise settled with a warning (two plugins for one claim, a second Go
            runtime, with `debug` a plugin that changes the process's state), and let :meth:`load_all` raise
            the first failure.
        max_output: the most bytes that one call of a plugin may write; None: no limit but memory.
        quarantine: report of :func:`loader.crash.enable`, or several; it is read now, and a file that crashed
            an earlier process is refused.
        isolation: open plugins in processes of their own, which are set up like that. None: those for which the
            policy asks it, and no others.
        together: those of all plugins are the same; otherwise each plugin has its own.
        debug: look before and after the load and each call of a plugin whether it changed the state of the
            process; slow. See :mod:`loader.process_state`.
        self_test: what new code of a plugin is tried with before it replaces the old, where :meth:`reload` is given
            none; see :meth:`loader.Plugin.reload`.

    Raises TypeError for what is no contract or policy, ValueError for a `max_output` that is no number of bytes,
    IsolationError where plugins can have no process of their own.
    """

    def __init__(
        self,
        contract: Contract,
        *,
        policy: Policy | None = None,
        services: Mapping[str, Any] | None = None,
        strict: bool = False,
        max_output: int | None = None,
        quarantine: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
        debug: bool = False,
        isolation: Isolation | None = None,
        together: bool = False,
        self_test: SelfTest | None = None,
    ) -> None:
        check_kinds(contract, policy)
        #: How plugins are opened in processes of their own; None: they are opened in this one.
        self.isolation = isolation
        self._together = together
        #: The processes that all isolated plugins share, if they do and there are some.
        self.workers: Pool | None = None
        self.contract = contract
        if isolation is not None:
            isolation.check_names(contract)
            self._placed(True)  # what keeps plugins from having processes is said now
        self._policy = policy or DEFAULT_POLICY
        self.strict = strict
        self.max_output = max_output
        self.quarantine: Quarantine | None = None
        self.state_watch: StateWatch | None = None
        if quarantine is not None:
            from loader.trust.quarantine import Quarantine  # noqa: PLC0415 - where it is wanted

            self.quarantine = Quarantine(quarantine)
        if debug:
            from loader.observe.process_state import StateWatch  # noqa: PLC0415 - as above

            self.state_watch = StateWatch(strict=strict)
        self.registry = Registry(strict=strict)
        self.self_test = self_test
        #: Called when a plugin has been reloaded, by :meth:`reload`, :meth:`watch` or itself. If it raises, that has
        #: failed.
        self.on_reload: Callable[[], object] | None = None
        #: What :meth:`load_all` could not load, in the order met.
        self.failures: list[LoaderError] = []
        self._services = ServiceTable(contract.services)
        for name, service in (services or {}).items():
            self.provide(name, service)

    @property
    def policy(self) -> Policy:
        """What must hold of a file before its code runs. A stricter one can be assigned; others raise
        TrustError.
        """
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._policy.check_kept_by(policy)
        self._policy = policy

    @property
    def max_output(self) -> int | None:
        """The most bytes that one call may write, of plugins that are loaded from now on. Raises ValueError."""
        return self._max_output

    @max_output.setter
    def max_output(self, max_output: int | None) -> None:
        self._max_output = output_limit(max_output)

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """The plugins loaded, in order."""
        return self.registry.plugins

    def provide(self, id: str, service: Any, *, declaration: Service | None = None) -> None:
        """Lends a service to this host's plugins, those loaded already included.

        Args:
            id: name and major version, "app.db/1".
            service: an object (or dict) with a function for each that the service's struct declares, or the
                address of a C table of that struct (an int or a cffi pointer, which is kept alive).
            declaration: the service's form, if the contract's header does not declare it: an element of
                ``Contract.services`` of another contract.

        A function receives a str, bytes, int or dict (of a struct's fields) for each parameter and returns
        what the result parameter holds; without one, a str or bytes that is written to the plugin's output,
        or None. It runs on the thread of the plugin's call. What it raises reaches the plugin as a failure
        with the exception's text, and becomes the cause of the PluginError if the plugin fails because of it.
        Raises ServiceError.
        """
        self._services.provide(id, service, declaration)

    def load(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        claims: Callable[[Plugin], Iterable[str]] | None = None,
        lazy: bool = False,
        isolated: bool | None = None,
    ) -> Plugin:
        """Loads a plugin file and enters it in the registry; see :func:`loader.load` for what it raises.

        `claims` asks the loaded plugin what it takes part in. If it raises, the plugin is not entered.
        `lazy`: the result is a :class:`loader.lazy.LazyPlugin`, which is opened, and may fail, at its first use.
        `isolated`: whether it has a process of its own, or that of this host's plugins; None: as the host was told.
        The policy may ask for one all the same.

        A file that is loaded once more, by another path or link too, is the plugin that it is already, unless its
        bytes have changed or another `name` is given. All that is asked of it is asked again.
        """
        plugin = self._lazy(path, name, isolated) if lazy else self._open(path, name, isolated)
        file = file_at(plugin.path)
        for known in self.registry.of_file(file):
            if name in (None, known.name) and self._is_same(known, plugin):
                _drop(plugin, known)
                return known
        vars(plugin)["_reload"] = partial(self._reload, claims=claims)
        try:
            return self.registry.add(plugin, () if claims is None else claims(plugin), file=file)
        except LoaderError as error:
            tell_failure("failed", plugin.name, plugin.path, error)
            _drop(plugin, None)
            raise

    def _placed(self, isolated: bool | None) -> tuple[Isolation | None, Pool | None]:
        """Where a plugin is opened: how its own process is set up, or the processes that all share. None, None: here,
        unless the policy asks for more.
        """
        if not (self.isolation is not None if isolated is None else isolated):
            return None, None
        from loader.isolation.settings import Isolation, check_available  # noqa: PLC0415 - where it is wanted

        check_available()
        return self.isolation or Isolation(), self.shared_workers() if self._together else None

    def shared_workers(self) -> Pool:
        """The processes that isolated plugins of this host share, where they do (`together`); made now, if need be.

        Raises IsolationError.
        """
        if self.workers is None:
            from loader.isolation.pool import Pool  # noqa: PLC0415 - where it is wanted
            from loader.isolation.settings import Isolation  # noqa: PLC0415 - as above

            self.workers = Pool(self.isolation or Isolation(), self.contract.name, "")
        return self.workers

    def _is_same(self, known: Plugin, plugin: Plugin) -> bool:
        """Whether a plugin that is entered has the bytes of the one that was just loaded from its file."""
        digest: str | None = vars(plugin).get("digest")
        if digest is None:  # a lazy one, which is not opened for that
            if "digest" not in vars(known):
                return True  # whatever the file has when it is opened, both would have it
            with suppress(LoaderError):
                digest = read_plugin(plugin.path, self.policy).digest
        return known.digest == digest

    def _lazy(self, path: str | os.PathLike[str], name: str | None, isolated: bool | None) -> Plugin:
        from loader.lazy import LazyPlugin  # noqa: PLC0415 - where it is wanted

        path = os.path.abspath(path)
        stand_in = Owner(name or plugin_name(path), path, self._services.native, self.max_output)
        return LazyPlugin(path, self.contract, lambda: self._open(path, name, isolated), stand_in)

    def _open(
        self,
        path: str | os.PathLike[str],
        name: str | None,
        isolated: bool | None,
        road: Callable[..., Plugin] | None = None,
    ) -> Plugin:
        isolation, workers = self._placed(isolated)
        with nullcontext() if self.state_watch is None else self.state_watch.load(path):
            plugin = (road or load)(
                path,
                contract=self.contract,
                policy=self.policy,
                name=name,
                services=self._services.native,
                max_output=self.max_output,
                quarantine=self.quarantine,
                one_go=self.strict,
                isolation=isolation,
                workers=workers,
                shared=self.shared_workers if self._together else None,
            )
        if self.state_watch is not None:
            self.state_watch.add(plugin)
        return plugin

    # ---- While it runs ----

    def reload(
        self,
        name: str,
        *,
        path: str | os.PathLike[str] | None = None,
        self_test: SelfTest | None = None,
        move: Iterable[Instance] = (),
    ) -> Plugin:
        """Reloads the plugin of this name (of several, the last loaded): see :meth:`loader.Plugin.reload`.

        Raises RegistryError if there is none.
        """
        named = [plugin for plugin in self.plugins if plugin.name == name]
        if not named:
            from loader.cures import did_you_mean  # noqa: PLC0415 - only wanted here

            names = [plugin.name for plugin in self.plugins]
            known = ", ".join(names) or "none"
            raise RegistryError(
                f"no plugin is named {name}", plugin=name, found=known, cure=did_you_mean(name, names)
            )
        return named[-1].reload(path, self_test=self_test, move=move)

    def _reload(
        self,
        plugin: Plugin,
        path: str | os.PathLike[str] | None,
        self_test: SelfTest | None,
        move: Iterable[Instance],
        *,
        claims: Callable[[Plugin], Iterable[str]] | None,
    ) -> None:
        """What a plugin of this host does when it is reloaded."""
        from loader.reload import reload  # noqa: PLC0415 - where it is wanted

        reload(
            plugin,
            path,
            self.self_test if self_test is None else self_test,
            move,
            open=lambda path: self._open(path, plugin.name, _is_isolated(plugin), untold(load)),
            claims=claims,
            registry=self.registry,
            settle=self.on_reload,
        )

    def watch(self, interval: float | None = 1.0, *, self_test: SelfTest | None = None) -> Watch:
        """Reloads plugins whose files change, until the result's ``close()`` or the end of its ``with``.

        A file is read when two looks, `interval` seconds apart, found it the same, so not while it is written without
        a longer pause. What fails is logged under "loader.watch" and told :mod:`loader.health`; the old code goes on
        until the file changes again. Plugins that are not opened yet stay so. `interval` None: nobody looks but
        who calls :meth:`loader.Watch.step`. See :class:`loader.Watch`.
        """
        from loader.watch import Watch  # noqa: PLC0415 - where it is wanted

        return Watch(self, interval, self_test=self_test)

    def survey(self, timeout: float = 1.0) -> list[SurveyRow]:
        """How each plugin of this host does, in order: a row each, within `timeout` seconds.

        Workers are asked all at once; of one that does not answer in time the row says so. In this process there is
        nothing to ask. Plugins that are not opened yet are not opened by it.
        """
        from loader.observe.survey import survey  # noqa: PLC0415 - where it is wanted

        return survey(self.plugins, timeout)

    def load_all(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
        *,
        entry_points: str | None = None,
        environment: str | None = None,
        claims: Callable[[Plugin], Iterable[str]] | None = None,
        lazy: bool = False,
    ) -> list[Plugin]:
        """Loads all that :func:`loader.discover` finds, in its order, each once. Entry points that only code can
        tell are imported.

        With `lazy` each is opened at its first use; see :meth:`load`. A file that fails is noted in
        :attr:`failures` and does not stop the others, unless the host is strict. A library in a searched folder that
        one of its plugins needs is passed over (with `lazy`, which reads no file that it need not, if its name begins
        with "lib").
        """
        loaded: dict[Plugin, None] = {}
        places = find(paths, entry_points=entry_points, environment=environment)
        libraries = FolderLibraries(places)
        for place in places:
            try:
                if place.error is not None:
                    raise place.error
                if lazy and os.path.basename(place.path).startswith("lib") and libraries.needed_by(place):
                    continue
                loaded[self.load(place.path, claims=claims, lazy=lazy)] = None
            except LoaderError as error:
                if isinstance(error, HandshakeError) and error.path == place.path and libraries.needed_by(place):
                    continue
                if self.strict:
                    raise
                self.failures.append(error)
        return list(loaded)

    def __repr__(self) -> str:
        return f"<host of {self.contract}, {len(self.plugins)} plugins>"


def _is_isolated(plugin: Plugin) -> bool | None:
    """Whether a plugin is in another process; None: it is not open yet."""
    state = vars(plugin)
    return state.get("worker") is not None if "functions" in state else None


def _drop(plugin: Plugin, known: Plugin | None) -> None:
    """A plugin that is not entered has no use for its process."""
    worker = vars(plugin).get("worker")
    if worker is not None and worker.is_shared:
        worker.forget(plugin.owner)
    elif worker is not None and (known is None or worker is not vars(known).get("worker")):
        worker.close()
