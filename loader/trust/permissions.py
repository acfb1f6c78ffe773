"""Who could have changed a file, or put another one in its place?

The rule: the file, and each folder and symbolic link passed on the way to it, belongs to root or to the user
that this process runs as, and nobody else may write to it. Access lists need no look-up of their own: what
they grant beyond the owner shows in the group's bits of the mode.

Folders such as /tmp, where everybody may write but only owners may rename and remove (sticky), are allowed as
long as what is passed next in them is a folder. A file or link there may be a hard link that somebody made to
a trusted user's file of another purpose; hard links to folders do not exist.

Everything is decided from what fstat said when the file was opened (loader/image/walk.py). Nothing is looked
up.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from loader.errors import TrustError
from loader.image.walk import open_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loader.image.walk import Step

__all__ = ["check_permissions", "only_roots", "read_checked"]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def check_permissions(path: str, steps: Sequence[Step]) -> None:
    """Raises TrustError if someone else than root and this user could have changed the file or its place.

    `steps` is File.steps of the image, `path` the file for messages.
    """
    if not steps:
        raise TrustError(
            "its owner and folders cannot be checked",
            path=path,
            expected="a file on Linux, at a path of names",
            found="a path through /proc" if hasattr(os, "O_PATH") else "a system without O_PATH",
            cure="Name the file itself; on other systems use a lock file or signatures",
        )
    for step in steps:
        _check_owner(path, step)
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        _check_writers(path, step, following)


def only_roots(steps: Sequence[Step]) -> bool:
    """Whether nobody but root can have changed a file or its place."""
    return bool(steps) and all(
        step.stat.st_uid == 0 and (stat.S_ISLNK(step.stat.st_mode) or not step.stat.st_mode & _OTHERS_WRITE)
        for step in steps
    )


def read_checked(path: str, *, limit: int) -> bytes:
    """The bytes of a file whose permissions hold, up to `limit` and one more. Raises TrustError, OSError."""
    descriptor, steps = open_file(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with open(descriptor, "rb") as file:
        check_permissions(path, steps)
        return file.read(limit + 1)


def _check_owner(path: str, step: Step) -> None:
    user = os.geteuid()
    if step.stat.st_uid in (0, user):
        return
    raise TrustError(
        f"its {_kind(step)} belongs to another user",
        path=path,
        expected=f"{step.path} owned by root" + (f" or user {user}" if user else ""),
        found=f"owner {step.stat.st_uid}",
        cure=f"Keep plugins where only their owner writes, or: chown {user} {step.path}",
    )


def _check_writers(path: str, step: Step, following: Step | None) -> None:
    mode = step.stat.st_mode
    if stat.S_ISLNK(mode) or not mode & _OTHERS_WRITE:  # a link's own mode means nothing
        return
    who = " and ".join(name for bit, name in ((stat.S_IWGRP, "its group"), (stat.S_IWOTH, "everybody")) if mode & bit)
    sticky = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
    if sticky and following is not None and stat.S_ISDIR(following.stat.st_mode):
        return
    shown = f"{stat.S_IMODE(mode):o}"
    raise TrustError(
        f"{who} may put files beside it" if sticky else f"its {_kind(step)} can be changed by others",
        path=path,
        expected=f"{step.path} writable by its owner only",
        found=f"mode {shown}: {who} may write",
        cure=f"Move it into a folder of its own in {step.path}" if sticky else f"chmod go-w {step.path}",
    )


def _kind(step: Step) -> str:
    if stat.S_ISLNK(step.stat.st_mode):
        return "symbolic link"
    return "folder" if stat.S_ISDIR(step.stat.st_mode) else "file"
