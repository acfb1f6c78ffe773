"""loader/trust/lockfile.py and identity.py: a file is the one that was agreed on, or it is refused."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import loader
from loader.errors import TrustError
from loader.trust import Policy, trust
from loader.trust.handshake import shake_hands
from loader.trust.identity import Identity, identify, version_key
from loader.trust.lockfile import LockFile

if TYPE_CHECKING:
    from collections.abc import Callable

TT = Identity("tt", "linux-x86_64", "htmlize 1.0", "a" * 64)


@pytest.fixture
def lock(tmp_path: Path, hello: Path) -> Path:
    """A lock file with the Greeter's plugin as version 1.2.0."""
    path = tmp_path / "loader.lock"
    image = loader.read_image(hello)
    LockFile(str(path)).add(identify(image), file=image.path, size=image.size, version="1.2.0").write()
    return path


def judged(path: Path, contract: loader.Contract, policy: Policy) -> tuple[str, ...]:
    """What held of a file."""
    return trust(shake_hands(loader.read_image(path), contract), policy).checks


def changed_copy(of: Path, to: Path) -> Path:
    """The same plugin with other bytes: what stands after the last section is read by nobody."""
    to.parent.mkdir(exist_ok=True)
    to.write_bytes(of.read_bytes() + b"changed")
    return to


# ---- What is locked ----------------------------------------------------------------------------------------


