"""loader/crash.py: the report of a crash names the plugin, whatever the death and the thread."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import GREETER, PLUGINS, ROOT

import loader
from loader.errors import LoaderError, TrustError
from loader.observe.crash import Crash, Quarantine, quarantined, read_report, release

Build = Callable[..., Path]
Die = Callable[..., list[Crash]]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="crash reports need POSIX signals")

HEADER = PLUGINS / "fatal.h"
#: What each death is a signal of.
DEATHS = {
    "read": "SIGSEGV",
    "write": "SIGSEGV",
    "jump": "SIGSEGV",
    "abort": "SIGABRT",
    "divide": "SIGFPE",
    "bus": "SIGBUS",
    "illegal": "SIGILL",
    "overflow": "SIGSEGV",
}
BEGIN = """
import sys, threading, loader, loader.crash
report, header, path, *more = sys.argv[1:]
def plugin(): return loader.load(path, contract=loader.Contract.from_header(header))
def elsewhere(work, *arguments):
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    thread.join()
"""
ENABLE = "loader.crash.enable(report)\n"

# A sanitizer has handlers of its own for these signals, and stacks of its own.
pytestmark = [
    pytestmark,
    pytest.mark.skipif(bool(os.environ.get("LOADER_SANITIZE")), reason="sanitizers handle these signals"),
]


@pytest.fixture
def fatal(build: Build) -> Path:
    """A plugin that dies as it is told."""
    return build("fatal.c", flags=["-Wno-infinite-recursion"])


@pytest.fixture
def die(tmp_path: Path) -> Die:
    """Runs a program that is to die of a signal, and returns the crashes in its report."""

    def run(code: str, path: Path, *more: str | Path, by: str | None = None) -> list[Crash]:
        report, script = tmp_path / "report", tmp_path / "program.py"
        script.write_text(BEGIN + code)
        here = str(Path(loader.__file__).parent.parent)
        done = subprocess.run(
            [sys.executable, str(script), str(report), str(HEADER), str(path), *map(str, more)],
            env=os.environ | {"PYTHONPATH": here, "PADDING": "x" * 8000},  # lies where smash() writes last
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        expected = 0 if by is None else -signal.Signals[by]
        assert done.returncode == expected, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return read_report(report)

    return run


def digest(path: Path) -> str:
    """SHA-256 of a plugin file."""
    return loader.read_image(path).digest


# ---- Deaths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thread", ["main", "other"])
@pytest.mark.parametrize("kind", DEATHS)
def test_names_plugin_and_function(die: Die, fatal: Path, kind: str, thread: str) -> None:
    """Each death, stack overflow too, is told with plugin, file, digest, function, signal and thread."""
    call = f"p.die('fine'); p.die({kind!r})" if thread == "main" else f"elsewhere(p.die, {kind!r})"
    [crash] = die(f"{ENABLE}p = plugin()\n{call}", fatal, by=DEATHS[kind])
    assert (crash.plugin, crash.path, crash.digest) == ("fatal", str(fatal), digest(fatal))
    assert (crash.function, crash.signal, crash.found_by) == ("die", DEATHS[kind], "call")
    assert crash.main_thread == (thread == "main")
    assert not crash.in_service
    assert "program.py" in crash.traceback  # faulthandler's, of the thread that died
    if kind in {"read", "write", "jump"}:
        assert crash.address == "0x0"


@pytest.mark.parametrize("kind", DEATHS)
def test_in_a_document(die: Die, build: Build, kind: str) -> None:
    """A document's crash is told with the byte at which the role stood."""
    path = build("fatal.c", "HTMLIZE", name="role", flags=["-Wno-infinite-recursion"])
    code = (
        "from loader.htmlize import Htmlizer\n" + ENABLE + "app = Htmlizer([path])\n"
        f"assert 'x' in app.htmlize(':fatal:`x`')\napp.htmlize('1234567 :fatal:`{kind}`')\n"
    )
    [crash] = die(code, path, by=DEATHS[kind])
    assert (crash.plugin, crash.function, crash.offset) == ("role", "process_role", 8)


