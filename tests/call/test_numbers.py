"""Floating-point parameters, results by LOADER_OUT, enums: passed and given as they are declared."""

from __future__ import annotations

import enum
import inspect
import math
import pickle
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")

_ANY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def values(build: Callable[..., Path], placement: str) -> loader.Plugin:  # noqa: ARG001 - anew for each
    """The plugin values."""
    return loader.load(build("values.c"), contract=loader.Contract.from_header(PLUGINS / "values.h"))


def _float(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def test_float_and_double(values: loader.Plugin) -> None:
    """Both go in by value, and a double comes out."""
    assert values.scale(2.0, 1.5) == 3.0
    assert values.scale(value=3, factor=True) == 3.0  # what has a value as a float is taken
    assert type(values.scale(2.0, 1.5)) is float


@_ANY
@given(a=st.floats(), b=st.floats())
def test_every_double_arrives(values: loader.Plugin, a: float, b: float) -> None:
    """Bit by bit, NaN and infinities too, on the short way and on the other one."""
    made, long_way = values.product(a, b), values.product(a=a, b=b)
    assert struct.pack("d", made) == struct.pack("d", long_way)
    assert made == a * b or (math.isnan(made) and math.isnan(a * b))


@_ANY
@given(value=st.floats(width=32))
def test_every_float_arrives(values: loader.Plugin, value: float) -> None:
    """A float is not rounded twice."""
    assert struct.pack("f", values.narrow(value)) == struct.pack("f", value)


def test_what_is_too_wide_for_a_float(values: loader.Plugin) -> None:
    """It is rounded as C rounds it, to infinity if need be."""
    assert values.narrow(0.1) == _float(0.1)
    assert values.narrow(1e300) == math.inf


_INTS = [8, 64, 32, 8, 64, 16]


@_ANY
@given(data=st.data())
def test_both_classes_in_any_order(values: loader.Plugin, data: st.DataObject) -> None:
    """Numbers of ten parameters arrive where they belong, whether in a register or on the stack."""
    a, b, c, d, e, f = (data.draw(st.integers(-100, 100)) for _ in _INTS)
    x, y, z, w = (float(data.draw(st.integers(-100, 100))) for _ in range(4))
    d = abs(d)
    wanted = a + 10 * x + 100 * b + 1e3 * y + 1e4 * c + 1e5 * d + 1e6 * z + 1e7 * e + 1e8 * f + 1e9 * w
    assert values.mixed(a, x, b, y, c, d, z, e, f, w) == wanted
    assert values.mixed(a=a, x=x, b=b, y=y, c=c, d=d, z=z, e=e, f=f, w=w) == wanted


def test_as_many_as_there_may_be(values: loader.Plugin) -> None:
    """Eight of each class, the last of either on the stack where there are not that many registers."""
    given = [*map(float, range(1, 9)), *range(1, 8)]
    assert values.crowd(*given) == sum(i * i for i in range(1, 9)) + sum((8 + i) * i for i in range(1, 8))


def test_numbers_and_text(values: loader.Plugin) -> None:
    """A function with floating-point parameters writes its answer as any other."""
    assert values.show(0.5, -3, "Grüße", 0.25) == "0.5 -3 Grüße 0.25"


def test_several_results(values: loader.Plugin) -> None:
    """They are a tuple with names; one is the value itself."""
    answer = values.divide(-7, 2)
    assert answer == (-3, -1)
    assert (answer.quotient, answer.rest) == (-3, -1)
    assert repr(answer) == "divide(quotient=-3, rest=-1)"
    assert answer._asdict() == {"quotient": -3, "rest": -1}
    assert pickle.loads(pickle.dumps(answer)) == answer
    assert type(pickle.loads(pickle.dumps(answer))) is type(answer)
    quotient, rest = answer
    assert (quotient, rest) == (-3, -1)


def test_a_result_before_a_parameter(values: loader.Plugin) -> None:
    """Where a result stands in C is not seen in Python."""
    assert values.first(0x1234) == (0x34, 0x12)
    assert list(inspect.signature(values.first).parameters) == ["value"]


def test_enums(values: loader.Plugin) -> None:
    """An enum of the contract is an IntEnum; its members come back, and bools do as bools."""
    mode = values.contract.values_mode
    assert issubclass(mode, enum.IntEnum)
    assert [(each.name, each.value) for each in mode] == [("VALUES_FAST", 0), ("VALUES_BEST", 1), ("VALUES_LAST", -7)]
    same, other = values.choose(mode.VALUES_LAST, True)
    assert same is mode.VALUES_LAST
    assert other is False
    assert values.choose(1, False).same is mode.VALUES_BEST
    assert pickle.loads(pickle.dumps(mode.VALUES_BEST)) is mode.VALUES_BEST
    with pytest.raises(ValueError, match=r"^choose\(\): mode is VALUES_FAST \(0\), .* or VALUES_LAST \(-7\), not 2$"):
        values.choose(2, True)
    with pytest.raises(AttributeError, match=r"^contract values 1\.0 has no nothing$"):
        _ = values.contract.nothing


def test_what_is_no_member(values: loader.Plugin) -> None:
    """A plugin that gives another value of an enum, or a bool that is neither, has failed."""
    assert values.wrong_mode(-7) is values.contract.values_mode.VALUES_LAST
    with pytest.raises(loader.PluginError, match="its result mode is wrong: mode is 3, which is none of its values"):
        values.wrong_mode(3)
    with pytest.raises(loader.PluginError, match="its result flag is wrong: flag is 2, which is none of its values"):
        values.wrong_bool(2)
    assert values.wrong_bool(1) is True


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda p: p.scale("2", 1.0), TypeError, r"^scale\(\): value must be a float, not str$"),
        (lambda p: p.product(None, 1.0), TypeError, r"^product\(\): a must be a float, not NoneType$"),
        (lambda p: p.product(1.0), TypeError, r"^product\(\) is called without b$"),
        (lambda p: p.product(1.0, 2.0, 3.0), TypeError, r"^product\(\) takes 2 arguments, 3 were given$"),
        (lambda p: p.product(1.0, c=2.0), TypeError, r"^product\(\) has no parameter c$"),
        (lambda p: p.product(10**400, 1.0), OverflowError, "too large to convert to float"),
        (lambda p: p.divide(1.0, 2), TypeError, r"^divide\(\): a must be an int, not float$"),
        (lambda p: p.divide(1 << 63, 2), OverflowError, "a does not fit a signed integer of 64 bits"),
        (lambda p: p.divide(1, 2, 3), TypeError, r"^divide\(\) takes 2 arguments, 3 were given$"),
        (lambda p: p.divide(1, 0), loader.PluginError, "failed in divide: division by zero"),
        (lambda p: p.fails(2.0), loader.PluginError, "failed in fails: not 2"),
    ],
)
def test_wrong(values: loader.Plugin, call: Callable[[Any], Any], error: type[Exception], text: str) -> None:
    """What does not fit is refused before the plugin is called; what the plugin refuses is its error."""
    with pytest.raises(error, match=text):
        call(values)


