"""The plugin of grpcio: a gRPC server on a Unix socket. python grpc_plugin.py PATH; ends with its input."""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

import bench_pb2
import bench_pb2_grpc


class Tt(bench_pb2_grpc.HtmlizerServicer):
    def ProcessRole(self, request, context):  # noqa: N802
        if request.role == "fail":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no post {request.post.id}")
        return bench_pb2.RoleAnswer(html="<tt>" + request.text + "</tt>")


server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)])
bench_pb2_grpc.add_HtmlizerServicer_to_server(Tt(), server)
server.add_insecure_port(f"unix:{sys.argv[1]}")
server.start()
print("ready", flush=True)
sys.stdin.read()
server.stop(0)
