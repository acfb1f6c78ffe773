"""`loader sign`: signs files as what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.cli import streams
from loader.cli.files import write_file
from loader.cli.keys import add_password, check_version, secret_key
from loader.cli.parser import add_json
from loader.image import read_image
from loader.trust.identity import identify
from loader.trust.signature import SUFFIX
from loader.trust.signing import comment_for, sign

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser

__all__ = ["USAGE", "configure", "run"]

USAGE = "loader sign FILE [FILE ...] --version V [option ...]"


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("FILE", "a plugin, or a library that one needs", least=1)
    parser.add_argument("--version", required=True, metavar="V", help="numbers with dots between them: 1.2.0")
    parser.add_argument("--secret-key", metavar="FILE", default="minisign.key", help="(default: minisign.key)")
    parser.add_argument("--show-comment", action="store_true", help="only print what `minisign -S -t` needs")
    add_password(parser)
    add_json(parser)


def run(options: Namespace) -> int:
    """Signs files as what they are: name, version, platform, contract. Writes FILE.minisig beside each."""
    check_version(options.version)
    images = [read_image(path) for path in options.words]
    comments = [comment_for(identify(image), options.version) for image in images]
    if options.show_comment:
        if options.json:
            streams.write_json({"comments": dict(zip(options.words, comments, strict=True))})
        else:
            streams.write("".join(comment + "\n" for comment in comments))
        return 0
    key = secret_key(options)
    signed = []
    for image, comment in zip(images, comments, strict=True):
        write_file(image.path + SUFFIX, sign(image.data, comment, key), 0o644)
        signed.append({"file": image.path, "signature": image.path + SUFFIX, "comment": comment})
    if options.json:
        streams.write_json({"signed": signed, "id": key.public.name})
    else:
        lines = [f"{each['signature']}: {each['comment']}" for each in signed]
        streams.write("".join(streams.printable(line.replace("\t", " ")) + "\n" for line in lines))
    return 0
