"""The curl lines people paste, without any set-up: no token, no session, no Accept header."""

import json
import socket
import subprocess

from report import judge
from server import Home, free_port, serve


def curl(*arguments):
    """Runs curl as typed; gives back the status, the content type and the body as JSON."""
    marker = "\n%{http_code} %{content_type}"
    done = subprocess.run(
        ["curl", "-sS", "-m", "20", "-w", marker, *arguments], capture_output=True, text=True, timeout=30
    )
    body, _, tail = done.stdout.rpartition("\n")
    status, _, kind = tail.partition(" ")
    return int(status or 0), kind, json.loads(body) if "json" in kind else body


def post(url, body):
    """`curl -X POST URL -H "Content-Type: application/json" -d BODY`."""
    return curl("-X", "POST", url, "-H", "Content-Type: application/json", "-d", json.dumps(body))


def health_and_list(report, base):
    status, kind, body = curl(f"{base}/health")
    report.equal("GET /health: 200", status, 200)
    report.check("GET /health: JSON", kind.startswith("application/json"), kind)
    report.equal("GET /health: status and transport", (body["status"], "transport" in body), ("ok", True))
    report.check("GET /health: its other keys", {"service", "version", "uptime_s"} <= set(body), body)
    status, _, body = curl(f"{base}/tools")
    names = [tool["name"] for tool in body.get("data", body)["tools"]]
    report.equal("GET /tools: 200", status, 200)
    wanted = {"ping_host", "port_scan", "dns_lookup", "network_interfaces", "http_request", "system_info",
              "disk_usage", "process_list", "check_service", "calculator", "read_file", "web_search"}
    report.equal("GET /tools: the twelve tools of the seed", wanted - set(names), set())
    report.check("GET /tools: no admin tool without a token", not [n for n in names if n.startswith("admin_")], names)


def short_routes(report, base):
    status, _, body = curl(f"{base}/tools/system-info")
    report.equal("GET /tools/system-info: 200 and ok", (status, body["status"]), (200, "ok"))
    sections = {"general", "cpu", "memory", "disk", "network", "processes"}
    report.equal("GET /tools/system-info: every section", sections - set(body["data"]), set())
    for route, host in (("/tools/ping", "localhost"), ("/call/ping_host", "127.0.0.1")):
        status, _, body = post(base + route, {"host": host, "count": 2})
        data = body.get("data", {})
        found = (status, body["status"], data.get("sent"), data.get("received"), data.get("loss_percent"))
        report.equal(f"POST {route}: 2 sent, 2 received", found, (200, "ok", 2, 2, 0))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        opened, closed = listener.getsockname()[1], free_port()
        status, _, body = post(f"{base}/tools/port-scan", {"host": "localhost", "ports": f"{opened},{closed}"})
    data = body.get("data", {})
    report.equal("POST /tools/port-scan: 200 and ok", (status, body["status"]), (200, "ok"))
    report.equal(
        "POST /tools/port-scan: one open, one closed",
        (ports(data.get("open")), ports(data.get("closed")), data.get("scanned")),
        ([opened], [closed], 2),
    )
    status, _, body = post(f"{base}/tools/calculator", {"expression": "2 + 2 * 3"})
    found = (status, body["status"], str(body["data"]["result"]), body["data"]["expression"])
    report.equal("POST /tools/calculator: 8", found, (200, "ok", "8", "2 + 2 * 3"))
    status, _, body = post(f"{base}/tools/calculator", {"expression": "1/0"})
    report.equal("POST /tools/calculator: 1/0 is refused", (status, body["code"]), (422, "INVALID_ARGUMENT"))


def ports(found):
    """Port numbers, whether given bare or as objects."""
    return [port["port"] if isinstance(port, dict) else port for port in found or []]


def bare_mcp(report, base):
    request = {"jsonrpc": "2.0", "method": "tools/list", "id": "1"}
    for how, headers in (("as curl sends it", []), ("without Accept", ["-H", "Accept:"])):
        status, kind, body = curl(
            "-X", "POST", f"{base}/mcp", "-H", "Content-Type: application/json", *headers, "-d", json.dumps(request)
        )
        report.equal(f"POST /mcp tools/list, {how}: 200", status, 200)
        report.check(f"POST /mcp tools/list, {how}: one plain JSON answer", kind.startswith("application/json"), kind)
        report.equal(f"POST /mcp tools/list, {how}: its id is a string", (body["jsonrpc"], body["id"]), ("2.0", "1"))
        report.check(f"POST /mcp tools/list, {how}: tools", len(body["result"]["tools"]) >= 12, body)
    call = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "system_info", "arguments": {}}, "id": "2"}
    status, _, body = post(f"{base}/mcp", call)
    result = body["result"]
    report.equal("POST /mcp tools/call system_info: 200, id", (status, body["id"]), (200, "2"))
    report.equal("POST /mcp tools/call system_info: ok", result["structuredContent"]["status"], "ok")
    report.check("POST /mcp tools/call system_info: no error", not result.get("isError"), result)
    text = json.loads(result["content"][0]["text"])
    report.equal("POST /mcp tools/call system_info: the text block says the same", text, result["structuredContent"])


def information(report, base):
    status, _, body = curl(f"{base}/")
    report.check("GET /: server information as JSON", status == 200 and isinstance(body, dict), body)


def main(report):
    with Home() as home, serve(home) as server:
        for part in (health_and_list, short_routes, bare_mcp, information):
            with report.claim(f"{part.__name__}: every line was answered"):
                part(report, server.base)


judge(main)
