"""Serves a rival's ASGI application: uvicorn with uvloop and httptools, one process, no access log,
the fastest way to run it. Called by the rival_*.py of the suites.
"""
import signal
import socket

import uvicorn

LIFETIME_S = 120
IDLE_S = 75


def serve(app):
    """Prints `PORT n` and serves until it is killed."""
    signal.alarm(LIFETIME_S)  # nobody is left to kill it when the runner died
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", log_level="warning",
                            access_log=False, timeout_keep_alive=IDLE_S)
    print("PORT", listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])
