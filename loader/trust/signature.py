"""Signatures of plugin files: Ed25519 in minisign's format, made and checked.

A signature stands beside its file, in FILE.minisig, four lines:

    untrusted comment: signature from native-plugin-loader secret key
    base64 of "ED", key id (8 bytes), signature of BLAKE2b-512(file) (64 bytes)
    trusted comment: name:tt<TAB>version:1.2.0<TAB>platform:linux-x86_64<TAB>contract:htmlize
    1.0<TAB>sha256:... base64 of the signature of (the signature above, the trusted comment)

minisign makes and checks the same files. What we ask for beyond it: the trusted comment says what the file
is, so
that a signature for one plugin, version or platform is none for another, and each byte of the four lines
counts: base64 in its one canonical form, an untrusted comment (which no signature covers) that is one of
those known.

`cryptography` is imported when a signature is made or checked, and not before.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from loader.cures import file_cure
from loader.errors import TrustError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["SUFFIX", "PublicKey", "Signature", "check_signature", "need_cryptography", "parse_signature"]

#: Ending of a signature's file, after the whole name of the file that it signs.
SUFFIX = ".minisig"
#: Bytes of the largest signature file that is read.
MAX_SIZE = 16 << 10

COMMENT = "signature from native-plugin-loader secret key"
# What minisign and rsign write if they are not told otherwise.
_COMMENTS = frozenset({COMMENT, "signature from minisign secret key", "signature from rsign secret key"})
_UNTRUSTED = "untrusted comment: "
_TRUSTED = "trusted comment: "
_FIELD = re.compile(r"([a-z0-9]+):([^\t]*)\Z")
_INSTALL = "pip install 'native-plugin-loader[sign]'"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key as minisign writes it.

    `id` is the key's id (8 bytes), which only finds the key; `data` is the key (32 bytes).
    """

    id: bytes
    data: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str, *, path: str | None = None) -> PublicKey:
        """From a line of 56 base64 characters, or the two lines of a .pub file. Raises TrustError."""
        lines = text.strip().splitlines()
        if len(lines) == 2 and lines[0].startswith(_UNTRUSTED):
            lines = lines[1:]
        raw = decode(lines[0].strip()) if len(lines) == 1 else None
        if raw is None or len(raw) != 42 or raw[:2] != b"Ed":
            raise TrustError(
                "is not a public key of minisign",
                path=path,
                expected="56 characters of base64 that begin with RW",
                found=repr(text[:60]),
                cure="Use what minisign -G or loader keygen printed, or wrote to the file .pub",
            )
        return cls(raw[2:10], raw[10:])

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> PublicKey:
        """From a .pub file. Raises TrustError."""
        name = os.path.abspath(path)
        return cls.parse(read_text(name, "public key"), path=name)

    @property
    def name(self) -> str:
        """The key's id as minisign shows it: up to 16 hexadecimal digits."""
        return key_name(self.id)

    def __str__(self) -> str:
        return base64.b64encode(b"Ed" + self.id + self.data).decode()

    def to_file(self) -> str:
        """The contents of a .pub file."""
        return f"{_UNTRUSTED}minisign public key {self.name}\n{self}\n"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made `signature` (64 bytes) of `message`. Raises TrustError without
        cryptography.
        """
        ed25519 = need_cryptography()
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see above

        try:
            ed25519.Ed25519PublicKey.from_public_bytes(self.data).verify(signature, message)
        except (InvalidSignature, ValueError):  # ValueError: not a point of the curve
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature file, read but not checked."""

    #: "ED": of the file's BLAKE2b-512, "Ed": of the file itself (minisign before 0.8, or -l).
    algorithm: bytes
    key_id: bytes
    signature: bytes = field(repr=False)
    comment: str
    global_signature: bytes = field(repr=False)

    def fields(self) -> dict[str, str]:
        """What the trusted comment says: name, version, platform, contract, sha256, if it is one of ours."""
        found: dict[str, str] = {}
        for part in self.comment.split("\t"):
            match = _FIELD.match(part)
            if match and match[1] not in found:
                found[match[1]] = match[2]
            else:  # a field twice, or text: nothing in it can be relied on
                return {}
        return found


def key_name(id: bytes) -> str:
    """A key id as minisign shows it: the bytes as a little-endian number, hexadecimal, without leading zeros."""
    return f"{int.from_bytes(id, 'little'):X}"


