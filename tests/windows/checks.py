"""What is different on Windows, with real DLLs in a Python for Windows: tests/windows.sh runs this under Wine.

Not collected on Linux. The folder LOADER_TEST_PLUGINS holds tt.dll, narcissist.dll and posts.dll, the file
LOADER_TEST_EXPECTED what Linux made of documents.py.
"""

from __future__ import annotations

import ctypes
import faulthandler
import glob
import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import documents
import pytest

import loader
import loader.crash
import loader.isolation
from loader.errors import HandshakeError, ImageError, LibraryError, TrustError
from loader.htmlize import Htmlizer, Post
from loader.htmlize.contract import HTMLIZE

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGINS = Path(os.environ["LOADER_TEST_PLUGINS"])
PLAIN = '#include "htmlize/htmlize.h"\nint hooks(loader_call *call) { return loader_write_string(call, HOOKS); }\n'


def module_of(address: int) -> str:
    """The file that is mapped at an address, as Windows says."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    handle, path = ctypes.c_void_p(), ctypes.create_unicode_buffer(1000)
    assert kernel.GetModuleHandleExW(
        6, ctypes.c_void_p(address), ctypes.byref(handle)
    )  # from an address, not counted
    assert kernel.GetModuleFileNameW(handle, path, 1000)
    return path.value


@pytest.fixture
def plain(tmp_path: Path, build: Callable[..., Path]) -> Callable[..., Path]:
    """Compiles a plugin whose hooks write a text, and copies it to a folder of this test."""

    def make(text: str, name: str, *flags: str, source: str = PLAIN) -> Path:
        file = tmp_path / "plain.c"
        file.write_text(source)
        built = build(file, f'HOOKS="{text}"', name=name, flags=list(flags))
        return Path(shutil.copy(built, tmp_path / built.name))

    return make


def test_windows() -> None:
    """This is CPython for Windows, and what it loads are PE files for it."""
    assert sys.platform == "win32"
    image = loader.read_image(PLUGINS / "tt.dll")
    assert (str(image.machine), image.mismatch()) == ("PE for x86_64 windows, 64-bit", None)
    names = {"htmlize_abi_1_0", f"htmlize_abi_1_0_is_0x{HTMLIZE.fingerprint}", "loader_abi_1"}
    names |= {"hooks_never_blocks", "process_role_never_blocks"}
    assert image.exports == {"hooks", "process_role", *names}
    assert image.data_exports == names


@pytest.mark.parametrize("index", range(2 + 3 * len(documents.DOCUMENTS)))
def test_documents(index: int, made: list[object]) -> None:
    """HTML, errors and reports are what Linux made of the same documents, byte for byte."""
    expected = json.loads(Path(os.environ["LOADER_TEST_EXPECTED"]).read_text(encoding="utf-8"))
    assert len(expected) == len(made)
    assert made[index] == expected[index]


@pytest.fixture(scope="module")
def made() -> list[object]:
    """What is made of the documents here."""
    found = documents.results(str(PLUGINS), ".dll")
    return list(json.loads(json.dumps(found)))


def test_a_private_copy_runs(plain: Callable[..., Path]) -> None:
    """What is mapped is a copy: the plugin's own file can be removed and replaced while it is loaded."""
    path = plain("role:first\\n", "swap")
    image = loader.read_image(path)
    first = loader.load(path, contract=HTMLIZE)
    mapped = module_of(first.functions["hooks"].__self__.address)
    assert Path(mapped).parent.name == image.digest
    assert Path(mapped).read_bytes() == image.data
    path.unlink()
    second = loader.load(plain("role:second\\n", "swap"), contract=HTMLIZE)
    assert (first.hooks(), second.hooks()) == ("role:first\n", "role:second\n")


def test_paths_that_are_not_ascii(tmp_path: Path) -> None:
    """Folder and file may have names of any script."""
    folder = tmp_path / "plügins 📦 и"
    folder.mkdir()
    shutil.copy(PLUGINS / "tt.dll", folder / "tété.dll")
    app = Htmlizer.from_directory(folder)
    assert app.failures == []
    assert app.htmlize("a :tt:`b`") == Htmlizer([PLUGINS / "tt.dll"]).htmlize("a :tt:`b`")


