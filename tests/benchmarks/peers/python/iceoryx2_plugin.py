"""The plugin of iceoryx2. python iceoryx2_plugin.py NAME VARIANT; ends with its standard input."""

import os
import sys
import threading

from iceoryx import End, bytes_of
from message import answer


def end():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end, daemon=True).start()
plugin = End(sys.argv[1], "plugin", polling=sys.argv[2] == "polling")
print("ready", flush=True)
while True:
    request = plugin.wait(plugin.port.receive)
    data = answer(bytes_of(request))
    plugin.send(request.loan_slice_uninit(len(data)), data)
    request.delete()
