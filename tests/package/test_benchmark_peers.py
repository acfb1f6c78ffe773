"""The systems of the side-by-side measurement answer as they must, byte for byte; its statistics and page hold.

Peers come from package registries, so nothing is built here: what `python -m tests.benchmarks --build-only` has
left in build/benchmarks is asked, and what is not there is skipped. With SIDE_BY_SIDE=1 in the environment, as in
.ci/benchmarks after that build, it fails instead.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
from pathlib import Path

import pytest
import reference as plain
from benchmarks import documents, reference
from benchmarks.build import Built, already_built
from benchmarks.figures import expected
from benchmarks.goals import goals
from benchmarks.hosts import Host
from benchmarks.ladder import ladder
from benchmarks.page import embedded, page
from benchmarks.ratios import Book, quantile, ratio
from benchmarks.sample import EVIL, run_of_all, run_with
from benchmarks.systems import BY_NAME, SYSTEMS, System
from hypothesis import given
from hypothesis import strategies as st

SMALL = (*documents.CALL_TEXTS, "callback", "error", "document-dense")
SLOW = {"spawn"}  # a process a role: a document takes seconds


@functools.cache
def right_answers() -> dict[str, str]:
    """The answers that all must give."""
    small = documents.small()
    texts = {"dense": documents.dense(), "prose": "", "small": small, "small-joined": ""}
    return expected(texts)


def skip_what_is_missing(built: Built, system: System) -> None:
    """Skips a test of a system that was not built; where all are to be there, it fails."""
    reason = built.reason_to_skip(system)
    if reason is not None:
        if os.environ.get("SIDE_BY_SIDE"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.parametrize("name", [system.name for system in SYSTEMS if system.name != "memcpy"])
def test_same_input_same_answer(name: str) -> None:
    """Every variant of a system answers calls, callbacks, failures and a document as plain Python does."""
    system = BY_NAME[name]
    built = already_built([system])
    skip_what_is_missing(built, system)
    host = Host(built, system, "")
    try:
        for variant, job in itertools.product(system.variants, SMALL):
            slow = name in SLOW or variant in system.quadratic
            if job in system.variants[variant] and not (slow and job.startswith("document")):
                answer = host.ask(do="check", system=name, variant=variant, job=job)["answer"]
                assert answer == right_answers()[job], f"{name} ({variant}): {job}"
    finally:
        host.close()


def test_only_rows_with_threads_have_threads() -> None:
    """A second thread lives in the hosts of loader-c-released and -promised, and in no host that others share."""
    systems = [BY_NAME[name] for name in ("loader-c-released", "loader-c-promised", "loader-c", "c-extension")]
    built = already_built(systems)
    threads = []
    for system in systems:
        skip_what_is_missing(built, system)
        host = Host(built, system, "")
        try:
            host.ask(do="run", system=system.name, variant="", job="call", calls=1, batches=1)
            threads.append(len(list(Path(f"/proc/{host.process.pid}/task").iterdir())))
        finally:
            host.close()
    assert threads == [2, 2, 1, 1]
    shared = [BY_NAME[name].group for name in ("loader-c-released", "loader-c-promised")]
    assert shared == ["", ""]


@given(st.text(alphabet=st.sampled_from("ab:`_1 \n\t\u00a0\u0085\u2003\x1c\u00e9t"), max_size=60))
def test_the_hosts_reference_follows_the_rules(text: str) -> None:
    """The document host of Python peers gives what the tests' own reference gives."""
    given_roles = {"tt": lambda text: f"<tt>{text}</tt>"}
    assert reference.htmlize(text, {"tt": reference.tt}, None) == plain.htmlize(text, given_roles).text


def test_documents_are_what_the_jobs_say() -> None:
    """Sizes and roles of the documents are those of the issue's table."""
    assert len(documents.TEXT) == 18
    assert len(reference.tt("tt", documents.TEXT, None)) == 27
    assert (len(documents.TEXT_4K), len(documents.TEXT_1M)) == (4096, 1 << 20)
    texts = {job: text for job, text in documents.CALL_TEXTS.items() if job.startswith("call-text")}
    assert {len(text.encode()) for text in texts.values()} == {18}
    assert [max(map(ord, text)).bit_length() for text in texts.values()] == [8, 11, 16, 17]
    dense = documents.dense()
    assert 999_000 < len(dense) <= 1_000_000
    assert {len(paragraph) for paragraph in dense.strip("\n").split("\n\n")} == {188}
    assert dense.count(":`") == 3 * documents.roles_in(dense) == 3 * (len(dense) // 190)
    prose = documents.prose(100_000)
    assert all(documents.roles_in(paragraph) == 1 for paragraph in prose.strip("\n").split("\n\n"))
    assert {len(post) for post in documents.small(10)} == {2048}


def test_quantiles_and_ratios() -> None:
    """Quartiles are linear between neighbours; a ratio is taken inside a round, then the median."""
    assert [quantile([4.0, 1.0, 2.0, 3.0], share) for share in (0, 0.25, 0.5, 1)] == [1, 1.75, 2.5, 4]
    assert ratio([1.0, 10.0, None, 9.0], [1.0, 100.0, 5.0, 3.0]) == {
        "median": 1,
        "q1": 0.55,
        "q3": 2,
        "rounds": 3,
    }
    assert ratio([None], [1.0]) is None


def test_figures_taken_in_turns_are_compared_with_those_turns() -> None:
    """A ratio to loader-c comes from the slices between its own, whichever is on top; a load's does not."""
    entries = run_of_all()["results"]
    book = Book(entries)
    python, own = ("call", "python"), ("call", "loader-c")
    beside = book.entry(*python)["beside"]["rounds"]  # type: ignore[index]
    assert book.pairs(python, own) == (book.rounds(*python), beside)
    assert book.pairs(own, python) == (beside, book.rounds(*python))
    many, dense = ("roles-1000", "loader-c"), ("document-dense", "loader-c")
    assert book.pairs(many, dense)[1] == book.entry(*many)["beside"]["rounds"]  # type: ignore[index]
    load, other = ("load-1", "loader-c"), ("load-1", "python")
    assert book.pairs(load, other) == (book.rounds(*load), book.rounds(*other))
    assert book.pairs(own, ("call", "nobody")) == ([], [])


def test_goals_are_reported_not_asserted() -> None:
    """A goal has what was reached, and whether that is enough; what was not measured is neither."""
    found = {goal["figure"]: goal for goal in goals(run_with("other")["results"])}
    assert found["call: loader-c / python"] | {"note": ""} == {
        "figure": "call: loader-c / python", "goal": "≤ 0.85", "reached": 0.6, "ok": True, "note": ""
    }  # fmt: skip
    assert found["call-4k: loader-c / python"]["ok"] is None


def test_names_stay_text() -> None:
    """Whatever a name holds, it cannot end the data's script element, and SVG text is escaped."""
    results = run_with(EVIL)
    assert json.loads(embedded(results)) == results
    assert "<script>alert" not in page(results)
    assert "<!--" not in page(results).partition('id="data"')[2].partition("</script>")[0]
    assert "<script" not in ladder(results)


def test_the_page_asks_no_network() -> None:
    """No address outside the file is named in it, but for XML's namespaces."""
    text = page(run_with("other")).replace("http://www.w3.org/2000/svg", "")
    assert "http:" not in text
    assert "https:" not in text
    assert "src=" not in text
