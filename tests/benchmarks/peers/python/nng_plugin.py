"""The plugin of pynng: a REP socket. python nng_plugin.py URL; ends with its standard input."""

import os
import sys
import threading

import pynng

from message import answer


def end():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end, daemon=True).start()
with pynng.Rep0(dial=sys.argv[1], recv_max_size=0) as socket:
    while True:
        socket.send(answer(socket.recv()))