def test_long_path(tmp_path: Path) -> None:
    """A path may be longer than the 260 characters of old."""
    folder = tmp_path.joinpath(*["deeper" * 10] * 5)
    os.makedirs("\\\\?\\" + str(folder))
    path = "\\\\?\\" + str(folder / "tt.dll")
    shutil.copy(PLUGINS / "tt.dll", path)
    assert loader.load(path, contract=HTMLIZE).hooks() == "role:tt\n"


def test_folder_of_plugins(tmp_path: Path) -> None:
    """A folder's plugins are its .dll files, whatever else lies there."""
    shutil.copy(PLUGINS / "tt.dll", tmp_path)
    (tmp_path / "tt.so").write_bytes(b"\x7fELF")
    (tmp_path / "notes.txt").write_text("none")
    assert [plugin.name for plugin in Htmlizer([tmp_path]).plugins] == ["tt"]


def test_files_for_other_systems(tmp_path: Path) -> None:
    """An ELF file is refused by what it is; a damaged DLL by what is wrong; a DLL without markers by that."""
    shutil.copy(os.environ["LOADER_TEST_ELF"], tmp_path / "tt.dll")
    with pytest.raises(HandshakeError, match=r"cannot run here.*ELF for x86_64 linux"):
        loader.load(tmp_path / "tt.dll", contract=HTMLIZE)
    (tmp_path / "cut.dll").write_bytes((PLUGINS / "tt.dll").read_bytes()[:900])
    with pytest.raises(ImageError):
        loader.load(tmp_path / "cut.dll", contract=HTMLIZE)
    with pytest.raises(HandshakeError, match="not a plugin"):
        loader.load(Path(os.environ["SYSTEMROOT"]) / "System32" / "version.dll", contract=HTMLIZE)


def test_library_beside_the_plugin(tmp_path: Path, build: Callable[..., Path], plain: Callable[..., Path]) -> None:
    """A DLL that lies beside the plugin is found, although the plugin runs from elsewhere; without it the error says
    what is needed. The next try finds what was added.
    """
    source = tmp_path / "answer.c"
    source.write_text("__declspec(dllexport) int answer(void); int answer(void) { return 42; }\n")
    answer = build(source)
    user = plain(
        "role:user\\n", "user", str(answer),
        source='#include "htmlize/htmlize.h"\n__declspec(dllimport) int answer(void);\n'
        "int hooks(loader_call *call) { return answer() == 42 ? loader_write_string(call, HOOKS) : 1; }\n",
    )  # fmt: skip
    for _ in range(2):
        with pytest.raises(LibraryError, match=r"needs a library that is not found.*answer\.dll.*error 126"):
            loader.load(user, contract=HTMLIZE)
    shutil.copy(answer, tmp_path / "ANSWER.dll")
    assert loader.load(user, contract=HTMLIZE).hooks() == "role:user\n"


def test_constructor_that_gives_up(plain: Callable[..., Path]) -> None:
    """A DllMain that says no is told as that."""
    path = plain(
        "", "refuses",
        source="#include <windows.h>\n" + PLAIN + "BOOL WINAPI DllMain(HINSTANCE self, DWORD why, LPVOID more)\n"
        "{ (void)self, (void)more; return why != DLL_PROCESS_ATTACH; }\n",
    )  # fmt: skip
    with pytest.raises(LibraryError, match=r"its own code failed when it was loaded.*error 1114"):
        loader.load(path, contract=HTMLIZE)


def test_copies_are_removed_by_a_later_process(tmp_path: Path) -> None:
    """Windows keeps a mapped file, so a process leaves its copies; the next one removes them, but no living one's."""
    code = "import loader, sys; from loader.htmlize import Htmlizer; Htmlizer(); print('ready'); "
    environment = os.environ | {"TEMP": str(tmp_path), "TMP": str(tmp_path)}

    def start(more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code + more], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def folders() -> set[str]:
        return set(glob.glob(str(tmp_path / "native-plugins-*")))

    start("").communicate(timeout=60)
    left = folders()
    assert len(left) == 1
    with start("sys.stdin.read()") as living:
        assert living.stdout is not None
        assert living.stdout.readline() == "ready\n"
        its_own = folders()
        assert len(its_own) == 1
        assert not its_own & left
        start("").communicate(timeout=60)
        assert its_own < folders()
        living.communicate("", timeout=60)


