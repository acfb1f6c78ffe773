"""Candidate -> TrustedImage: may this file run?

Whoever loads a plugin runs its code with all of the application's rights; this is the place where the answer
is given, between the handshake and dlopen. Four things can be asked, and all that are asked must hold:

    permissions   who could have changed the file or its place     permissions.py
    signature     who vouches for these bytes, and as what         signature.py
    lock file     are these the bytes that were agreed on          lockfile.py
    quarantine    did these bytes crash an earlier process         quarantine.py

What is judged is the image: bytes, and what fstat said, from one descriptor. No path of the plugin is looked
up again, so nothing that happens to the file meanwhile has a say; library/ loads those bytes.

The same is asked of everything that the dynamic linker would bring along with it and that is not the system's own
(members.py), by the plugin's rules and by those of its own folder. What cannot be judged is refused.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.errors import TrustError
from loader.image.loaded import is_brought
from loader.trust.identity import identify, version_key
from loader.trust.policy import DEFAULT_POLICY, UNLESS_SIGNED, Policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loader.image import Image
    from loader.trust.handshake import Candidate
    from loader.trust.lockfile import LockFile
    from loader.trust.members import Resolved
    from loader.trust.signature import PublicKey

__all__ = [
    "ISOLATED",
    "NAMED",
    "TrustedImage",
    "asks_for_steps",
    "asks_nothing",
    "check_file",
    "check_image",
    "may_isolate",
    "minimum",
    "require",
    "signed_version",
    "trust",
]

#: What is said to have held when a policy asks for nothing.
NAMED = ("named by the user",)
#: What is said where a policy asks that a file is opened in a process of its own: nothing that has to hold before.
ISOLATED = "to be opened in a process of its own"

#: Only appended to, which is one step: a lock would hang where a signal handler requires something too.
_minimum: list[Policy] = []


@dataclass(frozen=True, slots=True)
class TrustedImage:
    """A candidate that the policy allows to run. Only this can be opened.

    `checks` says what was checked and held, for reports. `isolate`: the policy asks for a process of its own, for it
    or for a library that comes along; library/ opens it in no other.
    """

    candidate: Candidate
    policy: Policy
    checks: tuple[str, ...]
    #: What comes along with it; None where that is for the dynamic linker alone to find.
    resolved: Resolved | None = None
    isolate: bool = False

    @property
    def images(self) -> tuple[Image, ...]:
        """The plugin, and what comes along with it and is not the system's own."""
        return self.candidate.image, *(() if self.resolved is None else self.resolved.own)


def trust(candidate: Candidate, policy: Policy) -> TrustedImage:
    """The candidate, allowed under `policy` and all that `require` asked for; raises TrustError if it is
    not.
    """
    image = candidate.image
    if asks_nothing(policy):
        resolved = None if _comes_alone(image) else _judged(image, policy, strict=False)[0]
        return TrustedImage(candidate, policy, NAMED, resolved)
    checks = check_image(image, policy)
    resolved, isolate = _judged(image, policy, strict=_is_strict(checks))
    isolate = isolate or ISOLATED in checks
    return TrustedImage(candidate, policy, checks or NAMED, resolved, isolate)


def _is_strict(checks: Iterable[str]) -> bool:
    """Whether something had to hold of a file: then so it must of what comes along with it."""
    return any(each != ISOLATED for each in checks)


def _comes_alone(image: Image) -> bool:
    """Whether the dynamic linker finds what a file needs from the file's copy too, and nothing stands in its way."""
    if image.machine.format != "elf":
        return image.machine.format != "pe"
    if image.filters or image.auxiliaries:
        return False
    names = "".join(image.needed)
    if "/" in names or "$" in names or is_brought(image.needed):
        return False
    if not (image.rpath or image.runpath):
        return True
    folder = os.path.dirname(image.path)
    return not any(_may_contain(each, folder, image) for each in image.runpath or image.rpath)


