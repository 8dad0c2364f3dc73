"""`/openapi.json`: two independent validators, then schemathesis with several seeds, with and without a token."""

import json
import os
import re
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from openapi_spec_validator import OpenAPIV31SpecValidator

from loopback import world
from report import judge
from server import E2E, NODE, Home, module, serve

TOKEN = "bootstrap-token-of-the-openapi-judge-0123456789"
SEEDS = [7, 11, 23]
# The guard against guessed tokens answers 429 in place of 401; it has tests of its own and would hide the others here.
PATIENT = """
[access.guesses]
allowed = 1000000

[access.rates.without_token]
calls = 6000000
burst = 1000000
"""
# Nobody waits for tasks here.
ENVIRONMENT = {"MCP_MAX_WAIT_TIMEOUT_S": "1"}
# Cases per operation in the fuzzing phase; `./test full` takes the tool's own default.
EXAMPLES = 100 if os.environ.get("GABIER_TEST_FULL") else 8
# The longest a call may take by its own limit, and a little.
SLOWEST_ANSWER_S = "32"
LIMIT_S = 3600


def fetch(server):
    with urllib.request.urlopen(f"{server.base}/openapi.json", timeout=10) as answer:
        return answer.read()


def validators(report, home, server):
    """Both read the document as served."""
    body = fetch(server)
    report.equal("/openapi.json is byte-identical when asked again", fetch(server), body)
    document = json.loads(body)
    report.check("/openapi.json is OpenAPI 3.1", document["openapi"].startswith("3.1."), document["openapi"])
    errors = [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()]
    report.check("openapi-spec-validator finds nothing", not errors, errors[:5])
    file = home.path / "openapi.json"
    file.write_bytes(body)
    command = [NODE, module("@seriousme/openapi-schema-validator/bin/validate-api-cli.js"), file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    report.check("@seriousme/openapi-schema-validator finds nothing", done.returncode == 0, done.stdout[-800:])


def fuzz(server, seed, headers):
    """One run of all phases and checks, with one worker: several trip over a fault of Python 3.11's parser."""
    with Home() as home:
        command = [
            *(E2E / ".venv" / "bin" / "schemathesis", "--config-file", E2E / "schemathesis.toml"),
            *("run", f"{server.base}/openapi.json", "--checks", "all", "--seed", str(seed)),
            # The one DELETE there is cancels a task: what became of it stays readable.
            *("--exclude-checks", "use_after_free"),
            *("--max-examples", str(EXAMPLES), "--continue-on-failure", "--warnings", "off"),
            *("--request-timeout", SLOWEST_ANSWER_S, "--max-response-time", SLOWEST_ANSWER_S, *headers),
        ]
        return subprocess.run(
            command, cwd=home.path, env={**home.env, "NO_COLOR": "1", "COLUMNS": "110"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S,
        )


def weigh(report, who, seed, done):
    """Records one run; what it found is shown as schemathesis says it."""
    cases = re.search(r"([\d,]+) generated", done.stdout)
    if done.returncode != 0 or not cases:
        lines = [line[:500] for line in done.stdout.splitlines()]
        print("\n".join(lines)[-30000:], done.stderr[-3000:])
    claim = f"schemathesis, seed {seed}, {who}: {cases[1] if cases else 'no'} cases, nothing found"
    report.check(claim, done.returncode == 0 and cases, f"exit {done.returncode}")


def main(report):
    bearer = ["-H", f"Authorization: Bearer {TOKEN}"]
    with world() as config, ExitStack() as servers:
        def start(settings, environment):
            home = servers.enter_context(Home(settings))
            return home, servers.enter_context(serve(home, env=environment))

        home, server = start(config, ENVIRONMENT)
        validators(report, home, server)
        # A server for each run with a token: how often an address may ask without one is counted by each.
        targets = {("no token", seed): (server, []) for seed in SEEDS}
        for seed in SEEDS:
            _, guarded = start(config + PATIENT, {**ENVIRONMENT, "AUTH_TOKEN": TOKEN})
            targets["bootstrap token", seed] = (guarded, bearer)
        # Many calls wait for hosts that are not there: all runs go side by side.
        with ThreadPoolExecutor(len(targets)) as pool:
            runs = {
                who: pool.submit(fuzz, target, who[1], headers) for who, (target, headers) in targets.items()
            }
        for (name, seed), run in runs.items():
            weigh(report, name, seed, run.result())
        for (name, seed), (target, _) in targets.items():
            report.check(f"the server is still up, {name}, seed {seed}", target.process.poll() is None, target.output())


judge(main)
