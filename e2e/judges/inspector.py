"""The official inspector's command line: every era over HTTP and stdio, and the legacy SSE transport."""

import json
import subprocess

from report import judge
from server import GABIER, NODE, Home, module, serve

INSPECTOR = module("@modelcontextprotocol/inspector/clients/launcher/build/index.js")
TOKEN = "bootstrap-token-of-the-inspector-judge-0123456789"
ERAS = ["legacy", "auto", "modern"]


def inspect(home, *arguments):
    """Runs the inspector and gives back what it said; its own files go into the fresh home."""
    command = [NODE, INSPECTOR, "--cli", *arguments]
    return subprocess.run(
        command, env=home.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


def list_and_call(report, home, where, options, target):
    """A strict tools/list and one call; the strict list ends with 6 when a schema is not portable."""
    options = [*options, "--format", "json"]
    listed = inspect(home, *options, "--method", "tools/list", "--strict", *target)
    names = [tool["name"] for tool in json_in(listed.stdout).get("tools", [])]
    report.check(
        f"{where}: a strict tools/list finds the calculator",
        listed.returncode == 0 and "calculator" in names,
        f"exit {listed.returncode}, {names} {listed.stderr[-600:]}",
    )
    arguments = json.dumps({"expression": "2 + 2 * 3"})
    call = ["--method", "tools/call", "--tool-name", "calculator", "--tool-args-json", arguments]
    called = inspect(home, *options, *call, *target)
    result = json_in(called.stdout)
    data = result.get("structuredContent", {}).get("data", {})
    report.check(
        f"{where}: calculator answers 8",
        called.returncode == 0 and str(data.get("result")) == "8",
        f"exit {called.returncode}, {called.stdout[-300:]} {called.stderr[-300:]}",
    )


def json_in(text):
    """The JSON object a command printed; empty when there is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found.get("result", found)


def main(report):
    with Home() as home, serve(home) as server:
        for era in ERAS:
            list_and_call(report, home, f"HTTP, {era}", ["--protocol-era", era], [server.mcp])
        sse = ["--transport", "sse", "--protocol-era", "legacy"]
        list_and_call(report, home, "SSE, legacy", sse, [f"{server.base}/sse"])
        # Tools of a profile are a matter of the list's URL, so the widest list is judged too.
        everything = inspect(home, "--method", "tools/list", "--strict", f"{server.mcp}?profile=all")
        report.equal("HTTP: the whole list is portable under --strict", everything.returncode, 0)
    with Home() as home, serve(home, env={"AUTH_TOKEN": TOKEN}) as server:
        bearer = ["--header", f"Authorization: Bearer {TOKEN}"]
        list_and_call(report, home, "HTTP with a token", bearer, [server.mcp])
        refused = inspect(home, "--method", "tools/list", server.mcp)
        report.equal("HTTP without the token: an authentication error", refused.returncode, 3)
    with Home() as home:
        for era in ERAS:
            list_and_call(report, home, f"stdio, {era}", ["--protocol-era", era], [GABIER, "mcp"])


judge(main)
