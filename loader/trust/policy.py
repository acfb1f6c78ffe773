"""Policy: what must hold of a plugin file before its code runs. A value; trust.py applies it.

    Policy()                                          what the user names may run (development)
    Policy(permissions=True)                          only root and this user can have changed it
    Policy(lock="loader.lock")                        it is in the lock file, with this digest
    Policy(lock="loader.lock", unlocked="allow")      if the lock file names it, then with this digest
    Policy(keys=["RWQf6LRC..."])                      one of these keys signed it as what it is
    Policy(quarantine=["app.crashes"])                it crashed no process that wrote this report
    Policy(isolate=True)                              it has a process of its own
    Policy(keys=[...], isolate="unless signed")       if none of these keys signed it, it has
    Policy.for_folders({"vendor": Policy(...)})       the longest folder that holds the file decides

All that a policy asks must hold. `tightened` gives stricter ones only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from loader.errors import TrustError
from loader.image.walk import absolute

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loader.image import Image
    from loader.trust.signature import PublicKey

__all__ = ["DEFAULT_POLICY", "UNLESS_SIGNED", "Policy"]

_T = TypeVar("_T")
#: A value of Policy.isolate.
UNLESS_SIGNED: Final = "unless signed"


class _Nothing(tuple):  # type: ignore[type-arg] # of nothing
    """What a policy does not ask for. An empty list that somebody gives is none of these: it may be a rule that went
    lost on its way, and would let every file run.
    """

    __slots__ = ()


_NOTHING: Final = _Nothing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What must hold of a file before its code runs. All of it must.

    Args:
        permissions: the file, and every folder and link on the way to it, belongs to root or this user and
            nobody else can write to it. Of a lock file the same is asked.
        lock: path of a lock file, relative to the current folder; it is read for each plugin that is loaded.
        unlocked: "refuse" or "allow" files that the lock file says nothing about.
        keys: public keys (as text of 56 characters, or PublicKey); one of them must have signed the file.
        isolate: whether a plugin is opened in a process of its own where nobody says so: with
            :class:`loader.Isolation`'s defaults, unless it is loaded with others. "unless signed": files that one of
            `keys` signed are not; those that are not signed by any are, instead of being refused. A signature of one
            of these keys that does not hold is refused all the same.
        quarantine: reports of :func:`loader.crash.enable`, relative to the current folder; a file that one
            of them speaks against is refused. They are read for each plugin that is loaded; one that is not
            there speaks against nobody. With `permissions`, what is asked of the plugin is asked of them.
        folders: (folder, policy) pairs; the longest folder that holds a file decides alone. A path that leads
            through symbolic links is judged where it begins and where it ends, and both must hold.

    Raises TrustError for a key that is none, ValueError for what has no meaning: an empty list among others. What is
    not asked for is left out.
    """

    permissions: bool = False
    lock: str | None = None
    unlocked: str = "refuse"
    keys: tuple[PublicKey, ...] = _NOTHING
    quarantine: tuple[str, ...] = _NOTHING
    isolate: bool | Literal["unless signed"] = False
    folders: tuple[tuple[str, Policy], ...] = field(default=_NOTHING)
    #: Where each of `folders` led when the policy was made, in their order.
    _led: tuple[str, ...] = field(default=(), init=False, repr=False, compare=False)

    if TYPE_CHECKING:  # more is taken than is kept

        def __init__(
            self,
            *,
            permissions: bool = False,
            lock: str | os.PathLike[str] | None = None,
            unlocked: str = "refuse",
            keys: Iterable[str | PublicKey] = (),
            quarantine: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
            isolate: bool | Literal["unless signed"] = False,
            folders: Iterable[tuple[str, Policy]] = (),
        ) -> None: ...

    def __post_init__(self) -> None:
        if type(self.permissions) is not bool:
            raise ValueError(f"permissions is True or False, not {self.permissions!r}")
        if self.unlocked not in ("refuse", "allow"):
            raise ValueError(f"unlocked is 'refuse' or 'allow', not {self.unlocked!r}")
        if isinstance(self.keys, (str, bytes)):  # type: ignore[unreachable] # not for who has no type checker
            raise ValueError("keys is a list of keys, not one text")
        keep = object.__setattr__
        if self.lock is not None:
            keep(self, "lock", os.path.abspath(_named("lock", self.lock)))
        keep(self, "keys", _keys(self.keys))
        if type(self.isolate) is not bool and self.isolate != UNLESS_SIGNED:
            raise ValueError(f"isolate is True, False or {UNLESS_SIGNED!r}, not {self.isolate!r}")
        if self.isolate == UNLESS_SIGNED and not self.keys:
            raise ValueError(f"isolate={UNLESS_SIGNED!r} needs keys: those whose signature counts")
        keep(self, "quarantine", _reports(self.quarantine))
        self._keep_folders()

    def _keep_folders(self) -> None:
        given = _some("folders", "(folder, policy) pair", self.folders)
        absolutes = ((absolute(_named("folders", folder)), rule) for folder, rule in given)
        rules = sorted(absolutes, key=lambda pair: pair[0])
        led = tuple(os.path.realpath(folder) for folder, _ in rules)
        if len(set(led)) != len(rules) or any(rule.folders for _, rule in rules):
            raise ValueError("each folder, whatever it is called, has one policy, which has no folders of its own")
        object.__setattr__(self, "folders", tuple(rules) or _NOTHING)
        object.__setattr__(self, "_led", led)

    @classmethod
    def for_folders(cls, folders: Mapping[str, Policy], *, otherwise: Policy | None = None) -> Policy:
        """A policy for each folder (relative to the current one), and one for files elsewhere (None:
        Policy()).
        """
        if otherwise is not None and not folders:
            return otherwise
        return replace(otherwise or cls(), folders=tuple(folders.items()))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Policy:
        """From `[tool.loader.policy]` of a pyproject.toml or `[policy]` of any other TOML file.

        The keys are the arguments of this class. Paths are relative to the file's folder; an element of
        `keys` that ends in .pub is a file. `folders` is a table: folder = table of the same keys, without
        folders. What a folder's table does not ask for is not asked for there. Raises TrustError.
        """
        from loader.trust.policy_file import read_policy  # noqa: PLC0415 - most applications have their policy in Python

        arguments = read_policy(os.path.abspath(path))
        if "folders" in arguments:
            arguments["folders"] = [(folder, cls(**rule)) for folder, rule in arguments["folders"]]
        return cls(**arguments)

    def rules_for(self, image: Image) -> tuple[Policy, ...]:
        """The policies that decide about a file, which must all hold: one, or more if links lead it from one folder
        to another.
        """
        if not self.folders:
            return (self,)
        steps = image.file.steps
        real = steps[-1].path if steps else os.path.realpath(image.path)
        return self._rules_at(image.path, real)

    def _rules_at(self, *paths: str) -> tuple[Policy, ...]:
        """What decides about a file that is known by these paths.

        Folders are what they lead to, however they are spelled. One that has become a link since the policy was
        made, or a link that leads elsewhere now, adds its rule to that of the place where it leads, and takes none
        away: who can make links must not choose the rule.
        """
        then = [
            (place, rule)
            for led, (folder, rule) in zip(self._led, self.folders, strict=True)
            for place in (folder, led)
        ]
        now = [(os.path.realpath(folder), rule) for folder, rule in self.folders]
        moved = [pair for pair, led in zip(now, self._led, strict=True) if pair[0] != led]
        found: list[Policy] = []
        for path in paths:
            found += _longest(path, then) or [self._elsewhere()]
            found += _longest(path, moved)
        return tuple(dict.fromkeys(found))

    def _elsewhere(self) -> Policy:
        return replace(self, folders=_NOTHING)

    # ---- Stricter, never looser ----------------------------------------------------------------------------

    def tightened(self, **changes: Any) -> Policy:
        """A policy with these arguments changed that is at least as strict, or TrustError.

        `permissions` and `unlocked` are changed for all folders too; `lock` and `keys` for folders that have
        none of their own. `isolate` is True for all folders, or "unless signed" for those that are not stricter.
        `folders` (pairs) and `quarantine` are added to those that there are, everywhere.
        """
        unknown = changes.keys() - {each.name for each in fields(self) if each.init}
        if unknown:
            raise TypeError(f"a policy has no {', '.join(sorted(unknown))}")
        folders = dict(self.folders)
        more = _some("folders", "(folder, policy) pair", changes.pop("folders", _NOTHING))
        added = {absolute(_named("folders", path)): rule for path, rule in more}
        replaced = {os.path.realpath(path) for path in added}
        for folder, rule in folders.items():
            own = {name for name in ("lock", "keys") if getattr(rule, name)}
            if changes.get("isolate") == UNLESS_SIGNED and (rule.isolate or rule.keys):  # it is as strict already
                own.add("isolate")
            folders[folder] = rule.tightened(**{name: changes[name] for name in changes.keys() - own})
        if self.keys and "keys" in changes:  # none is less than some, and told as such
            changes["keys"] = tuple(changes["keys"]) or _NOTHING
        if "quarantine" in changes:
            changes["quarantine"] = (*self.quarantine, *_reports(changes["quarantine"])) or _NOTHING
        unchanged = tuple(pair for pair in folders.items() if os.path.realpath(pair[0]) not in replaced)
        stricter = replace(self, **changes, folders=unchanged + tuple(added.items()) or _NOTHING)
        self.check_kept_by(stricter)
        return stricter

    def check_kept_by(self, new: Policy) -> None:
        """Raises TrustError if `new` is not at least as strict as this policy."""
        looser = self._loosened_by(new)
        if looser:
            raise TrustError(
                "a policy can be tightened, not loosened",
                expected="at least what the policy asks for already",
                found=looser,
                cure="Start with a looser policy where it is made",
            )

    def at_least(self, other: Policy) -> bool:
        """Whether every file that this policy allows is allowed by `other` too, as far as can be told."""
        return other._loosened_by(self) is None

    def _loosened_by(self, new: Policy) -> str | None:
        """What `new` does not ask for though this policy does, or None."""
        places = {
            path
            for policy in (self, new)
            for folder, _ in policy.folders
            for path in (folder, os.path.realpath(folder))
        }
        places.update(self._led, new._led)
        for folder in ["", *sorted(places)]:
            inside = os.path.join(folder, "_")
            paths = (inside, os.path.realpath(inside))
            theirs = new._rules_at(*paths) if folder else (new._elsewhere(),)
            for mine in self._rules_at(*paths) if folder else (self._elsewhere(),):
                lost = [_lost(mine, each) for each in theirs]  # all of theirs must hold: one that keeps it is enough
                if None not in lost:
                    return f"{lost[0]}" + (f" for {folder}" if folder else "")
        return None


