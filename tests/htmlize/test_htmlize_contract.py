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
