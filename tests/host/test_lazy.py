"""Plugins that are opened at their first use, and what is cached of their hooks."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest

from loader.cache import AnswerCache
from loader.errors import LoaderError, PluginError, RegistryError, TrustError
from loader.htmlize import Htmlizer, Problem
from loader.lazy import LazyPlugin
from loader.trust import Policy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NATIVE_PLUGIN_LOADER_CACHE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def tt(native_plugins: Path, tmp_path: Path) -> Path:
    """A copy of the plugin tt that is old enough to be cached."""
    file = tmp_path / "tt.so"
    shutil.copy(native_plugins / "tt.so", file)
    os.utime(file, ns=(10**18, 10**18))
    return file


@pytest.fixture
def cached(tt: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, cached by an Htmlizer before."""
    monkeypatch.setattr("loader.cache._FRESH", -(10**18))  # its inode is new, whatever utime says
    app = Htmlizer([tt], lazy=True)
    assert lazy_plugin(app).opened  # it had to be asked
    return tt


def lazy_plugin(app: Htmlizer) -> LazyPlugin:
    """The one plugin of an Htmlizer that opens its plugins late."""
    (plugin,) = app.plugins
    assert isinstance(plugin, LazyPlugin)
    return plugin


def test_opened_at_first_use(cached: Path) -> None:
    """What is cached is not opened before a document has its role; then it answers."""
    app = Htmlizer([cached], lazy=True)
    plugin = lazy_plugin(app)
    assert not plugin.opened
    assert list(app.roles) == ["tt"]
    assert "not opened yet" in repr(plugin)
    assert app.htmlize("nothing of it: :other:`x`") == "<p>nothing of it: :other:`x`</p>\n\n"
    assert not plugin.opened
    assert app.htmlize("a :tt:`b` and :tt:`c`") == "<p>a <tt>b</tt> and <tt>c</tt></p>\n\n"
    assert plugin.opened
    assert plugin.digest
    assert "not opened" not in repr(plugin)
    assert app.htmlize("a :tt:`d`") == "<p>a <tt>d</tt></p>\n\n"


def test_process_role_opens(cached: Path) -> None:
    """A single role opens its plugin too, and an old process_role goes on working."""
    app = Htmlizer([cached], lazy=True)
    process_role: Any = app.process_role
    assert process_role("tt", "x") == "<tt>x</tt>"
    assert process_role("tt", "y") == "<tt>y</tt>" == app.process_role("tt", "y", None)  # type: ignore[arg-type]