def test_in_contents(die: Die, build: Build) -> None:
    """A contents hook's crash is told as that."""
    path = build("fatal.c", "HTMLIZE", "CONTENTS", name="contents", flags=["-Wno-infinite-recursion"])
    code = (
        "from loader.htmlize import Htmlizer\n" + ENABLE + "app = Htmlizer([path])\n"
        "assert 'fine' in app.htmlize('fine')\n"
        "app.plugins[0].process_contents('abort', id=0)\n"
    )
    [crash] = die(code, path, by="SIGABRT")
    assert (crash.plugin, crash.function, crash.offset) == ("contents", "process_contents", None)


def test_in_a_single_role(die: Die, build: Build) -> None:
    """process_role of an Htmlizer, which is a path of its own, leaves a breadcrumb as well."""
    path = build("fatal.c", "HTMLIZE", name="role", flags=["-Wno-infinite-recursion"])
    code = (
        "from loader.htmlize import Htmlizer\n" + ENABLE + "app = Htmlizer([path])\n"
        "for _ in range(200): app.process_role('fatal', 'x', None)\napp.process_role('fatal', 'read', None)\n"
    )
    [crash] = die(code, path, by="SIGSEGV")
    assert (crash.plugin, crash.function, crash.offset) == ("role", "process_role", None)


@pytest.mark.parametrize("kind", ["read", "overflow", "abort"])
def test_while_loading(die: Die, build: Build, kind: str) -> None:
    """A constructor's crash is told: the function is dlopen."""
    path = build("fatal.c", f"LOADING={kind}", name="loading", flags=["-Wno-infinite-recursion"])
    [crash] = die(ENABLE + "plugin()", path, by=DEATHS[kind])
    assert (crash.plugin, crash.function, crash.digest) == ("loading", "dlopen", digest(path))


@pytest.mark.parametrize("kind", ["read", "write", "divide", "illegal"])
def test_on_a_thread_of_the_plugins_own(die: Die, fatal: Path, kind: str) -> None:
    """A thread that the plugin started has no breadcrumb: the failed instruction tells whose it was."""
    if kind == "divide" and platform.machine() not in {"x86_64", "AMD64"}:
        pytest.skip("a division by zero traps on x86 only: the plugin raises the signal in the C library")
    [crash] = die(f"{ENABLE}plugin().die_elsewhere({kind!r})", fatal, by=DEATHS[kind])
    assert (crash.plugin, crash.function, crash.found_by) == ("fatal", None, "address")
    assert not crash.main_thread


def test_smashed_stack(die: Die, fatal: Path) -> None:
    """A plugin that has overwritten the stack of its callers is named: the breadcrumb is not on it."""
    enable = "loader.crash.enable(report, traceback=False)\n"  # faulthandler's records are gone as well
    [crash] = die(f"{enable}plugin().smash()", fatal, by="SIGABRT")
    assert (crash.plugin, crash.function) == ("fatal", "smash")


def test_outside_of_plugins(die: Die, fatal: Path) -> None:
    """A crash of the application after a plugin's call is told, and is nobody's."""
    code = f"{ENABLE}p = plugin()\np.die('fine')\nimport ctypes\nctypes.string_at(0)"
    [crash] = die(code, fatal, by="SIGSEGV")
    assert (crash.plugin, crash.function, crash.digest, crash.found_by) == (None, None, None, None)
    assert str(crash) == "SIGSEGV outside of all plugins"


def test_killed_from_outside(die: Die, fatal: Path) -> None:
    """A signal that another process sent ends this one as it would have without a report."""
    code = (
        f"{ENABLE}p = plugin()\nimport os, signal, time\nos.kill(os.getpid(), signal.SIGSEGV)\ntime.sleep(9)"
    )
    [crash] = die(code, fatal, by="SIGSEGV")
    assert (crash.plugin, crash.address) == (None, None)


