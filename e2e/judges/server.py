"""The programs under test: where they are, how they are started, awaited and stopped."""

import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

E2E = Path(__file__).resolve().parent.parent
ROOT = E2E.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
GABIER = Path(os.environ.get("GABIER_BIN", TARGET / "release" / "gabier"))
CONFORMANCE_SERVER = Path(
    os.environ.get("CONFORMANCE_SERVER_BIN", TARGET / "release" / "examples" / "conformance-server")
)
# Node 22 is a package of its own; npm 9 leaves it out of `.bin`, so it is called where it lies.
ARCHITECTURE = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
NODE = E2E / "node_modules" / f"node-linux-{ARCHITECTURE}" / "bin" / "node"


def module(path):
    """A file of an npm package of the e2e folder."""
    return str(E2E / "node_modules" / path)


def free_port():
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Home:
    """A fresh home with a clean environment: no setting of the user leaks in, and the data directory is new."""

    def __init__(self, config=""):
        self.path = Path(tempfile.mkdtemp(prefix="gabier-e2e-"))
        self.env = {"HOME": str(self.path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        if config:
            folder = self.path / ".config" / "gabier"
            folder.mkdir(parents=True)
            (folder / "config.toml").write_text(config, encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Server:
    """A server on an ephemeral loopback port, alive between `with` and its end."""

    def __init__(self, command, env, port, ready="/ready"):
        self.command = [str(part) for part in command]
        self.env = env
        self.port = port
        self.ready = ready
        self.base = f"http://127.0.0.1:{port}"
        self.mcp = f"{self.base}/mcp"
        self.log = tempfile.TemporaryFile()
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, env=self.env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        try:
            self._wait_until_ready(20)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        """The process id of the running server."""
        return self.process.pid

    def stop(self):
        """Ends the process by its id and waits for it; gives back its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def output(self):
        """What the server wrote to stdout and stderr so far, its last 4,000 bytes."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:]

    def _wait_until_ready(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.command[0]} ended with {self.process.returncode}:\n{self.output()}")
            if self._answers():
                return
            time.sleep(0.02)
        raise RuntimeError(f"{self.command[0]} not ready after {seconds} s:\n{self.output()}")

    def _answers(self):
        try:
            with urllib.request.urlopen(self.base + self.ready, timeout=2) as answer:
                return answer.status == 200
        except urllib.error.HTTPError as error:
            return self.ready != "/ready" and error.code < 500
        except OSError:
            return False


def serve(home, *extra, env=None):
    """`gabier serve` in the given home."""
    port = free_port()
    return Server([GABIER, "serve", "--port", port, *extra], {**home.env, **(env or {})}, port)


def conformance_server(home):
    """The kit's conformance server, which has the tools, prompts and resources that the suites name."""
    port = free_port()
    return Server([CONFORMANCE_SERVER, "serve", "--port", port], home.env, port)
