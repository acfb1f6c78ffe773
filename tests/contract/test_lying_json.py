"""Contracts from JSON that lies: each is refused, or harmless when a plugin is loaded and called by it.

A process of its own loads and calls, and must live. The plugins are stamped: what a plugin says of its declarations
is what tells kinds that fit each other and not the plugin, which nothing in JSON can.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from headers import read_header
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree import PLUGINS

import loader
from loader.contract.stamp import stamp_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Reads a contract a line, loads the plugin by it, asks for all that Python shows of it and calls all that there is.
CHILD = r"""
import inspect, sys, traceback
import loader
from loader.contract import Kind
from loader.contract.compare import changes

def value(part, plugin, made):
    if part.kind is Kind.INSTANCE:
        return made.get(part.cls)
    if part.kind is Kind.INTERFACE:
        return Anything()
    if part.kind is Kind.STRUCT:
        return {}
    if part.values:
        return part.values[0][1]
    plain = {Kind.TEXT: "text", Kind.BYTES: b"bytes", Kind.INTEGER: 3, Kind.FLOAT: 1.5, Kind.DOUBLE: 2.5,
             Kind.TEXTS: ["a", "b"], Kind.LIST: [], Kind.TENSOR: memoryview(bytearray(64)).cast("d")}
    return plain[part.kind] if part.kind is not Kind.NUMBERS else memoryview(bytearray(64)).cast(
        {"f32": "f", "f64": "d", "i8": "b", "u8": "B", "i16": "h", "u16": "H", "i32": "i", "u32": "I", "i64": "q",
         "u64": "Q"}[part.element])

class Anything:
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *values: 1

def attempt(do):
    try:
        return do()
    except RecursionError:
        raise
    except Exception:
        return None

def use(text, path, known):
    try:
        contract = loader.Contract.from_json(text)
    except loader.ContractError:
        return "refused"
    changes(known, contract), changes(contract, known), hash(contract), repr(contract)
    assert loader.Contract.from_json(contract.to_json()) == contract
    for each in contract.structs:
        attempt(lambda: contract.dtype(each.name))
        attempt(lambda: getattr(contract, each.name))
    for each in contract.enums:
        attempt(lambda: getattr(contract, each))
    try:
        plugin = loader.load(path, contract=contract)
    except loader.LoaderError:
        return "not loaded"
    made = {}
    for name, cls in plugin.classes.items():
        new = next((f for f in contract.functions if f.role == "new" and f.cls == name), None)
        if new is not None:
            made[name] = attempt(lambda: cls(*(value(part, plugin, made) for part in new.parameters)))
    for function in contract.functions:
        call = getattr(plugin.classes.get(function.cls), function.method, None) if function.cls else (
            plugin.functions.get(function.name))
        if call is None or function.name == "waits":
            continue
        attempt(lambda: inspect.signature(call))
        attempt(lambda: repr(call(*(value(part, plugin, made) for part in function.parameters))))
    for each in made.values():
        if each is not None:
            attempt(lambda: [one for one, _ in zip(each, range(5))])
            each.close()
    return "used"

known = loader.Contract.from_json(sys.stdin.readline())
for line in sys.stdin:
    try:
        print(use(line, sys.argv[1], known), flush=True)
    except BaseException:
        print("failed: " + traceback.format_exc().replace("\n", " | "), flush=True)
