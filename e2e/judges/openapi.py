"""`/openapi.json`: two independent validators, then schemathesis with several seeds, with and without a token."""

import json
import os
import re
import subprocess
import urllib.request

from openapi_spec_validator import OpenAPIV31SpecValidator

from loopback import world
from report import judge
from server import E2E, NODE, Home, module, serve

TOKEN = "bootstrap-token-of-the-openapi-judge-0123456789"
SEEDS = [7, 11, 23]
# Cases per operation in the fuzzing phase; `./test full` takes the tool's own default.
EXAMPLES = 100 if os.environ.get("GABIER_TEST_FULL") else 12
LIMIT_S = 3600 if os.environ.get("GABIER_TEST_FULL") else 600


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


def fuzz(report, home, server, seed, who, headers):
    """One run of all phases and checks."""
    program = E2E / ".venv" / "bin" / "schemathesis"
    command = [
        *(program, "--config-file", E2E / "schemathesis.toml", "run", f"{server.base}/openapi.json"),
        *("--checks", "all", "--seed", str(seed), "--max-examples", str(EXAMPLES)),
        *("--request-timeout", "15", "--continue-on-failure", "--warnings", "off", *headers),
    ]
    done = subprocess.run(
        command, cwd=home.path, env={**home.env, "NO_COLOR": "1", "COLUMNS": "110"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S,
    )
    cases = re.search(r"([\d,]+) generated", done.stdout)
    if done.returncode != 0 or not cases:
        print(done.stdout[-30000:], done.stderr[-3000:])
    claim = f"schemathesis, seed {seed}, {who}: {cases[1] if cases else 'no'} cases, nothing found"
    report.check(claim, done.returncode == 0 and cases, f"exit {done.returncode}")


def main(report):
    with world() as config:
        with Home(config) as home, serve(home) as server:
            validators(report, home, server)
            for seed in SEEDS:
                fuzz(report, home, server, seed, "no token", [])
            report.check("the server is still up", server.process.poll() is None, server.output())
        with Home(config) as home, serve(home, env={"AUTH_TOKEN": TOKEN}) as server:
            for seed in SEEDS:
                fuzz(report, home, server, seed, "bootstrap token", ["-H", f"Authorization: Bearer {TOKEN}"])
            report.check("the server is still up", server.process.poll() is None, server.output())


judge(main)
