"""loader/trust/permissions.py and image/walk.py: who could have changed a file, without a second look."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tree import GREETER

import loader
from loader.errors import TrustError
from loader.image.read import FLAGS
from loader.image.walk import open_file
from loader.trust import Policy, trust
from loader.trust.handshake import shake_hands
from loader.trust.permissions import check_permissions

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="folders are held by descriptor on Linux only")

STRICT = Policy(permissions=True)
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def place(tmp_path: Path, hello: Path) -> Path:
    """A plugin in a folder of this user that nobody else writes to, below a sticky one."""
    folder = tmp_path / "app" / "plugins"
    folder.mkdir(parents=True)
    for each in (tmp_path, tmp_path / "app", folder):
        each.chmod(0o755)
    shutil.copy(hello, folder / "hello.so")
    (folder / "hello.so").chmod(0o644)
    return folder / "hello.so"


@pytest.fixture
def check(greeter: loader.Contract) -> Callable[[Path], None]:
    """Whether a file is trusted by its permissions; raises TrustError."""

    def judge(path: Path) -> None:
        trust(shake_hands(loader.read_image(path), greeter), STRICT)

    return judge


def test_own_file_in_own_folder(place: Path, check: Callable[[Path], None]) -> None:
    """A file that only its owner can change is trusted."""
    check(place)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o622])
def test_file_that_others_can_write(place: Path, check: Callable[[Path], None], mode: int) -> None:
    """A file that its group or everybody may write to is refused, with the command that mends it."""
    place.chmod(mode)
    with pytest.raises(TrustError, match=f"chmod go-w {place}") as caught:
        check(place)
    assert caught.value.path == str(place)
    assert f"mode {mode:o}" in str(caught.value)
    place.chmod(0o644)
    check(place)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_folder_that_others_can_write(place: Path, check: Callable[[Path], None], level: int, mode: int) -> None:
    """Each folder above counts: whoever may write to one can put other folders and files in place."""
    folder = place.parents[level]
    folder.chmod(mode)
    with pytest.raises(TrustError, match=f"chmod go-w {folder}$") as caught:
        check(place)
    assert "its folder can be changed by others" in str(caught.value)
    folder.chmod(0o755)


def test_sticky_folder_above_a_folder(place: Path, check: Callable[[Path], None]) -> None:
    """Where only owners rename and remove, a folder of ours stays ours."""
    place.parents[1].chmod(0o1777)
    check(place)


def test_file_in_sticky_folder(place: Path, check: Callable[[Path], None]) -> None:
    """A file right in such a folder is refused: anyone can make a hard link to some file of ours there."""
    place.parent.chmod(0o1777)
    with pytest.raises(TrustError, match="may put files beside it"):
        check(place)


def test_link_in_sticky_folder(place: Path, check: Callable[[Path], None], tmp_path: Path) -> None:
    """And so is a symbolic link there, wherever it leads."""
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o1777)
    (public / "link.so").symlink_to(place)
    with pytest.raises(TrustError, match="may put files beside it"):
        check(public / "link.so")


@root
@pytest.mark.parametrize("what", ["file", "folder", "above", "link"])
def test_another_owner(place: Path, check: Callable[[Path], None], tmp_path: Path, what: str) -> None:
    """What belongs to a third user is refused, whatever its mode: its owner can change that."""
    link = tmp_path / "link.so"
    link.symlink_to(place)
    check(link)
    target = {"file": place, "folder": place.parent, "above": place.parents[1], "link": link}[what]
    os.chown(target, 12345, -1, follow_symlinks=False)
    with pytest.raises(TrustError, match="belongs to another user") as caught:
        check(link)
    assert caught.value.found == "owner 12345"
    assert str(target) in str(caught.value.expected)


@root
def test_roots_files_are_trusted_by_users(hello: Path, greeter: loader.Contract) -> None:
    """A user trusts root's files and folders."""
    folder = Path("/var/tmp/loader-test-permissions")  # below folders of root only
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    try:
        shutil.copy(hello, folder)
        os.seteuid(65534)
        try:
            trust(shake_hands(loader.read_image(folder / "hello.so"), greeter), STRICT)
        finally:
            os.seteuid(0)
    finally:
        shutil.rmtree(folder)


def test_links_are_followed_once_and_all_counted(place: Path, check: Callable[[Path], None], tmp_path: Path) -> None:
    """A chain of links, relative and absolute, through folders and "..": every folder of it is looked at."""
    (tmp_path / "a").mkdir(mode=0o755)
    (tmp_path / "b").mkdir(mode=0o755)
    (tmp_path / "a" / "x.so").symlink_to("../b/y.so")
    (tmp_path / "b" / "y.so").symlink_to(tmp_path / "c" / "hello.so")
    (tmp_path / "c").symlink_to("app/../app/plugins/")
    path = tmp_path / "a" / "x.so"
    check(path)
    way = loader.read_image(path).file.steps
    assert way[-1].path == str(place)
    assert os.path.samestat(way[-1].stat, place.stat())
    passed = {step.path for step in way}
    assert {str(tmp_path / each) for each in ("a", "b", "b/y.so", "c", "app", "app/plugins")} <= passed
    (tmp_path / "b").chmod(0o777)
    with pytest.raises(TrustError, match="its folder can be changed by others"):
        check(path)


