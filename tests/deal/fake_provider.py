#!/usr/bin/env python3
"""A model of a storage provider: Curio's MK12 and MK20 over HTTP on loopback, written from the protocols.

It is a model, not Curio: strict where Curio is (and stricter), and it does on purpose what real providers do by
accident. It reads proposals again, checks signatures, keeps keys and proposals unique, and after a fault its book
(`deals`) still says what it took. As a module: FakeProvider(...) in a `with` statement. As a program it prints its URL
on a line and is told what to do under /control (see ControlRequests).

usage: fake_provider.py [--provider ID] [--prefix f|t] [--head EPOCH] [--chunk-min BYTES] [--tls CERT KEY]
"""
import argparse
import contextlib
import hashlib
import http.server
import json
import socket
import ssl
import struct
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import fake_mk12  # noqa: E402
import fake_mk20  # noqa: E402

BODY_MAX = 300 << 20
GARBAGE = bytes(range(256)) * 3


@dataclass
class Fault:
    """What goes wrong with the next `count` requests that begin with `match` ("POST /market/mk12/store").

    Without being handled: reset, or a status such as 503, 429, 408, 500, 404 or 302; garbage (200 and no sense).
    After being handled, so behind the client's back: timeout_after, reset_after, garbage_after, cut_after (a body that
    is shorter than its length), huge_after, or a status such as 503_after.
    """
    kind: str
    match: str = ""
    count: int = 1


class FakeProvider:
    """A provider that serves on a loopback port while the `with` block lasts. Safe for concurrent use."""

    def __init__(self, provider_id=1000, prefix="t", head=lambda: 4_900_000, clock=time.time, chunk_min=16 << 20,
                 price_per_gib_epoch=0, collateral_min=0, seal_epochs=960, duplicates="curio", client_keys=None,
                 tls=None, hang_s=3600, on_accept=None):
        self.provider_id, self.prefix, self.head, self.clock = provider_id, prefix, head, clock
        self.chunk_min, self.price_per_gib_epoch, self.collateral_min = chunk_min, price_per_gib_epoch, collateral_min
        self.seal_epochs = seal_epochs
        self.duplicates = duplicates            # how a repetition is refused: "curio" or "boost"
        self.client_keys = client_keys or {}    # f0 address -> f1 address, both as bytes
        self.hang_s, self.on_accept = hang_s, on_accept
        self.deals = {}
        self.faults = []
        self.requests = []                      # (method, path, SHA-256 of the body) of everything that came
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.provider = self
        self.scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.scheme = "https"
        self.url = f"{self.scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def inject(self, kind, match="", count=1):
        with self.lock:
            self.faults.append(Fault(kind, match, count))

    def take_fault(self, method, path):
        with self.lock:
            for fault in self.faults:
                if fault.count and f"{method} {path}".startswith(fault.match):
                    fault.count -= 1
                    return fault.kind
        return None

    def add(self, deal):
        """Takes a deal; the caller holds the lock and has looked for duplicates."""
        self.deals[deal.key] = deal
        if self.on_accept:
            self.on_accept(deal)

    def handle(self, method, path, headers, body):
        """(status, content type, body) of a request, faults aside."""
        with self.lock:
            if path.startswith("/market/mk12/"):
                return fake_mk12.handle(self, method, path, headers, body)
            if path.startswith("/market/mk20/"):
                return fake_mk20.handle(self, method, path, headers, body)
            return 404, "text/plain", b"404 page not found\n"


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Clients that go away are part of the tests."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "fake-provider", ""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._serve("GET")

    def do_POST(self):
        self._serve("POST")

    def do_PUT(self):
        self._serve("PUT")

    def _serve(self, method):
        provider = self.server.provider
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_MAX:
            return self._reply(413, "text/plain", b"")
        body = self.rfile.read(length)
        if len(body) < length:
            return self._reset()
        control = getattr(provider, "control", None)
        if control and self.path.startswith("/control/"):
            return self._reply(*control.handle(method, self.path, body))
        with provider.lock:
            provider.requests.append((method, self.path, hashlib.sha256(body).hexdigest()))
        fault = provider.take_fault(method, self.path)
        if fault and not fault.endswith("_after"):
            return self._fail(fault)
        reply = provider.handle(method, self.path, self.headers, body)
        if fault:
            return self._fail(fault.removesuffix("_after"), reply)
        self._reply(*reply)

    def _fail(self, kind, reply=(200, "text/plain", b"")):
        if kind == "reset":
            self._reset()
        elif kind == "timeout":
            self.server.provider.closing.wait(self.server.provider.hang_s)
            self._reset()
        elif kind == "garbage":
            self._reply(200, reply[1], GARBAGE)
        elif kind == "huge":
            self._reply(200, reply[1], bytes(8 << 20))
        elif kind == "cut":
            self._reply(*reply, missing=7)
            self._reset()
        else:
            text = b"timeout reading request" if kind == "503" else b"fault"
            self._reply(int(kind), "text/plain", text)

    def _reply(self, status, content_type, body, missing=0):
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body) + missing))
            if status == 429:
                self.send_header("Retry-After", "7")
            if status == 302:
                self.send_header("Location", self.path)
            self.end_headers()
            self.wfile.write(body)

    def _reset(self):
        """Closes so that the client sees a reset, not an end of file."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()
        self.wfile = self.rfile = _Nowhere()


class _Nowhere:
    """Takes the place of a closed connection's streams."""
    closed = True

    def flush(self):
        pass

    def close(self):
        pass

    def readline(self, *_):
        return b""


