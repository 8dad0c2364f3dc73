"""One sensible call of every tool, for judges that watch what the process does meanwhile."""

# An id that no task has.
NO_TASK = "00000000-0000-4000-8000-000000000000"

# The fingerprint of no key.
FINGERPRINT = "SHA256:" + "A" * 43

# Tool -> its arguments and the outcomes that are right on any machine: statuses of the envelope or error codes.
# `$prefix` is the hash prefix of the token that `admin_create_token` gave; `$port` the server's own port.
CALLS = {
    "ping_host": ({"host": "127.0.0.1", "count": 1}, {"ok"}),
    "port_scan": ({"host": "127.0.0.1", "ports": "$port"}, {"ok"}),
    "dns_lookup": ({"name": "gabier.example"}, {"not_found"}),
    "network_interfaces": ({}, {"ok"}),
    "http_request": ({"url": "$search"}, {"ok"}),
    "web_search": ({"query": "gabier"}, {"ok"}),
    "system_info": ({}, {"ok"}),
    "disk_usage": ({}, {"ok"}),
    "process_list": ({"limit": 3}, {"ok"}),
    "check_service": ({"service": "dbus"}, {"ok", "not_found", "NOT_AVAILABLE"}),
    "log_analysis": ({"log_file": "$file", "pattern": "sailor"}, {"ok"}),
    "read_file": ({"file_path": "$file"}, {"ok"}),
    "calculator": ({"expression": "sqrt(220^2 + 110^2) * 1.732"}, {"ok"}),
    "help": ({}, {"ok"}),
    "system_health": ({}, {"ok"}),
    "system_about": ({}, {"ok"}),
    "synchronousExampleToolEnhanced": ({"data": "abc"}, {"ok"}),
    "monOutilSync": ({"donnee_entree": "abc"}, {"ok"}),
    "correctDebugContextTool": ({}, {"ok"}),
    "asynchronousTaskSimulatorEnhanced": ({"duration_ms": 100, "value1": 1, "value2": 2}, {"ok"}),
    "monOutilAsync": ({"parametre_essentiel": "abc"}, {"ok"}),
    "task_logs": ({}, {"ok"}),
    "task_queue": ({}, {"ok"}),
    "task_status": ({"id": NO_TASK}, {"NOT_FOUND"}),
    "task_wait": ({"id": NO_TASK}, {"NOT_FOUND"}),
    "task_cancel": ({"id": NO_TASK}, {"NOT_FOUND"}),
    "task_output": ({"id": NO_TASK}, {"NOT_FOUND"}),
    "task_history": ({}, {"ok"}),
    "task_retry": ({"id": NO_TASK}, {"NOT_FOUND"}),
    "queue_stats": ({}, {"ok"}),
    "dlq_list": ({}, {"ok"}),
    "dlq_get": ({"id": NO_TASK}, {"NOT_FOUND"}),
    "dlq_retry": ({"id": NO_TASK}, {"NOT_FOUND"}),
    "dlq_purge": ({"id": NO_TASK}, {"NOT_FOUND"}),
    "schedule_add": ({"name": "tour", "tool": "calculator", "arguments": {"expression": "1"}, "every_s": 3600}, {"created", "ok"}),
    "schedule_list": ({}, {"ok"}),
    "schedule_remove": ({"name": "tour"}, {"deleted", "not_found"}),
    "queue_pause": ({"queue": "spare"}, {"ok"}),
    "queue_resume": ({"queue": "spare"}, {"ok"}),
    "webhook_list": ({}, {"ok"}),
    "webhook_replay": ({"id": NO_TASK}, {"NOT_FOUND"}),
    "server_add": ({"alias": "tour", "host": "127.0.0.1", "port": 1, "user": "nobody", "agent": True}, {"warning"}),
    "server_list": ({}, {"ok"}),
    "hostkey_show": ({"alias": "tour"}, {"ok", "CONNECTION_FAILED"}),
    "server_remove": ({"alias": "tour"}, {"deleted"}),
    "hostkey_accept": ({"alias": "none", "fingerprint": FINGERPRINT}, {"NOT_FOUND"}),
    "task_exec": ({"alias": "none", "cmd": "true"}, {"NOT_FOUND"}),
    "task_exec_interactive": ({"alias": "none", "cmd": "true"}, {"NOT_FOUND"}),
    "task_exec_sequence": ({"alias": "none", "commands": ["true"]}, {"NOT_FOUND"}),
    "task_transfer": (
        {"alias": "none", "direction": "upload", "local": "$file", "remote": "tour"}, {"NOT_FOUND"}),
    "task_transfer_multi": (
        {"alias": "none", "direction": "upload", "files": [{"local": "x", "remote": "y"}]}, {"NOT_FOUND"}),
    "get_system_resources": ({"alias": "none"}, {"NOT_FOUND"}),
    "get_services_status": ({"alias": "none"}, {"NOT_FOUND"}),
    "get_fail2ban_status": ({"alias": "none"}, {"NOT_FOUND"}),
    "get_pm2_logs": ({"alias": "none"}, {"NOT_FOUND"}),
    "get_docker_logs": ({"alias": "none", "container": "web"}, {"NOT_FOUND"}),
    "tail_file": ({"alias": "none", "filepath": "/etc/hostname"}, {"NOT_FOUND"}),
    "check_api_health": ({"alias": "none", "url": "http://127.0.0.1:1/"}, {"NOT_FOUND"}),
    "pool_stats": ({}, {"ok"}),
    "api_add": ({"alias": "tour", "url": "https://gabier.example/"}, {"created"}),
    "api_list": ({}, {"ok"}),
    "api_check": ({"alias": "tour"}, {"ok"}),
    "api_remove": ({"alias": "tour"}, {"deleted"}),
    "system_diagnostics": ({}, {"ok"}),
    "admin_create_token": ({"client_name": "tour"}, {"created"}),
    "admin_list_tokens": ({}, {"ok"}),
    "admin_update_token": ({"token_hash_prefix": "$prefix", "set_email": "a@gabier.example"}, {"ok"}),
    "admin_revoke_token": ({"token_hash_prefix": "$prefix"}, {"deleted", "ok"}),
}

# What the profile `lean` adds.
LEAN_CALLS = {
    "tool_search": ({"query": "disk"}, {"ok"}),
    "tool_describe": ({"name": "disk_usage"}, {"ok"}),
    "tool_call": ({"name": "calculator", "arguments": {"expression": "1 + 1"}}, {"ok"}),
}


async def walk(report, where, client, calls, known):
    """Calls every tool that the client is shown; a tool without an entry here is a failure."""
    listed = [tool.name for tool in (await client.list_tools()).tools]
    forgotten = sorted(set(listed) - set(CALLS) - set(LEAN_CALLS))
    report.check(f"{where}: the tour knows every listed tool", not forgotten, forgotten)
    missing = sorted(set(calls) - set(listed))
    report.check(f"{where}: every tool of the tour is listed", not missing, missing)
    for name, (arguments, right) in calls.items():
        if name not in listed:
            continue
        with report.claim(f"{where}: {name} answers"):
            result = await client.call_tool(name, fill(arguments, known))
            envelope = result.structured_content
            outcome = envelope["code"] if result.is_error else envelope["status"]
            if outcome not in right:
                raise AssertionError(f"{outcome} is none of {sorted(right)}: {envelope}")
            known["$prefix"] = envelope.get("data", {}).get("token_hash_prefix", known.get("$prefix"))


def fill(arguments, known):
    """The arguments with their placeholders replaced."""
    return {name: known.get(value, value) if isinstance(value, str) else value for name, value in arguments.items()}
