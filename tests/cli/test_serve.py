#!/usr/bin/env python3
"""piecework serve: every range of every piece is that of its CAR, whether it is stored or made while it is sent."""
import contextlib
import http.client
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

SEGMENT_BYTES = 1040384
TIMEOUT_S = 60
TOKEN = "correct-horse-battery"


class Server:
    """A running `piecework serve`."""

    def __init__(self, *flags):
        command = [harness.BINARY, "serve", "--listen", "127.0.0.1:0", *map(str, flags)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.match(r"serving (\d+) pieces at http://127\.0\.0\.1:(\d+)/piece/CID$", line)
        if not found:
            raise AssertionError(f"{line!r} {self.process.communicate()}")
        self.piece_count, self.port = map(int, found.groups())

    def request(self, method, path, **fields):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    def get(self, path, **fields):
        return self.request("GET", path, **fields)

    def stop(self):
        """The exit code and what was said."""
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, err


class Serve(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        self.out = self.temp / "out"

    def serve(self, *flags):
        server = Server(*flags)
        self.addCleanup(server.process.wait)
        self.addCleanup(server.process.kill)
        self.addCleanup(server.process.stdout.close)
        self.addCleanup(server.process.stderr.close)
        return server

    def make_source(self):
        """Files of all shapes, some equal, in flat and sharded directories."""
        large = harness.noise("serve", (5 << 20) + 4321)
        entries = {f"d{i % 7}/file {i}": harness.noise(str(i), 37 * i) for i in range(300)}
        entries |= {f"many/{i:05d}-with-a-long-name": b"%d" % (i % 91) for i in range(5000)}
        harness.make_tree(self.source, entries | {"large": large, "copy": large, "zeros": bytes(3 << 20), "empty": b"",
                                                  "link": ("symlink", "large"), b"\xff": b"odd"})

    def cars(self, *flags):
        """Packs the source twice; the pieces, and the CAR of each. `self.out` has no CARs."""
        stored = self.temp / "stored"
        pieces = self.pack(self.source, "--out", stored, *flags)["pieces"]
        without = self.pack(self.source, "--out", self.out, "--no-car", *flags)["pieces"]
        self.assertEqual([p["piece_cid_v2"] for p in without], [p["piece_cid_v2"] for p in pieces])
        return stored, {p["piece_cid_v2"]: Path(p["car"]).read_bytes() for p in pieces}

    @staticmethod
    def ranges(length, count, seed):
        """(value of Range, begin, end): borders of segments and of the file, and random ones."""
        chance = random.Random(seed)
        for i in range(count):
            at = chance.choice([0, length - 1, chance.randrange(length), chance.randrange(0, length, SEGMENT_BYTES)])
            end = min(length, at + chance.choice([1, 2, 127, 5000, 70000, SEGMENT_BYTES, 3 * SEGMENT_BYTES, length]))
            kind = i % 3
            if kind == 0 and at > 0:
                yield f"bytes=-{length - at}", at, length
            elif kind == 1:
                yield f"bytes={at}-", at, length
            else:
                yield f"bytes={at}-{end - 1}", at, end

    def check_ranges(self, server, cars, count):
        for seed, (cid, car) in enumerate(cars.items()):
            for value, begin, end in self.ranges(len(car), count, seed):
                status, fields, body = server.get(f"/piece/{cid}", Range=value)
                self.assertEqual((status, fields["Content-Length"], fields["Content-Range"]),
                                 (206, str(end - begin), f"bytes {begin}-{end - 1}/{len(car)}"), value)
                self.assertTrue(body == car[begin:end], f"{cid} {value}")

    def check_whole(self, server, cars, v1_of):
        for cid, car in cars.items():
            for name in cid, v1_of[cid]:
                status, fields, body = server.get(f"/piece/{name}")
                self.assertEqual((status, fields["Content-Length"], fields["ETag"]), (200, str(len(car)), f'"{cid}"'))
                self.assertTrue(body == car, cid)
                head_status, head_fields, head_body = server.request("HEAD", f"/piece/{name}")
                for field in fields, head_fields:
                    field.pop("Date")
                self.assertEqual((head_status, head_fields, head_body), (status, fields, b""))

    def test_stored_and_virtual_pieces_are_their_cars(self):
        self.make_source()
        for number, flags in enumerate([("--profile", "unixfs-v1-2025", "--piece-size", "4MiB"),
                                        ("--profile", "unixfs-v0-2015", "--piece-size", "8MiB", "--dedup", "blocks"),
                                        ("--dedup", "none")]):
            with self.subTest(flags):
                self.out = self.temp / f"out-{number}"
                shutil.rmtree(self.temp / "stored", ignore_errors=True)
                stored, cars = self.cars(*flags)
                v1_of = {p["piece_cid_v2"]: p["piece_cid_v1"] for p in self.pack(
                    self.source, "--out", stored, *flags)["pieces"]}
                for directory in stored, self.out:
                    server = self.serve("--dir", directory)
                    self.assertEqual(server.piece_count, len(cars))
                    self.check_whole(server, cars, v1_of)
                    self.check_ranges(server, cars, 60 // len(cars))
                    self.assertEqual(server.stop(), (0, ""))

    def test_many_readers_of_one_virtual_piece(self):
        self.make_source()
        _, cars = self.cars()
        server = self.serve("--dir", self.out)
        (cid, car), = cars.items()
        with ThreadPoolExecutor(8) as readers:
            bodies = list(readers.map(lambda range_: (server.get(f"/piece/{cid}", Range=range_[0])[2], range_),
                                      self.ranges(len(car), 64, 5)))
        for body, (value, begin, end) in bodies:
            self.assertTrue(body == car[begin:end], value)

    def test_a_store_without_cars(self):
        exported = self.temp / "export.car"
        self.make_source()
        first = self.pack_one(self.source, "--out", self.temp / "first", "--profile", "unixfs-v0-2015")
        shutil.copy(first["car"], exported)
        self.source = exported
        _, cars = self.cars("--piece-size", "4MiB")
        self.assertGreater(len(cars), 1)
        self.check_ranges(self.serve("--dir", self.out), cars, 40)

    def test_a_changed_source_is_never_sent(self):
        self.make_source()
        _, cars = self.cars()
        (cid, car), = cars.items()
        victim = self.source / "copy"  # comes before its equal
        stamp = victim.stat()
        content = bytearray(victim.read_bytes())
        at = car.index(content[3 << 20:4 << 20]) + 100  # in its fourth chunk
        content[(3 << 20) + 100] ^= 1
        victim.write_bytes(content)
        os.utime(victim, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # size and mtime are those of the plan
        server = self.serve("--dir", self.out)
        status, _, body = server.get(f"/piece/{cid}", Range=f"bytes={at}-{at}")
        self.assertEqual((status, body), (503, b"the piece cannot be given out now\n"))
        self.assertEqual(server.request("HEAD", f"/piece/{cid}", Range=f"bytes={at}-{at}")[0], 503)
        with self.assertRaises(http.client.IncompleteRead) as cut:  # a segment further on: the connection ends
            server.get(f"/piece/{cid}", Range=f"bytes={at - 2 * SEGMENT_BYTES}-")
        self.assertTrue(car[at - 2 * SEGMENT_BYTES:].startswith(cut.exception.partial))
        victim.unlink()
        self.assertEqual(server.get(f"/piece/{cid}", Range=f"bytes={at}-{at}")[0], 503)
        code, err = server.stop()
        self.assertEqual(code, 0)
        self.assertIn("a source has changed and kept its size and times", err)
        self.assertIn("copy", err)

    def test_files_that_were_left_out(self):
        self.make_source()
        plan = self.temp / "plan"
        self.check(harness.run("plan", self.source, "--out", plan), 0)
        (self.source / "d1/file 1").unlink()
        results = [self.check(harness.run("pack", "--plan", plan, "--all", "--out", out, "--on-source-error", "skip",
                                          "--json", *flags), 0).json()["pieces"][0]
                   for out, flags in ((self.temp / "stored", ()), (self.out, ("--no-car",)))]
        cars = {results[0]["piece_cid_v2"]: Path(results[0]["car"]).read_bytes()}
        self.check_ranges(self.serve("--dir", self.out, "--scratch", self.temp), cars, 30)

    def test_conditions(self):
        harness.make_tree(self.source, {"a": b"content" * 100})
        piece = self.pack_one(self.source, "--out", self.out)
        path, tag = f"/piece/{piece['piece_cid_v1']}", f'"{piece["piece_cid_v2"]}"'
        server = self.serve("--dir", self.out)
        self.assertEqual(server.get(path, If_None_Match=tag)[0], 304)
        self.assertEqual(server.get(path, If_None_Match=f'"other", W/{tag}')[0], 304)
        self.assertEqual(server.get(path, If_None_Match='"other"')[0], 200)
        self.assertEqual(server.get(path, Range="bytes=0-9", If_Range=tag)[0], 206)
        self.assertEqual(server.get(path, Range="bytes=0-9", If_Range='"other"')[0], 200)
        status, fields, _ = server.get(path, Range="bytes=99999-")
        self.assertEqual((status, fields["Content-Range"]), (416, f"bytes */{piece['payload_bytes']}"))

    def test_what_is_not_there(self):
        harness.make_tree(self.source, {"a": b"content"})
        piece = self.pack_one(self.source, "--out", self.out)
        server = self.serve("--dir", self.out)
        other = piece["piece_cid_v1"][:-3] + "aaa"
        for path in ("/", "/piece/", "/piece/nonsense", f"/piece/{other}", f"/piece/{piece['root_cid']}",
                     "/piece/../receipts", f"/piece/%2e%2e/{piece['piece_cid_v1']}.car", "/piece/" + "a" * 5000):
            self.assertEqual(server.get(path)[0], 404, path)
        status, fields, _ = server.request("PUT", "/piece/x")
        self.assertEqual((status, fields["Allow"]), (405, "GET, HEAD"))
        self.assertEqual(server.get("/health")[2], b"ok\n")
        self.assertIn(b"piecework_serve_pieces 1\n", server.get("/metrics")[2])

    def test_pieces_that_come_later(self):
        harness.make_tree(self.source, {"a": b"content"})
        self.out.mkdir()
        server = self.serve("--dir", self.out)
        self.assertEqual(server.piece_count, 0)
        piece = self.pack_one(self.source, "--out", self.out)
        for _ in range(100):
            if server.get(f"/piece/{piece['piece_cid_v2']}")[0] == 200:
                break
            time.sleep(0.05)
        else:
            self.fail("a new piece is not found")

    def test_tokens(self):
        harness.make_tree(self.source, {"a": b"content"})
        path = "/piece/" + self.pack_one(self.source, "--out", self.out)["piece_cid_v2"]
        tokens = self.temp / "tokens"
        tokens.write_text(f"# providers\nf01000 {TOKEN}\nf01001 another-token-of-length\n")
        tokens.chmod(0o600)
        server = self.serve("--dir", self.out, "--tokens", tokens)
        for value in (None, TOKEN, "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x",
                      f"Bearer {TOKEN[:-1]}", f"Bearer  {TOKEN}"):
            status, fields, _ = server.get(path, **({} if value is None else {"Authorization": value}))
            self.assertEqual((status, fields.get("WWW-Authenticate")), (401, "Bearer"), value)
        self.assertEqual(server.get(path, Authorization=f"Bearer {TOKEN}")[0], 200)
        self.assertEqual(server.get(path, Authorization="bearer another-token-of-length")[0], 200)
        self.assertEqual(server.get("/health")[0], 200)
        self.assertIn(b"piecework_serve_refused_total 9\n", server.get("/metrics")[2])

    def test_usage(self):
        harness.make_tree(self.source, {"a": b"content"})
        self.pack_one(self.source, "--out", self.out)
        tokens = self.temp / "tokens"
        for text, mode, message in ((f"a {TOKEN}\n", 0o644, "can be read by others"), ("a short\n", 0o600, "line 1"),
                                    ("# nothing\n", 0o600, "has no token"), (f"{TOKEN}\n", 0o600, "line 1")):
            tokens.write_text(text)
            tokens.chmod(mode)
            failed = self.check(harness.run("serve", "--dir", self.out, "--tokens", tokens), 64)
            self.assertIn(message, failed.err.decode())
            self.assertNotIn(TOKEN, failed.err.decode())
        for listen, code in (("0.0.0.0:0", 64), ("nowhere:80", 64), ("127.0.0.1", 64), ("127.0.0.1:x", 64),
                             ("127.0.0.1:70000", 64)):
            self.check(harness.run("serve", "--dir", self.out, "--listen", listen), code)
        self.check(harness.run("serve", "--dir", self.temp / "missing"), 66)
        first = self.serve("--dir", self.out)
        self.check(harness.run("serve", "--dir", self.out, "--listen", f"127.0.0.1:{first.port}"), 69)

    def test_hostile_clients(self):
        """Slow, cut and senseless requests hold up nobody, and too many connections are not all taken."""
        self.make_source()
        _, cars = self.cars()
        (cid, car), = cars.items()
        server = self.serve("--dir", self.out, "--connections", "8", "--idle-seconds", "2")
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(6)]
        self.addCleanup(lambda: [s.close() for s in idle])
        idle[0].sendall(b"GET /piece/" + cid.encode())
        idle[1].sendall(b"\x00\xff\r\n\r\n")
        idle[2].sendall(b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 100000)
        idle[3].sendall(f"GET /piece/{cid} HTTP/1.1\r\nHost: a\r\n\r\n".encode())  # and never reads
        self.assertTrue(server.get(f"/piece/{cid}")[2] == car)
        for _ in range(20):  # cut in the midst of a body
            with socket.create_connection(("127.0.0.1", server.port)) as cut:
                cut.sendall(f"GET /piece/{cid} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                cut.recv(1000)
        time.sleep(3)  # idle ones are closed
        more = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(30)]
        for s in more:
            s.close()
        self.assertTrue(self.get_when_there_is_room(server, f"/piece/{cid}") == car)
        self.assertEqual(server.stop()[0], 0)

    @staticmethod
    def get_when_there_is_room(server, path):
        """The body; a connection may be refused while the server has not yet seen that others are closed."""
        for _ in range(100):
            with contextlib.suppress(ConnectionError, http.client.BadStatusLine):
                return server.get(path)[2]
            time.sleep(0.1)
        raise AssertionError("all connections are refused")

    def test_rate(self):
        """With a rate the bytes are the same, and a stop does not wait for them."""
        harness.make_tree(self.source, {"a": harness.noise("rate", 1 << 20)})
        piece = self.pack_one(self.source, "--out", self.out)
        server = self.serve("--dir", self.out, "--rate", "4MiB")
        self.assertTrue(server.get("/piece/" + piece["piece_cid_v1"])[2] == Path(piece["car"]).read_bytes())
        slow = self.serve("--dir", self.out, "--rate", "1KiB")
        with socket.create_connection(("127.0.0.1", slow.port)) as client:
            client.sendall(f"GET /piece/{piece['piece_cid_v1']} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            client.recv(100)
            self.assertEqual(slow.stop()[0], 0)

    def test_other_clients(self):
        """curl and wget, and both behind nginx, where they are installed."""
        self.make_source()
        _, cars = self.cars()
        (cid, car), = cars.items()
        server = self.serve("--dir", self.out)
        ports = [server.port]
        if shutil.which("nginx"):
            ports.append(self.start_nginx(server.port))
        got = self.temp / "got"
        for port in ports:
            url = f"http://127.0.0.1:{port}/piece/{cid}"
            for command in (["curl", "-sSf", "-o", got, url], ["wget", "-q", "-O", got, url]):
                if shutil.which(command[0]) is None:
                    continue
                subprocess.run(command, check=True, timeout=TIMEOUT_S)
                self.assertTrue(got.read_bytes() == car, command)
            if shutil.which("curl"):
                got.write_bytes(car[:1234567])  # goes on where an earlier try was cut
                subprocess.run(["curl", "-sSf", "-C", "-", "-o", got, url], check=True, timeout=TIMEOUT_S)
                self.assertTrue(got.read_bytes() == car)

    def start_nginx(self, upstream_port):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        folder = self.temp / "nginx"
        folder.mkdir()
        folders = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "conf").write_text(
            f"daemon off; pid {folder}/pid; error_log {folder}/error; worker_processes 1; events {{}}\n"
            f"http {{ access_log off; {folders} server {{ listen 127.0.0.1:{port};"
            f" location / {{ proxy_pass http://127.0.0.1:{upstream_port}; proxy_buffering off; }} }} }}\n")
        nginx = subprocess.Popen(["nginx", "-e", str(folder / "error"), "-c", str(folder / "conf")])
        self.addCleanup(nginx.wait)
        self.addCleanup(nginx.terminate)
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return port
            time.sleep(0.05)
        raise unittest.SkipTest("nginx does not start")


if __name__ == "__main__":
    harness.main()
