"""The command `htmlize`: documents in, HTML out.

A run: the command line -> documents and where they go (files.plan; nothing is written yet) -> a child
process, which loads the plugins (loader.cli.supervise) -> documents on several threads, each one call of the
engine and an output that is whole or not there (batch, files.Writer) -> the report.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import loader
from loader.cli import streams
from loader.cli.isolation import add_isolation, isolation_of
from loader.cli.logs import log_to_stderr
from loader.cli.parser import EXIT_CODES, Parser, UsageError, number_of, seconds, some_path, unicode_text, wants_json
from loader.cli.policy import add_policy, policy_of, record_crashes
from loader.cli.run import run
from loader.cli.supervise import supervise
from loader.errors import LoaderError, PluginNotFound, TrustError
from loader.htmlize import files
from loader.htmlize.batch import Batch, Outcome
from loader.htmlize.files import Document, Writer
from loader.htmlize.htmlizer import Htmlizer, shipped_plugins
from loader.htmlize.post import Post
from loader.htmlize.posts import SqlitePosts
from loader.htmlize.progress import progress

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from loader.isolation import Isolation
    from loader.trust import Policy

__all__ = ["main"]

_EPILOG = """\
Without FILE, standard input is read; without -o, HTML goes to standard output. Several files, or a folder,
need -o FOLDER: what lies in a folder goes to the same place below FOLDER, with the ending .html.

