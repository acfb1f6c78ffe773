"""What can go wrong, one exception a stage of loading. Imports nothing of ours.

Every error says what failed, on which file, what was expected and what was found, and how to mend it: the
fields are there for programs, ``str()`` puts them together for people. All of them pickle.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = [
    "CallCancelled",
    "ContractError",
    "ContractNotFound",
    "DeadlineExceeded",
    "ForkError",
    "HandshakeError",
    "ImageError",
    "InstanceError",
    "IsolationError",
    "LibraryError",
    "LoaderError",
    "PluginCrashed",
    "PluginError",
    "PluginNotFound",
    "RegistryError",
    "ReloadError",
    "ServiceError",
    "TextError",
    "TrustError",
]


class LoaderError(Exception):
    """Base of all errors of this package.

    Args:
        what: what failed, a sentence without a full stop.
        path: the file concerned, or None.
        plugin: the plugin's name, or None.
        function: the contract function concerned, or None.
        expected: what would have been right, or None.
        found: what was there instead, or None.
        cure: how to mend it, or None.
    """

    #: Exit code of the commands for this kind of error (2 usage, 3 not found, 4 incompatible, 5 untrusted,
    #: 6 plugin failed).
    exit_code = 1
    path: str | None = None
    plugin: str | None = None
    function: str | None = None
    expected: str | None = None
    found: str | None = None
    cure: str | None = None

    def __init__(
        self,
        what: str,
        *,
        path: str | None = None,
        plugin: str | None = None,
        function: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        cure: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.path = path
        self.plugin = plugin
        self.function = function
        self.expected = expected
        self.found = found
        self.cure = cure

    def __str__(self) -> str:
        text = self.what if self.path is None else f"{self.path}: {self.what}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.found is not None:
            text += f"; found {self.found}" if self.expected is None else f", found {self.found}"
        if self.cure is not None:
            text += f". {self.cure}"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        # BaseException would call the class with self.args alone and lose the keyword fields.
        return (_rebuild, (type(self), {"what": self.what, **self.__dict__}))

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, for ``--json``: kind, message and whatever is known."""
        fields = {name: value for name, value in self.__dict__.items() if value is not None and name != "where"}
        return {"what": self.what, **fields, "error": type(self).__name__, "message": str(self)}


def _rebuild(kind: type[LoaderError], fields: dict[str, Any]) -> LoaderError:
    error = kind.__new__(kind, fields["what"])
    error.args = (fields["what"],)  # where OSError is a base, its __new__ leaves this to __init__
    error.__dict__.update(fields)
    return error


class ContractError(LoaderError):
    """A contract's header says something that is not supported; `found` holds line and reason."""

    exit_code = 2


class ContractNotFound(ContractError, FileNotFoundError):
    """There is no such header."""

    exit_code = 3

    # OSError has a __str__ and a __reduce__ of its own that know nothing of our fields.
    __str__ = LoaderError.__str__
    __reduce__ = LoaderError.__reduce__


class PluginNotFound(LoaderError, FileNotFoundError):
    """There is no such file, or it is not a file that could be a plugin."""

    exit_code = 3

    __str__ = LoaderError.__str__  # as above
    __reduce__ = LoaderError.__reduce__


class ImageError(LoaderError):
    """The file is not a shared library that can be read: empty, text, cut off, damaged."""

    exit_code = 4


class HandshakeError(LoaderError):
    """The file is a shared library, but not a plugin that this contract accepts on this machine."""

    exit_code = 4


class TrustError(LoaderError):
    """The policy does not let this file run."""

    exit_code = 5


class LibraryError(LoaderError):
    """The operating system could not load the file, or a library or symbol that it needs is missing."""

    exit_code = 4


class RegistryError(LoaderError):
    """A plugin claims what another one has, or claims something malformed."""

    exit_code = 4


class ReloadError(LoaderError):
    """The new file of a plugin does not pass its self-test; what the test raised is the cause (``__cause__``)."""

    exit_code = 6


class ServiceError(LoaderError):
    """A service is not declared, is provided twice, or lacks a function that its header declares."""

    exit_code = 2


class TextError(LoaderError, ValueError):
    """Text is not valid UTF-8. `offset` is the index of the first bad byte (of bytes) or character (of str)."""

    exit_code = 2

    def __init__(self, what: str, *, offset: int, **fields: Any) -> None:
        super().__init__(what, **fields)
        self.offset = offset


class PluginError(LoaderError):
    """A plugin's function returned an error, or wrote what it must not.

    `status` is the number that it returned, `message` its own text ("" if it gave none), `where` the place in a
    document, or None. If the failure began in a service of the host, that exception is the cause (``__cause__``).
    """

    exit_code = 6
    where: str | None = None
    _WORDS: Final = {
        1: "failed",
        2: "ran out of memory or room for its output",
        3: "refused an argument",
        4: "stopped because it was cancelled",
        5: "stopped because its deadline had passed",
        6: "panicked",
        7: "threw an exception",
        8: "had nothing more to give",
    }

    def __init__(self, what: str, *, status: int = 1, message: str = "", **fields: Any) -> None:
        super().__init__(what, **fields)
        self.status = status
        self.message = message

    def __getattr__(self, name: str) -> Any:
        """`what` of a call that failed: put together where it is asked for, since most programs do not ask."""
        if name != "what":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
        words = self._WORDS.get(self.status, f"returned the unknown status {self.status}")
        what = f"plugin {self.plugin} {words}"
        if self.function is not None:
            what += f" in {self.function}"
        if self.where is not None:
            what += f" {self.where}"
        self.what = f"{what}: {self.message}" if self.message else what
        return self.what

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values; the plugin's own text is `plugin_message`."""
        return {**super().to_dict(), "plugin_message": self.message}


class CallCancelled(PluginError):
    """The plugin stopped because the call was cancelled."""


class DeadlineExceeded(PluginError, TimeoutError):
    """The plugin stopped because the call's deadline had passed."""

    __str__ = LoaderError.__str__
    __reduce__ = LoaderError.__reduce__


class InstanceError(LoaderError, ValueError):
    """An instance of a plugin's class cannot be used: it is closed, or in use where to wait for it has no end."""

    exit_code = 6


class ForkError(LoaderError):
    """A plugin with a runtime of its own (Go) was called in a forked child, where it would hang."""

    exit_code = 6


class IsolationError(LoaderError):
    """A plugin cannot have a process of its own here, or its worker is not confined as it was asked for."""

    exit_code = 4


class PluginCrashed(PluginError):
    """The process that a plugin has for its own has died, in a call or between two.

    `signal` is what killed it, or None; `exit_status` what it exited with, or None. `lines` are the last that it
    printed.
    """

    signal: int | None = None
    exit_status: int | None = None
    lines: tuple[str, ...] = ()
