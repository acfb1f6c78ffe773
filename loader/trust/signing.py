"""Making signatures: secret keys in minisign's format, with a password (scrypt) or without one.

A secret key's file is two lines, a comment and the base64 of 158 bytes: "Ed", "Sc" (scrypt; two NUL bytes: no
password), "B2", salt (32), two costs (8 each, little-endian, libsodium's opslimit and memlimit), then 104
bytes that are combined with scrypt's output by exclusive or: key id (8), seed and public key (64), checksum
(32, BLAKE2b of "Ed", key id and key).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loader.errors import TrustError
from loader.trust.identity import version_key
from loader.trust.signature import COMMENT, PublicKey, decode, need_cryptography, read_text

if TYPE_CHECKING:
    from loader.trust.identity import Identity

__all__ = ["SecretKey", "comment_for", "sign"]

# libsodium's costs for N = 2**17, r = 8, p = 1: 128 MiB and a fraction of a second. minisign's own are 1 GiB,
# which CI machines may not have; it reads whatever a file asks for.
_OPSLIMIT = 1 << 22
_MEMLIMIT = 1 << 27
_MOST_MEMORY = 1 << 31  # a file that asks for more is not a key but an attack
_COMMENT = "untrusted comment: "


@dataclass(frozen=True, slots=True)
class SecretKey:
    """An Ed25519 secret key with its id. Whoever has it can make plugins trusted."""

    id: bytes
    seed: bytes = field(repr=False)
    public: PublicKey

    @classmethod
    def generate(cls) -> SecretKey:
        """A new key from the system's random numbers. Raises TrustError without cryptography."""
        return cls._of(os.urandom(8), os.urandom(32))

    @classmethod
    def _of(cls, id: bytes, seed: bytes) -> SecretKey:
        public = need_cryptography().Ed25519PrivateKey.from_private_bytes(seed).public_key()
        return cls(id, seed, PublicKey(id, public.public_bytes_raw()))

    @staticmethod
    def is_locked(path: str | os.PathLike[str]) -> bool:
        """Whether a secret key's file asks for a password. Raises TrustError."""
        return _raw(os.path.abspath(path))[2:4] != b"\0\0"

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, password: bytes | None = None) -> SecretKey:
        """From a file of minisign's form. Raises TrustError: damaged, wrong or no password."""
        name = os.path.abspath(path)
        raw = _raw(name)
        secret = raw[54:]
        plain = raw[2:4] == b"\0\0"
        if not plain:
            if raw[2:4] != b"Sc":
                raise TrustError("is locked by an unknown method", path=name, expected="scrypt")
            if password is None:
                raise TrustError("asks for a password", path=name, cure="Give it: --password-file, or the terminal")
            stream = _scrypt(password, raw[6:38], *struct.unpack("<QQ", raw[38:54]), path=name)
            secret = bytes(a ^ b for a, b in zip(secret, stream, strict=True))
        number, seed, public, checksum = secret[:8], secret[8:40], secret[40:72], secret[72:]
        empty = plain and not any(checksum)  # as minisign leaves it without a password
        if not empty and not hmac.compare_digest(checksum, _checksum(number, seed, public)):
            cause = "is damaged" if plain else "does not open with this password"
            raise TrustError(cause, path=name, expected="the checksum in it", found="another")
        key = cls._of(number, seed)
        if key.public.data != public:
            raise TrustError("is damaged", path=name, found="a public key that does not belong to its secret one")
        return key

    def to_file(self, *, password: bytes | None = None) -> str:
        """The contents of a secret key's file; without a password whoever reads the file has the key."""
        secret = self.id + self.seed + self.public.data
        secret += _checksum(self.id, self.seed, self.public.data)
        head = b"Ed\0\0B2" + bytes(48)
        if password is not None:
            salt = os.urandom(32)
            stream = _scrypt(password, salt, _OPSLIMIT, _MEMLIMIT, path=None)
            secret = bytes(a ^ b for a, b in zip(secret, stream, strict=True))
            head = b"EdScB2" + salt + struct.pack("<QQ", _OPSLIMIT, _MEMLIMIT)
        return f"{_COMMENT}minisign encrypted secret key\n{base64.b64encode(head + secret).decode()}\n"

    def signature(self, message: bytes) -> bytes:
        """The Ed25519 signature (64 bytes) of a message."""
        made: bytes = need_cryptography().Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)
        return made


def comment_for(identity: Identity, version: str) -> str:
    """The trusted comment that says what a file is. Raises TrustError for what cannot be said."""
    version_key(version)
    facts = identity.facts()
    comment = "\t".join(
        f"{name}:{value}" for name, value in ({"name": facts.pop("name"), "version": version} | facts).items()
    )
    if "\t" in identity.name or not comment.replace("\t", "").isprintable():
        raise TrustError("has a name that a signature cannot hold", found=repr(identity.name), cure="Rename it")
    return comment


def sign(data: bytes, comment: str, key: SecretKey) -> str:
    """The contents of the .minisig file of `data`, with a trusted comment of one line."""
    if any(each in comment for each in "\n\r\0"):
        raise ValueError("a trusted comment is one line")
    signature = key.signature(hashlib.blake2b(data).digest())
    first = base64.b64encode(b"ED" + key.id + signature).decode()
    last = base64.b64encode(key.signature(signature + comment.encode())).decode()
    return f"{_COMMENT}{COMMENT}\n{first}\ntrusted comment: {comment}\n{last}\n"


def _raw(path: str) -> bytes:
    """The 158 bytes of a secret key's file. Raises TrustError."""
    lines = read_text(path, "secret key").split("\n")
    raw = decode(lines[1].strip()) if len(lines) in (2, 3) and lines[0].startswith(_COMMENT) else None
    if raw is None or len(raw) != 158 or raw[:2] != b"Ed" or raw[4:6] != b"B2":
        raise TrustError(
            "is not a secret key of minisign",
            path=path,
            expected="a comment line, and a line of base64 that begins with RW",
            cure="Make one with loader keygen or minisign -G",
        )
    return raw


def _checksum(id: bytes, seed: bytes, public: bytes) -> bytes:
    return hashlib.blake2b(b"Ed" + id + seed + public, digest_size=32).digest()


def _scrypt(password: bytes, salt: bytes, opslimit: int, memlimit: int, *, path: str | None) -> bytes:
    """104 bytes. The costs become scrypt's N and p as libsodium's crypto_pwhash_scryptsalsa208sha256 does
    it.
    """
    r = 8
    opslimit = max(opslimit, 32768)
    if opslimit < memlimit // 32:
        p, most = 1, opslimit // (r * 4)
    else:
        p, most = 0, memlimit // (r * 128)
    log_n = next(n for n in range(1, 64) if (1 << n) > most // 2)
    if p == 0:
        p = min((opslimit // 4) >> log_n, 0x3FFFFFFF) // r
    if p < 1 or (128 * r << log_n) > _MOST_MEMORY or ((p * r) << log_n) > 1 << 27:
        found = f"opslimit {opslimit:,}, memlimit {memlimit:,}"
        raise TrustError("asks for more work than any key should", path=path, found=found)
    try:
        memory = (128 * r << log_n) + (128 * r * p) + (1 << 20)
        return hashlib.scrypt(password, salt=salt, n=1 << log_n, r=r, p=p, maxmem=memory, dklen=104)
    except (ValueError, MemoryError) as error:
        raise TrustError(
            "its password cannot be tried here", path=path, found=str(error) or "too little memory"
        ) from error
