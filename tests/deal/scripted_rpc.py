#!/usr/bin/env python3
"""A JSON-RPC server that answers what a test told it to: POST /control/answer {"method", "reply"}; GET /control/calls.

A reply is {"result": ...}, {"error": {...}} or {"status": N, "text": "..."}. Those to one method are given in order,
the last one for ever. Prints its URL on a line and ends with its standard input.
"""
import http.server
import json
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers, calls = {}, []

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.reply(200, json.dumps(self.calls))

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/control/answer":
            self.answers.setdefault(request["method"], []).append(request["reply"])
            return self.reply(200, "{}")
        self.calls.append({"method": request["method"], "params": request["params"],
                           "authorization": self.headers.get("Authorization")})
        planned = self.answers.get(request["method"])
        if not planned:
            return self.reply(200, json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": {
                "code": -32601, "message": f"method '{request['method']}' not found"}}))
        answer = planned.pop(0) if len(planned) > 1 else planned[0]
        if "status" in answer:
            return self.reply(answer["status"], answer["text"])
        self.reply(200, json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}))

    def reply(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
