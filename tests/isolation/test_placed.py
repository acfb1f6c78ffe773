"""Where a plugin is: plugin.isolation; and no way around a policy that asks for a process of its own."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tree import PLUGINS

import loader
from loader.errors import IsolationError, PluginCrashed
from loader.htmlize import Htmlizer
from loader.isolation import Isolation
from loader.isolation import settings as isolation_settings
from loader.trust import Policy

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are for Linux")

APART = Policy(isolate=True)


@pytest.fixture
def path(build: Callable[..., Path], request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A plugin of the Greeter that no other test has loaded: what is mapped once stays mapped."""
    number = sum(request.node.nodeid.encode())
    return shutil.copy(build("hostile.c", f"BUILD={number}"), tmp_path / f"placed{number}.so")


def is_here(path: Path) -> bool:
    """Whether a plugin's copy is mapped in this process."""
    return f"memfd:{path.name}" in Path("/proc/self/maps").read_text()


# ---- plugin.isolation ----


def test_in_this_process(path: Path, greeter: loader.Contract) -> None:
    """None, and the code is in this process: so that what follows can fail."""
    assert loader.load(path, contract=greeter).isolation is None
    assert is_here(path)


def test_in_a_process_of_its_own(path: Path, greeter: loader.Contract) -> None:
    """It says what holds, what does not and why, and how it was asked for; the code is not in this process."""
    asked = Isolation(memory=256 << 20)
    plugin = loader.load(path, contract=greeter, isolation=asked)
    found = plugin.isolation
    assert found is not None
    assert found.settings == asked
    assert {"no_new_privs", "rlimits", "descriptors", "environment"} <= set(found.engaged)
    assert not set(found.engaged) & set(found.missing)
    assert set(found.engaged) | set(found.missing) == set(isolation_settings.PARTS)
    assert found.landlock >= 0
    assert not is_here(path)


def test_not_confined(path: Path, greeter: loader.Contract) -> None:
    """With sandbox="off" it is in a process of its own all the same, in which nothing is engaged."""
    found = loader.load(path, contract=greeter, isolation=Isolation(sandbox="off")).isolation
    assert found is not None
    assert found.engaged == ()


def test_after_a_death(build: Callable[..., Path]) -> None:
    """It is known also while there is no process."""
    contract = loader.Contract.from_header(PLUGINS / "falling.h")
    path = build("falling.c", flags=["-Wno-infinite-recursion"])
    plugin = loader.load(path, contract=contract, isolation=Isolation())
    before = plugin.isolation
    with pytest.raises(PluginCrashed):
        plugin.fall("abort")
    assert plugin.isolation == before is not None


def test_no_function_is_named_so(contract_of: Callable[..., loader.Contract]) -> None:
    """A function of this name would hide it: headers cannot have one."""
    with pytest.raises(loader.ContractError, match="attribute that every plugin has"):
        contract_of("named", 1, 0, "LOADER_EXPORT int isolation(loader_call *call);")


# ---- No way around a policy ----


def test_load(path: Path, greeter: loader.Contract) -> None:
    """load() without isolation= obeys; it greets as ever."""
    plugin = loader.load(path, contract=greeter, policy=APART)
    assert plugin.isolation is not None
    assert plugin.isolation.settings == Isolation()
    assert plugin.greet("you")
    assert not is_here(path)


def test_load_with_settings(path: Path, greeter: loader.Contract) -> None:
    """How it is set up says who loads it."""
    plugin = loader.load(path, contract=greeter, policy=APART, isolation=Isolation(workers=2, sandbox="off"))
    assert plugin.isolation is not None
    assert plugin.isolation.settings.workers == 2


