"""A tour of every tool under strace: the process starts no other program."""

import asyncio
import re
import time

from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from loopback import world
from report import judge
from server import GABIER, Home, Server, free_port
from tour import CALLS, LEAN_CALLS, walk

TOKEN = "bootstrap-token-of-the-strace-judge-0123456789"
LIMIT_S = 120


def strace(log):
    """The prefix that writes every execve of the process, its threads and children to a file.

    With `-D` strace stands beside: the process that was started is gabier itself, and signals reach it.
    """
    return ["strace", "-D", "-f", "-q", "-e", "trace=execve,execveat", "-e", "signal=none", "-o", str(log)]


def over_http(report, config, known):
    with Home(config) as home:
        known = known(home)
        port = free_port()
        known["$port"] = str(port)
        log = home.path / "strace.log"
        environment = {**home.env, "AUTH_TOKEN": TOKEN}
        command = [*strace(log), GABIER, "serve", "--port", port]
        with Server(command, environment, port) as server:
            asyncio.run(tour_over_http(report, server, known))
        only_the_start(report, "HTTP", log)


async def tour_over_http(report, server, known):
    for profile, calls in (("all", CALLS), ("lean", LEAN_CALLS)):
        http = create_mcp_http_client(headers={"Authorization": f"Bearer {TOKEN}"})
        url = f"{server.mcp}?profile={profile}"
        async with asyncio.timeout(LIMIT_S), http, Client(streamable_http_client(url, http_client=http)) as client:
            await walk(report, f"MCP HTTP, {profile}", client, calls, known)


def over_stdio(report, config, known):
    for profile, calls in (("all", CALLS), ("lean", LEAN_CALLS)):
        with Home(config) as home:
            log = home.path / "strace.log"
            asyncio.run(tour_over_stdio(report, home, profile, calls, known(home), log))
            only_the_start(report, f"stdio, {profile}", log)


async def tour_over_stdio(report, home, profile, calls, known, log):
    program, *arguments = [*strace(log), str(GABIER), "mcp", "--profile", profile]
    stdio = StdioServerParameters(command=program, args=arguments, env=home.env)
    async with asyncio.timeout(LIMIT_S), Client(stdio) as client:
        await walk(report, f"MCP stdio, {profile}", client, calls, known)


def only_the_start(report, where, log):
    """The log holds the start of the binary itself and nothing after it."""
    deadline = time.monotonic() + 10
    while "+++" not in log.read_text(encoding="utf-8").splitlines()[-1] and time.monotonic() < deadline:
        time.sleep(0.05)
    programs = re.findall(r"execve(?:at)?\(.*", log.read_text(encoding="utf-8"))
    report.check(f"{where}: 1 execve, its own start", len(programs) == 1, programs)


def main(report):
    with world() as config:
        search = re.search(r'endpoint = "(.*)"', config)[1]

        def known(home):
            file = home.path / "tour.log"
            file.write_text("one line\nthe sailor who works aloft\n", encoding="utf-8")
            return {"$file": str(file), "$search": search, "$port": "9"}

        # HTTP callers reach only files below a root that the configuration names.
        rooted = config + '\n[files]\nroots = ["/tmp"]\n'
        over_http(report, rooted, known)
        over_stdio(report, config, known)


judge(main)
