"""FastMCP's echo server: over HTTP on the port given, over stdio without one."""

import sys

from fastmcp import FastMCP

server = FastMCP("echo")


@server.tool
def echo(text: str) -> dict:
    """Say the text back."""
    return {"text": text}


if len(sys.argv) > 1:
    # Its fastest set-up: uvloop and httptools, no access log, no sessions.
    server.run(
        transport="http",
        host="127.0.0.1",
        port=int(sys.argv[1]),
        stateless_http=True,
        show_banner=False,
        log_level="error",
        uvicorn_config={"loop": "uvloop", "http": "httptools", "access_log": False},
    )
else:
    server.run(show_banner=False, log_level="error")
