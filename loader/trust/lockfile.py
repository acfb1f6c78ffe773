"""loader.lock: which files plugins are, by their digests. Written by `loader lock`, kept under version
control.

    format = 1

    [plugins.tt]
    newer = "signed"

    [plugins.tt.linux-x86_64]
    file = "tt.so"
    size = 16384
    contract = "htmlize 1.0"
    version = "1.2.0"
    sha256 = "..."

A table for each plugin and platform, in the order of their names, so that a diff shows what changed. Version
and contract stand with the platform: a build for one can be newer than that for another, and adding one
touches no other. `newer = "signed"`: a file with another digest may take a plugin's place if a key of the
policy signed it with a newer version. Without it the digest decides alone.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import tempfile
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from loader.cures import command_line, file_cure, from_here
from loader.errors import TrustError
from loader.trust import toml
from loader.trust.identity import version_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loader.trust.identity import Identity

__all__ = ["DEFAULT", "LockFile", "Locked", "lock_command", "unreadable"]

#: The name of a lock file, if there is no other.
DEFAULT = "loader.lock"

_FORMAT = 1
#: Bytes of the largest lock file that is read.
MAX_SIZE = 16 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_HEAD = """\
# What plugins are, by content. Written by `loader lock`; keep it under version control.
# A file that differs from what stands here is refused.
"""


@dataclass(frozen=True, slots=True)
class Locked:
    """One file: its name when it was locked, bytes, SHA-256, contracts, and version or None."""

    file: str
    size: int
    sha256: str
    contract: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class LockFile:
    """The contents of a lock file: (plugin, platform) -> Locked, and the plugins with `newer = "signed"`."""

    path: str
    files: Mapping[tuple[str, str], Locked] = field(default_factory=dict)
    newer: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> LockFile:
        """Reads a lock file. Raises TrustError if it is not there or is not as `loader lock` writes it."""
        name = os.path.abspath(path)
        try:
            with open(os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
                return cls.parse(file.read(MAX_SIZE + 1), path=name)
        except OSError as error:
            raise unreadable(name, error) from error

    @classmethod
    def parse(cls, data: bytes, *, path: str) -> LockFile:
        """The same from bytes."""
        if len(data) > MAX_SIZE:
            raise TrustError("is too large for a lock file", path=path, expected=f"at most {MAX_SIZE:,} bytes")
        return _parsed(data, path)

    def text(self) -> str:
        """The file's text: the same for the same contents."""
        lines = [_HEAD, f"format = {_FORMAT}"]
        before = None
        for (name, platform), locked in sorted(self.files.items()):
            table = f"plugins.{toml.key(name)}"
            if name != before and name in self.newer:
                lines += ["", f"[{table}]", 'newer = "signed"']
            before = name
            lines += ["", f"[{table}.{toml.key(platform)}]"]
            lines += [f"file = {toml.string(locked.file)}", f"size = {locked.size}"]
            lines += [f"contract = {toml.string(locked.contract)}"]
            lines += [] if locked.version is None else [f"version = {toml.string(locked.version)}"]
            lines += [f"sha256 = {toml.string(locked.sha256)}"]
        return "\n".join([*lines, ""])

    def write(self, path: str | os.PathLike[str] | None = None) -> None:
        """Writes the file whole or not at all. Raises OSError."""
        target = os.path.realpath(self.path if path is None else path)
        data = self.text().encode()
        descriptor, temporary = tempfile.mkstemp(prefix=".loader.lock.", dir=os.path.dirname(target))
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, _mode(target))
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def add(
        self,
        identity: Identity,
        *,
        file: str,
        size: int,
        version: str | None = None,
        newer: bool | None = None,
    ) -> LockFile:
        """The lock file with one more file, or another one for its plugin and platform; all else as it was.

        `newer`: whether newer signed versions may take the plugin's place; None: as it was.
        Raises TrustError for what TOML cannot hold, and for a version that cannot be compared.
        """
        if version is not None:
            version_key(version, path=file)
        with_newer = self.newer if newer is None else self.newer - {identity.name}
        locked = Locked(os.path.basename(file), size, identity.sha256, identity.contract, version)
        try:
            f"{identity.name}{locked.file}".encode()
        except UnicodeEncodeError as error:
            cure = "Rename the file"
            raise TrustError("has a name that is not UTF-8", path=file, cure=cure) from error
        files = {**self.files, (identity.name, identity.platform): locked}
        return LockFile(self.path, files, with_newer | {identity.name} if newer else with_newer)

    def check(self, identity: Identity, size: int, *, path: str, signed: str | None = None) -> str | None:
        """What holds, as a phrase; None if the lock file says nothing of this plugin on this platform.

        Args:
            identity, size: of the file; `path` stands for it in messages.
            signed: the version that a trusted signature of the file says, or None without one.

        Raises:
            TrustError: the file is not the one that is locked.
        """
        locked = self.files.get((identity.name, identity.platform))
        if locked is not None and locked.sha256 == identity.sha256:
            self._same_version(locked, signed, path)
            return f"locked in {self.path}"
        least = self._least(identity)
        newer_allowed = identity.name in self.newer and signed is not None and least is not None
        if newer_allowed and signed is not None and least is not None:
            order, bound = version_key(signed, path=path), version_key(least, path=self.path)
            # The locked version itself is known by its digest; other bytes that claim to be it are not.
            if order > bound or (order == bound and locked is None):
                return f"signed as version {signed}, newer than {least} in {self.path}"
            raise TrustError(
                "is older than the version that is locked" if order < bound else "is not the file that is locked",
                path=path,
                expected=f"a version above {least} ({self.path})",
                found=f"version {signed}",
                cure=f"Use the newer file; to go back on purpose, lock this one: {lock_command(path, self.path)}",
            )
        if locked is None:
            return None
        raise TrustError(
            "is not the file that is locked",
            path=path,
            expected=f"{locked.size:,} bytes with SHA-256 {locked.sha256} ({self.path})",
            found=f"{size:,} bytes with SHA-256 {identity.sha256}",
            cure=f"If you changed it on purpose: {lock_command(path, self.path)}",
        )

    def _same_version(self, locked: Locked, signed: str | None, path: str) -> None:
        if None in (signed, locked.version) or version_key(str(signed)) == version_key(str(locked.version)):
            return
        raise TrustError(
            "is locked and signed as different versions",
            path=path,
            expected=f"version {locked.version} ({self.path})",
            found=f"version {signed} in its signature",
            cure=f"Sign it anew, or lock it: {lock_command(path, self.path)} --version {signed}",
        )

    def _least(self, identity: Identity) -> str | None:
        """The version that the lock file has of a plugin on this platform, or else the highest on any."""
        here = self.files.get((identity.name, identity.platform))
        several = [here] if here else [each for (name, _), each in self.files.items() if name == identity.name]
        versions = [each.version for each in several if each.version is not None]
        return max(versions, key=version_key, default=None)


