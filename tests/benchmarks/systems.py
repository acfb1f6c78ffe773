"""Every measured system: what it is, what it carries, who hosts it, and which jobs it can do."""

from __future__ import annotations

from dataclasses import dataclass, field

CALLS = ("call", "call-text", "call-4k", "call-1m")
#: For those that have CPython's str to read or write, which has a form of its own for each.
SCRIPTS = ("call-text-cyrillic", "call-text-cjk", "call-text-emoji")
DOCUMENTS = ("document-dense", "document-prose", "document-small")
LOADS = ("load-1", "load-6")
REMOTE = (*CALLS, "callback", "error", *DOCUMENTS, *LOADS)
IN_PROCESS = (*CALLS, "callback", "error", *DOCUMENTS, "roles-1000", *LOADS, "threads-2")
FROM_PYTHON = (*IN_PROCESS, *SCRIPTS)
OURS = (*FROM_PYTHON, "document-small-joined")
EXTENSIONS = (*REMOTE, *SCRIPTS)
WITH_THREADS = (*CALLS, "error", "document-dense", "document-small")

#: What each job measures, and the unit of its figures. "ns" are per call or per document.
JOBS = {
    "call": ("one role call, 18 bytes in, 27 out", "ns"),
    "call-text": ("the same with 18 bytes that are not ASCII: accents", "ns"),
    "call-text-cyrillic": ("the same in Cyrillic", "ns"),
    "call-text-cjk": ("the same in Chinese", "ns"),
    "call-text-emoji": ("the same with emoji", "ns"),
    "call-4k": ("the same with 4 KB of ASCII", "ns"),
    "call-1m": ("the same with 1 MB of ASCII", "ns"),
    "callback": ("a plugin's call into the host and back", "ns"),
    "error": ("a call that fails with a message", "ns"),
    "document-dense": ("1 MB of short paragraphs, three roles per 190 bytes, one handled", "ns"),
    "document-prose": ("10 MB, 60-word paragraphs, one role each", "ns"),
    "document-small": ("a 2 KB post", "ns"),
    "document-small-joined": ("1,000 posts of 2 KB as one document (for the cost beyond the engine)", "ns"),
    "roles-1000": ("document-dense with 1,000 roles registered", "ns"),
    "load-1": ("from the path to one plugin that answered a call", "ns"),
    "load-6": ("the same for six plugins", "ns"),
    "load-1000": ("the same for 1,000 plugins, or as many as the row says", "ns"),
    "memory": ("resident growth for one plugin, child processes included", "KiB"),
    "memory-6": ("the same for six plugins", "KiB"),
    "threads-2": ("document-dense on two threads: speed against one", "x"),
    "import": ("importing the host's library, beyond bare Python", "ns"),
}


@dataclass(frozen=True, slots=True)
class System:
    """One row of the issue's table.

    Args:
        name: the name in results.
        what: what it is, in one line.
        lacks: what of role, text and post it does not carry, or "".
        host: "python", or the name of a Go host program.
        family: "ours", "limit", "extension", "go" or "python": the group and colour in charts.
        variants: variant -> jobs. The variant "" is the one that ladders show first.
        remote: the plugin is a process of its own; measured on two cores and pinned to one.
        group: systems of one group share a host process; default: one process a system.
        needs: tools and distributions without which it is skipped.
        quadratic: variants that send the whole contents with every role of a document.
    """

    name: str
    what: str
    host: str
    family: str
    variants: dict[str, tuple[str, ...]]
    lacks: str = ""
    remote: bool = False
    group: str = ""
    needs: tuple[str, ...] = ()
    quadratic: tuple[str, ...] = ()


def _ours(language: str, title: str, **more: tuple[str, ...]) -> System:
    jobs = OURS if language == "c" else FROM_PYTHON
    variants = {"": jobs, **more}
    needs = {"rust": ("cargo",), "go": ("go",)}.get(language, ())
    group = "" if language == "go" else "in-process"
    what = f"this loader with a plugin in {title}"
    return System(f"loader-{language}", what, "python", "ours", variants, group=group, needs=needs)


_C_VARIANTS: dict[str, tuple[str, ...]] = {
    "bound": (*CALLS, *SCRIPTS),
    "c-table": ("callback",),
    "Htmlizer": LOADS,
    "all": ("load-1000",),
    "lazy": ("load-1000",),
}