def test_many_opened_one_by_one(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Plugins opened one after the other do not take a new engine each; those in use end up in one."""
    image = cached.read_bytes()
    roles = [f"r{number:x}" for number in range(16)]
    for role in roles:
        (tmp_path / f"{role}.so").write_bytes(image.replace(b"role:tt\n", f"role:{role}\n".encode()))
    files = [tmp_path / f"{role}.so" for role in roles]
    assert all(plugin.opened for plugin in Htmlizer(files, lazy=True).plugins if isinstance(plugin, LazyPlugin))
    app = Htmlizer(files, lazy=True)
    assert list(app.roles) == roles
    made: list[None] = []
    build = app._build
    monkeypatch.setattr(app, "_build", lambda: (made.append(None), build())[1])
    document = "".join(f":{role}:`x` " for role in roles)
    html = f"<p>{' '.join(['<tt>x</tt>'] * 16)}</p>\n\n"
    for _ in range(3):
        assert app.htmlize(document) == html
    assert 1 <= len(made) <= 4
    assert app._detours == 0  # the engine knows all of them
    assert not caplog.records


def test_attribute_opens(cached: Path) -> None:
    """An attribute of the plugin opens it; copy's and pickle's own questions do not, but pickling does."""
    plugin = lazy_plugin(Htmlizer([cached], lazy=True))
    assert not hasattr(plugin, "__deepcopy__")
    assert not plugin.opened
    assert "digest" in dir(plugin)
    assert not plugin.opened
    assert plugin.version == (1, 0)
    assert plugin.opened
    other = lazy_plugin(Htmlizer([cached], lazy=True))
    assert pickle.loads(pickle.dumps(other)).digest == plugin.digest
    assert copy.copy(other).digest == plugin.digest
    with pytest.raises(AttributeError):
        _ = other.no_such_function


def test_changed_file_is_asked_again(cached: Path, build: Any) -> None:
    """A file that changed is opened and asked, whatever was cached of the old one."""
    shutil.copy(build("cli_roles.c"), cached)
    app = Htmlizer([cached], lazy=True)
    assert lazy_plugin(app).opened
    assert "tt" not in app.roles


def test_false_memory_is_found_out(cached: Path) -> None:
    """Where the memory is wrong the plugin's own hooks win: the document fails, and the next run is right."""
    memory = AnswerCache("htmlize-1-hooks")
    opened = Htmlizer([cached]).plugins[0]
    memory.keep(str(cached), opened.digest, "role:wrong\n")
    memory.save()
    app = Htmlizer([cached], lazy=True)
    assert list(app.roles) == ["wrong"]
    assert not lazy_plugin(app).opened
    with pytest.raises(RegistryError, match="hooks that are cached"):
        app.htmlize(":wrong:`x`")
    assert list(Htmlizer([cached], lazy=True).roles) == ["tt"]


def test_damaged_memory(cached: Path, cache: Path) -> None:
    """A damaged cache file is as good as none."""
    (file,) = (cache / "native-plugin-loader").glob("*hooks*")
    content = file.read_bytes()
    for damaged in (b"", content[:-1], content.replace(b"tt", b"xx"), b"{}"):
        file.write_bytes(damaged)
        app = Htmlizer([cached], lazy=True)
        assert lazy_plugin(app).opened
        assert list(app.roles) == ["tt"]


def test_trust_is_asked_at_first_use(cached: Path) -> None:
    """What the policy refuses is refused before its code runs: by the document, with its own error, each time."""
    lock = cached.with_name("loader.lock")
    lock.write_text("version = 1\n")
    app = Htmlizer([cached], lazy=True, policy=Policy(lock=str(lock)))
    for _ in range(2):
        with pytest.raises(TrustError):
            app.htmlize(":tt:`x`")
        with pytest.raises(TrustError):
            app.process_role("tt", "x", None)  # type: ignore[arg-type]
    assert not lazy_plugin(app).opened


def test_kept_problem(cached: Path) -> None:
    """With plugin_errors="keep" the role stays as it stood, and the report has the reason."""
    app = Htmlizer([cached], lazy=True)
    cached.unlink()
    problems: list[Problem] = []
    html = app.htmlize("a :tt:`x` b", plugin_errors="keep", report=problems.append)
    assert html == "<p>a :tt:`x` b</p>\n\n"
    (problem,) = problems
    assert problem.status == 1
    assert isinstance(problem.cause, LoaderError)
    assert str(cached) in problem.message


def test_contents_hooks_are_opened_at_once(native_plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that changes contents is needed by every document: it is opened with the Htmlizer."""
    monkeypatch.setattr("loader.cache._FRESH", -(10**18))
    file = native_plugins / "narcissist.so"
    for _ in range(2):
        app = Htmlizer([file], lazy=True)
        assert lazy_plugin(app).opened
        assert app.contents_hooks == app.plugins
    assert app.htmlize("I") == Htmlizer([file]).htmlize("I")


def test_failing_plugin_keeps_its_error(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first use of a role that fails is an error of the plugin, by its name."""
    monkeypatch.setattr("loader.cache._FRESH", -(10**18))
    file = build("cli_roles.c")
    Htmlizer([file], lazy=True)
    app = Htmlizer([file], lazy=True)
    assert not lazy_plugin(app).opened
    with pytest.raises(PluginError) as caught:
        app.htmlize(":fail:`x`")
    assert caught.value.plugin == app.plugins[0].name


def test_many_threads_open_one(cached: Path) -> None:
    """Documents on several threads want the same plugin first: it is opened once, and all are right."""
    app = Htmlizer([cached], lazy=True)
    answers: list[str] = []
    barrier = threading.Barrier(8)

    def render() -> None:
        barrier.wait()
        answers.extend(app.htmlize(":tt:`x` " * 50) for _ in range(20))

    threads = [threading.Thread(target=render) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 160
    assert set(answers) == {"<p>" + "<tt>x</tt> " * 49 + "<tt>x</tt></p>\n\n"}


def test_opened_between_two_looks(cached: Path) -> None:
    """Python looks in vain, another thread opens the plugin, and only then Python asks __getattr__: it knows."""
    plugin = lazy_plugin(Htmlizer([cached], lazy=True))
    plugin.open()
    for name in ("functions", "digest", "version", "owner"):
        assert LazyPlugin.__getattr__(plugin, name) is getattr(plugin, name)


def test_cache_off(tt: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """NATIVE_PLUGIN_LOADER_CACHE=off: nothing is cached, and all are asked."""
    monkeypatch.setenv("NATIVE_PLUGIN_LOADER_CACHE", "off")
    for _ in range(2):
        assert lazy_plugin(Htmlizer([tt], lazy=True)).opened
    assert not cache.exists()


def test_young_files_are_not_cached(tt: Path) -> None:
    """A file that may change again within one tick of its clock is asked again."""
    os.utime(tt)
    Htmlizer([tt], lazy=True)
    assert lazy_plugin(Htmlizer([tt], lazy=True)).opened
