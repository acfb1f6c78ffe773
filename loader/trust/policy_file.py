"""A policy written in TOML -> the arguments of Policy. What is not understood is refused: it may be a rule with a
typing error.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

from loader.cures import file_cure
from loader.errors import TrustError
from loader.image.walk import absolute
from loader.trust import toml
from loader.trust.signature import PublicKey

__all__ = ["read_policy"]

_KNOWN = ("permissions", "lock", "unlocked", "keys", "quarantine", "isolate", "folders")


def read_policy(path: str) -> dict[str, Any]:
    """The arguments of Policy in a pyproject.toml ([tool.loader.policy]) or another TOML file ([policy]).

    `folders` has pairs of a path and a dict of the same. Raises TrustError.
    """
    names = ["tool", "loader", "policy"] if os.path.basename(path) == "pyproject.toml" else ["policy"]
    try:
        with open(path, "rb") as file:
            values: Any = toml.parse(file.read(), path=path)
    except OSError as error:
        found, cure = error.strerror or str(error), file_cure(path, error, endings=(".toml",))
        raise TrustError("cannot be read as a policy", path=path, found=found, cure=cure) from error
    for name in names:
        values = values.get(name) if isinstance(values, dict) else None
    reader = _PolicyReader(path, ".".join(names))
    if not isinstance(values, dict):
        reader.refuse(f"no table [{'.'.join(names)}]", f"[{'.'.join(names)}]")
    return reader.policy(values)


class _PolicyReader:
    def __init__(self, path: str, table: str) -> None:
        self._path = path
        self._table = table

    def policy(self, values: dict[str, Any], *, inside: str = "") -> dict[str, Any]:
        for name in values:
            if name not in _KNOWN or (inside and name == "folders"):
                known = ", ".join(_KNOWN[:-1] if inside else _KNOWN)
                self.refuse(f"the key {name} in [{self._table}{inside}]", f"only {known}")
        arguments: dict[str, Any] = {}
        permissions = values.get("permissions", False)
        if not isinstance(permissions, bool):
            self.refuse(f"permissions = {permissions!r}", "true or false")
        arguments["permissions"] = permissions
        if "lock" in values:
            arguments["lock"] = self._beside(self._text("lock", values["lock"]))
        if "unlocked" in values:
            if values["unlocked"] not in ("refuse", "allow") or "lock" not in values:
                self.refuse(f"unlocked = {values['unlocked']!r}", '"refuse" or "allow", together with lock')
            arguments["unlocked"] = values["unlocked"]
        if "keys" in values:
            arguments["keys"] = self._keys(values["keys"])
        if "quarantine" in values:
            arguments["quarantine"] = self._reports(values["quarantine"])
        if "isolate" in values:
            arguments["isolate"] = self._isolate(values)
        if "folders" in values:
            arguments["folders"] = self._folders(values["folders"])
        return arguments

    def _isolate(self, values: dict[str, Any]) -> object:
        found = values["isolate"]
        if type(found) is not bool and (found != "unless signed" or "keys" not in values):
            self.refuse(f"isolate = {found!r}", 'true, false, or "unless signed" together with keys')
        return found

    def _keys(self, values: object) -> list[PublicKey]:
        if not isinstance(values, list) or not values:
            self.refuse(f"keys = {values!r}", "a list of at least one public key")
        return [self._key(self._text("keys", value)) for value in values]

    def _key(self, text: str) -> PublicKey:
        try:
            if not text.endswith(".pub"):
                return PublicKey.parse(text, path=self._path)
            return PublicKey.read(self._beside(text))
        except TrustError as error:
            if error.path != self._path:
                error.what += f", as keys in [{self._table}] of {self._path} has it"
                error.cure = error.cure or "Write its path as seen from the policy's folder, or the key's text"
            raise

    def _reports(self, values: object) -> list[str]:
        several = values if isinstance(values, list) else [values]
        if not several:
            self.refuse("quarantine = []", "a crash report, or a list of them")
        return [self._beside(self._text("quarantine", value)) for value in several]

    def _folders(self, values: object) -> list[tuple[str, dict[str, Any]]]:
        if not isinstance(values, dict) or not values:
            self.refuse(f"folders = {values!r}", "a table of tables, with at least one folder")
        found: dict[str, dict[str, Any]] = {}
        for folder, rule in values.items():
            place = absolute(os.path.join(os.path.dirname(self._path), folder))
            if not isinstance(rule, dict) or os.path.realpath(place) in map(os.path.realpath, found):
                self.refuse(f"folders.{toml.key(folder)} = {rule!r}", "one table for each folder")
            found[place] = self.policy(rule, inside=f".folders.{toml.key(folder)}")
        return list(found.items())

    def _text(self, name: str, value: object) -> str:
        if not isinstance(value, str) or not value:
            self.refuse(f"{name} = {value!r}", "a string")
        return value

    def _beside(self, path: str) -> str:
        return os.path.abspath(os.path.join(os.path.dirname(self._path), path))

    def refuse(self, found: str, expected: str) -> NoReturn:
        raise TrustError("is not a policy", path=self._path, expected=expected, found=found)
