"""Plugin.reload and Host.reload: what a file holds now in the place of what was loaded, whole or not at all."""

from __future__ import annotations

import dataclasses
import gc
import json
import pickle
import signal
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tree import GREETER, PLUGINS

import loader
from loader.errors import (
    HandshakeError,
    ImageError,
    LibraryError,
    PluginNotFound,
    RegistryError,
    ReloadError,
    TrustError,
)
from loader.lazy import LazyPlugin
from loader.trust.quarantine import Crash

if TYPE_CHECKING:
    from conftest import Builds  # type: ignore[attr-defined]

Together = Callable[[int, Callable[[int], Any]], list[Any]]
Run = Callable[..., Any]


# ---- The switch ----------------------------------------------------------------------------------------------


def test_new_code_in_place(worker: loader.Plugin, builds: Builds) -> None:
    """The same object has the new functions, classes, digest, owner; the new code's state begins anew."""
    before = (worker.digest, worker.owner, worker.functions, worker.classes, worker.build, worker.adder)
    assert [worker.build(), worker.build(), worker.times() >= 2] == ["0000", "0000", True]
    builds.put("new0")  # in no other test
    assert worker.reload() is worker
    assert [worker.build(), worker.times()] == ["new0", 1]
    after = (worker.digest, worker.owner, worker.functions, worker.classes, worker.build, worker.adder)
    assert all(old is not new for old, new in zip(before, after, strict=True))
    assert worker.owner is worker.build.__self__.owner
    assert {function.__self__.plugin for function in worker.functions.values()} == {worker}
    assert loader.load(builds.path, contract=worker.contract).digest == worker.digest


def test_same_bytes_are_left(worker: loader.Plugin, builds: Builds) -> None:
    """A file that did not change, or was written again with the same bytes, is not switched."""
    build = worker.build
    worker.reload()
    builds.put("0000")
    assert worker.reload().build is build


def test_back_to_an_earlier_build(worker: loader.Plugin, builds: Builds) -> None:
    """Bytes that were loaded before are the library that is still there, with its state."""
    worker.build()
    times = worker.times()
    builds.put("0001")
    worker.reload()
    builds.put("0000")
    assert worker.reload().times() == times


def test_optional_functions_come_and_go(worker: loader.Plugin, builds: Builds) -> None:
    """What the new file has more is there, what it has less is not; what the application set stays."""
    worker.note = "ours"  # type: ignore[attr-defined]
    assert not hasattr(worker, "extra")
    builds.put("0001", extra=True)
    assert worker.reload().extra() == "0001"
    assert "extra" in dir(worker)
    builds.put("0002")
    worker.reload()
    with pytest.raises(AttributeError, match="optional function extra"):
        _ = worker.extra
    assert worker.note == "ours"


def test_another_path(worker: loader.Plugin, builds: Builds, tmp_path: Path) -> None:
    """A path that is given is the plugin's from then on; its name stays."""
    other = builds.put("0001", path=tmp_path / "other.so")
    worker.reload(other)
    assert (worker.path, worker.name, worker.build()) == (str(other), "worker", "0001")
    builds.put("0002", path=other)
    assert worker.reload().build() == "0002"


def test_what_was_kept_is_old(worker: loader.Plugin, builds: Builds) -> None:
    """A function that was kept goes on with the old code, and so does an instance."""
    kept, instance = worker.build, worker.adder()
    instance.add(5)
    builds.put("0001")
    worker.reload()
    assert (kept(), instance.build(), instance.add(1)) == ("0000", "0000", 6)
    assert worker.adder().build() == "0001"
    assert type(instance) is not worker.adder
    instance.close()


def test_instances_move_by_the_contract(worker: loader.Plugin, builds: Builds) -> None:
    """export_state of the old instance, import_state of the new code: two ordinary functions of the header."""
    instance = worker.adder()
    instance.add(5)
    builds.put("0001")
    worker.reload()
    moved = worker.adder_import_state(instance.export_state())
    assert (moved.build(), moved.add(1), instance.add(0)) == ("0001", 6, 5)


