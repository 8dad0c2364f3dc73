"""The outside world as far as the judges allow it: a search page and a resolver, both on loopback."""

import socketserver
import struct
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"""<!doctype html><title>results</title>
<div class="result results_links"><h2 class="result__title">
<a class="result__a" href="https://gabier.example/">gabier</a></h2>
<a class="result__snippet" href="https://gabier.example/">The sailor who works aloft.</a></div>
"""


class SearchPage(BaseHTTPRequestHandler):
    """Answers every query with one result, in the markup of DuckDuckGo's plain page."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.do_GET()

    def log_message(self, *_):
        """Stays silent."""


class NoSuchName(socketserver.BaseRequestHandler):
    """Answers every DNS question with NXDOMAIN."""

    def handle(self):
        query, socket = self.request
        if len(query) < 12:
            return
        (flags,) = struct.unpack("!H", query[2:4])
        answer = 0x8003 | (flags & 0x7900) | 0x0080
        question = query[12 : _end_of_question(query)]
        header = query[:2] + struct.pack("!HHHHH", answer, 1, 0, 0, 0)
        socket.sendto(header + question, self.client_address)


def _end_of_question(query):
    position = 12
    while position < len(query) and query[position] != 0:
        position += query[position] + 1
    return position + 5


@contextmanager
def world():
    """Starts both; gives the configuration that points a server at them and at nothing else."""
    search = ThreadingHTTPServer(("127.0.0.1", 0), SearchPage)
    resolver = socketserver.ThreadingUDPServer(("127.0.0.1", 0), NoSuchName)
    servers = (search, resolver)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield CONFIG.format(search=search.server_address[1], resolver=resolver.server_address[1])
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


CONFIG = """
[web_search]
endpoint = "http://127.0.0.1:{search}/html/"

[dns]
servers = ["127.0.0.1:{resolver}"]

[[egress.allow]]
cidr = "127.0.0.1"
port = {search}
"""