def test_locked_file(lock: Path, hello: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """The file that was locked may run, from wherever it is."""
    assert judged(hello, greeter, Policy(lock=lock)) == (f"locked in {lock}",)
    (tmp_path / "elsewhere").mkdir()
    assert judged(shutil.copy(hello, tmp_path / "elsewhere"), greeter, Policy(lock=lock))


@pytest.mark.parametrize("unlocked", ["refuse", "allow"])
def test_changed_file(lock: Path, hello: Path, greeter: loader.Contract, tmp_path: Path, unlocked: str) -> None:
    """A changed file that the lock file names is refused, also in development; the message says it all."""
    path = changed_copy(hello, tmp_path / "new" / "hello.so")
    with pytest.raises(TrustError) as caught:
        judged(path, greeter, Policy(lock=lock, unlocked=unlocked))
    error = caught.value
    assert error.what == "is not the file that is locked"
    assert error.path == str(path)
    assert f"{hello.stat().st_size:,} bytes with SHA-256 {loader.read_image(hello).digest}" in str(error.expected)
    assert f"{path.stat().st_size:,} bytes with SHA-256 {loader.read_image(path).digest}" == error.found
    assert error.cure == f"If you changed it on purpose: loader lock {path} --lock {lock}"  # no blanks, no quotes


def test_changed_file_runs_nothing(
    build: Callable[..., Path], greeter: loader.Contract, tmp_path: Path, sentinel: Path
) -> None:
    """A changed file's constructors do not run."""
    path = tmp_path / "hostile.so"
    shutil.copy(build("hostile.c", "BUILD=2001"), path)
    image = loader.read_image(path)
    lock = LockFile(str(tmp_path / "l")).add(identify(image), file=image.path, size=image.size)
    lock.write()
    shutil.copy(build("hostile.c", "BUILD=2002"), path)
    with pytest.raises(TrustError):
        loader.load(path, contract=greeter, policy=Policy(lock=lock.path))
    assert not sentinel.exists()
    shutil.copy(build("hostile.c", "BUILD=2001"), path)
    loader.load(path, contract=greeter, policy=Policy(lock=lock.path))
    assert sentinel.exists()


def test_unnamed_file(lock: Path, hello: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """A file that the lock file says nothing about is refused, unless the policy allows it."""
    other = Path(shutil.copy(hello, tmp_path / "other.so"))
    with pytest.raises(TrustError, match="is not in the lock file"):
        judged(other, greeter, Policy(lock=lock))
    assert judged(other, greeter, Policy(lock=lock, unlocked="allow")) == (f"not named in {lock}",)


def test_missing_lock_file(hello: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """A lock file that is not there refuses everything, also in development."""
    for unlocked in ("refuse", "allow"):
        with pytest.raises(TrustError, match="cannot be read as a lock file") as caught:
            judged(hello, greeter, Policy(lock=tmp_path / "loader.lock", unlocked=unlocked))
        assert "loader lock FILES" in str(caught.value)


def test_a_lock_file_that_this_user_may_not_read(unprivileged: Path) -> None:
    """It is there: nobody is told to make it."""
    lock = unprivileged / "loader.lock"
    lock.touch()
    lock.chmod(0)
    with pytest.raises(TrustError, match="cannot be read as a lock file") as caught:
        LockFile.read(lock)
    assert caught.value.cure == "Let this user read it"


def test_lock_file_is_read_at_each_load(lock: Path, hello: Path, greeter: loader.Contract) -> None:
    """What is written to the lock file counts from the next load on."""
    judged(hello, greeter, Policy(lock=lock))
    lock.write_text("format = 1\n")
    with pytest.raises(TrustError):
        judged(hello, greeter, Policy(lock=lock))


# ---- Versions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locked", "newer", "signed", "same", "outcome"),
    [
        ("1.2.0", False, None, True, "locked"),
        ("1.2.0", False, "1.2", True, "locked"),
        (None, False, "1.2", True, "locked"),
        ("1.2.0", False, "1.3.0", True, "locked and signed as different versions"),
        ("1.2.0", False, "1.3.0", False, "is not the file that is locked"),
        ("1.2.0", True, "1.3.0", False, "newer than 1.2.0"),
        ("1.2.0", True, "1.10", False, "newer than 1.2.0"),
        ("1.2.0", True, "1.1.9", False, "is older than the version that is locked"),
        ("1.2.0", True, "1.2", False, "is not the file that is locked"),
        ("1.2.0", True, None, False, "is not the file that is locked"),
        (None, True, "9.0", False, "is not the file that is locked"),
    ],
)
def test_downgrade(locked: str | None, newer: bool, signed: str | None, same: bool, outcome: str) -> None:
    """Newer signed versions take a plugin's place if the lock says so; older ones and other bytes do not."""
    lock = LockFile("/l").add(TT, file="tt.so", size=1, version=locked, newer=newer)
    identity = TT if same else replace(TT, sha256="b" * 64)
    try:
        held = lock.check(identity, 1, path="/tt.so", signed=signed)
    except TrustError as error:
        held = error.what
    assert held is not None
    assert outcome in held


@pytest.mark.parametrize(("signed", "allowed"), [("1.3", True), ("1.4.0", True), ("1.2.9", False), (None, None)])
def test_downgrade_on_another_platform(signed: str | None, allowed: bool | None) -> None:
    """On a platform that is not locked the highest version of the others is the least."""
    lock = LockFile("/l").add(TT, file="tt.so", size=1, version="1.2", newer=True)
    lock = lock.add(replace(TT, platform="macos-aarch64"), file="tt.dylib", size=1, version="1.3")
    other = replace(TT, platform="linux-aarch64", sha256="c" * 64)
    if allowed is False:
        with pytest.raises(TrustError, match="is older"):
            lock.check(other, 1, path="/tt.so", signed=signed)
    else:
        assert (lock.check(other, 1, path="/tt.so", signed=signed) is not None) is bool(allowed)


@pytest.mark.parametrize(
    ("less", "more"), [("1.2", "1.10"), ("1", "1.0.1"), ("0.9.9", "1"), ("1.2.3", "1.2.4"), ("2", "10")]
)
def test_versions_are_numbers(less: str, more: str) -> None:
    """Versions compare number by number; missing numbers are 0."""
    assert version_key(less) < version_key(more)
    assert version_key(less) == version_key(f"{less}.0")


@pytest.mark.parametrize(
    "version",
    ["", "1.", ".1", "1..2", "v1", "1.2rc1", "1.2-3", " 1", "1\n", "\u0661", "1" * 10, ".".join("123456789")],
)
def test_versions_that_cannot_be_compared(version: str) -> None:
    """What people order differently, and what is no version, is refused."""
    with pytest.raises(TrustError, match="cannot be compared"):
        version_key(version)


# ---- The file ----------------------------------------------------------------------------------------------


def test_text(tmp_path: Path) -> None:
    """The file is readable, in a fixed order, whatever the order in which it was made."""
    path = str(tmp_path / "loader.lock")
    arm = replace(TT, platform="linux-aarch64", sha256="b" * 64)
    odd = replace(TT, name='ö "x".y', contract="none")
    one = LockFile(path).add(TT, file="tt.so", size=10, version="1.2", newer=True)
    one = one.add(arm, file="/x/tt.so", size=11).add(odd, file="ö.so", size=0)
    other = LockFile(path).add(odd, file="ö.so", size=0).add(arm, file="/x/tt.so", size=11)
    other = other.add(TT, file="tt.so", size=10, version="1.2", newer=True)
    assert one.text() == other.text()
    assert (
        one.text().split("format = 1\n")[1]
        == f"""
[plugins.tt]
newer = "signed"

[plugins.tt.linux-aarch64]
file = "tt.so"
size = 11
contract = "htmlize 1.0"
sha256 = "{"b" * 64}"

[plugins.tt.linux-x86_64]
file = "tt.so"
size = 10
contract = "htmlize 1.0"
version = "1.2"
sha256 = "{"a" * 64}"

[plugins."ö \\"x\\".y".linux-x86_64]
file = "ö.so"
size = 0
contract = "none"
sha256 = "{"a" * 64}"
"""
    )


_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda name: name != "newer")
_identities = st.builds(Identity, _names, _names, _names, st.text("0123456789abcdef", min_size=64, max_size=64))
_versions = st.none() | st.lists(st.integers(0, 999), min_size=1, max_size=8).map(lambda n: ".".join(map(str, n)))


@given(st.lists(st.tuples(_identities, _names, st.integers(0, 2**40), _versions, st.none() | st.booleans())))
def test_round_trip(entries: list[tuple[Identity, str, int, str | None, bool | None]]) -> None:
    """Whatever is written is read back the same."""
    lock = LockFile("/l")
    for identity, file, size, version, newer in entries:
        lock = lock.add(identity, file=file, size=size, version=version, newer=newer)
    read = LockFile.parse(lock.text().encode(), path="/l")
    assert dict(read.files) == dict(lock.files)
    assert read.newer == lock.newer
    assert read.text() == lock.text()


@given(_identities, st.lists(_identities, max_size=5))
def test_adding_touches_no_other(new: Identity, others: list[Identity]) -> None:
    """Adding a plugin or a platform leaves every other entry as it was."""
    before = LockFile("/l")
    for each in others:
        before = before.add(each, file="x", size=1)
    after = before.add(new, file="y", size=2, version="3")
    for key, locked in before.files.items():
        assert after.files[key] == locked or key == (new.name, new.platform)
    assert after.files.keys() == {*before.files, (new.name, new.platform)}


def test_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed write leaves the old file, and nothing beside it; mode and links stay."""
    target = tmp_path / "real.lock"
    link = tmp_path / "loader.lock"
    link.symlink_to(target)
    lock = LockFile(str(link)).add(TT, file="tt.so", size=1)
    lock.write()
    target.chmod(0o600)
    lock.add(replace(TT, name="two"), file="two.so", size=1).write()
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    before = target.read_text()
    assert "plugins.two" in before

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        lock.write()
    assert target.read_text() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["loader.lock", "real.lock"]


GOOD = LockFile("/l").add(TT, file="tt.so", size=10, version="1.2").text()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format = 1", "format = 2"),
        ("format = 1", "format = true"),
        ("format = 1", ""),
        ("format = 1", "format = 1\nextra = 1"),
        ("[plugins.tt.linux-x86_64]", "[plugin.tt.linux-x86_64]"),
        ("[plugins.tt.linux-x86_64]", "[plugins.tt]"),
        ("[plugins.tt.linux-x86_64]", "[plugins]"),
        ("size = 10", "size = -1"),
        ("size = 10", "size = true"),
        ("size = 10", "size = 1.5"),
        ("size = 10", ""),
        ("size = 10", "size = 10\nsha512 = ''"),
        ('file = "tt.so"', "file = 1"),
        ('version = "1.2"', "version = 1.2"),
        ('version = "1.2"', 'version = "1.2b"'),
        ("a" * 64, "A" * 64),
        ("a" * 64, "a" * 63),
        ('sha256 = "', 'sha256 = "\\n'),
        ("format = 1", "format = 1\n[plugins.tt]\nnewer = 'yes'"),
        ("format = 1", "format = 1\n[plugins.tt]\nnewer = true"),
        ("format = 1", "format = 1\nformat = 1"),
        ("format", "\0"),
    ],
)
def test_refused(old: str, new: str) -> None:
    """What `loader lock` does not write is refused: it may be meant as a rule."""
    assert old in GOOD
    with pytest.raises(TrustError) as caught:
        LockFile.parse(GOOD.replace(old, new, 1).encode(), path="/l")
    assert caught.value.path == "/l"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes(data: bytes) -> None:
    """Whatever a file holds, it is a lock file or a TrustError."""
    with contextlib.suppress(TrustError):
        LockFile.parse(data, path="/l")


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
def test_flipped_bit(index: int, bit: int) -> None:
    """A flipped bit is refused, or changes what is locked, or stands in a comment; it never locks nothing."""
    data = bytearray(GOOD.encode())
    data[index] ^= 1 << bit
    try:
        read = LockFile.parse(bytes(data), path="/l")
    except TrustError:
        return
    assert len(read.files) == 1 or data[index] == ord("#")


def test_platform_and_contract(hello: Path) -> None:
    """A file's platform and contracts are read from its bytes, its name from its path."""
    identity = identify(loader.read_image(hello))
    machine = loader.image.this_machine()
    assert identity.name == "hello"
    assert identity.platform.removesuffix("-musl") == f"{machine.system}-{machine.machine}"
    assert identity.contract == "greeter 1.0"
    assert identity.sha256 == loader.read_image(hello).digest
