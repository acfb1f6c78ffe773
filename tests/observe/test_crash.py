"""loader/observe/crash.py: the report of a crash names the plugin, whatever the death and the thread."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import pytest
from crashing import DEATHS, ENABLE, SKIPPED, digest
from tree import GREETER

from loader.observe.crash import Crash

Build = Callable[..., Path]
Die = Callable[..., list[Crash]]

pytestmark = SKIPPED


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
    code = f"{ENABLE}p = plugin()\nimport os, signal, time\nos.kill(os.getpid(), signal.SIGSEGV)\ntime.sleep(9)"
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
