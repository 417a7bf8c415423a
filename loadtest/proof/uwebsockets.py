"""The C++ core of uWebSockets as a broker of one topic: `uwebsockets.py PORT TOPIC`. Python runs
once for a new subscriber and once for a message that is published; the rest is the core's alone."""

import sys

from socketify import App

PORT, TOPIC = int(sys.argv[1]), sys.argv[2]
COMMON = {
    "idle_timeout": 120,
    "send_pings_automatically": True,
    "max_payload_length": 1 << 20,
    # the default of 64 KiB silently drops what a subscriber is behind by
    "max_backpressure": 64 << 20,
}


def subscribe(socket):
    socket.subscribe(TOPIC)


def publish(socket, message, kind):
    socket.publish(TOPIC, message, kind)


app = App()
app.ws(f"/sub/{TOPIC}", COMMON | {"open": subscribe})
app.ws(f"/pub/{TOPIC}", COMMON | {"message": publish})
app.listen({"port": PORT, "host": "127.0.0.1"})
app.run()