def decode(text: str) -> bytes | None:
    """The bytes of base64 in its canonical form, or None: two texts must not stand for the same bytes."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None


def read_text(path: str, what: str, *, cure: str | None = None) -> str:
    """A small text file. Raises TrustError."""
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            data = file.read(MAX_SIZE + 1)
        if len(data) > MAX_SIZE:
            raise TrustError(f"is too large for a {what}", path=path, expected=f"at most {MAX_SIZE:,} bytes")
        return data.decode()
    except OSError as error:
        found = error.strerror or str(error)
        raise TrustError(
            f"cannot be read as a {what}", path=path, found=found, cure=file_cure(path, error, cure)
        ) from error
    except ValueError as error:
        raise TrustError(f"is not a {what}", path=path, found="bytes that are not UTF-8") from error


def parse_signature(text: str, *, path: str | None = None) -> Signature:
    """Reads the four lines of a signature file. Raises TrustError."""

    def refuse(what: str) -> NoReturn:
        raise TrustError(
            "is not a signature of minisign's form",
            path=path,
            expected="four lines: untrusted comment, signature, trusted comment, signature of that",
            found=what,
            cure="Sign the file anew: loader sign",
        )

    lines = text.split("\n")
    if len(lines) != 5 or lines[4]:
        refuse(f"{len(lines) - 1} line ends")
    if not lines[0].startswith(_UNTRUSTED) or lines[0][len(_UNTRUSTED) :] not in _COMMENTS:
        # No signature covers this line. A text that anyone can change could tell people anything.
        refuse(f"the first line {lines[0][:80]!r}, which is none of those known")
    if not lines[2].startswith(_TRUSTED):
        refuse(f"the third line {lines[2][:80]!r}")
    raw, global_signature = decode(lines[1]), decode(lines[3])
    if raw is None or len(raw) != 74 or raw[:2] not in (b"ED", b"Ed"):
        refuse("a second line that is not the base64 of 74 bytes beginning with ED")
    if global_signature is None or len(global_signature) != 64:
        refuse("a fourth line that is not the base64 of 64 bytes")
    return Signature(raw[:2], raw[2:10], raw[10:], lines[2][len(_TRUSTED) :], global_signature)


def check_signature(
    data: bytes, signature: Signature, keys: Iterable[PublicKey], facts: Mapping[str, str], *, path: str
) -> PublicKey:
    """Whether one of `keys` signed `data` as what `facts` say it is; returns the key that did.

    Args:
        data: the file's bytes.
        signature: read from the file's .minisig.
        keys: those that are trusted.
        facts: what the trusted comment must say: name, platform, contract, sha256.
        path: the file, for messages.

    Raises:
        TrustError: the signature does not hold, or says something else than `facts`.
    """
    keys = tuple(keys)
    known = ", ".join(key.name for key in keys)
    candidates = [key for key in keys if key.id == signature.key_id]
    if not candidates:
        raise TrustError(
            "is signed by a key that is not trusted",
            path=path,
            expected=f"a signature of one of {known}",
            found=f"one of key {key_name(signature.key_id)}",
            cure="Add that key to the policy's keys if its owner may run code here",
        )
    message = hashlib.blake2b(data).digest() if signature.algorithm == b"ED" else data
    key = next((key for key in candidates if key.verifies(signature.signature, message)), None)
    signed = signature.signature + signature.comment.encode()
    if key is None or not key.verifies(signature.global_signature, signed):
        raise TrustError(
            "does not have the signature that it is said to have" if key is None else "has a changed trusted comment",
            path=path,
            expected=f"what key {candidates[0].name} signed",
            found="other bytes",
            cure="Get file and signature anew, together; do not use this one",
        )
    said = signature.fields()
    for name, fact in facts.items():
        if said.get(name) != fact:
            raise TrustError(
                f"is signed as something else: its {name} differs",
                path=path,
                expected=f"{name}:{fact} in the signature's trusted comment",
                found=f"{name}:{said[name]}" if name in said else f"no {name} in {signature.comment[:200]!r}",
                cure="Sign the file with loader sign, which says name, version, platform and contract",
            )
    return key


def need_cryptography() -> Any:
    """The module with Ed25519, or TrustError with the line that installs it."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    except Exception as error:  # not ImportError alone: its Rust part panics where it does not fit
        raise TrustError(
            "signatures can neither be made nor checked here",
            expected="the package cryptography",
            found=f"{type(error).__name__}: {error}",
            cure=f"Install it: {_INSTALL}",
        ) from error
    return ed25519