def test_instances_that_move(worker: loader.Plugin, builds: Builds) -> None:
    """The same objects have the new code and their state; the old states are freed; iteration goes on."""
    one, two, stays = worker.adder(), worker.adder(), worker.adder()
    one.add(1)
    two.add(2)
    kept = one.add
    builds.put("0001")
    worker.reload(move=[one, two])
    assert (one.build(), two.build(), stays.build()) == ("0001", "0001", "0000")
    assert (one.add(10), two.add(10), stays.add(10)) == (11, 12, 10)
    assert type(one) is worker.adder
    with pytest.raises(TypeError):
        kept(1)  # a method of the old code
    builds.put("0002")
    worker.reload(move=(each for each in (one,)))
    assert (one.build(), one.add(0), two.build()) == ("0002", 11, "0001")
    one.close()
    two.close()
    stays.close()


@pytest.mark.parametrize("how", ["closed", "another's", "old", "no instance", "refused", "claims"])
def test_what_cannot_move(reloaded: loader.Contract, builds: Builds, how: str) -> None:
    """Then nothing is reloaded, and those that had moved already have the old code again."""

    def claims(plugin: loader.Plugin) -> list[str]:
        return ["one"] if plugin.build() == "0000" else ["one", "taken"]

    host = loader.Host(reloaded, strict=True)
    plugin, other = host.load(builds.path, claims=claims), loader.load(builds.path, contract=reloaded)
    host.load(builds.path, name="other", claims=lambda _: ["taken"])
    first, bad = plugin.adder(), plugin.adder()
    first.add(1)
    move: list[Any] = [first, bad]
    if how == "closed":
        bad.close()
    elif how == "another's":
        move[1] = other.adder()
    elif how == "old":
        builds.put("old0")
        other.reload()
        move[1] = other.adder()
    elif how == "no instance":
        move[1] = "adder"
    elif how == "refused":
        bad.add(-1)  # see adder_import_state
    builds.put("0001")
    errors = (loader.InstanceError, loader.PluginError, TypeError, RegistryError)
    with pytest.raises(errors):
        host.reload("worker", move=move)
    assert (plugin.build(), first.build(), first.add(0)) == ("0000", "0000", 1)
    assert type(first) is plugin.adder


def test_moving_while_it_is_used(worker: loader.Plugin, builds: Builds, together: Together) -> None:
    """Other threads that use an instance get the old code or the new one, or are told; the process lives."""
    instance = worker.adder()
    over = threading.Event()

    def work(number: int) -> int:
        count = 0
        if number == 0:
            try:
                for build in range(1, 61):
                    builds.put(f"m{build:03}")
                    worker.reload(move=[instance])
                    assert instance.build() == f"m{build:03}"
            finally:
                over.set()
        while not over.is_set():
            try:
                assert instance.build()[0] in "0m"
                instance.add(0)
                count += 1
            except TypeError:  # its method was looked up before the move
                pass
            except loader.InstanceError as error:
                assert "new code of a reload" in error.what  # noqa: PT017
        return count

    assert sum(together(4, work)) > 60


def test_pickles(worker: loader.Plugin, builds: Builds) -> None:
    """Pickled is what runs; a function of the old code is not taken for the new one's."""
    kept = worker.build
    builds.put("0001")
    worker.reload()
    assert pickle.loads(pickle.dumps(worker)).build() == "0001"
    assert pickle.loads(pickle.dumps(worker.build))() == "0001"
    assert kept.__self__.plugin.digest != worker.digest
    with pytest.raises(loader.LibraryError, match="is not the file that was pickled"):
        pickle.loads(pickle.dumps(kept))
    again = pickle.loads(pickle.dumps(worker))
    builds.put("0002")
    assert again.reload().build() == "0002"
    assert worker.build() == "0001"


