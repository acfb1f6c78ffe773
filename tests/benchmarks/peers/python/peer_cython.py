"""cython: an extension module in Cython; "utf-8": as one wraps a C library."""

from extensions import load_extensions, open_extension


def open_peer(folder, variant):
    return open_extension(folder, "cython_extension", "process_role_utf8" if variant == "utf-8" else "process_role")


def load(folder, variant, count):
    return load_extensions(folder, "cython_extension", count)