def test_loops_of_links(tmp_path: Path) -> None:
    """Links that lead in a circle end in the system's error, not in a loop."""
    (tmp_path / "a.so").symlink_to("b.so")
    (tmp_path / "b.so").symlink_to("a.so")
    with pytest.raises(loader.PluginNotFound):
        loader.read_image(tmp_path / "a.so")


def test_what_was_opened_is_judged(place: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """What happens to the path after reading has no say, in either direction."""
    good = shake_hands(loader.read_image(place), greeter)
    place.parent.rename(tmp_path / "moved")
    trust(good, STRICT)
    (tmp_path / "moved").chmod(0o777)
    bad = shake_hands(loader.read_image(tmp_path / "moved" / "hello.so"), greeter)
    (tmp_path / "moved").chmod(0o755)
    with pytest.raises(TrustError):
        trust(bad, STRICT)


def test_unknown_way_is_refused(place: Path, greeter: loader.Contract) -> None:
    """Bytes from elsewhere, and paths through /proc's links to open files, cannot vouch for themselves."""
    data = place.read_bytes()
    with pytest.raises(TrustError, match="cannot be checked"):
        trust(shake_hands(loader.image.read_bytes(data, path=str(place)), greeter), STRICT)
    with place.open("rb") as file, pytest.raises(TrustError, match="cannot be checked"):
        trust(shake_hands(loader.read_image(f"/proc/self/fd/{file.fileno()}"), greeter), STRICT)


def test_way_that_was_not_asked_for_is_refused(place: Path, greeter: loader.Contract) -> None:
    """A file that was read without the way to it is refused as soon as permissions are asked for."""
    image = loader.read_image(place, steps=False)
    assert image.file.steps == ()
    assert image == loader.read_image(place)
    trust(shake_hands(image, greeter), Policy())
    for policy in (STRICT, Policy.for_folders({str(place.parent): STRICT})):
        with pytest.raises(TrustError, match="cannot be checked"):
            trust(shake_hands(image, greeter), policy)


@pytest.mark.parametrize("policy", ["permissions=True", "folders=[(FOLDER, loader.Policy(permissions=True))]"])
def test_load_walks_where_it_is_asked_for(
    run_python: Callable[..., subprocess.CompletedProcess[str]], place: Path, policy: str
) -> None:
    """A load notes the way where the policy, that of a folder, or trust.require asks for it."""
    done = run_python(
        f"""
import os, sys, loader, loader.trust
FOLDER = os.path.dirname(sys.argv[1])
greeter = loader.Contract.from_header(sys.argv[2])
strict = loader.Policy({policy})
print(loader.load(sys.argv[1], contract=greeter, policy=strict).greet("you"))
loader.trust.require(strict)
print(loader.load(sys.argv[1], contract=greeter).greet("all"))
os.chmod(sys.argv[1], 0o666)
for policy in (strict, None):
    try:
        loader.load(sys.argv[1], contract=greeter, policy=policy)
    except loader.TrustError as error:
        print(error.cure)
""",
        place,
        GREETER,
    )
    assert done.stdout == f"Hello, you!\nHello, all!\nchmod go-w {place}\nchmod go-w {place}\n"


def test_walk_agrees_with_the_system() -> None:
    """For all libraries of the machine, the way ends at the file that the system opens, at its real path."""
    seen = 0
    for folder in (
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/lib",
        "/usr/bin",
        "/etc/alternatives",
    ):
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name) if os.path.isdir(folder) else ():
            if not os.path.isfile(entry.path) or not os.access(entry.path, os.R_OK):
                continue
            descriptor, way = open_file(entry.path, FLAGS)
            try:
                assert os.path.samestat(os.fstat(descriptor), os.stat(entry.path))
                assert way[-1].path == os.path.realpath(entry.path)
                check_permissions(entry.path, way)
            finally:
                os.close(descriptor)
            seen += 1
    assert seen > 100


def test_walk_leaves_no_descriptor(place: Path, tmp_path: Path) -> None:
    """Neither success nor failure leaves a descriptor open."""
    (tmp_path / "dangling.so").symlink_to("nowhere/x.so")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        os.close(open_file(str(place), FLAGS)[0])
        for missing in (tmp_path / "dangling.so", place / "x.so", tmp_path / "no" / "x.so"):
            with pytest.raises(OSError, match=r"."):
                open_file(str(missing), FLAGS)
    assert len(os.listdir("/proc/self/fd")) == before


def test_lock_file_is_held_to_the_same(place: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """With permissions, a lock file that others can write to vouches for nothing."""
    from loader.trust.identity import identify
    from loader.trust.lockfile import LockFile

    image = loader.read_image(place)
    lock = tmp_path / "loader.lock"
    LockFile(str(lock)).add(identify(image), file="hello.so", size=image.size).write()
    policy = Policy(permissions=True, lock=lock)
    trust(shake_hands(image, greeter), policy)
    lock.chmod(0o666)
    with pytest.raises(TrustError) as caught:
        trust(shake_hands(image, greeter), policy)
    assert caught.value.path == str(lock)
    trust(shake_hands(image, greeter), Policy(lock=lock))
