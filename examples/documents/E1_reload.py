"""E1: what a reloader does that ends the old process first: a mistake in the file is an outage."""
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

APP = """
import socket
listener = socket.socket(fileno={fd})
while True:
    connection, _ = listener.accept()
    connection.recv(1000)
    connection.sendall(b"version {version}")
    connection.close()
"""


def ask(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(2)
        try:
            connection.sendall(b"version?")
            return connection.recv(100).decode() or "no answer"
        except OSError:
            return "no answer"


with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
    path = pathlib.Path(folder, "app.py")
    worker = None
    for text in (APP.format(fd=listener.fileno(), version=1), "a mistake\n",
                 APP.format(fd=listener.fileno(), version=2)):
        path.write_text(text)
        if worker:
            worker.terminate()  # the old one first
            worker.wait()
        worker = subprocess.Popen([sys.executable, path], pass_fds=[listener.fileno()],
                                  stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        print(ask(listener.getsockname()[1]))
    worker.terminate()
    worker.wait()
