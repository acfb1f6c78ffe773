"""The commands about trust: keygen, sign, lock, verify, load-report. Each loads what it needs when it
runs.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from loader.cli import streams
from loader.cli.parser import EXIT_CODES, UsageError
from loader.cli.policy import add_policy, policy_of
from loader.errors import LoaderError, TrustError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable

    from loader.cli.parser import Parser
    from loader.contract import Contract
    from loader.image import Image
    from loader.trust.signing import SecretKey

__all__ = ["add_commands"]


class WriteError(LoaderError):
    """A file cannot be written."""


def add_commands(
    commands: Any, finish: Callable[..., None], contract_of: Callable[[Namespace], Contract | None]
) -> None:
    """Adds the commands to those of `loader`.

    Args:
        commands: what add_subparsers returned.
        finish: adds the options that commands have in common (cli.py).
        contract_of: the contract that the options name.
    """

    def with_contract(command: Callable[[Namespace, Contract | None], int]) -> Callable[[Namespace], int]:
        return lambda options: command(options, contract_of(options))

    usage = "loader keygen [option ...]"
    add = commands.add_parser("keygen", usage=usage, help="a new key pair to sign with", description=_keygen.__doc__)
    add.add_argument("--secret-key", metavar="FILE", default="minisign.key", help="(default: minisign.key)")
    add.add_argument("--public-key", metavar="FILE", default="minisign.pub", help="(default: minisign.pub)")
    _add_password(add, no_password=True)
    _plain(add, _keygen)

    usage = "loader sign FILE [FILE ...] --version V [option ...]"
    add = commands.add_parser("sign", usage=usage, help="sign files", description=_sign.__doc__)
    add.add_words("FILE", "a plugin, or a library that one needs", least=1)
    add.add_argument("--version", required=True, metavar="V", help="numbers with dots between them: 1.2.0")
    add.add_argument("--secret-key", metavar="FILE", default="minisign.key", help="(default: minisign.key)")
    add.add_argument("--show-comment", action="store_true", help="only print what `minisign -S -t` needs")
    _add_password(add)
    _plain(add, _sign)

    usage, what = "loader lock FILE [FILE ...] [option ...]", "write digests to a lock file"
    add = commands.add_parser("lock", usage=usage, help=what, description=_lock.__doc__)
    add.add_words("FILE", "a plugin, or a library that one needs", least=1)
    add.add_argument("--lock", metavar="FILE", default="loader.lock", help="(default: loader.lock)")
    add.add_argument("--version", metavar="V", help="the files' version, for instance 1.2.0")
    add.add_argument(
        "--newer", choices=("signed", "no"), help="whether newer signed versions may take their place"
    )
    finish(add, with_contract(_lock))

    usage, what = "loader verify FILE [FILE ...] [option ...]", "check files without running them"
    add = commands.add_parser("verify", usage=usage, help=what, description=_verify.__doc__)
    add.add_words("FILE", "a plugin, or a library that one needs", least=1)
    add_policy(add, runs=False)
    finish(add, with_contract(_verify))

    usage, what = "loader load-report FILE --contract HEADER [option ...]", "load one file, with times"
    add = commands.add_parser(
        "load-report", usage=usage, help=what, description=_report.__doc__, epilog=EXIT_CODES
    )
    add.add_words("FILE", "the plugin; its constructors run", least=1, most=1)
    add_policy(add, runs=True)
    finish(add, with_contract(_report), contract_required=True)


def _plain(parser: Parser, command: Callable[[Namespace], int]) -> None:
    parser.add_argument("--json", action="store_true", help="as a JSON object, errors too")
    parser.set_defaults(command=command)


def _add_password(parser: Parser, *, no_password: bool = False) -> None:
    parser.add_argument("--password-file", metavar="FILE", help="its first line is the key's password")
    if no_password:
        what = "whoever reads the secret key's file can sign with it"
        parser.add_argument("--no-password", action="store_true", help=what)


# ---- The commands ------------------------------------------------------------------------------------------


def _keygen(options: Namespace) -> int:
    """Makes a key pair in minisign's format. Keep the secret key; give the public one to applications."""
    from loader.trust.signing import SecretKey  # noqa: PLC0415

    for path in (options.secret_key, options.public_key):
        if os.path.lexists(path):
            raise WriteError("is there already", path=path, cure="Move it away, or name another file")
    key = SecretKey.generate()
    password = None if options.no_password else _password(options, twice=True)
    _write(options.secret_key, key.to_file(password=password), 0o600, exclusive=True)
    _write(options.public_key, key.public.to_file(), 0o644, exclusive=True)
    if options.json:
        values = {"secret_key": options.secret_key, "public_key": options.public_key}
        streams.write_json({**values, "key": str(key.public), "id": key.public.name})
    else:
        streams.write(f"public key {key.public.name}, for Policy(keys=[...]):\n{key.public}\n")
    return 0


