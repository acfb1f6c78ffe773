"""Damaged plugin files of every format: read, or refused with ImageError; nothing else, and no hang."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree import FUZZ

from loader.errors import ImageError
from loader.image import read_bytes

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from types import ModuleType

FILES = {path.name: path.read_bytes() for path in sorted((FUZZ / "corpus" / "image").iterdir())}


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    """The fuzz target, whose mutations are used here too."""
    spec = importlib.util.spec_from_file_location("image_fuzz", FUZZ / "image_fuzz.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_corpus_has_every_format_and_only_good_files() -> None:
    """The starting points are sound, or the mutants would all fail alike."""
    formats = {read_bytes(data, path=name).machine.format for name, data in FILES.items()}
    assert formats == {"elf", "mach-o", "pe"}


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_refused(name: str) -> None:
    """At every 64th byte: a part is missing, and the message says that or what is wrong."""
    data = FILES[name]
    for size in range(0, len(data), 64):
        with pytest.raises(ImageError) as caught:
            read_bytes(data[:size], path=name)
        assert caught.value.found


@pytest.mark.parametrize("name", FILES)
def test_each_byte_of_the_beginning_may_be_anything(name: str, fuzz: ModuleType) -> None:
    """Headers and tables: every byte of the first kilobyte, set to 0, 1, 0x7F, 0x80 and 0xFF."""
    for at in range(min(1024, len(FILES[name]))):
        for value in (0, 1, 0x7F, 0x80, 0xFF):
            mutant = bytearray(FILES[name])
            mutant[at] = value
            fuzz.read(bytes(mutant))


def test_mutants_are_read_or_refused(fuzz: ModuleType) -> None:
    """Bits, numbers, blocks and whole halves of files exchanged: 20,000 mutants, always the same ones."""
    following = fuzz.mutants(20_000, list(FILES.values()))
    outcomes = {fuzz.read(following()).split(":")[0] for _ in range(20_000)}
    assert outcomes >= {"refused", "read as elf", "read as mach-o", "read as pe"}


@settings(deadline=None)
@given(name=st.sampled_from(sorted(FILES)), data=st.data())
def test_numbers_put_anywhere(name: str, data: st.DataObject, fuzz: ModuleType) -> None:
    """Hypothesis looks for the smallest edit that breaks the reader."""
    mutant = bytearray(FILES[name])
    at = data.draw(st.integers(0, len(mutant) - 1))
    size = data.draw(st.sampled_from([1, 2, 4, 8]))
    number = data.draw(st.integers(0, (1 << 8 * size) - 1))
    mutant[at : at + size] = number.to_bytes(size, data.draw(st.sampled_from(["little", "big"])))
    fuzz.read(bytes(mutant))


def test_the_same_seed_gives_the_same_mutants(fuzz: ModuleType) -> None:
    """A failure that CI met can be met again."""
    files = list(FILES.values())
    first, second = fuzz.mutants(7, files), fuzz.mutants(7, files)
    assert [first() for _ in range(50)] == [second() for _ in range(50)]


@pytest.mark.parametrize("name", FILES)
def test_memory_stays_in_proportion(name: str, fuzz: ModuleType) -> None:
    """No length of a file is believed before it is checked: no mutant takes over 32 MB."""
    import tracemalloc

    chance = random.Random(3)
    tracemalloc.start()
    try:
        for _ in range(300):
            fuzz.read(fuzz.edit_field(chance, FILES[name]))
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_the_fuzz_target_runs_and_counts(run_python: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """The command that CI and people use."""
    code = f"import runpy, sys; sys.argv[0] = {str(FUZZ / 'image_fuzz.py')!r}\n"
    code += "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    done = run_python(code, "--mutants", "500", "--seed", "5", "--worst", "5000")
    assert done.stdout.startswith("500 mutants of 11 files")


def test_the_fuzz_target_fails_on_what_it_looks_for(
    fuzz: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception of another kind ends the run with 1 and leaves the mutant."""

    def read(data: bytes) -> str:
        raise IndexError(len(data))

    monkeypatch.setattr(fuzz, "read", read)
    assert fuzz.main(["--mutants", "3", "--keep", str(tmp_path)]) == 1
    assert "raised IndexError" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 1
    assert sys.modules.get("image_fuzz") is None
