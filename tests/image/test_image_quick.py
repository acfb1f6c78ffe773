"""elf_quick.py, _core/elf/: the reader in C says what the reader in Python says, or leaves the file to it.

Both also read every mutant of tests/fuzz/image_fuzz.py and so of test_image_damaged.py.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tree import CORPUS

import loader
from loader._core._elf import read_facts, read_file
from loader.image import File, Image, read_bytes, read_image
from loader.image import read as reading
from loader.image.elf import read_elf
from loader.image.elf_quick import HERE, read_quickly

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not HERE, reason="C reads files for 64-bit Linux on x86_64 and aarch64, on those")

SOURCE = """
#include <math.h>
#include <stdio.h>
extern const unsigned char loader_abi_1, counter;
const unsigned char loader_abi_1 = 1, counter = 2;
extern __thread int each;
__thread int each;
int greet(double a);
int greet(double a) { return printf("%f", cos(a)) + each; }
__attribute__((weak)) int again(void);
__attribute__((weak)) int again(void) { return greet(1); }
"""
#: What distinguishes files that C reads, as the compiler's arguments.
READ: dict[str, list[str]] = {
    "plain": [],
    "optimised": ["-O2", "-s"],
    "with debug information": ["-g"],
    "with compressed debug information": ["-g", "-gz=zlib-gnu"],
    "with a soname": ["-Wl,-soname,libplain.so.1"],
    "with a runpath": ["-Wl,--enable-new-dtags,-rpath,$ORIGIN:/opt/lib:"],
    "with an rpath": ["-Wl,--disable-new-dtags,-rpath,/opt/lib"],
    "without a build id": ["-Wl,--build-id=none"],
    "with a long build id": ["-Wl,--build-id=0x" + "ab" * 80],
    "with two hash tables": ["-Wl,--hash-style=both"],
    "with libraries and their versions": ["-lm", "-ldl", "-lpthread", "-Wl,--no-as-needed"],
    "with an executable stack": ["-Wl,-z,execstack"],
    "with static thread-local storage": ["-ftls-model=initial-exec"],
    "in fewer segments": ["-Wl,-z,noseparate-code"],
    "with a symbol of its own alone": ["-Wl,-Bsymbolic", "-Wl,-z,now"],
}
#: What C leaves to Python.
LEFT: dict[str, list[str]] = {
    "with versions of its own": ["-Wl,--default-symver"],
    "with the old hash table alone": ["-Wl,--hash-style=sysv"],
    "that may not be loaded at run time": ["-Wl,-z,nodlopen"],
    "with a sanitizer": ["-fsanitize=undefined"],
}


@pytest.fixture(scope="module")
def compiled(tool: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles SOURCE, not instrumented even where the core is."""
    folder = tmp_path_factory.mktemp("quick")
    (folder / "plugin.c").write_text(SOURCE)
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}

    def make(*flags: str) -> Path:
        target = folder / "plugin.so"
        command = [tool("cc", "gcc"), "-fPIC", "-shared", "-o", str(target), str(folder / "plugin.c"), *flags]
        subprocess.run(command, check=True, env=environment, capture_output=True)
        return target

    return make


def both(path: Path) -> tuple[Image | None, Image]:
    """What C says of a file, and what Python says."""
    file = read_image(path).file
    return read_quickly(file), read_elf(file)


@pytest.mark.parametrize("kind", READ)
def test_c_says_what_python_says(compiled: Callable[..., Path], kind: str) -> None:
    """Of files that differ in each of an image's fields."""
    quick, image = both(compiled(*READ[kind]))
    assert quick == image
    for name in (field.name for field in dataclasses.fields(Image)):
        assert type(getattr(quick, name)) is type(getattr(image, name)), name


def test_the_files_differ_in_what_is_read(compiled: Callable[..., Path]) -> None:
    """Or the test above would show nothing."""
    images = {kind: read_image(compiled(*flags)) for kind, flags in READ.items()}
    plain = images["plain"]
    assert images["with debug information"].debug
    assert images["with compressed debug information"].debug
    assert images["with a soname"].soname == "libplain.so.1"
    assert images["with a runpath"].runpath == ("$ORIGIN", "/opt/lib", "")
    assert images["with an rpath"].rpath == ("/opt/lib",)
    assert images["without a build id"].build_id is None
    assert images["with a long build id"].build_id == "ab" * 64
    assert set(images["with libraries and their versions"].versions) > set(plain.versions)
    assert images["with an executable stack"].executable_stack
    assert images["with static thread-local storage"].static_tls or os.uname().machine == "aarch64"  # not said there
    assert plain.data_exports >= {"loader_abi_1", "counter", "each"}
    assert plain.compilers
    assert "printf" in plain.imports