SYSTEMS: tuple[System, ...] = (
    System(
        "python", "the same function in plain Python", "python", "python",
        {"": (*FROM_PYTHON, "load-1000"), "f-string": (*CALLS, *SCRIPTS)}, group="in-process",
    ),
    _ours("c", "C", **_C_VARIANTS),
    System(
        "loader-c-released", "loader-c with two Python threads alive: its plugin may block, so the GIL is let go",
        "python", "ours", {"": WITH_THREADS},
    ),
    System(
        "loader-c-promised", "loader-c with two Python threads alive: its plugin promises never to block",
        "python", "ours", {"": WITH_THREADS},
    ),
    System(
        "loader-isolated", "loader-c with the plugin in a process of its own, confined; unconfined: what that costs",
        "python", "ours", {"": REMOTE, "unconfined": ("call", "load-1")}, remote=True,
    ),
    _ours("cpp", "C++", **{"c-table": ("callback",)}),
    _ours("rust", "Rust", **{"c-table": ("callback",)}),
    _ours("go", "Go (c-shared)", **{"c-table": ("callback",)}),
    System(
        "c-call", "the limit: an indirect call in C into a buffer that is there", "python", "limit",
        {"": (*CALLS, "error")}, group="in-process",
    ),
    System(
        "c-extension-str", "the limit of a call from Python: an extension module that writes into the new str itself",
        "python", "limit",
        {"": (*CALLS, *SCRIPTS)}, group="in-process",
    ),
    System(
        "memcpy", "the limit: a copy of the bytes, into memory that is there or (new) into new memory",
        "python", "limit",
        {"": ("call-4k", "call-1m", *DOCUMENTS, "threads-2"), "new": ("call-4k", "call-1m", *DOCUMENTS)},
        lacks="it calls nothing", group="in-process",
    ),
    System(
        "c-extension", "in place of a plugin: an extension module in C by hand", "python", "extension",
        {"": EXTENSIONS}, group="in-process",
    ),
    System(
        "nanobind", "in place of a plugin: an extension module in C++ by nanobind", "python", "extension",
        {"": EXTENSIONS}, group="in-process", needs=("pip:nanobind",),
    ),
    System(
        "pybind11", "in place of a plugin: an extension module in C++ by pybind11", "python", "extension",
        {"": EXTENSIONS}, group="in-process", needs=("pip:pybind11",),
    ),
    System(
        "cython", "in place of a plugin: an extension module in Cython; utf-8: as one wraps a C library",
        "python", "extension",
        {"": EXTENSIONS, "utf-8": (*CALLS, *SCRIPTS)}, group="in-process", needs=("pip:Cython",),
    ),
    System(
        "pyo3", "in place of a plugin: an extension module in Rust by PyO3", "python", "extension",
        {"": EXTENSIONS}, group="in-process", needs=("cargo",),
    ),
    System(
        "go-static", "Go: compiled in, called through an interface", "gostatic", "go",
        {"": IN_PROCESS, "concat": CALLS}, needs=("go",),
    ),
    System(
        "go-buildmode-plugin", "Go's own plugin package, function looked up by name", "gobuildmode", "go",
        {"": (*IN_PROCESS,), "concat": (*CALLS, *DOCUMENTS)}, needs=("go",),
    ),
    System(
        "go-plugin-netrpc", "hashicorp/go-plugin over net/rpc, Unix socket", "goplugin", "go",
        {"": (*REMOTE, "load-1000"), "contents by value": DOCUMENTS},
        remote=True, needs=("go",), quadratic=("contents by value",),
    ),
    System(
        "go-plugin-grpc", "hashicorp/go-plugin over gRPC, Unix socket", "goplugin", "go",
        {"": REMOTE}, remote=True, needs=("go",),
    ),
    System(
        "pie-json", "natefinch/pie over stdin/stdout, JSON-RPC; callback: a Consumer", "gopie", "go",
        {"": REMOTE}, remote=True, needs=("go",),
    ),
    System(
        "pie-gob", "natefinch/pie over stdin/stdout, gob; callback: a Consumer", "gopie", "go",
        {"": REMOTE}, remote=True, needs=("go",),
    ),
    System(
        "mangos-reqrep", "nanomsg REQ/REP over ipc (mangos)", "gomangos", "go",
        {"": (*CALLS, "error", *DOCUMENTS, *LOADS)}, remote=True, needs=("go",),
        lacks="messages are bytes: role, id, author and text are joined by NUL bytes",
    ),
    System(
        "mangos-survey", "nanomsg SURVEYOR/RESPONDENT over ipc (mangos): ask all, take the first answer",
        "gomangos", "go", {"": (*CALLS, "error", *DOCUMENTS, *LOADS)}, remote=True, needs=("go",),
        lacks="messages are bytes: role, id, author and text are joined by NUL bytes",
    ),
    System(
        "yaegi", "a Go interpreter: the plugin is Go source", "goyaegi", "go", {"": IN_PROCESS}, needs=("go",),
        lacks="the post goes as id and author",
    ),
    System(
        "gopher-lua", "Lua in Go: the plugin is a Lua script", "golua", "go",
        {"": tuple(job for job in IN_PROCESS if job != "threads-2")}, needs=("go",),
        lacks="one Lua state serves one thread",
    ),
    System(
        "otto", "JavaScript in Go: the plugin is a script", "gojs", "go",
        {"": tuple(job for job in IN_PROCESS if job != "threads-2")}, needs=("go",),
        lacks="one interpreter serves one thread",
    ),
    System(
        "goja", "JavaScript in Go, otto's successor", "gojs", "go",
        {"": tuple(job for job in IN_PROCESS if job != "threads-2")}, needs=("go",),
        lacks="one interpreter serves one thread",
    ),
    System(
        "spawn", "a process per request, protobuf on stdin/stdout, as protoc does", "gospawn", "go",
        {"": (*CALLS, "error", *DOCUMENTS, *LOADS)}, remote=True, needs=("go",),
        lacks="no callback: one way in, one out",
    ),
    System(
        "pluggy", "hooks in Python, as pytest has them", "python", "python", {"": FROM_PYTHON},
        group="in-process", needs=("pip:pluggy",),
    ),
    System(
        "ctypes", "the standard library's way to a C function", "python", "python", {"": FROM_PYTHON},
        group="in-process", lacks="the post goes as id and author",
    ),
    System(
        "cffi-abi", "cffi's ABI mode: dlopen, declarations parsed at run time", "python", "python",
        {"": FROM_PYTHON}, group="in-process", lacks="the post goes as id and author",
    ),
    System(
        "cffi-api", "cffi's API mode: the plugin compiled into an extension module", "python", "python",
        {"": tuple(job for job in FROM_PYTHON if job != "load-6")}, group="in-process",
        lacks="the post goes as id and author",
    ),
    System(
        "tvm-ffi", "apache-tvm-ffi: a packed function of a shared library", "python", "python",
        {"": FROM_PYTHON}, needs=("pip:tvm_ffi",), lacks="the post goes as id and author",
    ),
    System(
        "polyplug", "polyplug's runtime; the plugin is in Rust, the caller made by its generator", "python", "python",
        {"": (*CALLS, *SCRIPTS, *DOCUMENTS, "roles-1000", "load-1", "threads-2")}, needs=("pip:polyplug", "cargo"),
        lacks="the post goes as id and author; its Python caller has a failure's code but no message; callbacks need "
        "its loader for plugins in Python too; many plugins of one contract: its list of them is freed memory",
    ),
    System(
        "lupa", "LuaJIT in Python: the plugin is a Lua script", "python", "python",
        {"": FROM_PYTHON}, needs=("pip:lupa",), lacks="one Lua state serves one thread at a time (a lock)",
    ),
    System(
        "wasmtime", "WebAssembly with JIT: the plugin is a module without imports", "python", "python",
        {"": tuple(job for job in FROM_PYTHON if job != "threads-2")}, needs=("pip:wasmtime",),
        lacks="numbers and shared memory only: text is copied in and out, the post goes as its id",
    ),
    System(
        "extism", "a plugin framework over WebAssembly", "python", "python",
        {"": (*CALLS, *SCRIPTS, "error", *DOCUMENTS, *LOADS)}, needs=("pip:extism",),
        lacks="one byte string in and out: role, id, author, text joined by NUL bytes; no callback",
    ),
    System(
        "grpcio", "gRPC over a Unix socket; the plugin is a Python process", "python", "python",
        {"": (*CALLS, "error", *DOCUMENTS, *LOADS)}, remote=True, needs=("pip:grpc",),
        lacks="no callback without a second server",
    ),
    System(
        "pynng", "nanomsg (nng) REQ/REP over ipc; the plugin is a Python process", "python", "python",
        {"": (*CALLS, "error", *DOCUMENTS, *LOADS)}, remote=True, needs=("pip:pynng",),
        lacks="messages are bytes: role, id, author and text are joined by NUL bytes",
    ),
    System(
        "iceoryx2", "requests in shared memory, and an event to wake who sleeps; the plugin is a Python process",
        "python", "python",
        {"": (*CALLS, "error", *DOCUMENTS, *LOADS), "polling": (*CALLS, "document-dense")}, remote=True,
        needs=("pip:iceoryx2",),
        lacks="messages are bytes: role, id, author and text are joined by NUL bytes; polling: two cores never idle",
    ),
    System(
        "pipe", "length-prefixed frames over pipes; the plugin is a process in C", "python", "python",
        {"": REMOTE}, remote=True,
    ),
    System(
        "stdio-json", "a JSON object a line over pipes; the plugin is a Python process", "python", "python",
        {"": REMOTE}, remote=True,
    ),
)  # fmt: skip

BY_NAME = {system.name: system for system in SYSTEMS}


@dataclass(slots=True)
class Row:
    """A system in one variant and placement: what is measured job by job."""

    system: System
    variant: str
    placement: str
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def jobs(self) -> tuple[str, ...]:
        """The jobs that it can do."""
        return self.system.variants[self.variant]

    @property
    def label(self) -> str:
        """The name that people read."""
        more = [part for part in (self.variant, self.placement) if part]
        return self.system.name + (f" ({', '.join(more)})" if more else "")


def rows_of(systems: list[System]) -> list[Row]:
    """All variants and placements of some systems."""
    return [
        Row(system, variant, placement)
        for system in systems
        for variant in system.variants
        for placement in (("two cores", "pinned") if system.remote else ("",))
    ]
