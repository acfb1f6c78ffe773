"""The page of the side-by-side measurement in a real Chromium: it draws what its data says, and fits."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.page import page
from benchmarks.sample import EVIL, run_of_all, run_with
from tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = ROOT / "docs/benchmarks/results.json"
CHROMIUM = shutil.which("chromium")
MISSING = [
    name
    for name, found in (("chromium", CHROMIUM), ("playwright", importlib.util.find_spec("playwright")))
    if found is None
]

# With SIDE_BY_SIDE in the environment, as in .ci/benchmarks, they must be there.
pytestmark = pytest.mark.skipif(
    bool(MISSING) and not os.environ.get("SIDE_BY_SIDE"), reason=f"not installed: {', '.join(MISSING)}"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium. It has no sandbox of its own: it shows files that we wrote."""
    assert not MISSING
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=["of all systems", "oddly named", *["kept"] * KEPT.exists()])
def results(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A made-up run of all systems, one with a script element for a name, and the one kept in docs/benchmarks."""
    if request.param == "oddly named":
        return run_with(EVIL)
    if request.param == "of all systems":
        return run_of_all()
    kept: dict[str, Any] = json.loads(KEPT.read_text())
    return kept


@pytest.fixture(params=[(360, "dark"), (1440, "light")], ids=["360", "1440"])
def shown(request: pytest.FixtureRequest, browser: Any, results: dict[str, Any], tmp_path: Path) -> Iterator[Any]:
    """The page, opened without a network; no console error and no request but its own."""
    width, scheme = request.param
    file = tmp_path / "index.html"
    file.write_text(page(results))
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    tab = context.new_page()
    problems: list[str] = []
    tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("dialog", lambda dialog: (problems.append("a dialog"), dialog.dismiss()))
    tab.on(
        "request",
        lambda request: problems.append(request.url) if request.url[:5] not in {"file:", "data:"} else None,
    )
    tab.goto(file.as_uri())
    yield tab
    assert problems == []
    context.close()


def test_bars_and_table_agree_with_the_data(shown: Any, results: dict[str, Any]) -> None:
    """Each figure has a row; each bar ends where its median is on the log scale, in order of the medians."""
    shown.check("#ladder-variants")
    for job in dict.fromkeys(entry["job"] for entry in results["results"]):
        shown.select_option("#ladder-job", job)
        shown.select_option("#table-job", job)
        wanted = {e["label"]: e["median"] for e in results["results"] if e["job"] == job}
        rows = shown.eval_on_selector_all(
            "#figures tbody tr",
            "rows => rows.map(r => [r.cells[1].textContent, Number(r.cells[2].dataset.value)])",
        )
        assert dict(rows) == wanted
        bars = shown.eval_on_selector_all(
            "#ladder-bars [data-label]",
            """bars => bars.map(bar => [
                bar.dataset.label, Number(bar.dataset.median), Number(bar.dataset.place),
                bar.querySelector(".track b").getBoundingClientRect().width
                / bar.querySelector(".track").getBoundingClientRect().width * 100])""",
        )
        assert {label: median for label, median, _, _ in bars} == wanted
        assert [median for _, median, _, _ in bars] == sorted(wanted.values())
        for label, _, place, width in bars:
            assert width == pytest.approx(place, abs=0.5), f"{job}: {label}"
        if job == "call":  # no zeros there, which a log scale has no place for
            first, last = bars[0], bars[-1]
            for _, median, place, _ in bars:
                share = math.log(median / first[1]) / math.log(last[1] / first[1])
                assert place == pytest.approx(first[2] + share * (last[2] - first[2]), abs=0.01)


def test_nothing_overflows(shown: Any) -> None:
    """The page is as wide as the window, whatever is shown."""
    for checked in (False, True):
        shown.set_checked("#ladder-variants", checked)
        shown.select_option("#table-job", "all")
        assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_names_are_text(shown: Any, results: dict[str, Any]) -> None:
    """A name with <script> in it is shown as it is, and makes no element."""
    assert shown.evaluate("document.scripts.length") == 2
    labels = {entry["label"] for entry in results["results"] if entry["job"] == "call"}
    shown.check("#ladder-variants")
    assert set(shown.locator("#ladder-bars .name").all_text_contents()) == labels


def test_the_table_sorts_by_keyboard(shown: Any) -> None:
    """A column's head is a button: Enter sorts, again Enter turns the order round; the focus stays."""
    shown.focus("#figures th:nth-child(3) button")
    for direction in ("ascending", "descending"):
        shown.keyboard.press("Enter")
        assert shown.get_attribute("#figures th:nth-child(3)", "aria-sort") == direction
        values = shown.eval_on_selector_all("#figures tbody tr", "r => r.map(x => Number(x.cells[2].dataset.value))")
        assert values == sorted(values, reverse=direction == "descending")
        assert shown.evaluate("document.activeElement.closest('th').cellIndex") == 2
