"""loader-c-promised: loader-c beside a second Python thread, with a plugin that promises never to block."""

from ours import open_with_threads


def open_peer(folder, variant):
    return open_with_threads(folder, "c", variant)
