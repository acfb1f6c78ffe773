"""loader/services.py: what a host lends to plugins, in which forms, and for how long."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cffi import FFI
from lending import Database

import loader
from loader.errors import PluginError, ServiceError
from loader.services import ServiceTable

pytestmark = pytest.mark.usefixtures("placement")

Build = Callable[..., Path]
Make = Callable[..., loader.Plugin]


# ---- Kinds of service --------------------------------------------------------------------------------------


def test_dict_of_functions(lent: Make, database: Database) -> None:
    """A dict of callables is a service."""
    names = ["title", "blob", "count", "ratio", "note", "describe", "many"]
    made = lent({name: getattr(database, name) for name in names})
    assert made.title(1) == "One"
    assert made.count("abc") == "3"


def test_module_is_a_service(lent: Make) -> None:
    """Whatever has the functions is a service: a class with static methods too."""

    class Static(Database):
        @staticmethod
        def title(number: int) -> str:  # type: ignore[override]
            return f"static {number}"

    assert lent(Static()).title(9) == "static 9"


@pytest.fixture(scope="session")
def table(build: Build) -> tuple[FFI, Any, Any]:
    """The library of clock.c, opened with cffi: ffi, library, and a pointer to its table."""
    ffi = FFI()
    ffi.cdef("struct lend_clock { size_t size; void *now; }; extern struct lend_clock clock_table;")
    library = ffi.dlopen(str(build("clock.c")))
    return ffi, library, ffi.addressof(library, "clock_table")


@pytest.mark.parametrize("form", ["pointer", "void pointer", "number"])
def test_table_of_c(lent: Make, table: tuple[FFI, Any, Any], form: str) -> None:
    """A table of C functions is lent by its address: cffi pointer or number."""
    ffi, _, pointer = table
    given = {
        "pointer": pointer,
        "void pointer": ffi.cast("void *", pointer),
        "number": int(ffi.cast("uintptr_t", pointer)),
    }
    assert lent(clock=given[form]).clock_now() == "1234"


def test_table_of_c_is_kept_alive(lend_path: Path, lend_contract: loader.Contract) -> None:
    """Memory that a cffi object owns lives as long as the host's plugins do."""
    ffi = FFI()
    ffi.cdef("struct clock { size_t size; int (*now)(void *, const void *, int64_t *); };")

    @ffi.callback("int(void *, const void *, int64_t *)")
    def now(call: Any, clock: Any, result: Any) -> int:  # noqa: ARG001
        result[0] = 99
        return 0

    memory = ffi.new("struct clock *", {"size": 16, "now": now})
    watch = weakref.ref(memory)
    host = loader.Host(lend_contract, services={"lend.clock/2": memory})
    plugin = host.load(lend_path)
    del memory, host
    gc.collect()
    assert watch() is not None
    assert plugin.clock_now() == "99"


def test_absent(lent: Make, database: Database) -> None:
    """What is not lent is NULL to the plugin; another version of it too."""
    assert lent().survey() == "db absent, many absent, clock absent, other absent"
    assert lent(database).survey() == "db there, many there, clock absent, other absent"
    with pytest.raises(PluginError, match=r"nobody lends lend\.db/1") as caught:
        lent().title(1)
    assert caught.value.__cause__ is None


def test_without_a_host(lend_path: Path, lend_contract: loader.Contract) -> None:
    """A plugin that is loaded without a host has no services."""
    assert loader.load(lend_path, contract=lend_contract).survey().startswith("db absent")


def test_provided_later(lend_path: Path, lend_contract: loader.Contract, database: Database) -> None:
    """A service that is provided after loading is there from then on."""
    host = loader.Host(lend_contract)
    plugin = host.load(lend_path)
    assert "db absent" in plugin.survey()
    host.provide("lend.db/1", database)
    assert plugin.title(1) == "One"


@pytest.mark.in_process("one library has one address; each worker has its own")
def test_two_hosts_lend_different_things(lent: Make) -> None:
    """One library, two hosts: each plugin sees its own host's service."""
    a, b = Database(), Database()
    a.titles, b.titles = {1: "a"}, {1: "b"}
    first, second = lent(a), lent(b)
    assert (first.title(1), second.title(1), first.title(1)) == ("a", "b", "a")
    assert first.title.__self__.address == second.title.__self__.address


# ---- Providing ---------------------------------------------------------------------------------------------


def test_provided_twice(lend_contract: loader.Contract, database: Database) -> None:
    """A service is provided once: plugins may hold it."""
    host = loader.Host(lend_contract, services={"lend.db/1": database})
    with pytest.raises(ServiceError, match=r"lend\.db/1 is provided already"):
        host.provide("lend.db/1", Database())


@pytest.mark.parametrize(
    "service_id",
    ["", "db", "/1", "db/", "db/01", "db/x", "d b/1", "db/1/2", "x" * 100 + "/1", "db/0", "db/1000000"],
)
def test_malformed_id(lend_contract: loader.Contract, service_id: str) -> None:
    """An id is a name and a major version."""
    with pytest.raises(ServiceError, match="is not the id of a service"):
        loader.Host(lend_contract).provide(service_id, Database())


