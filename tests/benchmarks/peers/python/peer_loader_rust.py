"""loader-rust: this loader with a plugin in rust."""

from ours import load_ours, open_ours


def open_peer(folder, variant):
    return open_ours(folder, "rust", variant)


def load(folder, variant, count):
    return load_ours(folder, "rust", count)