@functools.lru_cache(maxsize=4)  # it is read for each plugin; the bytes decide, not a date
def _parsed(data: bytes, path: str) -> LockFile:
    return _LockReader(path).lock_file(toml.parse(data, path=path))


class _LockReader:
    """Takes a parsed file apart. What `loader lock` does not write is refused: it may be meant as a rule."""

    def __init__(self, path: str) -> None:
        self._path = path

    def lock_file(self, values: dict[str, Any]) -> LockFile:
        if values.get("format") != _FORMAT or isinstance(values["format"], bool):
            self._refuse(f"format = {values.get('format')}", f"format = {_FORMAT}")
        self._only(values, ("format", "plugins"), "")
        files: dict[tuple[str, str], Locked] = {}
        newer = set()
        for name, plugin in self._table(values.get("plugins", {}), "plugins").items():
            where = f"plugins.{toml.key(name)}"
            for platform, entry in self._table(plugin, where).items():
                if platform == "newer":
                    if entry != "signed":
                        self._refuse(f"{where}.newer = {entry!r}", '"signed"')
                    newer.add(name)
                else:
                    files[name, platform] = self._locked(entry, f"{where}.{toml.key(platform)}")
        return LockFile(self._path, MappingProxyType(files), frozenset(newer))

    def _locked(self, entry: object, where: str) -> Locked:
        values = self._table(entry, where)
        self._only(values, ("file", "size", "contract", "version", "sha256"), where)
        for name in ("file", "contract", "sha256"):
            if not isinstance(values.get(name), str):
                self._refuse(f"{where}.{name} = {values.get(name)!r}", "a string")
        size, version = values.get("size"), values.get("version")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            self._refuse(f"{where}.size = {size!r}", "a number of bytes")
        if not _DIGEST.match(values["sha256"]):
            self._refuse(f"{where}.sha256 = {values['sha256']!r}", "64 lower-case hexadecimal digits")
        if version is not None:
            if not isinstance(version, str):
                self._refuse(f"{where}.version = {version!r}", "a string")
            version_key(version, path=self._path)
        return Locked(values["file"], size, values["sha256"], values["contract"], version)

    def _table(self, value: object, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._refuse(f"{where} = {value!r}", "a table")
        return value

    def _only(self, values: dict[str, Any], known: tuple[str, ...], where: str) -> None:
        for name in values:
            if name not in known:
                self._refuse(f"the key {f'{where}.' if where else ''}{name}", f"only {', '.join(known)}")

    def _refuse(self, found: str, expected: str) -> NoReturn:
        cure = f"Move it away and write it anew: {lock_command('FILES', self._path)}"
        what = "is not a lock file that this version understands"
        raise TrustError(what, path=self._path, expected=expected, found=found, cure=cure)


def unreadable(path: str, error: OSError) -> TrustError:
    """The error for a lock file that the policy asks for and that cannot be read."""
    return TrustError(
        "cannot be read as a lock file",
        path=path,
        found=error.strerror or str(error),
        cure=file_cure(path, error, f"Make it: {lock_command('FILES', path)}"),
    )


def lock_command(file: str, lock: str) -> str:
    """How a file is locked, typed in the current folder."""
    other = from_here(lock) != DEFAULT
    return command_line("loader", "lock", file, *(("--lock", lock) if other else ()))


def _mode(target: str) -> int:
    """The mode of the file that is replaced; a new one may be read by all and written by its owner."""
    try:
        return os.stat(target).st_mode & 0o777
    except OSError:
        return 0o644
