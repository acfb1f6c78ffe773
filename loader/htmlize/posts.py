"""The service "htmlize.posts/1" over an SQLite database."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    import sqlite3

__all__ = ["POSTS", "SqlitePosts"]

#: The id under which include/htmlize/htmlize.h declares the service.
POSTS = "htmlize.posts/1"


class SqlitePosts:
    """Posts in the table ``posts(id INTEGER PRIMARY KEY, title TEXT)`` of an SQLite file, opened read-only.

    Plugins are called from any thread and SQLite's connections belong to one, so each thread gets its own.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self._local = threading.local()
        self._connection()  # a file that is not there or is no database is found here, not in a plugin's call

    def _connection(self) -> sqlite3.Connection:
        import sqlite3  # noqa: PLC0415 - only where an application lends posts

        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(f"file:{quote(self.path)}?mode=ro", uri=True)
            connection.execute("SELECT id, title FROM posts LIMIT 0")
            self._local.connection = connection
        return connection

    def title(self, id: int) -> str:
        """The title of post `id`. Raises LookupError if there is none."""
        row = self._connection().execute("SELECT title FROM posts WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise LookupError(f"there is no post {id}")
        return str(row[0])
