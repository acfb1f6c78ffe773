"""grpcio: gRPC over a Unix socket; the plugin is a Python process (grpc_plugin.py)."""

import subprocess
import sys
import tempfile
from pathlib import Path

import documents
import grpc

import bench_pb2
import bench_pb2_grpc
from peer import Peer

POST = bench_pb2.Post(id=documents.POST_ID, author=documents.POST_AUTHOR)
kept = []


def start():
    path = Path(tempfile.mkdtemp(prefix="bench-")) / "grpc.sock"
    command = [sys.executable, Path(__file__).with_name("grpc_plugin.py"), path]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    channel = grpc.insecure_channel(f"unix:{path}", options=[("grpc.max_receive_message_length", -1)])
    stub = bench_pb2_grpc.HtmlizerStub(channel)
    call, request = stub.ProcessRole, bench_pb2.RoleRequest

    def process_role(role, text, post):
        return call(request(role=role, text=text, post=post)).html

    kept.append((child, channel, path))
    return process_role


def close():
    for child, channel, path in kept:
        channel.close()
        child.stdin.close()
        child.wait(10)
        path.unlink(missing_ok=True)
        path.parent.rmdir()


def open_peer(folder, variant):
    process_role = start()

    def failing(role, text, post):
        try:
            process_role(role, text, post)
        except grpc.RpcError as error:
            raise ValueError(error.details()) from None

    return Peer(
        process_role=process_role,
        post=POST,
        failing=(failing, ("fail", documents.TEXT, POST), ValueError),
        close=close,
    )


def load(folder, variant, count):
    return [(start(), POST) for _ in range(count)]
