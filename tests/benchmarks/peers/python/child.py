"""A plugin as a child process with pipes, and the host's side of two protocols: frames and JSON lines."""

import json
import os
import struct
import subprocess

HEAD = struct.Struct("<cI")
POST = {"id": 42, "author": "Joe"}


class Failure(Exception):
    """The plugin's error."""


class Frames:
    """Length-prefixed frames: kind, size, bytes. The plugin is peers/ours/c/pipe.c."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.out = self.process.stdin.fileno()
        self.into = self.process.stdout.fileno()

    def send(self, kind, payload):
        data = memoryview(HEAD.pack(kind, len(payload)) + payload)
        while data:
            data = data[os.write(self.out, data) :]

    def read(self, size):
        data = os.read(self.into, size)
        if len(data) == size:
            return data
        parts = [data]
        size -= len(data)
        while size:
            parts.append(os.read(self.into, size))
            if not parts[-1]:
                raise EOFError("the plugin ended")
            size -= len(parts[-1])
        return b"".join(parts)

    def call(self, role, text, post):
        self.send(b"R", f"{role}\0{post['id']}\0{post['author']}\0{text}".encode())
        while True:
            kind, size = HEAD.unpack(self.read(HEAD.size))
            payload = self.read(size) if size else b""
            if kind == b"A":
                return payload.decode()
            if kind == b"E":
                raise Failure(payload.decode())
            self.send(b"T", b"Rhubarb pie")

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Lines:
    """One JSON object a line. The plugin is json_plugin.py."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def call(self, role, text, post):
        self.send({"role": role, "text": text, "post": post})
        while True:
            answer = json.loads(self.process.stdout.readline())
            if "html" in answer:
                return answer["html"]
            if "error" in answer:
                raise Failure(answer["error"])
            self.send({"title": "Rhubarb pie"})

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
