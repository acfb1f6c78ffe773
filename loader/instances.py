"""A contract's classes, of one plugin: Python classes whose instances the plugin makes and frees.

`plugin.app_reader(…)` calls app_reader_new, `reader.seek(3)` app_reader_seek, `for value in reader` app_reader_next.
What an instance is, and who may use it when: loader/_core/call/instance.c and hold.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loader._core._call import Class, Instance, set_instance_error
from loader.errors import CallCancelled, DeadlineExceeded, InstanceError, LibraryError

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Mapping

    from loader._core._call import Function, Owner
    from loader.contract import Class as Declared
    from loader.contract.layout import Form
    from loader.errors import LoaderError, PluginError
    from loader.isolation.opening import RemoteLibrary
    from loader.library import Library

__all__ = ["class_of", "python_class", "with_classes"]


def class_of(declared: Declared, library: Library | RemoteLibrary, owner: Owner) -> Class:
    """The C side's form of a class of the plugin's. Raises LibraryError if its symbol is not found."""
    name = f"{declared.name}_free"
    address = library.address(name)
    if address is None:  # the handshake saw it in the export table: the linker and we disagree
        raise LibraryError(f"its symbol {name} is not found once loaded", path=owner.path)
    return Class(declared.name, owner, name, address, declared.shared)


def with_classes(form: Form, classes: Mapping[str, Class]) -> Form:
    """The form of a function with this plugin's classes in the places of their names."""
    if not form.has_instances:
        return form

    def filled(parts: tuple[tuple[Any, ...], ...]) -> tuple[tuple[Any, ...], ...]:
        return tuple((*part[:4], classes[part[4]], *part[5:]) if type(part[4]) is str else part for part in parts)

    return form._replace(parameters=filled(form.parameters), results=filled(form.results))


def python_class(native: Class, declared: Declared, functions: dict[str, Function]) -> type[Instance]:
    """The class that Python sees. functions: by their names in the class; "new" and "next" are called otherwise."""
    make, following = functions.pop("new", None), functions.pop("next", None)
    names: dict[str, Any] = {
        "__doc__": declared.doc or None,
        "__init_subclass__": classmethod(_refuse_subclass),
        "__signature__": _Signature(make),
        "__slots__": ("__weakref__",),
        "_class": native,
        **functions,
    }
    if following is not None:
        names |= {"__iter__": _same, "__next__": following}
    made = type(declared.name, (Instance,), names)
    native.finish(made, make)
    return made


def _same(self: Instance) -> Instance:
    return self


def _refuse_subclass(cls: type, /, **_: object) -> None:
    raise TypeError(f"{cls.__mro__[1].__name__} is a plugin's class, and has no subclasses; hold an instance instead")


class _Signature:
    """That of `new`, when somebody asks: to make one takes longer than all else here."""

    def __init__(self, make: Callable[..., object] | None) -> None:
        self._make = make

    def __get__(self, instance: object, owner: type) -> inspect.Signature | None:
        return getattr(self._make, "__signature__", None)


_REASONS = {
    "closed": ("is closed", "Use it before close(), or within `with`"),
    "busy": (
        "is in use by the very call that this one came from",
        "Do not come back to it from a service or an interface that its own function calls",
    ),
    "moved": ("has got the new code of a reload meanwhile", "Call it once more"),
    "used": ("is in use by another thread, and cannot get the new code of a reload", "Move it when nobody uses it"),
    "ending": ("is in use by another thread when Python ends", "Join threads that use it before the end"),
    "gone": ("ended with the process that had it", "Make another one: a plugin's state does not outlive its process"),
    "forked": ("was in use by another thread when this process was forked", "Make instances after the fork"),
}


#: What ends a wait for another thread: error, status, and what is told.
_ENDS: dict[str, tuple[type[PluginError], int, str]] = {
    "deadline": (DeadlineExceeded, 5, "the call's deadline has passed"),
    "cancelled": (CallCancelled, 4, "the call was cancelled"),
}


def _instance_failed(plugin: str, path: str, cls: str, function: str, reason: str) -> LoaderError:
    """Called by loader/_core/call/hold.c."""
    if reason in _ENDS:
        kind, status, ended = _ENDS[reason]
        return kind(
            f"this {cls} of plugin {plugin} is in use by another thread, and {ended} before {function} could begin",
            path=path,
            plugin=plugin,
            function=function,
            status=status,
            cure="Make an instance for each thread, or wait longer",
        )
    words, cure = _REASONS[reason]
    return InstanceError(
        f"this {cls} of plugin {plugin} {words}", path=path, plugin=plugin, function=function, cure=cure
    )


set_instance_error(_instance_failed)
