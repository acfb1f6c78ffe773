"""The service "htmlize.posts/1" over an SQLite database."""

from __future__ import annotations

import os
import threading
from urllib.parse import quote

__all__ = ["POSTS", "SqlitePosts"]

#: The id under which include/htmlize/htmlize.h declares the service.
POSTS = "htmlize.posts/1"


class _Connection:
    """A thread's connection, closed when the thread or the service ends."""

    def __init__(self, path: str) -> None:
        import sqlite3  # noqa: PLC0415 - only where an application lends posts

        # The service may end on another thread; queries come from this one alone.
        self.sqlite = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, check_same_thread=False)
        self.sqlite.execute("SELECT id, title FROM posts LIMIT 0")

    def __del__(self) -> None:
        if hasattr(self, "sqlite"):  # else there is no such file
            self.sqlite.close()


class SqlitePosts:
    """Posts in the table ``posts(id INTEGER PRIMARY KEY, title TEXT)`` of an SQLite file, opened read-only.

    Plugins are called from any thread and SQLite's connections belong to one, so each thread gets its own.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self._local = threading.local()
        self._connection()  # a file that is not there or is no database is found here, not in a plugin's call

    def _connection(self) -> _Connection:
        connection: _Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _Connection(self.path)
        return connection

    def title(self, id: int) -> str:
        """The title of post `id`. Raises LookupError if there is none."""
        found = self._connection().sqlite.execute("SELECT title FROM posts WHERE id = ?", (id,))
        row = found.fetchone()
        if row is None:
            raise LookupError(f"there is no post {id}")
        return str(row[0])