"""

#: Put in the place of whatever is there.
_ODD: list[Any] = [
    *(None, True, False, -1, 0, 1, 2, 4, 8, 16, 24, 4096, 2**31, 2**63, 2**64, 10**30, 1.5),
    *("", "x", "self", "class", "_class", "__slots__", "close", "a b", "a\nb", "\ud800", "\0", "f64", "i8", "ü"),
    *("text", "bytes", "struct", "integer", "float", "double", "numbers", "texts", "list", "tensor", "interface"),
    *("instance", "arrow", "self", "new", "method", "next", "free", "counter", "hub", "counter_free", "hub_new"),
    *([], {}, [[]], [["A", 1], ["A", 2]], [["A", 2**70]], [["mro", 1]], [["false", 0], ["true", 1]]),
]
#: The version and the fingerprints of others: a host that says it knows an older plugin's declarations is believed.
_BELIEVED = {"major", "minor", "stamps"}


class Child:
    """The process that loads; started anew if it ended."""

    def __init__(self, folder: Path, plugin: Path, known: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(loader.__file__).parent.parent)}
        script = folder / "child.py"
        script.write_text(CHILD)
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", str(script), str(plugin)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=folder,
        )
        self.ask(known, answer=False)

    def ask(self, line: str, *, answer: bool = True) -> str:
        """What became of a contract; "" if the process ended."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip() if answer else ""


@pytest.fixture(scope="module", params=["stateful", "values"])
def liar(
    request: pytest.FixtureRequest, build: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Child, dict[str, Any]]]:
    """A process with a stamped plugin, and what its contract says truly."""
    folder = tmp_path_factory.mktemp("liar")
    for suffix in (".c", ".h"):
        (folder / f"{request.param}{suffix}").write_bytes((PLUGINS / f"{request.param}{suffix}").read_bytes())
    header = folder / f"{request.param}.h"
    header.write_bytes(stamp_header(header).content)
    contract = loader.Contract.from_header(header)
    assert contract.stamped
    child = Child(folder, build(folder / f"{request.param}.c", flags=["-pthread", "-lm"]), contract.to_json())
    try:
        assert child.ask(contract.to_json()) == "used"
        yield child, contract.to_dict()
    finally:
        child.process.kill()
        child.process.communicate()


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        if path or key not in _BELIEVED:
            yield (*path, key)
            yield from _places(each, (*path, key))


def _at(values: Any, path: tuple[Any, ...]) -> Any:
    for each in path:
        values = values[each]
    return values


def _lied(data: st.DataObject, truth: dict[str, Any]) -> dict[str, Any]:
    """One to three lies."""
    values = copy.deepcopy(truth)
    if data.draw(st.booleans()):
        values.pop("fingerprint", None)
    for _ in range(data.draw(st.integers(1, 3))):
        places = list(_places(values))
        path = data.draw(st.sampled_from(places))
        parent, key = _at(values, path[:-1]), path[-1]
        how = data.draw(st.sampled_from(["odd", "odd", "same key", "same key", "gone", "twice", "new key"]))
        if how == "odd":
            parent[key] = copy.deepcopy(data.draw(st.sampled_from(_ODD)))
        elif how == "same key":  # what stands elsewhere under this name: types fit
            alike = [_at(values, each) for each in places if each[-1] == key or type(key) is type(each[-1]) is int]
            parent[key] = copy.deepcopy(data.draw(st.sampled_from(alike)))
        elif how == "gone":
            del parent[key]
        elif how == "twice" and isinstance(parent, list):
            parent.insert(data.draw(st.integers(0, len(parent))), copy.deepcopy(parent[key]))
        elif how == "new key" and isinstance(parent, dict):
            new = data.draw(
                st.sampled_from(["writable", "element", "values", "enum", "cls", "role", "position", "count"])
            )
            parent[new] = copy.deepcopy(data.draw(st.sampled_from(_ODD)))
    return values


