"""Library -> Plugin: the contract's functions at their addresses, as Python callables.

A call goes: attribute look-up -> builtin of a Function (loader/_core/call/builtin.c, function.c) -> the plugin.
Nothing that loads a file is on it. What a plugin sends the other way, errors and log lines, arrives in the two
functions at the end of this file; status codes become exceptions there and nowhere else.
"""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING

from loader._core._call import Function, Method, forked, set_error_factory, set_log
from loader.errors import CallCancelled, DeadlineExceeded, ForkError, LibraryError, PluginError
from loader.instances import class_of, python_class, with_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from loader._core._call import BoundFunction, Class, Instance, Owner
    from loader.contract import Contract
    from loader.contract.layout import Form
    from loader.isolation.opening import RemoteLibrary
    from loader.isolation.pool import Pool
    from loader.isolation.settings import Confinement
    from loader.library import Library
    from loader.trust import TrustedImage

    #: What new code is tried with before it replaces the old: see Plugin.reload.
    SelfTest = str | Callable[["Plugin"], object]

__all__ = ["Plugin", "address_of", "bind", "failure_text"]


class Plugin:
    """A loaded plugin: the contract's functions as attributes, ``plugin.greet("World")``.

    Attributes:
        name: the file's name without "lib" and suffix.
        path: the file it was loaded from, absolute.
        contract: the host's :class:`loader.Contract`.
        version: (major, minor) of the contract that it was built against.
        digest: SHA-256 of the file, hexadecimal.
        functions: name -> builtin function, read-only; its ``__self__`` is what C knows of it, `inspect.signature` of
            that has annotations. Optional functions that the plugin lacks are not in it. (No
            header can name a function as one of these attributes; of a contract made by hand it is found here.)
        classes: name -> class, read-only: those that the contract declares by LOADER_CLASS. Their functions are
            methods of these and not in `functions`.

    Functions take positional or keyword arguments, and return a ``str``, or ``bytes`` where the contract says
    so. They raise :class:`loader.PluginError` if the plugin fails, TypeError, OverflowError and ValueError for
    arguments that do not fit. They may be called from any thread, and work for the life of the process.
    Plugins pickle by identity: contract, name, digest and path; the file is opened anew where they are unpickled
    (without the host's services), and refused with :class:`loader.LibraryError` if it changed meanwhile.
    """

    name: str
    path: str
    contract: Contract
    version: tuple[int, int]
    digest: str
    functions: Mapping[str, BoundFunction]
    classes: Mapping[str, type[Instance]]
    #: The plugin as the C side knows it; for engines.
    owner: Owner
    #: What has it in processes of its own; None: it is in this one.
    worker: Pool | None = None
    #: Path and digest of the file, and of what came along.
    _loaded: tuple[tuple[str, str], ...]
    #: How its file is loaded again, set by who loaded it; see loader/again.py.
    _reload: Callable[[Plugin, str | os.PathLike[str] | None, SelfTest | None, Iterable[Instance]], None]

    def __init__(self, trusted: TrustedImage, library: Library | RemoteLibrary, owner: Owner) -> None:
        candidate = trusted.candidate
        functions: dict[str, BoundFunction] = {}
        declared = [each for each in candidate.contract.classes if f"{each.name}_free" not in candidate.missing]
        natives = {each.name: class_of(each, library, owner) for each in declared}
        methods: dict[str, dict[str, Function]] = {each.name: {} for each in declared}
        for form in candidate.contract.forms:
            if form.name in candidate.missing or form.role == "free":
                continue
            if form.cls:
                methods[form.cls][form.name[len(form.cls) + 1 :]] = self._bind(form, library, owner, natives)
            else:
                functions[form.name] = self._bind(form, library, owner, natives).builtin
        classes = {each.name: python_class(natives[each.name], each, methods[each.name]) for each in declared}
        # Functions first: an attribute of ours wins over a function of the same name.
        self.__dict__.update({**functions, **classes})
        self.name = owner.name
        self.path = candidate.path
        self.contract = candidate.contract
        self.version = candidate.version
        self.digest = candidate.image.digest
        self.functions = MappingProxyType(functions)
        self.classes = MappingProxyType(classes)
        self.owner = owner
        self._loaded = tuple((each.path, each.digest) for each in trusted.images)

    def reload(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        self_test: SelfTest | None = None,
        move: Iterable[Instance] = (),
    ) -> Plugin:
        """Puts what its file holds now in the place of what was loaded, and returns this plugin.

        The file goes all the way of :func:`loader.load` again, with the same contract, policy, name and services
        (those of the host, if a host loaded it, which also asks for its claims), and is opened beside the old one.
        Then all functions and classes are switched at once. If anything fails, what was loaded before goes on,
        whole. A file that has not changed, nor what it brings along, is left as it is.

        Calls that are under way end on the old code; so do functions that were kept (``f = plugin.greet``) and
        instances of the plugin's classes, as long as there are any. Static variables of the new code begin anew. In
        this process nothing is unmapped: each reload costs the memory of a library (docs/hosts.md says how much).

        Args:
            path: another file, which the plugin is reloaded from in the future too.
            self_test: called with the new plugin, before anybody else is; or the name of a function of the contract
                without parameters. It passes unless it raises or returns False. None: what the host has as its own.
            move: instances that are to have the new code, with what ``T_export_state`` of the old one gave as the
                argument of the new one's ``T_import_state``: two functions of the contract (docs/hosts.md). They stay
                the same objects; what a thread does with one meanwhile may be lost, so nobody should use them.

        Raises what :func:`loader.load` raises, :class:`loader.RegistryError` if the host refuses its new claims,
        :class:`loader.ReloadError` if the self-test fails or an instance cannot move, ValueError for the name of what
        is no test, TypeError for what is no instance of this plugin's.
        """
        self._reload(self, path, self_test, move)
        return self

    @property
    def isolation(self) -> Confinement | None:
        """What its own process is confined by: `engaged` (names of what holds), `missing` (what does not, and why),
        `landlock` (version of Landlock's ABI), `settings` (the Isolation). None: the plugin is in this process.
        """
        return None if self.worker is None else self.worker.confinement

    def _bind(
        self, form: Form, library: Library | RemoteLibrary, owner: Owner, classes: Mapping[str, Class]
    ) -> Function:
        address = library.address(form.name)
        if address is None:  # the handshake saw it in the export table: the linker and we disagree
            raise LibraryError(f"its symbol {form.name} is not found once loaded", path=owner.path)
        kind = Method if form.role in ("method", "next") else Function
        form = with_classes(form, classes)
        return kind(
            *(form.name, address, owner, form.parameters, form.results, form.row, form.gives, form.doc, form.text),
            plugin=self,
            signature=form.signature,
            ends=form.ends,
        )

    def __getattr__(self, name: str) -> BoundFunction:
        """What is not there; a type checker takes it for a contract function."""
        contract = self.__dict__.get("contract")
        cls = None if contract is None else _owner_of(contract, name)
        if cls is None:
            message = f"contract {contract} has no function {name}" + self._near(name)
        elif cls and cls != name:
            message = f"{name} of {contract} belongs to class {cls}, which calls it: see plugin.{cls}"
        else:
            what = "class" if cls else "function"
            message = f"plugin {self.name} does not have the optional {what} {name} of {contract}"
        # Without obj, by which Python would ask a second time whether another name was meant.
        raise AttributeError(message, name=name)

    def _near(self, name: str) -> str:
        """What was meant, perhaps."""
        if name.startswith("_"):  # Python's own questions, mostly
            return ""
        from loader.cures import did_you_mean  # noqa: PLC0415 - only wanted here

        known = (*self.__dict__.get("functions", ()), *self.__dict__.get("classes", ()))
        question = did_you_mean(name, known)
        return f". {question}" if question else ""

    def _function(self, name: str) -> Function:
        """What unpickling a function calls; see _core/call/function_type.c."""
        return self.functions[name].__self__

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.functions})

    def __repr__(self) -> str:
        return f"<plugin {self.name} ({self.contract.name} {self.version[0]}.{self.version[1]}) from {self.path}>"


