"""python: the same function in plain Python, the user's alternative; by adding text, or (f-string) formatting it."""

import importlib.util
from types import SimpleNamespace

import documents

from peer import Peer

POST = SimpleNamespace(id=documents.POST_ID, author=documents.POST_AUTHOR)


def process_role(role, text, post):
    return "<tt>" + text + "</tt>"


def process_role_formatting(role, text, post):
    return f"<tt>{text}</tt>"


def fail(role, text, post):
    raise ValueError(f"no post {post.id}")


def call_back(count, title):
    for _ in range(count):
        answer = title(42)
    return answer


def open_peer(folder, variant):
    return Peer(
        process_role=process_role_formatting if variant == "f-string" else process_role,
        post=POST,
        failing=(fail, ("tt", documents.TEXT, POST), ValueError),
        callback=lambda count: call_back(count, lambda number: documents.TITLE),
    )


def load(folder, variant, count):
    """`count` modules from their files, as a Python application imports plugins."""
    functions = []
    for number in range(count):
        spec = importlib.util.spec_from_file_location(f"tt{number}", folder / "plugins/python" / f"tt{number}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        functions.append((module.process_role, POST))
    return functions