def test_old_code_is_let_go(worker: loader.Plugin, builds: Builds) -> None:
    """What nobody kept is freed, but for the library itself."""
    gone = weakref.ref(worker.build)
    for build in ("0001", "0002"):
        builds.put(build)
        worker.reload()
    gc.collect()
    assert gone() is None


def test_load_report_reloads(reloaded: loader.Contract, builds: Builds) -> None:
    """A plugin of load_report is one like any other."""
    plugin = loader.load_report(builds.path, contract=reloaded).plugin
    assert plugin is not None
    builds.put("0001")
    assert plugin.reload().build() == "0001"


# ---- What fails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("break_it", "error"),
    [
        (lambda path: path.unlink(), PluginNotFound),
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), ImageError),
        (lambda path: path.write_text("no plugin\n"), ImageError),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"reloaded_abi", b"reloadee_abi")), HandshakeError),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"calloc", b"cal1oc")), LibraryError),
    ],
)
def test_old_one_stays_whole(
    worker: loader.Plugin, builds: Builds, break_it: Callable[[Path], Any], error: type[Exception]
) -> None:
    """Whatever stage refuses the new file raises its own error, and nothing of the plugin has changed."""
    state = dict(vars(worker))
    break_it(builds.path)
    with pytest.raises(error):
        worker.reload()
    assert vars(worker) == state
    assert worker.build() == "0000"
    builds.put("0001")
    assert worker.reload().build() == "0001"


def test_policy_is_asked_again(reloaded: loader.Contract, builds: Builds, tmp_path: Path) -> None:
    """What a policy refuses now is refused: load's for a plugin alone, the host's present one for a host's."""
    lock = tmp_path / "loader.lock"
    lock.write_text("version = 1\n")
    host = loader.Host(reloaded)
    plugin = host.load(builds.path)
    host.policy = loader.Policy(lock=str(lock))
    builds.put("0001")
    with pytest.raises(TrustError):
        plugin.reload()
    assert plugin.build() == "0000"


def test_quarantine_is_asked_again(reloaded: loader.Contract, builds: Builds, tmp_path: Path) -> None:
    """Bytes that crashed an earlier process do not come in by a reload."""
    digest = loader.read_image(builds.put("0001", path=tmp_path / "next.so")).digest
    crash = Crash("SIGSEGV", 1.0, 1, 1, main_thread=True, plugin="worker", path=str(builds.path), digest=digest)
    (tmp_path / "report").write_text(json.dumps(dataclasses.asdict(crash)) + "\n")
    plugin = loader.Host(reloaded, quarantine=tmp_path / "report").load(builds.path)
    builds.put("0001")
    with pytest.raises(TrustError, match="quarantine"):
        plugin.reload()
    assert plugin.build() == "0000"


@pytest.mark.parametrize(
    "self_test", ["check", "sound", lambda plugin: plugin.check(), lambda plugin: plugin.build()[0] != "F"]
)
def test_self_test(worker: loader.Plugin, builds: Builds, self_test: Any) -> None:
    """A function that fails or gives False, or a callable that raises or does: the new code is never the plugin's."""
    builds.put("F001")
    with pytest.raises(ReloadError, match="self-test") as caught:
        worker.reload(self_test=self_test)
    assert (caught.value.plugin, caught.value.path) == ("worker", str(builds.path))
    assert caught.value.__cause__ is None or "this build is broken" in str(caught.value.__cause__)
    assert worker.build() == "0000"
    builds.put("0001")
    assert worker.reload(self_test=self_test).build() == "0001"


def test_self_test_is_given_the_new_one(worker: loader.Plugin, builds: Builds) -> None:
    """The callable has the new plugin in its hands while everybody else has the old one."""
    seen = []
    builds.put("0001")
    worker.reload(self_test=lambda new: seen.append((new.build(), new.name, worker.build())))
    assert seen == [("0001", "worker", "0000")]


