"""The official conformance suites, against the conformance server and against the shipped binary."""

import json
import subprocess
import tempfile
from pathlib import Path

import yaml

from report import judge
from server import E2E, NODE, Home, conformance_server, module, serve

STABLE = module("conformance/dist/index.js")
NEXT = module("conformance-next/dist/index.js")

SUITES = {
    "0.1.16 all": (STABLE, "--suite", "all"),
    "0.2.0-alpha.12 2025-11-25": (NEXT, "--requirements", "2025-11-25"),
    "0.2.0-alpha.12 2026-07-28": (NEXT, "--requirements", "2026-07-28"),
}

# Scenarios that ask for no tool, resource or prompt of the suite's own: any healthy server passes them.
FIXTURES_FREE = {
    "2025-11-25": [
        "server-initialize",
        "server-session-lifecycle",
        "logging-set-level",
        "ping",
        "completion-complete",
        "tools-list",
        "resources-list",
        "resources-subscribe",
        "resources-unsubscribe",
        "prompts-list",
        "dns-rebinding-protection",
        "server-sse-polling",
        "server-sse-multiple-streams",
    ],
    "2026-07-28": [
        "completion-complete",
        "tools-list",
        "resources-list",
        "prompts-list",
        "dns-rebinding-protection",
        "server-sse-multiple-streams",
        "caching",
        "http-header-validation",
        "sep-2164-resource-not-found",
    ],
}


def run_suite(url, script, *arguments):
    """Runs a suite; gives back scenario -> its checks, and what the suite printed."""
    with tempfile.TemporaryDirectory(prefix="gabier-conformance-") as results:
        command = [NODE, script, "server", "--url", url, *arguments, "-o", results]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        scenarios = {}
        for checks in Path(results).glob("**/checks.json"):
            # `server-<scenario>-<date>T<time>Z`: the time stamp has 24 characters and a dash before it.
            scenario = checks.parent.name.removeprefix("server-")[:-25]
            scenarios[scenario] = json.loads(checks.read_text(encoding="utf-8"))
        return scenarios, done.stdout + done.stderr


def failures(checks):
    """The failed checks of a scenario, each as one line."""
    return [
        f"{check['id']}: {check.get('errorMessage') or check.get('description')}"
        for check in checks
        if check["status"] == "FAILURE"
    ]


def weigh(report, name, scenarios, printed, expected_failures):
    """Records what a suite found; an expected failure that no longer fails is a failure of the list."""
    passed, unexpected = 0, []
    for scenario, checks in sorted(scenarios.items()):
        failed = failures(checks)
        if scenario in expected_failures:
            if not failed:
                unexpected.append(f"{scenario} passes: take it out of conformance-expected.yml")
            continue
        passed += sum(check["status"] == "SUCCESS" for check in checks)
        unexpected += [f"{scenario}: {failure}" for failure in failed]
    if not scenarios:
        unexpected.append(f"the suite gave no results: {printed[-400:]}")
    report.many(name, passed, unexpected)


def against_the_conformance_server(report):
    """All scenarios; those of the baseline must still fail."""
    expected = yaml.safe_load((E2E / "conformance-expected.yml").read_text(encoding="utf-8"))["server"] or []
    with Home() as home, conformance_server(home) as server:
        for name, suite in SUITES.items():
            weigh(report, f"conformance server, {name}", *run_suite(server.mcp, *suite), set(expected))


def against_the_shipped_binary(report):
    """The scenarios that need no fixtures, on each revision's own wire."""
    with Home() as home, serve(home) as server:
        for revision, scenarios in FIXTURES_FREE.items():
            found, printed = {}, ""
            for scenario in scenarios:
                result, output = run_suite(
                    server.mcp, NEXT, "--scenario", scenario, "--spec-version", revision
                )
                printed += output
                if scenario not in result:
                    result = {scenario: [{"id": scenario, "status": "FAILURE", "description": output[-300:]}]}
                found.update(result)
            weigh(report, f"shipped binary, {revision}", found, printed, set())


def main(report):
    against_the_conformance_server(report)
    against_the_shipped_binary(report)


judge(main)
