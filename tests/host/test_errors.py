"""loader/errors.py: what errors say, and how they travel."""

from __future__ import annotations

import ast
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from loader import errors
from loader.errors import (
    CallCancelled,
    ContractError,
    ContractNotFound,
    DeadlineExceeded,
    LoaderError,
    PluginError,
    PluginNotFound,
    TextError,
)

CLASSES: list[type[LoaderError]] = [getattr(errors, name) for name in errors.__all__]
FIELDS: dict[str, Any] = {
    "path": "/plugins/tt.so",
    "plugin": "tt",
    "function": "process_role",
    "expected": "htmlize 1.0",
    "found": "htmlize 2.0",
    "cure": "Update the application",
}


def make(kind: type[LoaderError]) -> LoaderError:
    """An error of this class with every field set."""
    own: dict[str, Any] = {}
    if issubclass(kind, TextError):
        own = {"offset": 3}
    elif issubclass(kind, PluginError):
        own = {"status": 7, "message": "no such post"}
    return kind("does not fit", **FIELDS, **own)


@pytest.mark.parametrize("kind", CLASSES)
def test_text_says_everything(kind: type[LoaderError]) -> None:
    """str() has file, failure, expected, found and cure, also where OSError would say something else."""
    assert str(make(kind)) == (
        "/plugins/tt.so: does not fit; expected htmlize 1.0, found htmlize 2.0. Update the application"
    )


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(kind: type[LoaderError], protocol: int) -> None:
    """An error arrives in another process with its class, fields and text."""
    error = make(kind)
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is kind
    assert vars(again) == vars(error)
    assert (str(again), again.args) == (str(error), error.args)


@pytest.mark.parametrize("kind", CLASSES)
def test_to_dict_is_json(kind: type[LoaderError]) -> None:
    """to_dict holds class, whole message and every field, as JSON can say it."""
    error = make(kind)
    values = json.loads(json.dumps(error.to_dict()))
    assert values["error"] == kind.__name__
    assert values["message"] == str(error)
    assert {name: values[name] for name in FIELDS} == FIELDS
    if isinstance(error, PluginError):
        assert (values["status"], values["plugin_message"]) == (7, "no such post")


def test_to_dict_leaves_out_what_is_not_known() -> None:
    """A field that is None is not in to_dict."""
    assert LoaderError("failed").to_dict() == {"error": "LoaderError", "message": "failed", "what": "failed"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "failed"),
        ({"path": "a.so"}, "a.so: failed"),
        ({"found": "x"}, "failed; found x"),
        ({"expected": "y"}, "failed; expected y"),
        ({"cure": "Do z"}, "failed. Do z"),
    ],
)
def test_text_with_few_fields(fields: dict[str, str], text: str) -> None:
    """str() reads well whichever fields are known."""
    assert str(LoaderError("failed", **fields)) == text


def test_errors_are_what_python_has_too() -> None:
    """Those who know only Python's own exceptions catch the fitting ones."""
    assert issubclass(PluginNotFound, FileNotFoundError)
    assert issubclass(ContractNotFound, FileNotFoundError)
    assert issubclass(ContractNotFound, ContractError)
    assert issubclass(TextError, ValueError)
    assert issubclass(DeadlineExceeded, TimeoutError)
    assert issubclass(DeadlineExceeded, PluginError)
    assert issubclass(CallCancelled, PluginError)
    assert all(issubclass(kind, LoaderError) for kind in CLASSES)


def test_exit_codes() -> None:
    """Every class has the exit code of its kind of failure."""
    codes = {kind.__name__: kind.exit_code for kind in CLASSES}
    assert codes == {
        "LoaderError": 1,
        "ContractError": 2,
        "ContractNotFound": 3,
        "ServiceError": 2,
        "TextError": 2,
        "PluginNotFound": 3,
        "HandshakeError": 4,
        "ImageError": 4,
        "LibraryError": 4,
        "RegistryError": 4,
        "ReloadError": 6,
        "TrustError": 5,
        "CallCancelled": 6,
        "DeadlineExceeded": 6,
        "ForkError": 6,
        "InstanceError": 6,
        "IsolationError": 4,
        "PluginCrashed": 6,
        "PluginError": 6,
    }


def test_imports_nothing_of_ours() -> None:
    """errors.py is the bottom of the package."""
    tree = ast.parse(Path(errors.__file__).read_text())
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert not [name for name in (*modules, *names) if name and name.split(".")[0] == "loader"]