def _sign(options: Namespace) -> int:
    """Signs files as what they are: name, version, platform, contract. Writes FILE.minisig beside each."""
    from loader.image import read_image  # noqa: PLC0415
    from loader.trust.identity import identify  # noqa: PLC0415
    from loader.trust.signature import SUFFIX  # noqa: PLC0415
    from loader.trust.signing import comment_for, sign  # noqa: PLC0415

    _check_version(options.version)
    images = [read_image(path) for path in options.words]
    comments = [comment_for(identify(image), options.version) for image in images]
    if options.show_comment:
        if options.json:
            streams.write_json({"comments": dict(zip(options.words, comments, strict=True))})
        else:
            streams.write("".join(comment + "\n" for comment in comments))
        return 0
    key = _secret_key(options)
    signed = []
    for image, comment in zip(images, comments, strict=True):
        _write(image.path + SUFFIX, sign(image.data, comment, key), 0o644)
        signed.append({"file": image.path, "signature": image.path + SUFFIX, "comment": comment})
    if options.json:
        streams.write_json({"signed": signed, "id": key.public.name})
    else:
        lines = [f"{each['signature']}: {each['comment']}" for each in signed]
        streams.write("".join(streams.printable(line.replace("\t", " ")) + "\n" for line in lines))
    return 0


def _lock(options: Namespace, contract: Contract | None) -> int:
    """Writes what files are to a lock file. What stands there of other plugins and platforms stays."""
    from loader.trust.identity import identify  # noqa: PLC0415
    from loader.trust.lockfile import LockFile  # noqa: PLC0415

    if options.version is not None:
        _check_version(options.version)
    path = os.path.abspath(options.lock)
    lock_file = LockFile.read(path) if os.path.lexists(path) else LockFile(path)
    newer = None if options.newer is None else options.newer == "signed"
    locked = []
    for image in _images(options.words, contract):
        identity = identify(image)
        lock_file = lock_file.add(
            identity, file=image.path, size=image.size, version=options.version, newer=newer
        )
        locked.append({"file": image.path, **identity.facts()})
    try:
        lock_file.write()
    except OSError as error:
        raise WriteError("cannot be written", path=path, found=error.strerror or str(error)) from error
    if options.json:
        streams.write_json({"lock": path, "locked": locked})
    else:
        lines = [f"{each['name']} for {each['platform']}: {each['sha256']}" for each in locked]
        streams.write("".join(streams.printable(line) + "\n" for line in lines))
    return 0


