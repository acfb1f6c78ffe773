"""ladder.svg: the job `call` of all systems on a log scale, for README. Follows the reader's light or dark."""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import escape

_STYLE = """
text{font:12px system-ui,sans-serif;fill:#1d2126}.soft{fill:#5b6470}.line{stroke:#d9dcdf}
.ours{fill:#0b7a5b}.limit{fill:#7a828c}.extension{fill:#a3286e}.go{fill:#b4560a}.python{fill:#5a55c8}
@media(prefers-color-scheme:dark){text{fill:#e7e9eb}.soft{fill:#a3abb5}.line{stroke:#363c43}
.ours{fill:#3fcf9f}.limit{fill:#98a1ab}.extension{fill:#f08cc4}.go{fill:#f0a05a}.python{fill:#a9a5ff}}
text.bold{font-weight:600}
"""
_LEFT, _RIGHT, _WIDTH, _STEP, _TOP = 260, 84, 860, 19, 44


def show(nanoseconds: float) -> str:
    """A time for people, three digits."""
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def ladder(results: dict[str, Any], job: str = "call") -> str:
    """The SVG, as text. A bar ends at the median; the line in it spans the middle half of the rounds."""
    families = {system["name"]: system["family"] for system in results["systems"]}
    entries = sorted((e for e in results["results"] if e["job"] == job), key=lambda e: e["median"])
    height = _TOP + _STEP * len(entries) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"',
        f'height="{height}" role="img" aria-label="One role call, all systems, log scale">',
        f"<style>{_STYLE}</style>",
        '<text x="0" y="16" class="bold">One role call, 18 bytes in, 27 out: median of',
        f"{results['plan']['rounds']} rounds, log scale</text>",
    ]
    if entries:
        low = math.floor(math.log10(min(e["q1"] for e in entries)))
        high = math.ceil(math.log10(max(e["q3"] for e in entries)))
        span = _WIDTH - _LEFT - _RIGHT

        def place(value: float) -> float:
            return _LEFT + span * (math.log10(value) - low) / max(1, high - low)

        for power in range(low, high + 1):
            at = place(10.0**power)
            parts.append(f'<line class="line" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 8}" y2="{height - 22}"/>')
            parts.append(
                f'<text class="soft" x="{at:.1f}" y="{_TOP - 12}" text-anchor="middle">{show(10.0**power)}</text>'
            )
        for number, entry in enumerate(entries):
            parts.append(_bar(entry, families.get(entry["system"], ""), _TOP + _STEP * number, place))
    machine = f"{results['machine']['cpu']}, {results['machine']['cores']} cores, {results['date'][:10]}"
    parts.append(f'<text class="soft" x="0" y="{height - 6}">{escape(machine)}</text></svg>')
    return "\n".join(parts) + "\n"


def _bar(entry: dict[str, Any], family: str, top: float, place: Any) -> str:
    middle = top + _STEP / 2
    end, q1, q3 = place(entry["median"]), place(entry["q1"]), place(entry["q3"])
    if family not in {"ours", "limit", "extension", "go", "python"}:
        family = "python"
    bold = ' class="bold"' if family == "ours" else ""
    return (
        f'<text{bold} x="{_LEFT - 8}" y="{middle + 4:.1f}" text-anchor="end">{escape(entry["label"])}</text>'
        f'<rect class="{family}" opacity=".45" x="{_LEFT}" y="{middle - 6:.1f}" '
        f'width="{max(0.0, end - _LEFT):.1f}" height="12"/>'
        f'<rect class="{family}" x="{q1:.1f}" y="{middle - 2:.1f}" '
        f'width="{max(2.0, q3 - q1):.1f}" height="4"/>'
        f'<text class="soft" x="{max(end, q3) + 6:.1f}" y="{middle + 4:.1f}">{show(entry["median"])}</text>'
    )
