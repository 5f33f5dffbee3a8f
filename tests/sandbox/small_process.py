"""A process for the supervisor's tests: `python -m tests.sandbox.small_process KIND [PORT]`.

Kinds: `serve` (answers 200 on PORT), `fail` (says why and exits 3), `stubborn` (ignores SIGTERM),
`parent` (starts a child in a session of its own), `idle`.
"""

import http.server
import signal
import subprocess
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


def main() -> int:
    kind = sys.argv[1]
    print(f"{kind} runs", flush=True)
    if kind == "serve":
        http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
    if kind == "fail":
        print("the reason why", file=sys.stderr)
        return 3
    if kind == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ignores SIGTERM", flush=True)
    if kind == "parent":
        subprocess.Popen([sys.executable, __file__, "idle"], start_new_session=True)
    time.sleep(600)
    return 0


if __name__ == "__main__":
    sys.exit(main())
