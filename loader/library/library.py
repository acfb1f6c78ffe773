"""TrustedImage -> Library: the file's code is in this process, from the very bytes that were checked.

Those bytes are copied to where nobody can change them (sealed.py) and that is what dlopen maps: whatever
happens to the file meanwhile, replaced, rewritten or cut off, what runs is what was checked, and a mapping
cannot be cut off under us (SIGBUS). It also makes a rebuilt plugin at the same path a new library, where
dlopen would return the old one. The libraries that it brings along are copied too (see trust/members.py), and the
copies name each other by path (pinned.py): the dynamic linker opens them, in its own order, cycles included.

A library is its bytes and what comes along with it. It is opened once a process: two hosts that load the same bytes
with the same libraries share it, as two dlopen calls would, and a Go runtime is not started twice. The same plugin
beside other libraries is another one. Nothing is ever unmapped (see library.c).

Debuggers and crash reports: `mappings` says which addresses belong to which file, and docs/security.md how
gdb finds it.
"""

from __future__ import annotations

from sys import audit
from typing import TYPE_CHECKING

from loader.errors import ForkError, IsolationError, LibraryError
from loader.image.sanitizer import RULE, lacks_runtime, sanitizer_cure
from loader.library.opened import Library, known, look_for_go, open_one, opening
from loader.lock import Lock
from loader.trust import asks_nothing

if TYPE_CHECKING:
    from loader._core._call import Owner
    from loader.trust import TrustedImage
    from loader.trust.members import Resolved

__all__ = ["check_libraries", "open_library"]

#: Around all that opens a library: two threads must not start the same one twice. Constructors, signal handlers and
#: audit hooks may come back on the thread that is inside; see loader/lock.py.
_lock = Lock()


def open_library(trusted: TrustedImage, owner: Owner, *, one_go: bool = False, forked: bool = False) -> Library:
    """Maps a trusted file's bytes and runs its constructors.

    `owner`: whose they are, in crash reports; see opened.py. `one_go`: refuse a second Go runtime in this process;
    otherwise a warning is logged. `forked`: return a library with a Go runtime that was started before the fork,
    which must not be called.

    Raises:
        LibraryError: the system could not load it; the message says what is missing.
        TrustError: the policy does not allow a library that lies beside it and that it needs.
        ForkError: it has a Go runtime, which was started before this process was forked.
        IsolationError: the policy asks for a process of its own.
    """
    image = trusted.candidate.image
    if trusted.isolate:  # whoever comes this way has not asked the policy where
        raise IsolationError(
            "is not opened in this process: the policy asks for one of its own",
            path=image.path,
            cure="Open it with isolation=loader.Isolation()",
        )
    audit("loader.open", image.path, image.digest)
    if trusted.resolved is not None:
        check_libraries(trusted.resolved)
    warnings: list[str] = []
    outer = 0
    again = _lock.inside()
    try:
        other = None if again else _lock.acquire(f"loads {image.path}")
        if other is not None:
            raise LibraryError(
                "waits for another thread, which does not come to an end",
                path=image.path,
                found=f"it {other}",
                cure="Look what its constructors, a signal handler, audit hook or lock of the application wait for",
            )
        # In a forked child the list may be that of a thread which only the parent has.
        outer = len(opening) if again else 0
        del opening[outer:]
        library = _opened(trusted, owner, warnings, one_go=one_go)
    finally:
        if again:
            del opening[outer:]
        else:  # what is left in the list is taken out by who comes next
            try:  # noqa: SIM105 - one step of C: see Lock
                _lock.leave()
            except RuntimeError:  # it was not inside
                pass
    if warnings:  # now: a log handler may load a plugin, or wait for a thread that does
        import logging  # noqa: PLC0415 - slow to import, and seldom wanted here

        for warning in warnings:
            logging.getLogger("loader.library").warning("%s", warning)
    if image.go and library.inherited and not forked:
        raise ForkError(
            "has a runtime of its own, which was started before this process was forked",
            path=image.path,
            cure="Start workers with multiprocessing's spawn or forkserver, or load it after the fork",
        )
    return library


def _opened(trusted: TrustedImage, owner: Owner, warnings: list[str], *, one_go: bool) -> Library:
    """The library that is open already, or a new one."""
    image, resolved = trusted.candidate.image, trusted.resolved
    strict = not asks_nothing(trusted.policy)
    if resolved is not None:
        from loader.library.dependencies import open_resolved  # noqa: PLC0415 - most plugins come alone

        return open_resolved(resolved, owner, warnings, one_go=one_go, strict=strict)
    library = known(image.digest)
    if library is None:
        if image.go:
            look_for_go(image, warnings, refuse=one_go)
        library = open_one(image, owner, image.digest, strict=strict)
    return library


def check_libraries(resolved: Resolved) -> None:
    """What is asked of the libraries that come along, before any of them is opened."""
    for each in resolved.own:
        misfit = each.misfit() if each.go else None  # what is for another machine is not found in the first place
        if misfit is not None:
            what, expected, found, cure = misfit
            what += f", and {resolved.closure.image.path} needs it"
            raise LibraryError(what, path=each.path, expected=expected, found=found, cure=cure)
        if each.sanitizer is not None and lacks_runtime(each):  # of plugins themselves the handshake says it
            what, expected = RULE
            found = f"-fsanitize={each.sanitizer}"
            raise LibraryError(what, path=each.path, expected=expected, found=found, cure=sanitizer_cure(each))
        audit("loader.open", each.path, each.digest)
