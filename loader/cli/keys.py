"""What the commands about keys and lock files share: passwords and versions."""

from __future__ import annotations

import getpass
import os
import sys
from typing import TYPE_CHECKING

from loader.cli.parser import UsageError
from loader.errors import TrustError
from loader.trust.identity import version_key
from loader.trust.signature import read_text
from loader.trust.signing import SecretKey

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser

__all__ = ["add_password", "ask_password", "check_version", "secret_key"]


def add_password(parser: Parser, *, no_password: bool = False) -> None:
    """Adds the options that say where a key's password is from."""
    parser.add_argument("--password-file", metavar="FILE", help="its first line is the key's password")
    if no_password:
        what = "whoever reads the secret key's file can sign with it"
        parser.add_argument("--no-password", action="store_true", help=what)


def check_version(version: str) -> None:
    """Raises UsageError for a version that cannot be compared."""
    try:
        version_key(version)
    except TrustError as error:
        raise UsageError(f"--version {version} cannot be compared", expected=error.expected) from None


def secret_key(options: Namespace) -> SecretKey:
    """The key of --secret-key; its password is asked for if it has one."""
    if SecretKey.is_locked(options.secret_key):
        return SecretKey.read(options.secret_key, password=ask_password(options))
    return SecretKey.read(options.secret_key)


def ask_password(options: Namespace, *, twice: bool = False) -> bytes:
    """The password of --password-file, or what is typed."""
    if options.password_file is not None:
        return read_text(os.path.abspath(options.password_file), "password").split("\n")[0].encode()
    if sys.stdin is None or not sys.stdin.isatty():
        cure = "Give --password-file" + (", or --no-password for a key without one" if twice else "")
        raise UsageError("the key's password cannot be asked for: standard input is no terminal", cure=cure)
    password = getpass.getpass("Password of the secret key: ")
    if twice and getpass.getpass("The same again: ") != password:
        raise UsageError("the two passwords differ")
    return password.encode()