# ---- Several plugins ---------------------------------------------------------------------------------------


def lends(run: str) -> str:
    """Code that loads a plugin with a service that does `run`."""
    return (
        f"{ENABLE}host = loader.Host(loader.Contract.from_header(header))\n"
        f"host.provide('fatal.host/1', dict(run=lambda: {run}))\nouter = host.load(path)\n"
    )


def test_service_is_not_the_plugins_doing(die: Die, fatal: Path) -> None:
    """A crash in a service of the host is told as that, with the plugin that called it."""
    code = "import ctypes\n" + lends("ctypes.string_at(0)") + "outer.back('fine')"
    [crash] = die(code, fatal, by="SIGSEGV")
    assert (crash.plugin, crash.function, crash.in_service) == ("fatal", None, True)


def test_plugin_called_by_a_plugins_service(die: Die, build: Build, fatal: Path) -> None:
    """Of plugins that call each other through a service, the inner one is named while it runs, then the outer
    one.
    """
    other = build("fatal.c", "BUILD=1", name="inner", flags=["-Wno-infinite-recursion"])
    code = lends("inner.die(more[1])") + "inner = host.load(more[0])\nouter.back(more[2])"
    [crash] = die(code, fatal, other, "read", "fine", by="SIGSEGV")
    assert (crash.plugin, crash.function) == ("inner", "die")
    [_, crash] = die(code, fatal, other, "fine", "abort", by="SIGABRT")
    assert (crash.plugin, crash.function, crash.in_service) == ("fatal", "back", False)


def test_two_threads_in_two_plugins(die: Die, build: Build, fatal: Path) -> None:
    """The thread that dies says which plugin it is in, not the one that was called last."""
    other = build("fatal.c", "BUILD=2", name="other", flags=["-Wno-infinite-recursion"])
    code = f"""{ENABLE}
a, b = (loader.load(each, contract=loader.Contract.from_header(header)) for each in (path, more[0]))
threading.Thread(target=b.stay, daemon=True).start()
import time; time.sleep(0.05)
a.die('write')
"""
    [crash] = die(code, fatal, other, by="SIGSEGV")
    assert (crash.plugin, crash.function) == ("fatal", "die")


# ---- Before and after others' handlers ---------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["read", "abort", "overflow"])
def test_faulthandler_of_the_application(die: Die, fatal: Path, kind: str, when: str) -> None:
    """The faulthandler that an application turned on still writes where it was told to, in either order."""
    turn = "import faulthandler; faulthandler.enable(open(more[0], 'w'))\n"
    turn = turn + ENABLE if when == "before" else "loader.crash.enable(report, traceback=False)\n" + turn
    place = fatal.parent / "traceback"
    [crash] = die(f"{turn}plugin().die({kind!r})", fatal, place, by=DEATHS[kind])
    assert (crash.plugin, crash.traceback) == ("fatal", "")
    assert "program.py" in place.read_text()


def test_signal_handler_of_the_application(die: Die, fatal: Path) -> None:
    """A handler that was there before is called."""
    code = f"""
import ctypes
def ended(number): import os; os._exit(0)
handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(ended)
libc = ctypes.CDLL(None)
libc.signal.restype = libc.signal.argtypes = None
libc.signal(6, handler)
{ENABLE}
plugin().die('abort')
"""
    [crash] = die(code, fatal)
    assert crash.plugin == "fatal"


def test_disabled(die: Die, fatal: Path) -> None:
    """After disable() nothing is reported, and after enable() it is again."""
    code = "loader.crash.disable()\n"
    assert die(f"{ENABLE}{code}plugin().die('read')", fatal, by="SIGSEGV") == []
    [crash] = die(f"{ENABLE}{code}{ENABLE}{ENABLE}plugin().die('read')", fatal, by="SIGSEGV")
    assert crash.plugin == "fatal"