def _may_contain(place: str, origin: str, image: Image) -> bool:
    """Whether something that is needed may lie in a folder that a file names: a quick look, for the usual kinds."""
    head, slash, rest = place.partition("/")
    if head in ("$ORIGIN", "${ORIGIN}"):
        place = origin + slash + rest
    if not place.startswith("/") or "$" in place or "\\" in place:
        return True
    if not os.path.isdir(place):
        return False
    # A folder that is handed down, or has subfolders for better CPUs, is for the resolver.
    better = ("glibc-hwcaps", "tls", "haswell", "xeon_phi", "avx512_1", "atomics", image.machine.machine)
    names = (*image.needed, *better)
    return not image.runpath or any(os.path.lexists(os.path.join(place, name)) for name in names)


def _judged(image: Image, policy: Policy, *, strict: bool) -> tuple[Resolved, bool]:
    """What comes along with a plugin, if all of it may run; and whether some of it may in a process of its own only.

    Raises TrustError, LibraryError.
    """
    from loader.image.closure import JUDGEABLE  # noqa: PLC0415 - most plugins come alone
    from loader.image.missing import missing_libraries, not_usable  # noqa: PLC0415 - as above
    from loader.trust.members import resolve  # noqa: PLC0415 - as above

    resolved = resolve(image, strict=strict)
    if strict and resolved.closure.doubts:
        doubt = resolved.closure.doubts[0]
        raise TrustError(
            "finds libraries in a way that nobody can judge before it is loaded",
            path=doubt.path,
            expected=JUDGEABLE,
            found=doubt.found,
            cure=doubt.cure,
        )
    for member in resolved.closure.members:
        if member.error is not None and (strict or member.kind != "auxiliary"):  # others may be absent
            raise not_usable(image, member)
    for error in missing_libraries(image, resolved.closure.members) if strict else ():
        raise error
    isolate = False
    for each in resolved.own if not asks_nothing(policy) else ():
        isolate = ISOLATED in check_image(each, policy, needed_by=image) or isolate
        if strict and each in resolved.by_path:  # nobody else may put another one there until it is opened
            _check_rule(each, Policy(permissions=True))
    return resolved, isolate


def check_file(image: Image, policy: Policy) -> tuple[str, ...]:
    """What `trust` asks of a file and of what comes along with it, for who only wants to know: what of the file was
    checked and held. Raises as `trust` does.
    """
    checks = check_image(image, policy)
    if not asks_nothing(policy) and image.mismatch() is None:
        _, isolate = _judged(image, policy, strict=_is_strict(checks))
        if isolate and ISOLATED not in checks:
            checks = (*checks, ISOLATED)
    return checks


def require(policy: Policy) -> None:
    """From now on `policy` must hold too for whatever this process loads, whichever policy it is loaded with.

    What was required before stays: there is no way back. Plugins that are loaded already are not looked at.
    """
    if policy not in _minimum:
        _minimum.append(policy)


def minimum() -> tuple[Policy, ...]:
    """What `require` asked for, in order."""
    return tuple(_minimum)


def asks_nothing(policy: Policy) -> bool:
    """Whether a file may run because the user names it: it has nothing to prove first."""
    return not _minimum and (policy is DEFAULT_POLICY or policy == DEFAULT_POLICY)


def asks_for_steps(policy: Policy) -> bool:
    """Whether a file is judged by the way to it too. One that was read without it is refused then."""
    return any(each.permissions or each.folders for each in (policy, *_minimum))


def may_isolate(policy: Policy) -> bool:
    """Whether there are files for which a policy, or what `require` asked for, wants a process of their own."""
    asked = (policy, *_minimum)
    return any(each.isolate for rule in asked for each in (rule, *(own for _, own in rule.folders)))


def check_image(image: Image, policy: Policy, *, needed_by: Image | None = None) -> tuple[str, ...]:
    """What of a file was checked and held, as phrases; a plugin or a library that one needs. Raises TrustError.

    `needed_by`: the plugin, whose rules hold for the library too, whatever is asked in the library's own folder.
    """
    checks: list[str] = []
    for each in (policy, *_minimum):
        rules = each.rules_for(image)
        if needed_by is not None:
            rules = tuple(dict.fromkeys((*rules, *each.rules_for(needed_by))))
        for rule in rules:
            checks += _check_rule(image, rule)
    return tuple(dict.fromkeys(checks))


