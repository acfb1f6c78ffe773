"""`loader keygen`: a new key pair to sign with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from loader.cli import streams
from loader.cli.files import WriteError, write_file
from loader.cli.keys import add_password, ask_password
from loader.cli.parser import add_json
from loader.trust.signing import SecretKey

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser

__all__ = ["USAGE", "configure", "run"]

USAGE = "loader keygen [option ...]"


def configure(parser: Parser) -> None:
    """Adds the command's options."""
    parser.add_argument("--secret-key", metavar="FILE", default="minisign.key", help="(default: minisign.key)")
    parser.add_argument("--public-key", metavar="FILE", default="minisign.pub", help="(default: minisign.pub)")
    add_password(parser, no_password=True)
    add_json(parser)


def run(options: Namespace) -> int:
    """Makes a key pair in minisign's format. Keep the secret key; give the public one to applications."""
    for path in (options.secret_key, options.public_key):
        if os.path.lexists(path):
            raise WriteError("is there already", path=path, cure="Move it away, or name another file")
    key = SecretKey.generate()
    password = None if options.no_password else ask_password(options, twice=True)
    write_file(options.secret_key, key.to_file(password=password), 0o600, exclusive=True)
    write_file(options.public_key, key.public.to_file(), 0o644, exclusive=True)
    if options.json:
        values = {"secret_key": options.secret_key, "public_key": options.public_key}
        streams.write_json({**values, "key": str(key.public), "id": key.public.name})
    else:
        streams.write(f"public key {key.public.name}, for Policy(keys=[...]):\n{key.public}\n")
    return 0