def _owner_of(contract: Contract, name: str) -> str | None:
    """The class that a name of the contract belongs to, which may be a class's own; "": it is a function of none."""
    if any(each.name == name for each in contract.classes):
        return name
    return next((each.cls for each in contract.functions if each.name == name), None)


def address_of(function: BoundFunction) -> int:
    """Where a plugin's function is, for engines in C."""
    return _address(function.__self__)


#: By the type: an object of it has under its own name something else, and functions may be called "address".
_address: Callable[[Function], int] = Function.address.__get__  # type: ignore[attr-defined]

#: Functions of Python by which a thread of C becomes one of Python: who needs one is never called with the GIL kept
#: because there is no other thread. See _core/call/gil.c.
_ATTACH = frozenset({"PyGILState_Ensure", "PyThreadState_New", "PyEval_AcquireThread", "PyEval_RestoreThread"})


def bind(trusted: TrustedImage, library: Library | RemoteLibrary, owner: Owner) -> Plugin:
    """Makes a Plugin of a library that was opened for `owner`."""
    image = trusted.candidate.image
    if image.go:  # the others do not ask
        owner.set_inherited(library.inherited)
    owner.promises = trusted.candidate.promises
    # What it brings along may do it for it. (A Python that is linked into it defines these and imports none.)
    if any(not _ATTACH.isdisjoint(each.imports) for each in trusted.images):
        owner.attaches = True
    return Plugin(trusted, library, owner)


# ---- What comes back from plugins --------------------------------------------------------------------------

_STATUS_ERROR: dict[int, type[PluginError]] = {4: CallCancelled, 5: DeadlineExceeded}


def _call_failed(
    name: str,
    path: str,
    function: str | None,
    status: int | None,
    message: str,
    where: str | None,
    cause: BaseException | None,
) -> BaseException:
    """The exception for a status that is not LOADER_OK, or for a call that a fork forbids (status None).

    Called by loader/_core/call/error.c.
    """
    if status is None:
        return ForkError(
            "has a runtime of its own, which does not survive a fork",
            path=path,
            plugin=name,
            cure="Start workers with multiprocessing's spawn or forkserver, or load it after the fork",
        )
    kind = _STATUS_ERROR.get(status, PluginError)
    error = kind.__new__(kind, message)
    # All that __init__ would set, and `what` when it is asked for: an error is the way of some plugins to answer.
    error.__dict__ = {"path": path, "plugin": name, "function": function, "status": status, "message": message}
    if where is not None:
        error.where = where
    if cause is not None:
        error.__cause__ = cause
    return error


def failure_text(owner: Owner) -> str | None:
    """The last failure of a plugin's calls, as its exception had it; None: there was none."""
    failure = owner.failure
    if failure is None:
        return None
    function, status, message = failure
    return str(_call_failed(owner.name, owner.path, function, status, message, None, None))


def _log(name: str, level: int, text: str) -> None:
    """One line of a plugin's log. Called by loader/_core/call/log.c."""
    import logging  # noqa: PLC0415 - slow to import, and not every plugin logs

    # A level above CRITICAL would get past logging.disable(), and below 0 none is.
    level = min(max(level, 0), logging.CRITICAL)
    logging.getLogger(f"loader.plugin.{name}").log(level, "%s", text)


set_error_factory(_call_failed)
set_log(_log)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forked)
