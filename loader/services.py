"""What a host lends to its plugins: objects of Python, or tables of C functions, by versioned id.

A service is declared in a C header, by LOADER_SERVICE("app.db/1", app_db) and the struct app_db. For a Python
object a table of that shape is made, whose functions call the object's; see _core/call/service.c for the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loader._core._call import Services
from loader._core._ffi import ffi
from loader.contract.header import MAX_FUNCTIONS, SERVICE_ID
from loader.contract.layout import table_of
from loader.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from loader.contract import Service

__all__ = ["ServiceTable"]


class ServiceTable:
    """The services of one host. `declared` are those of the contract's header."""

    def __init__(self, declared: tuple[Service, ...]) -> None:
        self._declared = {service.id: service for service in declared}
        #: What plugins look services up in.
        self.native = Services()

    def provide(self, id: str, service: Any, declaration: Service | None = None) -> None:
        """Lends `service` under `id`. See :meth:`loader.Host.provide`."""
        if not SERVICE_ID.fullmatch(id):
            raise ServiceError(f"{id!r} is not the id of a service", expected='a name and a version, like "app.db/1"')
        if id in self.native.ids():
            raise ServiceError(
                f"service {id} is provided already", cure="Provide each service once; plugins may hold it"
            )
        address = _address(service)
        if address is not None and not 0 < address < 1 << 64:
            found = "NULL" if address == 0 else f"{address:#x}, which is no address"
            raise ServiceError(f"service {id} is given as {found}", expected="the address of a table")
        if address is not None:
            form = declaration or self._declared.get(id)
            shape = None if form is None or len(form.functions) > MAX_FUNCTIONS else table_of(form)
            self.native.add(id, address, service, shape)  # the shape: for plugins in other processes
            return
        declared = declaration or self._declared.get(id)
        if declared is None:
            known = ", ".join(sorted(self._declared)) or "none"
            raise ServiceError(
                f"service {id} is not declared",
                expected=f"one of those that the contract's header declares ({known})",
                cure=f'Declare it with LOADER_SERVICE("{id}", its_struct), or name its header',
            )
        if len(declared.functions) > MAX_FUNCTIONS:
            raise ServiceError(
                f"service {id} has too many functions to be lent from Python",
                expected=f"at most {MAX_FUNCTIONS}",
                found=str(len(declared.functions)),
                cure="Divide it into two services, or lend a table of C functions",
            )
        self.native.add(id, table_of(declared), tuple(_callables(declared, service)))


def _callables(declared: Service, service: Any) -> list[Callable[..., Any]]:
    """What stands behind each function of the table. Raises ServiceError if one is missing."""
    found = [_member(service, function.name) for function in declared.functions]
    missing = [each.name for each, member in zip(declared.functions, found, strict=True) if member is None]
    if missing:
        raise ServiceError(
            f"{type(service).__name__} object does not have what service {declared.id} declares",
            expected=", ".join(function.name for function in declared.functions),
            found="no " + ", ".join(missing),
            cure="Add the methods (or keys, if it is a mapping)",
        )
    return [each for each in found if each is not None]


def _member(service: Any, name: str) -> Callable[..., Any] | None:
    found = service.get(name) if isinstance(service, dict) else getattr(service, name, None)
    return found if callable(found) else None


def _address(service: Any) -> int | None:
    """The address of a C table: an int, or a cffi pointer. None: a Python object."""
    if isinstance(service, bool):
        return None
    if isinstance(service, int):
        return service
    if type(service).__module__ == "_cffi_backend":
        return int(ffi.cast("uintptr_t", service))
    return None