examples:
  echo 'I like :tt:`pie`' | htmlize --author Joe
  htmlize post.txt -o post.html
  htmlize docs/ -o site/ --plugins plugins/ --keep-going
  htmlize post.txt --plugins plugins/ --lock loader.lock --quarantine crashes.log

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code.

    `arguments`: those after the command's name; None: those of the process, which is then taken to exist for
    the command alone: its streams are set up, and plugins run in a child process. With a list all happens in
    this process.
    """
    own_process = arguments is None
    given = sys.argv[1:] if arguments is None else list(arguments)

    def command() -> int:
        options = _parser().parse(given)
        return _command(options, own_process=own_process)

    return run("htmlize", command, json=wants_json(given), own_process=own_process)


def _parser() -> Parser:
    parser = Parser(
        prog="htmlize",
        usage="htmlize [FILE|FOLDER ...] [-o OUT] [option ...]",
        description="Turns lightly marked text into HTML; plugins handle roles (:name:`text`) and contents.",
        epilog=_EPILOG + EXIT_CODES,
    )
    add = parser.add_argument
    parser.add_words("FILE", "a document, or a folder of them; - is standard input")
    add("-o", "--output", metavar="OUT", type=some_path, help="the output file or folder; - is standard output")
    add(
        "--suffix",
        metavar=".EXT",
        action="append",
        type=unicode_text,
        help=f"ending of documents in folders; may be repeated (default: {' '.join(files.SUFFIXES)})",
    )
    add(
        "-j",
        "--jobs",
        metavar="N",
        type=number_of(16, 1),
        default=_cores(),
        help="documents at the same time (default: %(default)s, as many as there are cores)",
    )
    group = parser.add_argument_group("plugins")
    group.add_argument(
        "--plugins",
        metavar="DIR",
        action="append",
        help="folder of plugins, or one; may be repeated (default: tt and narcissist, which ship)",
    )
    group.add_argument(
        "--posts",
        metavar="DATABASE",
        help="SQLite file with a table posts(id, title), lent to plugins as the service htmlize.posts/1",
    )
    group.add_argument(
        "--strict", action="store_true", help="a plugin that does not load, or two for one role, is an error"
    )
    group.add_argument(
        "--keep-going",
        action="store_true",
        help="a role whose plugin fails stays as it stood; a bad document stops no other, nor does a plugin "
        "in a folder that is not trusted; exit code 1",
    )
    group.add_argument("--in-process", action="store_true", help="no child process: for debuggers")
    add_isolation(parser)
    what = "with --isolated: when a document's plugins are asked to stop; after half a second more they are ended"
    group.add_argument("--deadline", metavar="SECONDS", type=seconds, help=what)
    add_policy(parser, runs=True)
    group = parser.add_argument_group("what plugins and HTML get")
    group.add_argument("--author", metavar="NAME", type=unicode_text, default="", help="the post's author")
    group.add_argument("--title", metavar="TITLE", type=unicode_text, default="", help="the post's title")
    group.add_argument("--id", metavar="N", type=number_of(64), default=0, help="the post's number")
    group.add_argument("--escape", action="store_true", help="escape what plugins did not write")
    group = parser.add_argument_group("what is shown")
    group.add_argument("--json", action="store_true", help="a report on standard output; HTML goes to -o")
    group.add_argument("-q", "--quiet", action="store_true", help="errors only: no warnings, no progress bar")
    group.add_argument("--version", action="version", version=f"htmlize {loader.__version__}")
    return parser  # fmt: skip


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _command(options: Namespace, *, own_process: bool) -> int:
    suffixes = files.SUFFIXES if options.suffix is None else tuple(options.suffix)
    documents = files.plan(options.words, options.output, suffixes)
    if options.json and documents[0].target is None:
        raise files.PlanError("the report and the HTML cannot both go to standard output", cure="Say -o")
    policy, isolation = policy_of(options), _isolation(options)
    writer = Writer()

    def work() -> int:
        with log_to_stderr("htmlize", logging.ERROR if options.quiet else logging.WARNING):
            return _turn(options, policy, isolation, documents, writer)

    if own_process and not options.in_process:
        return supervise(work, sweep=lambda: writer.sweep(documents), keep=options.quarantine)
    if own_process:
        record_crashes(options)
    return work()


# ---- Plugins -----------------------------------------------------------------------------------------------


def _isolation(options: Namespace) -> Isolation | None:
    if options.deadline is not None and not options.isolated:
        raise UsageError("--deadline is for plugins in a process of their own", cure="Say --isolated too")
    return isolation_of(options, deadline=options.deadline)


def _application(options: Namespace, policy: Policy | None, isolation: Isolation | None) -> Htmlizer:
    """The Htmlizer with its plugins. What was named itself must load; others are warned about, but what the
    policy refuses ends the run unless --keep-going says otherwise.
    """
    named = shipped_plugins() if options.plugins is None else options.plugins
    app = Htmlizer(named, posts=_posts(options.posts), policy=policy, strict=options.strict, isolation=isolation)
    themselves = {os.path.abspath(path) for path in named}
    for failure in app.failures:
        if failure.path in themselves:
            if options.plugins is None and isinstance(failure, PluginNotFound):
                failure.cure = "Build it: python setup.py build_ext --inplace; or name others with --plugins"
            raise failure
        untrusted = isinstance(failure, TrustError)
        if untrusted and not options.keep_going:
            raise failure
        if not (options.json or (options.quiet and not untrusted)):
            streams.message("htmlize", "error" if untrusted else "warning", f"left out: {failure}")
    return app


def _posts(path: str | None) -> SqlitePosts | None:
    if path is None:
        return None
    import sqlite3  # noqa: PLC0415 - only where posts are lent

    if not os.path.exists(path):
        raise files.DocumentError("there is no such database", path=path)
    try:
        return SqlitePosts(path)
    except (sqlite3.Error, ValueError) as error:
        raise files.PlanError(
            "is no database of posts",
            path=path,
            expected="SQLite with a table posts(id, title)",
            found=str(error),
        ) from error


# ---- The documents and the report --------------------------------------------------------------------------


def _turn(
    options: Namespace,
    policy: Policy | None,
    isolation: Isolation | None,
    documents: Sequence[Document],
    writer: Writer,
) -> int:
    app = _application(options, policy, isolation)
    post = Post(id=options.id, author=options.author, title=options.title)
    batch = Batch(app, writer, post, escape=options.escape, keep_going=options.keep_going, jobs=options.jobs)
    first: LoaderError | None = None

    def tell(outcome: Outcome) -> None:
        nonlocal first
        first = first or outcome.error
        advance()
        if not options.json:
            for line in outcome.lines():
                streams.message("htmlize", "error", line)

    with progress(len(documents), wanted=not options.quiet) as advance:
        outcomes = batch.turn(documents, tell)
    ended = None if options.keep_going else first
    if options.json:
        streams.write_json(_report(app, outcomes, ended))
    if ended is not None:
        return ended.exit_code
    untrusted = any(isinstance(failure, TrustError) for failure in app.failures)
    return int(untrusted or any(outcome.error is not None or outcome.problems for outcome in outcomes))


def _report(app: Htmlizer, outcomes: Sequence[Outcome], ended: LoaderError | None) -> dict[str, Any]:
    report: dict[str, Any] = {
        "documents": [outcome.values() for outcome in outcomes],
        "plugins": [_plugin_values(app, plugin) for plugin in app.plugins],
        "left_out": [failure.to_dict() for failure in app.failures],
    }
    # A run that an error ended has the fields by which every error of the commands is told.
    return report if ended is None else {**ended.to_dict(), **report}


def _plugin_values(app: Htmlizer, plugin: loader.Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "path": plugin.path,
        "version": "{}.{}".format(*plugin.version),
        "digest": plugin.digest,
        "roles": sorted(role for role, owner in app.roles.items() if owner is plugin),
        "contents": plugin in app.contents_hooks,
    }


if __name__ == "__main__":
    sys.exit(main())
