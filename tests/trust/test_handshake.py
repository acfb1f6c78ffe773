"""loader/trust/handshake.py: attacked one field at a time. No code of a refused file may run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import GREETER, ROOT

import loader
from loader.author.bindings import bindings
from loader.errors import HandshakeError, ImageError, LoaderError
from loader.trust.handshake import LOADER_ABI_MINOR, markers, shake_hands

Build = Callable[..., Path]
MakeContract = Callable[..., loader.Contract]

ABI = "MARK(loader_abi_1)"
GREETER_1_0 = "MARK(greeter_abi_1_0)"
GREET = "LOADER_EXPORT int greet(loader_call *call, const loader_text *name);"
FAREWELL = "LOADER_OPTIONAL int farewell(loader_call *call, const loader_text *name);"


def marks(*names: str) -> str:
    """The compiler's flag for exactly these markers."""
    return "MARKS=" + " ".join(f"MARK({name})" for name in names)


REFUSED = {
    "no marker at all": ((marks(),), "not a plugin", "none among its 2 exports"),
    "no loader marker": ((marks("greeter_abi_1_0"),), "not a plugin", "none among its"),
    "no contract's marker": ((marks("loader_abi_1"),), "no marker of a contract", "none among its"),
    "newer loader ABI": ((marks("loader_abi_2", "greeter_abi_1_0"),), "another loader ABI", "loader_abi_2"),
    "needs a newer loader": (
        (marks("loader_abi_1", "loader_abi_1_2", "loader_abi_1_4", "greeter_abi_1_0"),),
        "needs a newer loader",
        "loader_abi_1_4",
    ),
    "older loader ABI": ((marks("loader_abi_0", "greeter_abi_1_0"),), "another loader ABI", "loader_abi_0"),
    "another contract": ((marks("loader_abi_1", "parrot_abi_1_0"),), "another contract", "parrot 1.0"),
    "name with a prefix": (
        (marks("loader_abi_1", "my_greeter_abi_1_0"),),
        "another contract",
        "my_greeter 1.0",
    ),
    "name with a suffix": ((marks("loader_abi_1", "greeter2_abi_1_0"),), "another contract", "greeter2 1.0"),
    "newer major": ((marks("loader_abi_1", "greeter_abi_2_0"),), "another major version", "greeter 2.0"),
    "older major": ((marks("loader_abi_1", "greeter_abi_0_9"),), "another major version", "greeter 0.9"),
    "majors on both sides": (
        (marks("loader_abi_1", "greeter_abi_0_1", "greeter_abi_2_0"),),
        "another major version",
        "greeter 0.1, greeter 2.0",
    ),
    "newer minor": ((marks("loader_abi_1", "greeter_abi_1_1"),), "newer host", "greeter 1.1"),
    "leading zero": (
        (marks("loader_abi_1", "greeter_abi_1_00"),),
        "no marker of a contract",
        "none among its",
    ),
    "no minor": ((marks("loader_abi_1", "greeter_abi_1"),), "no marker of a contract", "none among its"),
    "huge number": ((marks("loader_abi_1", "greeter_abi_1_1234567"),), "no marker of a contract", "none among its"),
    "required function missing": (("NO_GREET",), "incomplete for greeter 1.0", "no greet"),
    "function that is data": (("GREET_IS_DATA",), "not as greeter 1.0 has it", "data named greet"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_runs(build: Build, greeter: loader.Contract, sentinel: Path, case: str) -> None:
    """Each field that is wrong refuses the file, with expected, found and cure; no constructor runs."""
    defines, what, found = REFUSED[case]
    path = build("hostile.c", *defines)
    with pytest.raises(HandshakeError) as caught:
        loader.load(path, contract=greeter)
    error = caught.value
    assert what in error.what
    assert error.found is not None
    assert found in error.found
    assert error.expected
    assert error.cure
    assert error.path == str(path)
    assert str(path) in str(error)
    assert not sentinel.exists()


def test_constructor_of_an_accepted_plugin_runs(build: Build, greeter: loader.Contract, sentinel: Path) -> None:
    """The sentinel of the refusals works: the constructor of what is accepted leaves it."""
    path = build("hostile.c", "BUILD=1001")
    assert loader.load(path, contract=greeter).greet("World") == "Hello, World!"
    assert sentinel.read_text() == "a constructor ran\n"


ACCEPTED = {
    "the same version": (1, 0, ["greeter_abi_1_0"], (1, 0)),
    "an older minor": (1, 3, ["greeter_abi_1_1"], (1, 1)),
    "the same minor": (1, 3, ["greeter_abi_1_3"], (1, 3)),
    "several minors: the newest that the host knows": (
        1,
        3,
        ["greeter_abi_1_0", "greeter_abi_1_2", "greeter_abi_1_9"],
        (1, 2),
    ),
    "several majors": (2, 0, ["greeter_abi_1_0", "greeter_abi_2_0", "greeter_abi_3_0"], (2, 0)),
    "numbers, not texts, are compared": (1, 10, ["greeter_abi_1_9", "greeter_abi_1_10"], (1, 10)),
    "another contract beside it": (1, 0, ["parrot_abi_7_0", "greeter_abi_1_0"], (1, 0)),
    "another loader ABI beside it": (1, 0, ["loader_abi_2", "greeter_abi_1_0"], (1, 0)),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted_with_version(build: Build, contract_of: MakeContract, sentinel: Path, case: str) -> None:
    """The same major and a minor that is not newer is accepted, and nothing of the file runs for that."""
    major, minor, names, version = ACCEPTED[case]
    contract = contract_of("greeter", major, minor, GREET)
    image = loader.read_image(build("hostile.c", marks("loader_abi_1", *names)))
    candidate = shake_hands(image, contract)
    assert candidate.version == version
    assert (candidate.image, candidate.contract, candidate.missing) == (image, contract, frozenset())
    assert candidate.path == image.path
    assert not sentinel.exists()


@pytest.mark.parametrize(("major", "cure"), [(0, "Rebuild it for greeter 1.0"), (2, "Update the application")])
def test_cure_for_another_major(build: Build, greeter: loader.Contract, major: int, cure: str) -> None:
    """Who has to move depends on which side is older."""
    path = build("hostile.c", marks("loader_abi_1", f"greeter_abi_{major}_0"))
    with pytest.raises(HandshakeError, match=cure):
        loader.load(path, contract=greeter)


def test_optional_function_is_known_to_be_missing(build: Build, contract_of: MakeContract) -> None:
    """What an older plugin lacks is told by the handshake."""
    contract = contract_of("greeter", 1, 1, GREET, FAREWELL)
    candidate = shake_hands(loader.read_image(build("hostile.c")), contract)
    assert candidate.missing == {"farewell"}


def test_several_required_functions_are_all_named(build: Build, contract_of: MakeContract) -> None:
    """A message about missing functions names every one of them."""
    contract = contract_of(
        "greeter",
        1,
        0,
        GREET,
        "LOADER_EXPORT int bow(loader_call *call);",
        "LOADER_EXPORT int wave(loader_call *call);",
    )
    with pytest.raises(HandshakeError) as caught:
        shake_hands(loader.read_image(build("hostile.c")), contract)
    assert caught.value.found == "no bow, wave"


def test_markers_are_listed(build: Build) -> None:
    """All contracts that a file offers, by name, versions in order."""
    names = ["loader_abi_1", "greeter_abi_1_10", "greeter_abi_1_9", "parrot_abi_2_1", "_x_abi_0_0"]
    image = loader.read_image(build("hostile.c", marks(*names)))
    assert markers(image) == {"greeter": [(1, 9), (1, 10)], "parrot": [(2, 1)], "_x": [(0, 0)]}


def patched(path: Path, target: Path, offset: int, value: bytes) -> Path:
    """A copy of a file with some bytes changed."""
    data = bytearray(path.read_bytes())
    data[offset : offset + len(value)] = value
    target.write_bytes(data)
    return target


@pytest.mark.parametrize(("machine", "name"), [(183, "aarch64"), (243, "riscv64"), (21, "ppc64"), (65000, "65000")])
def test_wrong_cpu(
    build: Build, greeter: loader.Contract, tmp_path: Path, sentinel: Path, machine: int, name: str
) -> None:
    """A real plugin that says it is for another CPU is refused with both CPUs' names."""
    path = patched(build("hostile.c"), tmp_path / "other.so", 18, machine.to_bytes(2, "little"))
    with pytest.raises(HandshakeError, match="cannot run here") as caught:
        loader.load(path, contract=greeter)
    assert caught.value.found is not None
    assert name in caught.value.found
    assert caught.value.cure is not None
    assert caught.value.cure.startswith("Build it for")
    assert not sentinel.exists()


def test_executable(build: Build, greeter: loader.Contract, tmp_path: Path, sentinel: Path) -> None:
    """A program is refused, and the cure is not to build it for another machine."""
    source = tmp_path / "program.c"
    source.write_text("int main(void) { return 0; }")
    path = build(source, flags=["-no-pie", "-fno-pie"], name="program")
    data = bytearray(path.read_bytes())
    data[16:18] = (2).to_bytes(2, "little")  # ET_EXEC
    (tmp_path / "program.so").write_bytes(data)
    with pytest.raises(LoaderError) as caught:
        loader.load(tmp_path / "program.so", contract=greeter)
    assert isinstance(caught.value, (HandshakeError, ImageError))
    assert "Build it for" not in str(caught.value)
    assert not sentinel.exists()


@pytest.mark.parametrize("size", [1, 4, 16, 63, 64, 65, 200, 1000, 4096, 5000])
def test_truncated(build: Build, greeter: loader.Contract, tmp_path: Path, sentinel: Path, size: int) -> None:
    """A file that was cut off is refused as damaged, and nothing of it runs."""
    path = tmp_path / "cut.so"
    path.write_bytes(build("hostile.c").read_bytes()[:size])
    with pytest.raises(ImageError) as caught:
        loader.load(path, contract=greeter)
    assert caught.value.path == str(path)
    assert not sentinel.exists()


def test_candidate_is_frozen(build: Build, greeter: loader.Contract) -> None:
    """What was decided cannot be changed on the way to dlopen."""
    candidate = shake_hands(loader.read_image(build("hostile.c")), greeter)
    with pytest.raises(dataclasses.FrozenInstanceError):
        candidate.version = (9, 9)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "cure"), [("gret", "Did you mean gret?"), ("Greet", "Did you mean Greet?"), ("a_b_c", "with C linkage")]
)
def test_a_function_that_is_nearly_exported(
    build: Build, tmp_path: Path, greeter: loader.Contract, name: str, cure: str
) -> None:
    """The name that comes near is told; another one is not guessed."""
    path = tmp_path / "near.c"
    path.write_text(f'#include "greeter.h"\nLOADER_EXPORT int {name}(void);\nint {name}(void) {{ return 0; }}\n')
    with pytest.raises(HandshakeError, match="is incomplete") as caught:
        loader.load(build(path), contract=greeter)
    assert cure in str(caught.value)


def test_a_function_that_is_exported_as_cpp(build: Build, tmp_path: Path, greeter: loader.Contract) -> None:
    """Its mangled name is seen, and the cure is extern "C"."""
    path = tmp_path / "mangled.cpp"
    path.write_text(
        '#define LOADER_HOST\n#include "loader/plugin.h"\n#define SHOWN __attribute__((visibility("default")))\n'
        'extern "C" { SHOWN extern const char loader_abi_1, greeter_abi_1_0; const char loader_abi_1 = 1, '
        "greeter_abi_1_0 = 1; }\nSHOWN int greet(loader_call *call, const loader_text *name)\n"
        "{ return loader_write(call, name->data, name->size); }\n"
    )
    with pytest.raises(HandshakeError, match="is incomplete") as caught:
        loader.load(build(path), contract=greeter)
    assert "It exports _Z5greet" in str(caught.value)
    assert 'extern "C" before greet' in str(caught.value)


def test_a_class_in_cpp_that_is_not_exported(build: Build, tmp_path: Path, greeter: loader.Contract) -> None:
    """A plugin with bindings whose author left the last line out: the cure is that line."""
    (text,) = bindings(greeter, "cpp", GREETER).values()
    (tmp_path / "greeter.hpp").write_text(text)
    path = tmp_path / "unexported.cpp"
    path.write_text(
        '#include "greeter.hpp"\nstruct Mine final : greeter::Plugin {\n'
        "    void greet(loader::Call &call, std::string_view name) override { call.write(name); }\n};\n"
    )
    with pytest.raises(HandshakeError, match="is incomplete") as caught:
        loader.load(build(path, flags=[f"-I{tmp_path}"]), contract=greeter)
    assert "In C++, where loader bindings wrote what exports them: GREETER_EXPORT(YourClass);" in str(caught.value)
    path.write_text(path.read_text() + "GREETER_EXPORT(Mine);\n")
    assert loader.load(build(path, flags=[f"-I{tmp_path}"]), contract=greeter).greet("Zoë") == "Zoë"


@pytest.mark.parametrize("need", ["loader_abi_1_0", f"loader_abi_1_{LOADER_ABI_MINOR}"])
def test_what_this_host_has_may_be_needed(build: Build, greeter: loader.Contract, need: str) -> None:
    """A plugin that needs no more than this host's minor is accepted; the name is no contract's."""
    image = loader.read_image(build("hostile.c", marks("loader_abi_1", need, "greeter_abi_1_0")))
    assert markers(image) == {"greeter": [(1, 0)]}
    assert shake_hands(image, greeter).version == (1, 0)


def test_the_minor_is_that_of_the_header() -> None:
    """The host says what plugin.h says."""
    text = (ROOT / "include" / "loader" / "plugin.h").read_text()
    assert f"#define LOADER_ABI_MINOR {LOADER_ABI_MINOR}\n" in text


def test_a_class_is_there_with_what_frees_it(build: Build, tmp_path: Path) -> None:
    """A plugin may lack an optional class as a whole, and not the free function alone."""
    header = tmp_path / "lamps.h"
    header.write_text(
        '#include "loader/plugin.h"\nLOADER_CONTRACT(lamps, 1, 0);\nLOADER_BEGIN_C\n'
        "LOADER_EXPORT int on(loader_call *call);\nLOADER_CLASS(lamp);\n"
        "LOADER_OPTIONAL int lamp_new(loader_call *call, LOADER_OUT lamp **made);\n"
        "LOADER_OPTIONAL int dim(loader_call *call, const lamp *dimmed);\n"
        "LOADER_OPTIONAL void lamp_free(lamp *lamp);\nLOADER_END_C\n"
    )
    contract = loader.Contract.from_header(header)
    source = tmp_path / "lamps.c"
    source.write_text(
        '#include "lamps.h"\n#include <stdlib.h>\nstruct lamp { int on; };\n'
        'int on(loader_call *call) { return loader_write_string(call, "on"); }\n'
        "#ifdef DIM\nint dim(loader_call *call, const lamp *dimmed) { (void)call; return dimmed->on; }\n#endif\n"
        "#ifdef FREE\nvoid lamp_free(lamp *lamp) { free(lamp); }\n#endif\n"
    )
    flags = [f"-I{tmp_path}"]
    without = loader.load(build(source, name="without", flags=flags), contract=contract)
    assert (without.on(), dict(without.classes)) == ("on", {})
    with pytest.raises(AttributeError, match="plugin without does not have the optional class lamp of lamps"):
        without.lamp()
    with pytest.raises(HandshakeError, match="no lamp_free") as caught:
        loader.load(build(source, "DIM", name="half", flags=flags), contract=contract)
    assert caught.value.expected == "lamp_free, since it has dim"
    with_class = loader.load(build(source, "DIM", "FREE", name="whole", flags=flags), contract=contract)
    with pytest.raises(TypeError, match="plugin whole has no function lamp_new"):
        with_class.lamp()
    with pytest.raises(AttributeError, match=r"lamp_free of lamps 1\.0 belongs to class lamp, .*see plugin\.lamp"):
        with_class.lamp_free()
    with pytest.raises(AttributeError, match=r"has no function lampe\. Did you mean lamp\?"):
        with_class.lampe()
