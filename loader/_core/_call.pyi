"""Types of the C caller. Private: people use loader.Plugin, loader.Record and loader.deadline."""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Literal, Protocol

from typing_extensions import Self

MAX_PARAMETERS: int
api: object
limit_variable: ContextVar[Limit]

def set_error_factory(
    factory: Callable[[str, str, str | None, int | None, str, str | None, BaseException | None], BaseException],
    /,
) -> None: ...
def set_instance_error(factory: Callable[[str, str, str, str, str], BaseException], /) -> None: ...
def set_log(log: Callable[[str, int, str], object], /) -> None: ...
def forked() -> None: ...
def loading(owner: Owner, function: Callable[..., Any], /, *args: Any) -> Any: ...
def crash_enable(fd: int, /) -> None: ...
def crash_disable() -> None: ...
def float_state() -> tuple[int, int]: ...
def signal_state() -> list[tuple[int, int]]: ...
def environment() -> list[bytes]: ...

class Limit:
    def __new__(
        cls, seconds: float | None = None, parent: Limit | None = None, token: Limit | None = None
    ) -> Limit: ...
    def cancel(self) -> None: ...
    def status(self) -> int: ...
    def enter(self) -> None: ...
    def leave(self) -> None: ...
    @classmethod
    def current(cls) -> Limit | None: ...

class Deadline:
    seconds: float
    def __init__(self, seconds: float) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> Literal[False]: ...

class CancelToken:
    def cancel(self) -> None: ...
    @property
    def cancelled(self) -> bool: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> Literal[False]: ...

class Services:
    def add(self, id: str, what: Table | int, behind: object = None, shape: Table | None = None, /) -> None: ...
    def ids(self) -> list[str]: ...

class Owner:
    name: str
    path: str
    fork_safe: bool
    promises: frozenset[str]
    attaches: bool
    remote: Remote | None
    watch: Callable[[Owner, str, object, str | float | None], object] | None
    calls: int
    failures: int
    seconds: float
    alive: bool
    failure: tuple[str | None, int, str] | None
    def __new__(
        cls,
        name: str,
        path: str,
        services: Services | None = None,
        max_output: int | None = None,
        fork_safe: bool = True,
        digest: str = "",
    ) -> Owner: ...
    def set_inherited(self, inherited: bool, /) -> None: ...
    def follow(self, before: Owner, /) -> None: ...

class Worker:
    pid: int
    pidfd: int
    alive: bool
    lanes: int
    busy: int
    instances: int
    calls: int
    keeper: Any
    def __new__(cls, pid: int, pidfd: int, thunks: tuple[int, ...], keeper: object) -> Worker: ...
    def add_addresses(self, addresses: tuple[int, ...], /) -> None: ...
    def add_lane(self, descriptor: int, size: int, base: int, /) -> None: ...
    def died(self) -> None: ...
    def kill(self) -> None: ...

class Remote:
    keeper: Any
    def __new__(cls, keeper: object, deadline: int, grace: int) -> Remote: ...
    def set_workers(self, workers: tuple[Worker, ...], /) -> None: ...

class Table:
    def __new__(
        cls,
        functions: tuple[tuple[str, tuple[Any, ...], tuple[Any, ...]], ...],
        methods: tuple[str, ...] = ...,
    ) -> Table: ...

class Class:
    def __new__(cls, name: str, owner: Owner, free_name: str, address: int, shared: bool) -> Class: ...
    def finish(self, type: type[Instance], make: Function | None, /) -> None: ...

class Instance:
    closed: bool
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

class Layout:
    def __new__(
        cls,
        name: str,
        size: int,
        sized: bool,
        fields: tuple[tuple[Any, ...], ...],
        row: object = None,
        arrays: object = None,
    ) -> Layout: ...

class Record: ...

class Array:
    def __len__(self) -> int: ...
    def __getitem__(self, place: int, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

class Arrow:
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...

class Function:
    __name__: str
    __qualname__: str
    plugin: Any
    owner: Owner
    address: int
    builtin: BoundFunction
    def __new__(
        cls,
        name: str,
        address: int,
        owner: Owner,
        parameters: tuple[tuple[Any, ...], ...],
        results: tuple[tuple[Any, ...], ...],
        row: object,
        gives: str,
        doc: str,
        text: bytes,
        plugin: object,
        signature: object,
        ends: bool = False,
    ) -> Self: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

class BoundFunction(Protocol):
    """Not there at run time: a builtin_function_or_method of a Function."""

    __name__: str
    @property
    def __self__(self) -> Function: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

class Method(Function):
    def __get__(self, instance: object, owner: type | None = None, /) -> Callable[..., Any]: ...
