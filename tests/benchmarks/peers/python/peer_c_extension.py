"""c-extension: an extension module in C by hand (peers/extensions/c_extension.c)."""

from extensions import load_extensions, open_extension


def open_peer(folder, variant):
    return open_extension(folder, "c_extension")


def load(folder, variant, count):
    return load_extensions(folder, "c_extension", count)