def test_policies(tmp_path: Path) -> None:
    """Permissions cannot be told here and fail closed; a lock file holds, and refuses a changed file."""
    path = Path(shutil.copy(PLUGINS / "tt.dll", tmp_path))
    with pytest.raises(TrustError, match="owner and folders cannot be checked"):
        loader.load(path, contract=HTMLIZE, policy=loader.Policy(permissions=True))
    lock = tmp_path / "loader.lock"
    command = [sys.executable, "-c", "from loader.cli import main; raise SystemExit(main())"]
    subprocess.run(
        [*command, "lock", str(path), "--lock", str(lock)], check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    assert "windows-x86_64" in lock.read_text(encoding="utf-8")
    policy = loader.Policy(lock=lock)
    assert loader.load(path, contract=HTMLIZE, policy=policy).hooks() == "role:tt\n"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(TrustError, match="SHA-256"):
        loader.load(path, contract=HTMLIZE, policy=policy)


def test_crash_reports_are_refused(tmp_path: Path) -> None:
    """Crash reports need POSIX; asking for them says so, and leaves faulthandler as it was."""
    before = faulthandler.is_enabled()
    with (tmp_path / "crashes").open("wb") as file:
        for report in (tmp_path / "crashes", file.fileno()):
            with pytest.raises(NotImplementedError):
                loader.crash.enable(report)
    assert faulthandler.is_enabled() == before


def test_no_process_of_their_own() -> None:
    """All of isolation/ can be imported, and what is tried says why it cannot be."""
    for each in pkgutil.iter_modules(loader.isolation.__path__, "loader.isolation."):
        importlib.import_module(each.name)
    path = PLUGINS / "tt.dll"
    tries: list[Callable[[], object]] = [
        lambda: loader.load(path, contract=HTMLIZE, isolation=loader.Isolation()),
        lambda: loader.load(path, contract=HTMLIZE, policy=loader.Policy(isolate=True)),
        lambda: Htmlizer([path], isolation=loader.Isolation()),
        lambda: loader.shared(10),
    ]
    for attempt in tries:
        with pytest.raises(loader.IsolationError, match="win32 has no sealed memory files"):
            attempt()


def test_threads() -> None:
    """Many threads make the same of a document as one."""
    app = Htmlizer([PLUGINS / "tt.dll", PLUGINS / "narcissist.dll"])
    text = "I :tt:`é` " * 300
    once = app.htmlize(text, Post(author="Joe"))
    different: list[str] = []

    def work() -> None:
        for _ in range(200):
            html = app.htmlize(text, Post(author="Joe"))
            if html != once:
                different.append(html)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert different == []


def test_commands(tmp_path: Path) -> None:
    """Htmlize passes bytes through as they are, replaces an output, and shows errors in one line."""

    def htmlize(*arguments: object, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-c", "from loader.htmlize.cli import main; raise SystemExit(main())"]
        return subprocess.run(
            [*command, *map(str, arguments)], input=text, capture_output=True, check=False, timeout=60
        )

    text = "a\r\n:tt:`é`\n".encode()
    expected = Htmlizer().htmlize(text)
    assert htmlize(text=text).stdout == expected
    (tmp_path / "in.txt").write_bytes(text)
    for _ in range(2):
        assert htmlize(tmp_path / "in.txt", "-o", tmp_path / "out.html").returncode == 0
        assert (tmp_path / "out.html").read_bytes() == expected
    missing = htmlize(tmp_path / "none.txt")
    assert (missing.returncode, missing.stderr.count(b"\n")) == (3, 1)


def test_temporary_folder() -> None:
    """Copies lie in this user's temporary folder, nowhere else."""
    plugin = loader.load(PLUGINS / "tt.dll", contract=HTMLIZE)
    mapped = module_of(plugin.functions["hooks"].__self__.address)
    assert os.path.normcase(mapped).startswith(os.path.normcase(tempfile.gettempdir()))
