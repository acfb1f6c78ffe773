"""Where plugin authors find headers, kits and the CMake package."""

from __future__ import annotations

import subprocess
import sys

import pytest

from loader.author import sdk


@pytest.mark.parametrize(
    ("word", "file"),
    [
        ("include", "loader/plugin.h"),
        ("include", "htmlize/htmlize.h"),
        ("rust", "Cargo.toml"),
        ("go", "go.mod"),
        ("zig", "loader.zig"),
        ("cmake", "loader-config.cmake"),
    ],
)
def test_each_word_names_a_folder_that_holds_its_file(word: str, file: str) -> None:
    """The function and the command agree, and what they name is there."""
    folder = getattr(sdk, f"{word}_dir")()
    command = [sys.executable, "-m", "loader.author.sdk", word]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == f"{folder}\n"
    assert (folder / file).is_file()


@pytest.mark.parametrize("words", [[], ["nothing"], ["rust", "go"]])
def test_wrong_use_ends_with_two_and_the_words(words: list[str]) -> None:
    """One known word is wanted."""
    done = subprocess.run(
        [sys.executable, "-m", "loader.author.sdk", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "{include,rust,go,zig,cmake}" in done.stderr
