"""Many documents through one Htmlizer, on several threads, told in their order."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loader.cli import streams
from loader.errors import LoaderError, TextError
from loader.htmlize.files import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from loader.htmlize.files import Document, Writer
    from loader.htmlize.htmlizer import Htmlizer, Problem
    from loader.htmlize.post import Post

__all__ = ["Batch", "Outcome"]


@dataclass(slots=True)
class Outcome:
    """What became of one document. Sizes in bytes. `problems` are failures of plugins that were kept."""

    document: Document
    size_in: int = 0
    size_out: int = 0
    milliseconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)
    error: LoaderError | None = None

    def lines(self) -> Iterator[str]:
        """What went wrong, a line each."""
        name = self.document.name
        for problem in self.problems:
            yield f"{name}: {problem}"
        if self.error is not None:
            text = str(self.error)
            yield text if text.startswith(f"{name}:") else f"{name}: {text}"

    def values(self) -> dict[str, Any]:
        """As plain values, for --json. `output` is None if there is none."""
        values: dict[str, Any] = {
            "input": self.document.name,
            "output": None if self.error is not None else str(self.document.target),
            "bytes_in": self.size_in,
            "bytes_out": self.size_out,
            "ms": round(self.milliseconds, 3),
            "problems": [_problem_values(problem) for problem in self.problems],
        }
        return values if self.error is None else values | {"error": self.error.to_dict()}


def _problem_values(problem: Problem) -> dict[str, Any]:
    return {
        "plugin": problem.plugin,
        "role": problem.role,
        "offset": problem.offset,
        "rewritten": problem.rewritten,
        "status": problem.status,
        "message": problem.message,
        "text": str(problem),
    }


class Batch:
    """One run over documents.

    Args:
        app: serves all threads.
        post: what all documents belong to. With empty contents each document's own text takes their place.
        escape: see :meth:`Htmlizer.htmlize`.
        keep_going: a role whose plugin fails stays as it stood, and a failed document stops no other.
        jobs: threads.
    """

    def __init__(
        self, app: Htmlizer, writer: Writer, post: Post, *, escape: bool, keep_going: bool, jobs: int
    ) -> None:
        self._app = app
        self._writer = writer
        self._post = post
        self._escape = escape
        self._keep_going = keep_going
        self._jobs = jobs
        self._lock = threading.Lock()

    def turn(self, documents: Sequence[Document], tell: Callable[[Outcome], None]) -> list[Outcome]:
        """Turns documents into HTML and returns the outcomes of those that were begun, in their order.

        `tell` is called with each, in this order too, as soon as it and those before it are done. Without
        `keep_going` it is not called after one that failed. When a document fails, those before it are
        finished and none after it is begun, so the first that `tell` hears of is the first there is.
        """
        done: dict[int, Outcome] = {}
        with contextlib.closing(self._outcomes(documents, done)) as outcomes:
            for outcome in outcomes:
                tell(outcome)
                if self._ends(outcome):
                    break
        return [done[number] for number in sorted(done)]

    def _ends(self, outcome: Outcome) -> bool:
        return outcome.error is not None and not self._keep_going

    def _outcomes(self, documents: Sequence[Document], done: dict[int, Outcome]) -> Generator[Outcome, None, None]:
        last = len(documents)  # none after this one is begun

        def one(number: int) -> Outcome | None:
            nonlocal last
            if number > last:
                return None
            outcome = done[number] = self._turn_one(documents[number])
            if self._ends(outcome):
                with self._lock:
                    last = min(last, number)
            return outcome

        numbers = range(len(documents))
        if len(documents) == 1 or self._jobs == 1:
            yield from filter(None, map(one, numbers))
            return
        with ThreadPoolExecutor(min(self._jobs, len(documents))) as threads:
            try:
                yield from filter(None, threads.map(one, numbers))
            finally:
                last = -1  # also after Ctrl-C: what waits is not begun

    def _turn_one(self, document: Document) -> Outcome:
        outcome = Outcome(document)
        began = time.perf_counter()
        try:
            self._render(document, outcome)
        except TextError as error:
            error.path = document.name
            error.cure = "Convert it to UTF-8 first, with iconv for one"
            outcome.error = error
        except LoaderError as error:
            outcome.error = error
        except MemoryError:
            outcome.error = DocumentError("is too large for the memory there is", path=document.name)
        outcome.milliseconds = (time.perf_counter() - began) * 1000
        return outcome

    def _render(self, document: Document, outcome: Outcome) -> None:
        text = streams.read_input() if document.source is None else document.read()
        outcome.size_in = len(text)
        html = self._app.htmlize(
            text,
            self._post,
            escape=self._escape,
            plugin_errors="keep" if self._keep_going else "raise",
            report=outcome.problems.append,
        )
        if document.target is None:
            streams.write(html)
        else:
            self._writer.write(document.target, html)
        outcome.size_out = len(html)
