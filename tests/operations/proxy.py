"""A way to a TCP server that can be cut: connections stay open, and nothing passes any more in either direction."""

import select
import socket
import threading


class Proxy:
    def __init__(self, host, port):
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.peers = {}
        self.is_cut, self.is_over = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.is_over.is_set():
            if self.is_cut.wait(0 if not self.is_cut.is_set() else 0.1):
                continue
            for ready in select.select([self.listener, *self.peers], [], [], 0.05)[0]:
                if ready is self.listener:
                    self.accept()
                elif ready in self.peers:
                    self.pass_on(ready)

    def accept(self):
        client, server = self.listener.accept()[0], socket.create_connection(self.target)
        self.peers |= {client: server, server: client}

    def pass_on(self, ready):
        try:
            data = ready.recv(65536)
            self.peers[ready].sendall(data)
        except OSError:
            data = b""
        if not data:
            for one in (ready, self.peers.pop(ready)):
                self.peers.pop(one, None)
                one.close()

    def cut(self):
        self.is_cut.set()

    def close(self):
        self.is_over.set()
        self.thread.join(5)
        for one in (self.listener, *self.peers):
            one.close()