def test_forked_child(die: Die, fatal: Path) -> None:
    """A forked child reports to the same file, with its own process id."""
    code = f"""{ENABLE}
import os, signal
p = plugin()
p.die("fine")
for _ in range(3):
    child = os.fork()
    if child == 0: p.die("overflow")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGSEGV
"""
    crashes = die(code, fatal)
    assert [crash.plugin for crash in crashes] == ["fatal"] * 3
    assert len({crash.process for crash in crashes}) == 3


def test_many_threads_get_their_stacks_from_those_that_ended(die: Die, fatal: Path) -> None:
    """Hundreds of threads that come and go do not use up memory for handlers' stacks, and each is covered."""
    code = f"""{ENABLE}
p = plugin()
def maps(): return sum(1 for line in open("/proc/self/maps"))
elsewhere(p.die, "fine")
before = maps()
for _ in range(300): elsewhere(p.die, "fine")
assert maps() < before + 20, (before, maps())
elsewhere(p.die, "overflow")
"""
    [crash] = die(code, fatal, by="SIGSEGV")
    assert (crash.plugin, crash.main_thread) == ("fatal", False)


GO = """
p = loader.load(path, contract=loader.Contract.from_header(more[0]))
"""


@pytest.mark.parametrize("order", ["enabled first", "Go first"])
def test_go_mends_its_own_faults(die: Die, go_panics: Path, order: str) -> None:
    """A nil pointer in Go code is still a panic, which becomes PluginError: no death, and no line of one."""
    greeter = GREETER
    code = ENABLE + GO if order == "enabled first" else GO + ENABLE
    code += """
for _ in range(20):
    try: print(p.greet("pointer"))
    except loader.PluginError as error: assert "nil pointer" in str(error), error
    else: raise SystemExit("it did not panic")
"""
    assert die(code, go_panics, greeter) == []


@pytest.mark.parametrize("thread", ["main", "other"])
@pytest.mark.parametrize("kind", DEATHS)
def test_c_plugin_dies_beside_go(die: Die, go_panics: Path, fatal: Path, kind: str, thread: str) -> None:
    """With a Go runtime loaded after enable(), the death of a plugin in C is told as ever."""
    greeter = GREETER
    call = f"q.die({kind!r})" if thread == "main" else f"elsewhere(both, {kind!r})"
    code = f"""{ENABLE}{GO}
q = loader.load(more[1], contract=loader.Contract.from_header(header))
def both(kind):
    p.greet("you")
    q.die(kind)
p.greet("you")
{call}
"""
    [crash] = die(code, go_panics, greeter, fatal, by=DEATHS[kind])
    assert (crash.plugin, crash.function) == ("fatal", "die")


# ---- Reports -----------------------------------------------------------------------------------------------


def line(**fields: object) -> str:
    """One line of a report."""
    known = {"signal": "SIGSEGV", "time": 1.5, "process": 1, "thread": 1, "main_thread": True, "plugin": "p"}
    return json.dumps(known | fields)


def test_no_report() -> None:
    """A report that is not there speaks against nobody."""
    assert read_report("/nonexistent/report") == []
    assert quarantined("0" * 64, "/nonexistent/report") is None


@pytest.mark.parametrize(
    "damage",
    [
        *("", "{", "[]", "null", "\0\xff", '{"signal": "SIGSEGV"}', '{"mended": true}', '{"released": 7}'),
        *(line(signal=7), line(digest=7), line(process="x"), "[" * 100000, '{"a":' * 100000),
    ],
)
def test_damaged_report(tmp_path: Path, damage: str) -> None:
    """Lines that are not right are passed over, and the others read."""
    report = tmp_path / "report"
    report.write_bytes(f"{line()}\nFatal Python error\n{damage}\n{line(plugin='q')}\n".encode("latin-1"))
    assert [crash.plugin for crash in read_report(report)] == ["p", "q"]