class ControlRequests:
    """How a test in another process tells a provider what to do: JSON in, JSON out.

    POST /control/fault {"kind", "match", "count"} | POST /control/deal {"key", "stage", "error", "deal_id",
    "publish_cid"} changes what is given | POST /control/clock {"offset_s"} | GET /control/deals | GET /control/requests
    """

    def __init__(self, provider):
        self.provider = provider

    def handle(self, method, path, body):
        what = path.removeprefix("/control/")
        value = json.loads(body) if method == "POST" else None
        provider = self.provider
        with provider.lock:
            if what == "fault":
                provider.inject(**value)
            elif what == "deal":
                for name, content in value.items():
                    setattr(provider.deals[value["key"]], name, content)
            elif what == "clock":
                provider.clock = lambda: time.time() + value["offset_s"]
            elif what == "requests":
                return 200, "application/json", json.dumps(provider.requests).encode()
            elif what == "deals":
                return 200, "application/json", json.dumps(list(map(_deal_json, provider.deals.values()))).encode()
        return 200, "application/json", b"{}"


def _deal_json(deal):
    return {"key": deal.key, "protocol": deal.protocol, "stage": deal.stage, "signed_cid": deal.signed_cid,
            "chunks": sorted(deal.chunks), "data_sha256": hashlib.sha256(deal.data).hexdigest() if deal.data else None}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--provider", type=int, default=1000)
    parser.add_argument("--prefix", default="t")
    parser.add_argument("--head", type=int, default=4_900_000)
    parser.add_argument("--chunk-min", type=int, default=16 << 20)
    parser.add_argument("--price", type=int, default=0, help="attoFIL for a GiB and epoch")
    parser.add_argument("--duplicates", default="curio")
    parser.add_argument("--hang", type=float, default=3600, help="seconds that a timeout lasts")
    parser.add_argument("--tls", nargs=2)
    flags = parser.parse_args()
    provider = FakeProvider(flags.provider, flags.prefix, lambda: flags.head, chunk_min=flags.chunk_min, tls=flags.tls,
                            price_per_gib_epoch=flags.price, duplicates=flags.duplicates, hang_s=flags.hang)
    provider.control = ControlRequests(provider)
    with provider:
        print(provider.url, flush=True)
        sys.stdin.read()  # ends with whoever started it


if __name__ == "__main__":
    main()