@pytest.mark.parametrize("name", [b"gr\xfc\xffe", "gr\u00fce".encode(), b"\\xff3", b"g\x01\x7f\x80e"])
def test_names_of_any_bytes(compiled: Callable[..., Path], name: bytes) -> None:
    """As text they are the same by both."""
    data = compiled().read_bytes().replace(b"greet\0", name + b"\0")
    file = File(path="odd.so", data=data, digest="", size=len(data))
    quick, image = read_quickly(file), read_elf(file)
    assert quick == image
    assert name.decode("utf-8", "backslashreplace") in image.exports


def test_programs_are_left_to_python() -> None:
    """A position-independent one has the type of a library."""
    for path in ("/bin/true", sys.executable):
        quick, image = both(Path(path))
        assert quick is None
        assert image.kind == "executable"


@pytest.mark.parametrize("kind", LEFT)
def test_what_c_leaves_to_python(compiled: Callable[..., Path], kind: str) -> None:
    """Files with something that only some have: C says nothing of them."""
    quick, image = both(compiled(*LEFT[kind]))
    assert quick is None
    assert image.exports


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
def test_files_for_elsewhere(name: str) -> None:
    """C reads files of this machine's own kind only; of the others not a fact."""
    data = (CORPUS / name).read_bytes()
    assert (read_facts(data) is not None) == (name == "elf64" and os.uname().machine == "x86_64")


def test_section_headers_are_needed(compiled: Callable[..., Path]) -> None:
    """Whether there is a Go runtime is told by sections first; without them Python searches the whole data."""
    data = bytearray(compiled().read_bytes())
    assert read_facts(bytes(data)) is not None
    struct.pack_into("<Q", data, 0x28, 0)  # e_shoff
    assert read_facts(bytes(data)) is None


def test_go_is_left_to_python(tool: Callable[..., str], tmp_path: Path) -> None:
    """By its sections; or by cgo's symbols alone, in a file that C has read."""
    (tmp_path / "go.c").write_text("int crosscall2; int process(void); int process(void) { return 0; }\n")
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    command = [tool("cc", "gcc"), "-fPIC", "-shared", "-o", "go.so", "go.c"]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)
    quick, image = both(tmp_path / "go.so")
    assert quick is None
    assert image.go


@pytest.mark.parametrize("size", [0, 3, 4, 63, 64, 119])
def test_beginnings(compiled: Callable[..., Path], size: int) -> None:
    """A file that ends in its headers is none that C reads."""
    assert read_facts(compiled().read_bytes()[:size]) is None


def test_only_bytes() -> None:
    """Nothing whose memory could change while it is read."""
    for other in (bytearray(b"\x7fELF"), memoryview(b"\x7fELF"), "\x7fELF", None):
        with pytest.raises(TypeError, match="data must be bytes, not"):
            read_facts(other)  # type: ignore[arg-type]


