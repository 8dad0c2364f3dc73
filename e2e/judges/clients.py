"""The Python clients people use: the official `mcp` package and `fastmcp`."""

import asyncio
import urllib.error
import urllib.request

from fastmcp import Client as FastClient
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.sse import sse_client

from report import judge
from server import GABIER, Home, serve

TOKEN = "bootstrap-token-of-the-client-judge-0123456789"
MODES = {"auto": "2026-07-28", "legacy": "2025-11-25", "2026-07-28": "2026-07-28"}
SUM = {"expression": "2 + 2 * 3"}
LIMIT_S = 30


async def official(report, home, server):
    """The `mcp` client: each mode over HTTP and stdio, and the legacy SSE transport."""
    stdio = StdioServerParameters(command=str(GABIER), args=["mcp"], env=home.env)
    for mode, revision in MODES.items():
        for where, target in (("HTTP", server.mcp), ("stdio", stdio)):
            with report.claim(f"mcp client, {where}, mode {mode}: {revision} and a call"):
                async with asyncio.timeout(LIMIT_S), Client(target, mode=mode) as client:
                    expect(client.protocol_version, revision)
                    await list_and_call(client)
    with report.claim("mcp client, SSE: a list and a call"):
        async with asyncio.timeout(LIMIT_S), Client(sse_client(f"{server.base}/sse"), mode="legacy") as client:
            await list_and_call(client)


async def list_and_call(client):
    tools = await client.list_tools()
    expect("calculator" in [tool.name for tool in tools.tools], True)
    result = await client.call_tool("calculator", SUM)
    expect(result.is_error, False)
    expect(str(result.structured_content["data"]["result"]), "8")
    refused = await client.call_tool("calculator", {"expression": "1/0"})
    expect((refused.is_error, refused.structured_content["code"]), (True, "INVALID_ARGUMENT"))


async def fast(report, home, server):
    """The `fastmcp` client over every transport."""
    transports = {
        "HTTP": StreamableHttpTransport(server.mcp),
        "stdio": StdioTransport(str(GABIER), ["mcp"], env=home.env, keep_alive=False),
        "SSE": SSETransport(f"{server.base}/sse"),
    }
    for where, transport in transports.items():
        with report.claim(f"fastmcp client, {where}: a list and a call"):
            async with asyncio.timeout(LIMIT_S), FastClient(transport) as client:
                await fast_list_and_call(client)


async def fast_list_and_call(client):
    tools = await client.list_tools()
    expect("calculator" in [tool.name for tool in tools], True)
    result = await client.call_tool("calculator", SUM)
    expect(str(result.structured_content["data"]["result"]), "8")


async def bearer(report, server):
    """With a token configured: the right one works, none and a wrong one are refused."""
    with report.claim("fastmcp client, bearer token: a list and a call"):
        async with asyncio.timeout(LIMIT_S), FastClient(server.mcp, auth=TOKEN) as client:
            await fast_list_and_call(client)
    for what, auth in (("no token", None), ("a wrong token", "wrong-" + TOKEN)):
        with report.claim(f"fastmcp client, {what}: refused"):
            await expect_refusal(server, auth)


async def expect_refusal(server, auth):
    """The client is told nothing; the status that it does not pass on is asked for beside."""
    try:
        async with asyncio.timeout(LIMIT_S), FastClient(server.mcp, auth=auth) as client:
            await client.list_tools()
    except MCPError:
        pass
    else:
        raise AssertionError("the list was given without a valid token")
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {auth}"} if auth else {})
    listing = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}'
    request = urllib.request.Request(server.mcp, listing, headers)
    try:
        urllib.request.urlopen(request, timeout=LIMIT_S)
    except urllib.error.HTTPError as error:
        expect((error.code, error.headers["www-authenticate"][:6]), (401, "Bearer"))
    else:
        raise AssertionError("a bare request was answered without a valid token")


def expect(found, expected):
    if found != expected:
        raise AssertionError(f"expected {expected!r}, found {found!r}")


def main(report):
    with Home() as home, serve(home) as server:
        asyncio.run(official(report, home, server))
        asyncio.run(fast(report, home, server))
    with Home() as home, serve(home, env={"AUTH_TOKEN": TOKEN}) as server:
        asyncio.run(bearer(report, server))


judge(main)
