"""The pages in a real browser: strict policy, no outside request, accessibility, Swagger UI at work."""

import json
import os
import shutil
import subprocess

from report import judge
from server import E2E, NODE, Home, serve

# None of these on the path means playwright's own build, which e2e/setup.sh brings where Debian's is not to be had.
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), "")
BROWSERS = os.path.expanduser("~/.cache/ms-playwright")


def main(report):
    with Home() as home, serve(home) as server:
        command = [NODE, E2E / "judges" / "browser.mjs", server.base, CHROMIUM]
        done = subprocess.run(
            command, env={**home.env, "PLAYWRIGHT_BROWSERS_PATH": BROWSERS},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
        )
        for line in done.stdout.splitlines():
            found = json.loads(line)
            report.check(found["claim"], found["holds"], found["why"])
        report.check("the browser's script ran to its end", done.returncode == 0, done.stderr[-2000:])


judge(main)
