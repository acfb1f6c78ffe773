"""iceoryx2's request and response, for its plugin (iceoryx2_plugin.py) and its host (peer_iceoryx2.py).

Messages are slices of bytes in shared memory. iceoryx2 wakes nobody by itself: whoever waits either asks again and
again, or sleeps until an event comes, which the other side sends beside the message.
"""

import ctypes

import iceoryx2 as iox2

BYTES = iox2.Slice[ctypes.c_uint8]
FIRST = 4096  # bytes that a message may have before more memory is taken


class End:
    """One side. `polling`: it does not sleep, so no events are sent."""

    def __init__(self, name, side, *, polling):
        iox2.set_log_level(iox2.LogLevel.Error)
        self.polling = polling
        self.node = iox2.NodeBuilder.new().create(iox2.ServiceType.Ipc)
        service = self.node.service_builder(iox2.ServiceName.new(name)).request_response(BYTES, BYTES)
        service = service.open_or_create()
        self.service = service
        builder = service.server_builder() if side == "plugin" else service.client_builder()
        grows = builder.initial_max_slice_len(FIRST).allocation_strategy(iox2.AllocationStrategy.PowerOfTwo)
        self.port = grows.create()
        other = "host" if side == "plugin" else "plugin"
        self.listener = self._event(f"{name}/{side}").listener_builder().create()
        self.notifier = self._event(f"{name}/{other}").notifier_builder().create()

    def _event(self, name):
        return self.node.service_builder(iox2.ServiceName.new(name)).event().open_or_create()

    def wait(self, receive):
        """The next message that receive() gives."""
        while True:
            message = receive()
            if message is not None:
                return message
            if not self.polling:
                self.listener.blocking_wait()

    def send(self, loaned, data):
        """Sends bytes in a loaned message; what sending gives."""
        loaned.payload().as_memory_view().cast("B")[:] = data
        sent = loaned.assume_init().send()
        if not self.polling:
            self.notifier.notify()
        return sent


def bytes_of(message):
    """A copy of what a message has."""
    return bytes(message.payload().as_memory_view())
