"""A receiver of events that lets the library of Standard Webhooks decide what is genuine.

Arguments: the port, a file with the secret, a file that a line is added to for every request.
"""

import http.server
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

port, secret, log = int(sys.argv[1]), sys.argv[2], sys.argv[3]


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/away":
            return self.answer(302, {"location": f"http://127.0.0.1:{port}/led-astray"})
        try:
            with open(secret) as file:
                event = Webhook(file.read().strip()).verify(body, dict(self.headers))
            genuine = True
        except WebhookVerificationError:
            event, genuine = json.loads(body), False
        seen = {"path": self.path, "genuine": genuine, "id": self.headers["webhook-id"], "event": event}
        with open(log, "a") as file:
            file.write(json.dumps(seen) + "\n")
        self.answer(204 if genuine else 400, {})

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver).serve_forever()
