"""The shipped binary with ten queues and nothing to do: less than half a percent of a core, and no byte to the disk."""

import json
import os
import time
import urllib.request
from pathlib import Path

from report import judge
from server import Home, serve

TOKEN = "whoever-keeps-this-server-may-do-everything"

# How long it is watched: half a percent of it is ten ticks of the kernel's count.
SECONDS = 20

MOST = 0.5


def call(server, tool, **arguments):
    """The status of a tool call over REST."""
    request = urllib.request.Request(
        f"{server.base}/api/v1/tools/{tool}",
        data=json.dumps(arguments).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)["status"]


def computed(pid):
    """How many seconds the process has computed, in user and system mode."""
    # The name, in parentheses, may hold spaces; both times are the 12th and the 13th field after it.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def written(pid):
    """How many bytes the process has sent to the disk."""
    lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("write_bytes:")).split()[1])


def body(report):
    with Home() as home, serve(home, env={"AUTH_TOKEN": TOKEN}) as server:
        for number in range(10):
            report.equal(f"queue {number} is there", call(server, "queue_pause", queue=f"queue-{number}"), "ok")
        report.equal("a task has run", call(server, "port_scan", host="127.0.0.1", ports="1"), "ok")
        time.sleep(5)  # what the work left to write is written
        before, begin = (computed(server.pid), written(server.pid)), time.monotonic()
        time.sleep(SECONDS)
        after, passed = (computed(server.pid), written(server.pid)), time.monotonic() - begin
        share = (after[0] - before[0]) / passed * 100
        report.check(f"idle with ten queues it uses less than {MOST} % of a core ({share:.2f} %)", share < MOST)
        report.equal("and writes nothing to the disk", after[1] - before[1], 0)


judge(body)
