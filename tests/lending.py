"""Services for the plugin lend (plugins/lend.h), in Python."""

from __future__ import annotations

from typing import Any

# ruff: noqa: D102  plugins/lend.h says what each function is


class Database:
    """A service "lend.db/1" that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.titles = {1: "One", 2: "Tw\u00f6", 3: "", 4: "\U0001f600" * 500, 5: "nul\0nul"}

    def title(self, number: int) -> str:
        self.asked.append(number)
        return self.titles[number]

    def blob(self, key: bytes) -> bytes:
        return key[::-1]

    def count(self, name: str) -> int:
        self.asked.append(name)
        return len(name)

    def ratio(self, a: int, b: int) -> float:
        return a / b

    def note(self, text: str) -> str | bytes | None:
        return None if text == "none" else text.encode() if text == "bytes" else text.upper()

    def describe(self, item: Any) -> str:
        self.asked.append(item)
        return f"{item.id}: {item.title}"

    def many(self, *values: int) -> str:
        return " ".join(map(str, values))


class Clock:
    """A service "lend.clock/2"."""

    def now(self) -> int:
        return 77
