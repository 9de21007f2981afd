"""A word counter: GET / is a form, POST / answers with the count. The standard library alone."""

import argparse
import html
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

BODY_BYTES_MAX = 64 * 1024
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Word counter</title>
<style>
  :root {{ color-scheme: light dark }}
  body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 4rem auto; padding: 0 1.5rem }}
  textarea {{ width: 100%; box-sizing: border-box; font: inherit; padding: .6rem }}
</style>
<h1>Word counter</h1>
<form method="post"><textarea name="text" rows="5">{text}</textarea><p><button>Count</button> {result}</p></form>
</html>
"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(PAGE.format(text="", result=""))

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        if length > BODY_BYTES_MAX:
            self.close_connection = True
            self.answer("too long\n", status=413)
            return
        text = parse_qs(self.rfile.read(length).decode("utf-8", "replace")).get("text", [""])[0]
        self.answer(PAGE.format(text=html.escape(text), result=f"{len(text.split())} words"))

    def answer(self, page, status=200):
        body = page.encode()
        self.send_response(status)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"listening on port {port}", flush=True)
    ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()