def test_self_test_that_is_none(worker: loader.Plugin, builds: Builds) -> None:
    """A name that the contract lacks, of a function with parameters or of a class, is the caller's mistake."""
    builds.put("0001")
    for name in ("chekc", "fail", "adder_new"):
        with pytest.raises(ValueError, match="build, check, extra, sound, through, times"):
            worker.reload(self_test=name)
    with pytest.raises(ReloadError, match="optional"):
        worker.reload(self_test="extra")
    assert worker.build() == "0000"


def test_self_test_of_the_host(reloaded: loader.Contract, builds: Builds) -> None:
    """The host's own is for all of its plugins, unless a reload brings another."""
    host = loader.Host(reloaded, self_test="check")
    host.load(builds.path)
    builds.put("F001")
    with pytest.raises(ReloadError):
        host.reload("worker")
    assert host.reload("worker", self_test=lambda _: True).build() == "F001"


def test_interrupt_leaves_the_old_one(worker: loader.Plugin, builds: Builds) -> None:
    """Ctrl-C in the middle, here in the self-test, ends the reload and nothing else."""
    builds.put("0001")
    with pytest.raises(KeyboardInterrupt):
        worker.reload(self_test=lambda _: signal.raise_signal(signal.SIGINT))
    assert worker.build() == "0000"
    assert worker.reload().build() == "0001"


# ---- In a host -----------------------------------------------------------------------------------------------


def test_by_name(reloaded: loader.Contract, builds: Builds) -> None:
    """host.reload takes the last plugin of the name; a name that is not there is a RegistryError with a hint."""
    host = loader.Host(reloaded)
    plugin = host.load(builds.path)
    builds.put("0001")
    assert host.reload("worker") is plugin
    assert plugin.build() == "0001"
    with pytest.raises(RegistryError, match="Did you mean worker"):
        host.reload("worket")


def test_with_the_hosts_services(reloaded: loader.Contract, builds: Builds) -> None:
    """The new code has the services, the limit and the name that the old one had."""
    calls = []

    class App:
        def back(self) -> None:
            calls.append(1)

    host = loader.Host(reloaded, services={"reloaded.app/1": App()}, max_output=3)
    plugin = host.load(builds.path, name="other")
    builds.put("0001")
    plugin.reload()
    with pytest.raises(loader.PluginError, match="room"):
        plugin.through()
    assert calls == [1]
    assert (plugin.name, plugin.owner.name) == ("other", "other")


def test_registry_follows(reloaded: loader.Contract, builds: Builds) -> None:
    """Claims are those of the new code, the plugin keeps its place, and its file is known by its new inode."""
    host = loader.Host(reloaded)
    plugin = host.load(builds.path, claims=lambda plugin: [f"role:{plugin.build()}"])
    other = host.load(builds.path, name="other")
    builds.put("0001")
    plugin.reload()
    assert host.registry.claims == {"role:0001": plugin}
    assert host.plugins == (plugin, other)
    assert host.load(builds.path) is plugin
    host.registry.remove(plugin)
    assert host.registry.claims == {}


def test_claims_are_refused_as_at_load(reloaded: loader.Contract, builds: Builds, tmp_path: Path) -> None:
    """A strict host refuses a claim that another plugin has; claims that raise end the reload; nothing changed."""

    def claims(plugin: loader.Plugin) -> list[str]:
        if plugin.build() == "F001":
            raise RegistryError("no such claim")
        return [f"role:{plugin.build()}"]

    host = loader.Host(reloaded, strict=True)
    plugin = host.load(builds.path, claims=claims)
    taken = host.load(builds.put("0001", path=tmp_path / "taken.so"), claims=claims)
    for build in ("0001", "F001"):
        builds.put(build, extra=True)  # other bytes than those of taken.so
        with pytest.raises(RegistryError):
            plugin.reload()
        assert plugin.build() == "0000"
        assert host.registry.claims == {"role:0000": plugin, "role:0001": taken}


