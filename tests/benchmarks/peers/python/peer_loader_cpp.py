"""loader-cpp: this loader with a plugin in cpp."""

from ours import load_ours, open_ours


def open_peer(folder, variant):
    return open_ours(folder, "cpp", variant)


def load(folder, variant, count):
    return load_ours(folder, "cpp", count)
