"""Progress through the unmodified SDK, in a process of its own: it reads its environment once."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.handler.conftest import REPOSITORY

SCRIPT = """
import asyncio
from contract.result import Progress
from handler.adapters.runpod_progress import RunPodProgress

async def send():
    sink = RunPodProgress("runpod-1")
    for seq in range(1, 6):
        message = Progress(
            job_id="j", dispatch=1, run=1, seq=seq, progress=seq / 5, current_step="Paint"
        )
        await sink.send_progress(message)

asyncio.run(send())
"""


class ControlPlane(BaseHTTPRequestHandler):
    posts: list[tuple[str, dict[str, object]]] = []  # noqa: RUF012  # one server, one list

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.posts.append((self.path, json.loads(body)))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def test_progress_arrives_in_order_before_the_sender_goes_on() -> None:
    server = HTTPServer(("127.0.0.1", 0), ControlPlane)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/job-done/$RUNPOD_POD_ID/$ID?gpu=none"
    environ = {
        **os.environ,
        "RUNPOD_WEBHOOK_POST_OUTPUT": url,
        "RUNPOD_POD_ID": "pod",
        "RUNPOD_AI_API_KEY": "key",
    }
    try:
        subprocess.run([sys.executable, "-c", SCRIPT], cwd=REPOSITORY, env=environ, check=True)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert {path for path, _ in ControlPlane.posts} == {
        "/job-done/pod/runpod-1?gpu=none&isStream=false"
    }
    outputs = [body["output"] for _, body in ControlPlane.posts]
    assert [output["seq"] for output in outputs if isinstance(output, dict)] == [1, 2, 3, 4, 5]
    assert {body["status"] for _, body in ControlPlane.posts} == {"IN_PROGRESS"}