def test_ids_that_a_header_may_have(contract_of: Callable[..., loader.Contract]) -> None:
    """Every id that a header may declare can be provided."""
    for number, service_id in enumerate(["a/1", "a.b-c_d/999999", "x" * 99 + "/1"]):
        struct = "typedef struct t t; struct t { size_t size; int (*f)(loader_call *call, const t *self); };"
        struct += f'LOADER_SERVICE("{service_id}", t);'
        contract = contract_of("c", 1, number, struct, "LOADER_EXPORT int g(loader_call *call);")
        loader.Host(contract).provide(service_id, {"f": lambda: None})


def test_undeclared(lend_contract: loader.Contract) -> None:
    """A Python object can only be lent by a form that a header declares; the message lists those."""
    with pytest.raises(ServiceError, match=r"app\.cache/1 is not declared") as caught:
        loader.Host(lend_contract).provide("app.cache/1", Database())
    assert "lend.clock/2, lend.db/1" in str(caught.value)


def test_declaration_of_another_contract(
    lend_path: Path,
    lend_contract: loader.Contract,
    contract_of: Callable[..., loader.Contract],
    database: Database,
) -> None:
    """A service that the contract's header does not declare may be lent by another header's declaration."""
    bare = contract_of("lend", 1, 0, "LOADER_EXPORT int title(loader_call *call, int64_t id);")
    host = loader.Host(bare)
    with pytest.raises(ServiceError, match="is not declared"):
        host.provide("lend.db/1", database)
    host.provide("lend.db/1", database, declaration=lend_contract.service("lend.db/1"))
    assert host.load(lend_path).title(1) == "One"


def test_missing_methods(lend_contract: loader.Contract) -> None:
    """An object that lacks what the header declares is refused at once, with all that is missing."""

    class Poor:
        title = "not callable"

        def blob(self) -> None: ...

    with pytest.raises(ServiceError) as caught:
        loader.Host(lend_contract, services={"lend.db/1": Poor()})
    assert caught.value.found == "no title, count, ratio, note, describe, many"
    assert "Poor object" in str(caught.value)


def test_refused_service_is_not_there(lend_path: Path, lend_contract: loader.Contract, database: Database) -> None:
    """A service that was refused is not half provided, and a right one can take its place."""
    host = loader.Host(lend_contract)
    with pytest.raises(ServiceError):
        host.provide("lend.db/1", object())
    plugin = host.load(lend_path)
    assert "db absent" in plugin.survey()
    host.provide("lend.db/1", database)
    assert plugin.title(2) == "Tw\u00f6"


@pytest.mark.parametrize("service", [0, True, None])
def test_what_is_no_table(lend_contract: loader.Contract, service: object) -> None:
    """NULL is not a table, and neither is a truth value."""
    with pytest.raises(ServiceError):
        loader.Host(lend_contract).provide("lend.db/1", service)


def test_too_many_functions(contract_of: Callable[..., loader.Contract]) -> None:
    """A service of more functions than can be lent from Python is refused with the number; 32 are lent."""
    for count in (32, 33):
        members = " ".join(f"int (*f{n})(loader_call *call, const t *self);" for n in range(count))
        struct = f'typedef struct t t; struct t {{ size_t size; {members} }}; LOADER_SERVICE("t/1", t);'
        contract = contract_of("c", 1, count, struct, "LOADER_EXPORT int g(loader_call *call);")
        table = ServiceTable(contract.services)
        functions = {f"f{n}": lambda: None for n in range(count)}
        if count == 32:
            table.provide("t/1", functions)
            assert table.native.ids() == ["t/1"]
        else:
            with pytest.raises(ServiceError, match="32"):
                table.provide("t/1", functions)
            assert table.native.ids() == []


# ---- Lifetime ----------------------------------------------------------------------------------------------


def test_host_is_freed(lend_path: Path, lend_contract: loader.Contract) -> None:
    """A host whose service refers back to it, and its loaded plugins, are freed when nobody needs them."""

    class Application(Database):
        def __init__(self) -> None:
            super().__init__()
            self.host = loader.Host(lend_contract, services={"lend.db/1": self})
            self.plugin = self.host.load(lend_path)
            self.function = self.plugin.title

    application = Application()
    assert application.function(1) == "One"
    watches = [weakref.ref(application), weakref.ref(application.host), weakref.ref(application.plugin)]
    del application
    gc.collect()
    assert [watch() for watch in watches] == [None] * 3


def test_service_lives_with_the_plugin(lend_path: Path, lend_contract: loader.Contract) -> None:
    """A function alone keeps alive what its plugin was lent."""
    database = Database()
    watch = weakref.ref(database)
    function = loader.Host(lend_contract, services={"lend.db/1": database}).load(lend_path).title
    del database
    gc.collect()
    assert function(1) == "One"
    assert watch() is not None
    del function
    gc.collect()
    assert watch() is None
