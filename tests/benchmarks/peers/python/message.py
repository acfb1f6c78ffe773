"""Requests for systems whose messages are bytes: role, id, author and text, with NUL bytes between.

And the plugin's side of them.
"""


class Failure(Exception):
    """The plugin's error."""


def join(role, text, post):
    return f"{role}\0{post['id']}\0{post['author']}\0{text}".encode()


def answer(request):
    role, number, _, text = request.decode().split("\0", 3)
    return f"Eno post {number}".encode() if role == "fail" else f"A<tt>{text}</tt>".encode()


def split(raw):
    text = raw.decode()
    if text[0] != "A":
        raise Failure(text[1:])
    return text[1:]