def _longest(path: str, rules: Iterable[tuple[str, Policy]]) -> list[Policy]:
    """The policies of the longest folder that holds a path."""
    holding = [(len(place), rule) for place, rule in rules if path.startswith(place.rstrip(os.sep) + os.sep)]
    most = max((size for size, _ in holding), default=0)
    return [rule for size, rule in holding if size == most]


def _required(policy: Policy) -> tuple[PublicKey, ...]:
    """The keys one of which must have signed a file that may run at all."""
    return _NOTHING if policy.isolate == UNLESS_SIGNED else policy.keys


def _lost(old: Policy, new: Policy) -> str | None:
    if old.permissions and not new.permissions:
        return "permissions = false"
    if old.lock is not None and new.lock != old.lock:
        return f"lock = {new.lock}"
    if old.lock is not None and old.unlocked == "refuse" and new.unlocked != "refuse":
        return "unlocked = 'allow'"
    if old.isolate is True and new.isolate is not True:
        return f"isolate = {new.isolate!r}"
    if old.isolate == UNLESS_SIGNED and new.isolate is not True and not new.keys:
        return f"isolate = {new.isolate!r} without keys"
    if _required(old) and new.isolate == UNLESS_SIGNED:
        return f"isolate = {UNLESS_SIGNED!r}, for files that are refused"
    keys = _required(old) if new.isolate is True else old.keys
    if keys and not (new.keys and set(new.keys) <= set(old.keys)):
        more = [key.name for key in new.keys if key not in old.keys]
        return f"other keys: {', '.join(more)}" if more else "no keys"
    if not set(old.quarantine) <= set(new.quarantine):
        return f"quarantine = {list(new.quarantine)}"
    return None