@settings(
    max_examples=int(os.environ.get("LIES", "300")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_lie_ends_the_process(liar: tuple[Child, dict[str, Any]], data: st.DataObject) -> None:
    """Nor raises anything else than a ContractError or, at loading, another error of the loader's."""
    child, truth = liar
    told = child.ask(json.dumps(_lied(data, truth)))
    assert told in ("refused", "not loaded", "used"), told or f"ended with {child.process.wait(20)}"


def _changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    values = loader.Contract.from_header(PLUGINS / "stateful.h").to_dict()
    del values["fingerprint"]
    names = {each["name"]: each for each in values["functions"]}
    target: Any = names[path[0]] if path[0] in names else values[path[0]]
    for each in path[1:-1]:
        target = target[each]
    target[path[-1]] = value
    return values


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("counter_add", "name"), "counter_close"),  # methods that instances have themselves, or Python
        (("counter_add", "name"), "counter__class"),
        (("counter_add", "name"), "counter___slots__"),
        (("counter_add", "name"), "counter_new"),
        (("counter_add", "name"), "counter_free"),
        (("counter_add", "name"), "hub_add"),
        (("counter_add", "role"), "next"),
        (("counter_next", "role"), "method"),
        (("counter_name", "role"), "free"),
        (("counter_clone", "role"), "new"),
        (("counter_free", "role"), "method"),
        (("counter_free", "role"), ""),
        (("merge", "role"), "method"),
        (("merge", "cls"), "counter"),
        (("merge", "name"), "walk"),  # twice
        (("merge", "name"), "counter"),  # a class
        (("merge", "name"), "mer\nge"),
        (("merge", "gives"), "struct"),
        (("merge", "results", 0, "writable"), True),
        (("merge", "results", 0, "element"), "f64"),
        (("merge", "results", 0, "values"), [["A", 1]]),
        (("merge", "results", 0, "enum"), "e"),
        (("merge", "results", 0, "name"), "a"),  # twice
        (("merge", "parameters", 0, "name"), "a b"),
        (("merge", "parameters", 0, "name"), "from"),
        (("merge", "parameters", 0, "cls"), "unknown"),
        (("walk", "parameters", 1, "interface"), "unknown"),
        (("interfaces", 0, "name"), "stateful_step"),  # twice
        (("interfaces", 0, "functions", 0, "role"), "method"),
        (("interfaces", 0, "functions", 0, "optional"), True),
        (("interfaces", 0, "functions", 1, "name"), "see"),  # twice
        (("classes", 0, "name"), "hub"),  # twice
        (("classes", 0, "name"), "other"),
        (("structs", 0, "fields", 1, "name"), "x"),  # twice
    ],
)
def test_lies_of_classes_and_interfaces(path: tuple[Any, ...], value: Any) -> None:
    """Each is refused when the contract is made, whether or not any plugin is loaded by it."""
    with pytest.raises(loader.ContractError, match="these values are not a contract's"):
        loader.Contract.from_dict(_changed(path, value))


def test_a_fingerprint_is_of_what_stands_beside_it(tmp_path: Path) -> None:
    """A fingerprint that was kept while something changed is refused: it is what plugins are compared with."""
    values = read_header(tmp_path, "int f(loader_call *call, double x);").to_dict()
    values["functions"][1]["parameters"][0].update(kind="text")
    with pytest.raises(loader.ContractError, match="the fingerprint is"):
        loader.Contract.from_dict(values)
    del values["fingerprint"]
    loader.Contract.from_dict(values)


def test_structs_nest_as_deep_as_a_header_may(tmp_path: Path) -> None:
    """C follows nested structs on its stack; a header has 16 in one another at most."""
    values = read_header(
        tmp_path, "typedef struct s0 { int64_t x; } s0; int f(loader_call *call, const s0 *x);"
    ).to_dict()
    for deep in range(1, 5000):
        field = {"name": "x", "kind": "struct", "struct": f"s{deep - 1}", "offset": 0, "size": 8}
        values["structs"].append({"name": f"s{deep}", "size": 8, "sized": False, "fields": [field]})
    del values["fingerprint"]
    with pytest.raises(loader.ContractError, match="nests more than 16 deep"):
        loader.Contract.from_dict(values)
    values["structs"] = values["structs"][:16]
    values["functions"][1]["parameters"][0]["struct"] = "s15"
    assert loader.Contract.from_dict(values).struct("s15").size == 8