def test_mended_fault_is_no_crash(tmp_path: Path) -> None:
    """A line that was revoked by its own thread does not count; those of other threads do."""
    report = tmp_path / "report"
    mended = '{"mended": true, "process": 1, "thread": 1}'
    report.write_text("\n".join([line(), line(thread=2), mended]) + "\n")
    assert [crash.thread for crash in read_report(report)] == [2]


def test_file_name_of_any_bytes(die: Die, fatal: Path, tmp_path: Path) -> None:
    """Quotes, control characters and bytes that are not UTF-8 in a plugin's path come back as they were."""
    path = tmp_path / os.fsdecode(b'a"b\\c\n\x7f\xff\xc3\xa9.so')
    path.write_bytes(fatal.read_bytes())
    [crash] = die(ENABLE + "plugin().die('read')", path, by="SIGSEGV")
    assert crash.path == str(path)


def test_report_is_private(die: Die, fatal: Path, tmp_path: Path) -> None:
    """The file is made for its owner only, and not through a symbolic link."""
    die(ENABLE, fatal)
    assert (tmp_path / "report").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "report")
    with pytest.raises(OSError, match="symbolic"):
        loader.crash.enable(tmp_path / "link")


# ---- Quarantine --------------------------------------------------------------------------------------------


def test_quarantine(die: Die, fatal: Path, tmp_path: Path) -> None:
    """The next start refuses the file that crashed, until it is released or is another file."""
    report = tmp_path / "report"
    die(ENABLE + "plugin().die('read')", fatal, by="SIGSEGV")
    contract = loader.Contract.from_header(HEADER)
    host = loader.Host(contract, quarantine=report)
    with pytest.raises(TrustError, match="in quarantine: it crashed an earlier process") as caught:
        host.load(fatal)
    assert "SIGSEGV in die on" in str(caught.value)
    assert host.plugins == ()
    crash = quarantined(digest(fatal), report)
    assert crash is not None
    assert crash.function == "die"
    assert loader.Host(contract, quarantine=[]).load(fatal).echo("x") == "x"
    release(digest(fatal), report)
    assert quarantined(digest(fatal), report) is None
    assert loader.Host(contract, quarantine=[report]).load(fatal).echo("x") == "x"
    die(ENABLE + "plugin().die('read')", fatal, by="SIGSEGV")
    assert quarantined(digest(fatal), report) is not None


def test_quarantine_comes_before_constructors(die: Die, build: Build, tmp_path: Path) -> None:
    """A file that dies while it is loaded kills one start, not the next."""
    path = build("fatal.c", "LOADING=abort", name="loading", flags=["-Wno-infinite-recursion"])
    die(ENABLE + "plugin()", path, by="SIGABRT")
    host = loader.Host(loader.Contract.from_header(HEADER), quarantine=tmp_path / "report")
    with pytest.raises(LoaderError, match="SIGABRT in dlopen"):
        host.load(path)


def test_service_crash_is_no_quarantine(tmp_path: Path) -> None:
    """Who called a service of the host that crashed is not to blame."""
    (tmp_path / "report").write_text(line(digest="d", in_service=True) + "\n")
    assert Quarantine(tmp_path / "report").crash_of("d") is None


def test_descriptor_that_is_closed(run_python: Callable[..., object]) -> None:
    """A report that cannot be written to is refused, and faulthandler is not left on with it."""
    run_python(
        "import faulthandler\n"
        "import loader.crash\n"
        "try:\n"
        "    loader.crash.enable(999)\n"
        "except ValueError:\n"
        "    assert not faulthandler.is_enabled()\n"
        "else:\n"
        "    raise AssertionError\n"
    )


def test_breadcrumb_can_still_be_taken_out(tmp_path: Path) -> None:
    """tests/benchmarks/breadcrumb.py knows each place of the C code where a breadcrumb is kept."""
    shutil.copytree(ROOT / "loader", tmp_path / "loader", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    program = f"import breadcrumb, pathlib; breadcrumb.change(pathlib.Path({str(tmp_path)!r}), breadcrumb.WITHOUT)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "tests/benchmarks", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