def test_text_beside_results(values: loader.Plugin) -> None:
    """LOADER_GIVES_TEXT and LOADER_GIVES_BYTES: what is written comes first."""
    assert values.both("é") == ("é", 2)
    assert values.both("é").text == "é"
    assert values.both_bytes("é").bytes == "é".encode()
    assert values.both("x" * 5000) == ("x" * 5000, 5000)
    with pytest.raises(loader.PluginError, match="wrote text, and its header declares LOADER_OUT results only"):
        values.writes_too()


@pytest.mark.usefixtures("another_thread")
def test_with_other_threads(values: loader.Plugin) -> None:
    """The same with the GIL let go around the call."""
    assert values.scale(2.0, 1.5) == 3.0
    assert values.product(2.0, 1.5) == 3.0
    assert values.divide(7, 2) == (3, 1)


def test_limits(values: loader.Plugin) -> None:
    """A deadline and a token end a call on the short way too."""
    with pytest.raises(loader.DeadlineExceeded), loader.deadline(0.05):
        values.waits(1.0)
    token = loader.CancelToken()
    threading.Timer(0.05, token.cancel).start()
    started = time.monotonic()
    with pytest.raises(loader.CallCancelled), token:
        values.waits(1.0)
    assert time.monotonic() - started < 10


def test_signature(values: loader.Plugin) -> None:
    """What inspect.signature tells of what C knows of a function is what is taken and given."""
    assert str(inspect.signature(values.scale)) == "(value, factor)"
    signature = inspect.signature(values.scale.__self__)
    assert str(signature) == "(value: float, factor: float) -> float"
    choose = inspect.signature(values.choose.__self__)
    assert choose.parameters["mode"].annotation is values.contract.values_mode
    assert choose.parameters["flag"].annotation is bool
    assert inspect.signature(values.divide.__self__).return_annotation is type(values.divide(1, 1))


def test_functions_stay_themselves(values: loader.Plugin) -> None:
    """They pickle, and are documented, as others are."""
    again = pickle.loads(pickle.dumps(values.scale))
    assert again(2.0, 1.5) == 3.0
    assert values.scale.__doc__ == "scaled = value * factor"