def _verify(options: Namespace, contract: Contract | None) -> int:
    """Checks files against a lock file, public keys, permissions or a policy. No code of theirs is run."""
    from loader.trust import Policy, check_image  # noqa: PLC0415

    policy = policy_of(options)
    if policy is None:
        if not os.path.exists("loader.lock"):
            cure = "Give --lock, --key, --permissions, --quarantine or --policy"
            raise UsageError("there is nothing to check against, and no loader.lock here", cure=cure)
        policy = Policy(lock="loader.lock")
    results: list[dict[str, Any]] = []
    failures: list[LoaderError] = []
    for path in options.words:
        try:
            (image,) = _images([path], contract)
            checks = check_image(image, policy)
            if not checks:
                raise TrustError(
                    "is not covered by the policy", path=image.path, found="no rule for its folder"
                )
            results.append({"file": image.path, "holds": True, "checks": list(checks)})
        except LoaderError as error:
            failures.append(error)
            results.append({"file": os.path.abspath(path), "holds": False, "failure": error.to_dict()})
    if options.json:
        streams.write_json({"files": results, "failed": len(failures)})
    else:
        for each in results:
            if each["holds"]:
                streams.write(streams.printable(f"{each['file']}: {'; '.join(each['checks'])}") + "\n")
        for failure in failures:
            streams.message("loader", "error", str(failure))
    return failures[0].exit_code if failures else 0


def _report(options: Namespace, contract: Contract | None) -> int:
    """Loads a plugin as an application would and shows what each stage checked, and how long it took."""
    from loader.cli.supervise import supervise  # noqa: PLC0415
    from loader.observe.report import load_report  # noqa: PLC0415
    from loader.trust.identity import plugin_name  # noqa: PLC0415

    if contract is None:  # cannot be: argparse asks for it
        raise UsageError("there is no --contract")
    policy = policy_of(options)
    path = os.path.abspath(options.words[0])

    def work() -> int:
        report = load_report(path, contract=contract, policy=policy)
        if options.json:
            streams.write_json(report.to_dict())
        else:
            streams.write("".join(streams.printable(line) + "\n" for line in str(report).splitlines()))
        return 0 if report.error is None else report.error.exit_code

    if not options.own_process:
        return work()
    return supervise(work, keep=options.quarantine, plugin=plugin_name(path), path=path)


def _check_version(version: str) -> None:
    from loader.trust.identity import version_key  # noqa: PLC0415

    try:
        version_key(version)
    except TrustError as error:
        raise UsageError(f"--version {version} cannot be compared", expected=error.expected) from None


# ---- Files and passwords -----------------------------------------------------------------------------------


def _images(paths: Iterable[str], contract: Contract | None) -> list[Image]:
    from loader.image import read_image  # noqa: PLC0415
    from loader.trust.handshake import shake_hands  # noqa: PLC0415

    images = [read_image(path) for path in paths]
    for image in images if contract is not None else ():
        shake_hands(image, contract)  # type: ignore[arg-type] # it is not None here
    return images


def _secret_key(options: Namespace) -> SecretKey:
    from loader.trust.signing import SecretKey  # noqa: PLC0415

    if SecretKey.is_locked(options.secret_key):
        return SecretKey.read(options.secret_key, password=_password(options))
    return SecretKey.read(options.secret_key)


def _password(options: Namespace, *, twice: bool = False) -> bytes:
    if options.password_file is not None:
        from loader.trust.signature import read_text  # noqa: PLC0415

        return read_text(os.path.abspath(options.password_file), "password").split("\n")[0].encode()
    if sys.stdin is None or not sys.stdin.isatty():
        cure = "Give --password-file" + (", or --no-password for a key without one" if twice else "")
        raise UsageError("the key's password cannot be asked for: standard input is no terminal", cure=cure)
    import getpass  # noqa: PLC0415

    password = getpass.getpass("Password of the secret key: ")
    if twice and getpass.getpass("The same again: ") != password:
        raise UsageError("the two passwords differ")
    return password.encode()


def _write(path: str, text: str, mode: int, *, exclusive: bool = False) -> None:
    """Writes a file whole or not at all; `exclusive`: and only where there is none."""
    temporary = path if exclusive else f"{path}.{os.getpid()}.part"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        if not exclusive:
            os.replace(temporary, path)
    except OSError as error:
        raise WriteError("cannot be written", path=path, found=error.strerror or str(error)) from error
