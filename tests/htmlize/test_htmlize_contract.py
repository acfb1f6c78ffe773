"""loader/htmlize/contract.json is what the header says."""

from __future__ import annotations

from loader.author.sdk import include_dir
from loader.contract import Contract
from loader.htmlize import HTMLIZE, Post


def test_contract_that_ships_is_the_headers() -> None:
    """Starting the application reads no header; what it reads instead says the same, the docstrings included."""
    header = Contract.from_header(include_dir() / "htmlize" / "htmlize.h")
    assert header == HTMLIZE
    assert header.to_dict() == HTMLIZE.to_dict(), (
        "run: loader contract include/htmlize/htmlize.h --json > loader/htmlize/contract.json"
    )


def test_post_has_the_structs_fields() -> None:
    """A Post packs without a look at anything but its own attributes."""
    fields = [field.name for field in HTMLIZE.struct("htmlize_post").fields]
    assert list(Post.__dataclass_fields__) == fields


def test_the_header_is_stamped_and_the_rust_kit_says_the_same() -> None:
    """The one place where a person copies the number: a Rust plugin of htmlize has it from the kit."""
    assert HTMLIZE.stamped
    kit = (include_dir() / "rust" / "src" / "htmlize.rs").read_text(encoding="utf-8")
    assert f"markers!(htmlize_abi_1_0, 0x{HTMLIZE.fingerprint});" in kit
