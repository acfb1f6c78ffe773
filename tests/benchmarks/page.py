"""index.html: one file with style, code and data inside, and no request to any network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parent / "page"


def embedded(results: dict[str, Any]) -> str:
    """JSON that cannot end its script element, whatever the names in it are."""
    text = json.dumps(results, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def page(results: dict[str, Any]) -> str:
    """The whole page."""
    html = (_FOLDER / "page.html").read_text()
    parts = {
        "{{style}}": (_FOLDER / "style.css").read_text(),
        "{{script}}": (_FOLDER / "page.js").read_text(),
        "{{data}}": embedded(results),  # last: what is put in is not searched again
    }
    for place, text in parts.items():
        before, found, after = html.partition(place)
        assert found
        html = before + text + after
    return html