def test_a_link(path: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """Another name of the file, by a link to it or to its folder, leads to the same."""
    policy = Policy.for_folders({str(tmp_path): APART})
    link, folder = tmp_path.parent / f"{path.stem}-link.so", tmp_path.parent / f"{path.stem}-folder"
    link.symlink_to(path)
    folder.symlink_to(tmp_path)
    for name in (link, folder / path.name):
        assert loader.load(name, contract=greeter, policy=policy).isolation is not None
    assert not is_here(path)
    assert not is_here(link)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("lazy", [False, True])
def test_a_host(path: Path, greeter: loader.Contract, together: bool, lazy: bool) -> None:
    """A host obeys, whether plugins share their processes, and when they are opened; what it discovers too."""
    host = loader.Host(greeter, policy=APART, together=together)
    plugin = host.load(path, lazy=lazy)
    assert plugin.greet("you")
    assert plugin.isolation is not None
    assert host.load_all([path.parent]) == [plugin]
    assert not is_here(path)


def test_a_host_that_says_no(path: Path, greeter: loader.Contract) -> None:
    """Host.load(isolated=False) is a wish, and the policy a rule."""
    for together in (False, True):
        plugin = loader.Host(greeter, policy=APART, together=together).load(path, isolated=False)
        assert plugin.isolation is not None
    assert not is_here(path)


def test_a_lazy_plugin_is_asked(path: Path, greeter: loader.Contract) -> None:
    """Where it is, is known when it is open: the question opens it, and is not answered with "here"."""
    plugin = loader.Host(greeter, policy=APART).load(path, lazy=True)
    assert plugin.isolation is not None
    assert plugin.opened  # type: ignore[attr-defined]


def test_a_policy_that_a_host_gets_later(path: Path, greeter: loader.Contract) -> None:
    """A lazy plugin is opened by the policy that holds when it is opened."""
    host = loader.Host(greeter)
    plugin = host.load(path, lazy=True)
    host.policy = APART
    assert plugin.isolation is not None
    assert not is_here(path)


def test_reload(path: Path, build: Callable[..., Path], greeter: loader.Contract) -> None:
    """New code goes where the old one was, loaded by load() or by a host, also from another path."""
    host = loader.Host(greeter, policy=APART)
    for plugin in (loader.load(path, contract=greeter, policy=APART), host.load(path)):
        shutil.copy(build("hostile.c", f"BUILD={id(plugin) % 1_000_000_007}"), path)
        plugin.reload()
        assert plugin.isolation is not None
        assert plugin.greet("you")
        other = shutil.copy(build("hostile.c", f"BUILD={id(plugin) % 1_000_003}"), path.with_name("other.so"))
        plugin.reload(other)
        assert plugin.isolation is not None
        assert not is_here(Path(other))
    assert not is_here(path)


def test_a_reload_that_moves(path: Path, build: Callable[..., Path], greeter: loader.Contract) -> None:
    """A plugin of this process whose host's policy has become stricter moves out when it is reloaded."""
    host = loader.Host(greeter)
    plugin = host.load(path)
    assert plugin.isolation is None
    host.policy = APART
    shutil.copy(build("hostile.c", f"BUILD={os.getpid()}1"), path)
    plugin.reload()
    assert plugin.isolation is not None
    assert plugin.greet("you")


@pytest.mark.parametrize("again", [lambda plugin: pickle.loads(pickle.dumps(plugin)), copy.copy, copy.deepcopy])
def test_pickles_and_copies(path: Path, greeter: loader.Contract, again: Callable[[Any], Any]) -> None:
    """What is unpickled or copied is isolated as it was, and so is what it is reloaded from."""
    asked = Isolation(memory=512 << 20)
    for plugin in (
        loader.load(path, contract=greeter, policy=APART),
        loader.load(path, contract=greeter, isolation=asked),
        loader.Host(greeter, policy=APART).load(path, lazy=True),
    ):
        before = plugin.isolation
        assert before is not None
        copied = again(plugin)
        assert copied.isolation is not None
        assert copied.isolation.settings == before.settings
        assert again(plugin.greet)("you")
    assert not is_here(path)


def test_load_report(path: Path, greeter: loader.Contract) -> None:
    """A load with times obeys, and says so."""
    report = loader.load_report(path, contract=greeter, policy=APART)
    assert report.plugin is not None
    assert report.plugin.isolation is not None
    assert "a process of its own" in str(report)
    assert not is_here(path)


@pytest.mark.parametrize("lazy", [False, True])
def test_where_there_can_be_none(
    path: Path, greeter: loader.Contract, monkeypatch: pytest.MonkeyPatch, lazy: bool
) -> None:
    """Where plugins can have no process, a policy that asks for one keeps them out: never are they opened here."""
    monkeypatch.setattr(isolation_settings.sys, "platform", "darwin")
    for policy in (APART, Policy.for_folders({str(path.parent): APART})):
        with pytest.raises(IsolationError, match="darwin"):
            loader.load(path, contract=greeter, policy=policy)
        with pytest.raises(IsolationError, match="darwin"):
            loader.Host(greeter, policy=policy).load(path, lazy=lazy).greet("you")
    with pytest.raises(IsolationError):
        loader.load(path, contract=greeter, isolation=Isolation())
    monkeypatch.undo()
    assert not is_here(path)


# ---- Documents ----


@pytest.fixture
def roles(build: Callable[..., Path], request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """Two plugins that answer roles, in folders of their own: one for a policy to ask for, the other not."""
    tt = PLUGINS.parents[1] / "native_plugins" / "tt" / "tt.c"
    number = sum(request.node.nodeid.encode())
    paths = []
    for folder, source in (("apart", tt), ("here", Path("cli_roles.c"))):
        (tmp_path / folder).mkdir()
        name = f"{folder}{number}.so"
        paths.append(shutil.copy(build(source, f"NUMBER={number}"), tmp_path / folder / name))
    return paths[0], paths[1]


@pytest.mark.parametrize("lazy", [False, True])
def test_htmlizer(roles: tuple[Path, Path], lazy: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Documents go where the policy has put their plugins; both placements meet in one document."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("loader.cache._FRESH", -(10**18))  # files that were just made are cached too
    text = "a :tt:`b` and :who:`c`"
    apart, _ = roles
    policy = Policy.for_folders({str(apart.parent): APART})
    expected = Htmlizer([*roles]).htmlize(text)
    for _ in range(2):  # a lazy one knows at the second time what they answer, and opens them in the document
        app = Htmlizer([*roles], policy=policy, lazy=lazy)
        for _ in range(3):
            assert app.htmlize(text) == expected
        first, second = app.plugins
        assert first.isolation is not None
        assert second.isolation is None


def test_htmlizer_alone(roles: tuple[Path, Path]) -> None:
    """With a policy for all, the code of none is in this process."""
    app = Htmlizer([*roles], policy=APART)
    assert app.htmlize(":tt:`b`") == "<p><tt>b</tt></p>\n\n"
    assert app.process_role("tt", "c", {}) == "<tt>c</tt>"  # type: ignore[arg-type]
    assert not any(map(is_here, roles))
    assert len({plugin.worker for plugin in app.plugins}) == 1


def test_htmlizer_that_learns_of_it_later(
    roles: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A plugin that is opened when the engine is in this process already: one document fails, the next do not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("loader.cache._FRESH", -(10**18))  # files that were just made are cached too
    Htmlizer([*roles], lazy=True, policy=APART)
    app = Htmlizer([*roles], lazy=True)
    app.host.policy = APART
    with pytest.raises(IsolationError, match="while a document was under way"):
        app.htmlize(":tt:`b`")
    assert app.htmlize(":tt:`b`") == "<p><tt>b</tt></p>\n\n"
    assert app.plugins[0].isolation is not None
    assert not any(map(is_here, roles))


def test_htmlizer_loads_and_reloads(roles: tuple[Path, Path], build: Callable[..., Path]) -> None:
    """A plugin that joins later, and new code of one, go where the policy says; documents find them."""
    apart, here = roles
    app = Htmlizer([here], policy=Policy.for_folders({str(apart.parent): APART}))
    assert app.host.workers is None  # no process for what is all here
    app.load(apart)
    assert app.htmlize(":tt:`b`") == "<p><tt>b</tt></p>\n\n"
    tt = PLUGINS.parents[1] / "native_plugins" / "tt" / "tt.c"
    shutil.copy(build(tt, "NUMBER=1000001"), apart)
    app.reload(apart.stem)
    assert app.htmlize(":tt:`b`") == "<p><tt>b</tt></p>\n\n"
    assert not is_here(apart)


@pytest.mark.parametrize("named", [["process_role"], True])
def test_a_document_again(build: Callable[..., Path], tmp_path: Path, named: Any) -> None:
    """A document whose process ended is turned once more if its plugins' functions are said to be repeatable."""
    log = tmp_path / "log"
    asked = Isolation(on_crash="retry", repeatable=named, write=(str(tmp_path),))
    app = Htmlizer([build("once.c")], isolation=asked)
    for html in (app.htmlize(f"a :once:`{log}`"), app.htmlize(f"a :once:`{log}`", plugin_errors="keep")):
        assert html == "<p>a again</p>\n\n"
    log.unlink()
    assert app.htmlize(f"a :once:`{log}`", plugin_errors="keep") == "<p>a again</p>\n\n"
    assert log.stat().st_size == 2


@pytest.mark.parametrize("asked", [{}, {"on_crash": "retry"}, {"on_crash": "retry", "repeatable": ["hooks"]}])
def test_a_document_not_again(build: Callable[..., Path], tmp_path: Path, asked: dict[str, Any]) -> None:
    """Nor is one otherwise: no plugin is called twice without a word for its function."""
    log = tmp_path / "log"
    app = Htmlizer([build("once.c")], isolation=Isolation(write=(str(tmp_path),), **asked))
    with pytest.raises(PluginCrashed, match="in role 'once'"):
        app.htmlize(f":once:`{log}`")
    assert log.stat().st_size == 1
    assert app.htmlize(f":once:`{log}`") == "<p>again</p>\n\n"