def test_two_for_one_claim(
    reloaded: loader.Contract, builds: Builds, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without strict, the last in load order has the claim, and a warning names both, once."""
    host = loader.Host(reloaded)
    first = host.load(builds.path, claims=lambda plugin: [plugin.build()])
    last = host.load(builds.put("0001", path=tmp_path / "last.so"), claims=lambda plugin: [plugin.build()])
    builds.put("0001", extra=True)
    first.reload()
    assert host.registry.claims == {"0001": last}
    (record,) = caplog.records
    assert "plugin last" in record.getMessage().partition("takes the place")[0]
    builds.put("0002")
    first.reload()
    assert host.registry.claims == {"0001": last, "0002": first}
    assert len(caplog.records) == 1


def test_two_hosts(reloaded: loader.Contract, builds: Builds) -> None:
    """Of two hosts with one file, each reloads for itself."""
    one, two = loader.Host(reloaded).load(builds.path), loader.Host(reloaded).load(builds.path)
    builds.put("0001")
    one.reload()
    assert (one.build(), two.build()) == ("0001", "0000")
    assert two.reload().digest == one.digest


def test_what_follows_the_reload_fails(reloaded: loader.Contract, builds: Builds) -> None:
    """Where the application cannot go on with the new code (on_reload raises), the old one is put back."""

    def refuse() -> None:
        assert plugin.build() == "0001"
        raise RuntimeError("cannot be")

    host = loader.Host(reloaded)
    plugin = host.load(builds.path, claims=lambda plugin: [plugin.build()])
    build = plugin.build
    host.on_reload = refuse
    builds.put("0001")
    with pytest.raises(RuntimeError):
        plugin.reload()
    assert plugin.build is build
    assert host.registry.claims == {"0000": plugin}


@pytest.mark.parametrize("opened", [False, True])
def test_lazy(reloaded: loader.Contract, builds: Builds, opened: bool) -> None:
    """A plugin that is opened late is reloaded as others are; one that is not open yet is opened by it."""
    host = loader.Host(reloaded)
    plugin = host.load(builds.path, lazy=True)
    assert isinstance(plugin, LazyPlugin)
    if opened:
        assert plugin.build() == "0000"
    builds.put("0001")
    assert host.reload("worker") is plugin
    assert plugin.opened
    assert plugin.build() == "0001"
    assert pickle.loads(pickle.dumps(plugin)).build() == "0001"
    builds.put("0002")
    assert plugin.reload().build() == "0002"


def test_debug_mode_follows(reloaded: loader.Contract, builds: Builds) -> None:
    """A host that looks for changes of the process's state looks around the new code's calls too."""
    host = loader.Host(reloaded, debug=True)
    plugin = host.load(builds.path)
    builds.put("0001")
    plugin.reload()
    assert plugin.owner.watch is not None


# ---- Threads, forks, coming back -----------------------------------------------------------------------------


def test_from_inside_of_a_call(reloaded: loader.Contract, builds: Builds) -> None:
    """A service reloads the plugin that calls it: this call ends with the code that it began with."""

    class App:
        def back(self) -> None:
            builds.put("0001")
            plugin.reload()
            assert plugin.build() == "0001"

    plugin = loader.Host(reloaded, services={"reloaded.app/1": App()}).load(builds.path)
    assert plugin.through() == "0000"
    assert plugin.build() == "0001"


def test_under_load(reloaded: loader.Contract, builds: Builds, together: Together) -> None:
    """200 reloads while four threads call: no call fails, none goes back to an earlier build."""
    assert under_load(reloaded, builds, together, 200) > 200


def under_load(reloaded: loader.Contract, builds: Builds, together: Together, count: int) -> int:
    """How many calls there were."""
    host = loader.Host(reloaded, self_test="check")
    plugin = host.load(builds.path, claims=lambda plugin: [plugin.build()])
    over = threading.Event()

    def call(number: int) -> int:
        if number == 0:
            try:
                for build in range(1, count + 1):
                    builds.put(f"{build:04}")
                    host.reload("worker")
                    assert plugin.build() == f"{build:04}"
                    assert list(host.registry.claims) == [f"{build:04}"]
            finally:
                over.set()
            return 0
        calls, last = 0, "0000"
        while not over.is_set():
            build = plugin.build()
            assert build >= last
            assert plugin.next_to(1.0) == 2.0
            with plugin.adder() as adder:
                assert adder.add(2) == 2
            calls, last = calls + 1, build
        return calls

    return sum(together(5, call))


def test_two_threads_reload(worker: loader.Plugin, builds: Builds, together: Together) -> None:
    """What was read last wins: a reload that another one overtook begins again with what is there now."""
    first, second = threading.Event(), threading.Event()

    def slow(new: loader.Plugin) -> None:
        if new.build() == "0001":
            first.set()
            assert second.wait(60)

    def reload(number: int) -> None:
        if number == 0:
            worker.reload(self_test=slow)
        else:
            assert first.wait(60)
            builds.put("0002")
            worker.reload()
            second.set()

    builds.put("0001")
    together(2, reload)
    assert worker.build() == "0002"


def test_after_fork(run_python: Run, builds: Builds) -> None:
    """A child reloads for itself, also one that is forked in the middle of its parent's reload."""
    program = """
import os, sys, threading
import loader

def child(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0

path, first, second, header = sys.argv[1:]
host = loader.Host(loader.Contract.from_header(header))
plugin = host.load(path)

def in_child():
    plugin.reload()
    assert plugin.build() == "0001", plugin.build()

os.replace(first, path)
child(in_child)
assert plugin.build() == "0000"

def fork_now(new):
    if new.build() == "0001":
        def again():
            plugin.reload()
            assert plugin.build() == "0001"
        child(again)
plugin.reload(self_test=fork_now)
assert plugin.build() == "0001"

os.replace(second, path)
def on_another_thread(new):
    thread = threading.Thread(target=lambda: child(in_child_2))
    thread.start()
    thread.join()
def in_child_2():
    assert plugin.build() == "0001"
    plugin.reload()
    assert plugin.build() == "0002"
plugin.reload(self_test=on_another_thread)
assert plugin.build() == "0002"
"""
    folder = builds.path.parent
    more = [builds.put(f"000{number}", path=folder / f"next{number}.so") for number in (1, 2)]
    run_python(program, builds.path, *more, PLUGINS / "reloaded.h", flags=("-W", "ignore::DeprecationWarning"))


def test_go_as_at_load(run_python: Run, go_greeter: Callable[..., Path]) -> None:
    """A second Go runtime: a warning where load warns, refused where it refuses."""
    first = go_greeter("-buildmode=c-shared", name="one")
    second = go_greeter("-buildmode=c-shared", name="two", source="package main\n\nvar Another = 3\n")
    program = """
import logging, shutil, sys
import loader

said = []
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage())
logging.getLogger("loader.library").addHandler(handler)
first, second, path, header = sys.argv[1:]
contract = loader.Contract.from_header(header)
shutil.copy(first, path)
strict, host = loader.Host(contract, strict=True), loader.Host(contract)
refused, plugin = strict.load(path), host.load(path)
digest = plugin.digest
with open(path, "wb") as file:
    file.write(open(second, "rb").read() + b"other bytes")
try:
    refused.reload()
except loader.LibraryError as error:
    assert "second Go runtime" in error.what
else:
    raise SystemExit("it was not refused")
assert refused.digest == digest and not said
plugin.reload()
assert plugin.digest != digest and "second Go runtime" in said[0]
assert plugin.functions
"""
    run_python(program, first, second, first.with_name("plugin.so"), GREETER)