def _check_rule(image: Image, rule: Policy) -> list[str]:
    checks: list[str] = []
    version = None
    if rule.permissions:
        from loader.trust.permissions import check_permissions  # noqa: PLC0415 - where a policy asks for it

        check_permissions(image.path, image.file.steps)
        checks.append("only root and this user can change it")
    unsigned = rule.isolate == UNLESS_SIGNED and not _names_a_key(image, rule.keys)
    if rule.isolate is True or unsigned:
        checks.append(ISOLATED)
    if rule.keys and not unsigned:
        key, version = signed_version(image, rule.keys)
        checks.append(f"signed by {key.name} as version {version}")
    if rule.lock is not None:
        checks += _locked(image, rule, version)
    if rule.quarantine:
        from loader.trust.quarantine import Quarantine  # noqa: PLC0415 - where a policy asks for it

        Quarantine(rule.quarantine, permissions=rule.permissions).check(image)
        checks.append("crashed no earlier process")
    return checks


def _names_a_key(image: Image, keys: Iterable[PublicKey]) -> bool:
    """Whether a file has a signature that is said to be of one of `keys`. One that cannot be read raises TrustError:
    it may be one of theirs, and what is signed and was changed is not to run anywhere.
    """
    from loader.trust.signature import SUFFIX, parse_signature, read_text  # noqa: PLC0415 - where a policy asks for it

    path = image.path + SUFFIX
    try:
        signature = parse_signature(read_text(path, "signature"), path=path)
    except TrustError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return False
        raise
    return any(key.id == signature.key_id for key in keys)


def signed_version(image: Image, keys: Iterable[PublicKey]) -> tuple[PublicKey, str]:
    """Which of `keys` signed a file, in FILE.minisig, and as which version. Raises TrustError."""
    from loader.trust.signature import (  # noqa: PLC0415 - where a policy asks for it
        SUFFIX,
        check_signature,
        parse_signature,
        read_text,
    )

    path = image.path + SUFFIX
    cure = f"Get {path} from where the plugin is from, or sign it: loader sign"
    try:
        signature = parse_signature(read_text(path, "signature", cure=cure), path=path)
    except TrustError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        names = ", ".join(key.name for key in keys)
        expected = f"a signature beside it by one of the keys {names}"
        raise TrustError(
            "is not signed", path=image.path, expected=expected, found=f"no {path}", cure=cure
        ) from error
    key = check_signature(image.data, signature, keys, identify(image).facts(), path=image.path)
    version = signature.fields().get("version", "")
    version_key(version, path=path)
    return key, version


def _locked(image: Image, rule: Policy, signed: str | None) -> list[str]:
    from loader.trust.lockfile import lock_command  # noqa: PLC0415 - where a policy asks for it

    lock_file = _read_lock(rule)
    identity = identify(image)
    found = lock_file.check(identity, image.size, path=image.path, signed=signed)
    if found is not None:
        return [found]
    if rule.unlocked == "allow":
        return [f"not named in {lock_file.path}"]
    raise TrustError(
        "is not in the lock file",
        path=image.path,
        expected=f"{identity.name} for {identity.platform} in {lock_file.path}",
        found=f"SHA-256 {identity.sha256}",
        cure=f"If you know where it is from: {lock_command(image.path, lock_file.path)}",
    )


def _read_lock(rule: Policy) -> LockFile:
    from loader.trust.lockfile import MAX_SIZE, LockFile, unreadable  # noqa: PLC0415

    path = str(rule.lock)
    if not rule.permissions:
        return LockFile.read(path)
    from loader.trust.permissions import read_checked  # noqa: PLC0415

    try:
        return LockFile.parse(read_checked(path, limit=MAX_SIZE), path=path)
    except OSError as error:
        raise unreadable(path, error) from error
