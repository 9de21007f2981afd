"""The application of the contract: counts requests, prints each, ends at /exit."""

import http.server
import os
import socket
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    count = 0

    def do_GET(self):
        Handler.count += 1
        print("request", Handler.count, self.path, os.environ.get("SECRET", ""), flush=True)
        parts = [f"requests={Handler.count}", "cwd=" + os.getcwd()]
        if self.path == "/environment":
            parts += [f"{name}={value}" for name, value in sorted(os.environ.items())]
        if self.path.startswith("/write/"):
            with open("written", "a") as file:
                file.write(self.path)
        if os.path.exists("written"):
            parts.append("written=" + open("written").read())
        body = "\n".join(parts + [""]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/exit":
            self.wfile.flush()
            os._exit(3)

    def log_message(self, *_):
        pass


def mute(port):
    """Takes connections and says nothing."""
    listener = socket.create_server(("127.0.0.1", port))
    kept = []
    while True:
        kept.append(listener.accept())


for argument in sys.argv[1:]:
    name, _, value = argument.partition("=")
    if name == "mute":
        threading.Thread(target=mute, args=(int(value),), daemon=True).start()
port = int(next((a[5:] for a in sys.argv if a.startswith("port=")), os.environ["PORT"]))
host = next((a[5:] for a in sys.argv if a.startswith("host=")), "127.0.0.1")
if host == "::1":
    http.server.ThreadingHTTPServer.address_family = socket.AF_INET6
print("listening", port, flush=True)
http.server.ThreadingHTTPServer((host, port), Handler).serve_forever()