def _some(name: str, what: str, values: Iterable[_T]) -> tuple[_T, ...]:
    """What is asked for, or nothing if it was left out. Raises ValueError for an empty list."""
    found = tuple(values)
    if not found and not isinstance(values, _Nothing):
        raise ValueError(
            f"{name} is empty, which would ask for nothing: give at least one {what}, or leave {name} out if every "
            f"file may run that the rest of the policy allows"
        )
    return found or _NOTHING


def _named(name: str, path: str | os.PathLike[str]) -> str:
    found = os.fspath(path)
    if not found:
        raise ValueError(f"{name} has an empty path: give the file's or folder's, or leave {name} out")
    return found


def _reports(reports: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    several = [reports] if isinstance(reports, (str, os.PathLike)) else reports
    found = _some("quarantine", "crash report", several)
    return tuple(dict.fromkeys(os.path.abspath(_named("quarantine", each)) for each in found)) or _NOTHING


def _keys(keys: Iterable[str | PublicKey]) -> tuple[PublicKey, ...]:
    keys = _some("keys", "public key", keys)
    if not keys:
        return _NOTHING
    from loader.trust.signature import PublicKey  # noqa: PLC0415 - most policies have no keys

    parsed = (key if isinstance(key, PublicKey) else _key(key, number) for number, key in enumerate(keys))
    return tuple(dict.fromkeys(parsed))


def _key(key: object, number: int) -> PublicKey:
    """A key that is given as text, or TrustError that says which one it is."""
    from loader.trust.signature import PublicKey  # noqa: PLC0415 - as above

    cure: str | None = "Give what minisign -G or loader keygen printed"
    if isinstance(key, str):
        try:
            return PublicKey.parse(key)
        except TrustError as error:
            expected, found, cure = error.expected, error.found, error.cure
    else:
        expected, found = "its text, or a PublicKey", f"{type(key).__name__} {key!r}"
    if isinstance(key, os.PathLike) or (isinstance(key, str) and (key.endswith(".pub") or os.path.exists(key))):
        name = os.fspath(key)
        found = f"the name of a file, {name!r}" + ("" if os.path.exists(name) else ", which does not exist")
        cure = "Give the text that is in it, or loader.trust.signature.PublicKey.read(name)"
    raise TrustError(f"keys[{number}] of the policy is not a public key", expected=expected, found=found, cure=cure)


#: What holds where nobody asks for more: what the user names may run.
DEFAULT_POLICY: Final = Policy()
