"""The stdio server as a client's child process: quick to answer, silent but for the protocol, gone at the end of input."""

import json
import statistics
import subprocess
import time
from pathlib import Path

from report import judge
from server import GABIER, Home

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "judge", "version": "1"}},
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def call(number, tool, **arguments):
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


class Child:
    """`gabier mcp` on pipes."""

    def __init__(self, home):
        self.begin = time.monotonic()
        self.process = subprocess.Popen(
            [GABIER, "mcp"], env=home.env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def say(self, message):
        line = message if isinstance(message, str) else json.dumps(message)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self, number):
        """The answer with that id; every line until then must be a JSON-RPC message."""
        for line in self.process.stdout:
            message = json.loads(line)
            if isinstance(message, list):
                continue  # the answers to a batch
            if message["jsonrpc"] == "2.0" and message.get("id") == number and "method" not in message:
                return message
        raise AssertionError(f"the output ended before answer {number}")

    def leave(self):
        """Closes the input; gives back the seconds until the process ended, and what it still said."""
        self.process.stdin.close()
        begin = time.monotonic()
        rest = self.process.stdout.read()
        self.process.wait(10)
        return time.monotonic() - begin, rest

    def memory_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


def start_and_rest(report, home):
    times = []
    for _ in range(9):
        with Child(home) as child:
            child.say(INITIALIZE)
            child.hear(1)
            times.append((time.monotonic() - child.begin) * 1000)
            child.say(INITIALIZED)
            time.sleep(0.3)
            memory = child.memory_mb()
    median = statistics.median(times)
    report.check(f"the first answer comes within 50 ms (median of 9: {median:.1f} ms)", median < 50, times)
    report.check(f"at rest it takes less than 30 MB ({memory:.1f} MB)", memory < 30)


def end_of_input(report, home):
    with Child(home) as child:
        child.say(INITIALIZE)
        child.hear(1)
        seconds, rest = child.leave()
        report.check(f"end of input ends it within 1 s ({seconds:.2f} s)", seconds < 1)
        report.equal("it leaves with exit code 0", child.process.returncode, 0)
        report.equal("it says nothing more", rest, "")
    with Child(home) as child:
        child.say(INITIALIZE)
        child.hear(1)
        child.say(INITIALIZED)
        child.say(call(2, "ping_host", host="127.0.0.1", count=20))
        time.sleep(0.3)
        report.check("a long call is running", child.process.poll() is None)
        seconds, rest = child.leave()
        report.check(f"end of input ends it within 1 s, a call running ({seconds:.2f} s)", seconds < 1)
        spoken = all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
        report.check("what it still says is protocol", spoken, rest)


def odd_first_lines(report, home):
    odd = {
        "a notification": INITIALIZED,
        "garbage": "hello, is this thing on?",
        "an empty line": "",
        "broken JSON": '{"jsonrpc": "2.0", "id": 1, "method"',
        "a batch": json.dumps([{"jsonrpc": "2.0", "id": 7, "method": "ping"}]),
    }
    for what, line in odd.items():
        with Child(home) as child, report.claim(f"{what} as its first line does not end it"):
            child.say(line)
            child.say({**INITIALIZE, "id": 99})
            child.hear(99)
            child.say(INITIALIZED)
            child.say(call(100, "calculator", expression="2 + 2 * 3"))
            answer = child.hear(100)["result"]["structuredContent"]
            if str(answer["data"]["result"]) != "8":
                raise AssertionError(answer)


def main(report):
    with Home() as home:
        for part in (start_and_rest, end_of_input, odd_first_lines):
            with report.claim(f"{part.__name__}: seen to the end"):
                part(report, home)


judge(main)
