"""Webhooks of real tasks: the official verifier of Standard Webhooks and a receiver of the older convention accept the
same request, and nothing that was changed on the way."""

import base64
import hashlib
import hmac
import json
import queue
import subprocess
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from report import judge
from server import E2E, NODE, Home, serve

TOKEN = "bootstrap-token-of-the-webhook-judge-0123456789"
SECRETS = {
    "base64": "whsec_" + base64.b64encode(b"a key of thirty-two bytes, exactly").decode(),
    "text": "a secret that is plain text, and long enough",
}


class Receiver(BaseHTTPRequestHandler):
    """Takes every request as it is and accepts it."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.put(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Stays silent."""


def verdict(secret, headers, body):
    """What the official verifier says."""
    line = json.dumps({"secret": secret, "headers": headers, "body": body.decode()})
    done = subprocess.run(
        [NODE, E2E / "judges" / "webhooks.mjs"], input=line + "\n", capture_output=True, text=True, timeout=30, check=True
    )
    return json.loads(done.stdout)


def old_convention(secret, headers, body):
    """As 000's receivers check it: HMAC-SHA256 of the body's bytes, in hexadecimal, without a prefix."""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, headers.get("x-webhook-signature-256", ""))


def call(server, tool, arguments):
    request = urllib.request.Request(
        f"{server.base}/api/v1/tools/{tool}", json.dumps(arguments).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["data"]


def deliveries(report, kind, secret):
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    receiver.requests = queue.Queue()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    port = receiver.server_address[1]
    config = f'[[egress.allow]]\ncidr = "127.0.0.1"\nport = {port}\ntool = "webhook"\n'
    try:
        with Home(config) as home, serve(home, env={"AUTH_TOKEN": TOKEN, "WEBHOOK_SECRET": secret}) as server:
            arguments = {"duration_ms": 100, "value1": 1, "value2": 2, "callback_url": f"http://127.0.0.1:{port}/hook"}
            task = call(server, "asynchronousTaskSimulatorEnhanced", arguments)
            for status in ["processing", "completed"]:
                headers, body = receiver.requests.get(timeout=30)
                told = json.loads(body)
                report.equal(f"{kind} secret: {status}: the task", (told["taskId"], told["status"]), (task["id"], status))
                report.equal(f"{kind} secret: {status}: X-Task-ID", headers.get("x-task-id"), task["id"])
                report.equal(f"{kind} secret: {status}: the official verifier", verdict(secret, headers, body), "accepted")
                report.check(f"{kind} secret: {status}: the older convention", old_convention(secret, headers, body), headers)
                forged = body.replace(b"taskId", b"taskid")
                report.check(f"{kind} secret: {status}: forged, refused", verdict(secret, headers, forged) != "accepted")
                report.check(f"{kind} secret: {status}: forged, refused by both", not old_convention(secret, headers, forged))
            report.equal(f"{kind} secret: the result", told["result"]["calcRes"], 3)
    finally:
        receiver.shutdown()
        receiver.server_close()


def main(report):
    for kind, secret in SECRETS.items():
        deliveries(report, kind, secret)


judge(main)