def test_libraries_of_this_machine() -> None:
    """Some hundred that nobody made for this test, from compilers and linkers of all kinds."""
    read = 0
    folders = ("/usr/lib/*-linux-gnu", os.path.dirname(sys.executable) + "/../lib/python3*/site-packages/**")
    paths = [path for folder in folders for path in sorted(glob.glob(f"{folder}/*.so*", recursive=True))]
    for path in paths[:: max(1, len(paths) // 300)]:
        data = Path(path).read_bytes() if os.path.getsize(path) < 1 << 20 else b""
        if data[:4] != b"\x7fELF":
            continue
        file = File(path=path, data=data, digest="", size=len(data))
        quick = read_quickly(file)
        read += quick is not None
        assert quick in (None, read_elf(file)), path
    assert read > 20


# ---- Who is read by C --------------------------------------------------------------------------------------


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the files that C was asked about."""
    asked: list[str] = []

    def spy(file: File) -> Image | None:
        asked.append(file.path)
        return read_quickly(file)

    monkeypatch.setattr(reading, "read_quickly", spy)
    return asked


def test_what_the_user_names_is_read_by_c(readers: list[str], hello: Path, greeter: loader.Contract) -> None:
    """Where the policy asks for nothing: the file may run whatever it is."""
    loader.load(hello, contract=greeter)
    loader.load(hello, contract=greeter, policy=loader.Policy())
    assert readers == [str(hello)] * 2


def test_what_has_to_prove_something_is_not(
    readers: list[str], hello: Path, greeter: loader.Contract, tmp_path: Path
) -> None:
    """A file that a policy may refuse is read in Python, as is one that is only looked at."""
    with pytest.raises(loader.TrustError):
        loader.load(hello, contract=greeter, policy=loader.Policy(lock=tmp_path / "none.lock"))
    assert loader.discover([hello], contract=greeter)[0].error is None
    loader.read_image(hello)
    assert readers == []


def test_what_a_process_requires_counts_too(
    readers: list[str], run_python: Callable[..., subprocess.CompletedProcess[str]], hello: Path
) -> None:
    """After trust.require nothing is read by C, whatever policy a plugin is loaded with."""
    assert readers == []
    done = run_python(
        "import sys\n"
        "import loader\n"
        "from loader.image import read as reading\n"
        "from loader.trust import require\n"
        "reading.read_quickly = lambda file: sys.exit('read by C')\n"
        "require(loader.Policy(unlocked='allow', permissions=True))\n"
        f"print(loader.load({str(hello)!r}, contract=loader.Contract('greeter', 1, 0, ())).name)\n"
    )
    assert done.stdout == "hello\n"


def test_read_quickly_by_the_public_function(hello: Path) -> None:
    """read_image(quick=True) is the same image."""
    image = read_image(hello)
    assert read_image(hello, quick=True) == image
    assert read_bytes(image.data, path=image.path, quick=True) == image


def test_a_file_in_one_call(tmp_path: Path) -> None:
    """C gives all bytes of a regular file, of any name, and leaves no descriptor open."""
    free = os.dup(0)
    os.close(free)
    for name, data in (("a", b""), ("\u65e5\udce9", b"\0x" * 300_000)):
        path = tmp_path / name
        path.write_bytes(data)
        assert read_file(str(path)) == data
    assert read_image("/bin/true", steps=False) == read_image("/bin/true")
    assert os.dup(0) == free
    os.close(free)


def test_what_c_does_not_read(tmp_path: Path) -> None:
    """What is no regular file, or has not the bytes that it says it has, or is no path, is left to Python."""
    fifo, link, large = tmp_path / "fifo", tmp_path / "link", tmp_path / "large"
    os.mkfifo(fifo)
    link.symlink_to("nowhere")
    with large.open("wb") as file:
        file.truncate((1 << 30) + 1)
    free = os.dup(0)
    os.close(free)
    odd = [str(each) for each in (fifo, link, large, tmp_path, tmp_path / "none")]
    for path in (*odd, "/dev/null", "/dev/tty", "a\0b", "\ud800", ""):
        assert read_file(path) is None, path
    with pytest.raises(loader.PluginNotFound, match="is a pipe"):
        read_image(fifo, steps=False)
    assert os.dup(0) == free
    os.close(free)


def test_a_file_that_is_not_as_long_as_it_says() -> None:
    """Those of /sys say 4,096 bytes and have a few: C does not take them, and Python says what it sees."""
    path = next((path for path in glob.iglob("/sys/kernel/*") if short(path)), None)
    if path is None:
        pytest.skip("no /sys/kernel here")
    assert read_file(path) is None
    with pytest.raises(loader.ImageError, match="changed while it was read"):
        read_image(path, steps=False)


def short(path: str) -> bool:
    """Whether it is a file that can be read, of fewer bytes than it says."""
    try:
        return os.path.isfile(path) and 0 < len(Path(path).read_bytes()) < os.stat(path).st_size
    except OSError:
        return False


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("RuntimeError", "RuntimeError: no (None, {flags})"),
        ("PermissionError", "ImageError: {path}: cannot be opened; found no (None, {flags})"),
    ],
)
def test_audit_hooks_see_the_file(
    run_python: Callable[..., subprocess.CompletedProcess[str]], hello: Path, raised: str, said: str
) -> None:
    """One that asks for "open" (PEP 578) is told of the plugin, as by os.open, and may forbid it."""
    done = run_python(
        f"""
import sys
from loader.image import read_image
def hook(event, arguments):
    if event == "open" and arguments[0] == sys.argv[1]:
        raise {raised}(f"no {{arguments[1:]}}")
read_image(sys.argv[1], steps=False)
sys.addaudithook(hook)
try:
    read_image(sys.argv[1], steps=False)
except Exception as error:
    print(f"{{type(error).__name__}}: {{error}}")
""",
        hello,
    )
    assert done.stdout == said.format(flags=reading.FLAGS, path=hello) + "\n"
