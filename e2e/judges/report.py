"""What a judge found: one line per check, counted for the summary of `./test`."""

import os
import sys
import traceback
from contextlib import contextmanager


class Report:
    """Says each check on its own line and counts it."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, claim, holds, why=""):
        """Records one claim; `why` is shown when it does not hold."""
        if holds:
            self.passed += 1
            print(f"  ok    {claim}", flush=True)
        else:
            self.failed += 1
            print(f"  FAIL  {claim}{': ' + str(why)[:2000] if why != '' else ''}", flush=True)
        return bool(holds)

    def equal(self, claim, found, expected):
        """Records that two values are the same."""
        return self.check(claim, found == expected, f"expected {expected!r}, found {found!r}")

    def many(self, claim, passed, failures):
        """Records the checks of another program: how many passed, and each failure in words."""
        self.passed += passed
        self.failed += len(failures)
        print(f"  {'FAIL' if failures else 'ok  '}  {claim}: {passed} passed, {len(failures)} failed", flush=True)
        for failure in failures:
            print(f"          {str(failure)[:600]}", flush=True)

    @contextmanager
    def claim(self, claim):
        """Records a claim that holds when its block ends without an exception."""
        try:
            yield
        except Exception as error:
            self.check(claim, False, _reason(error))
        else:
            self.check(claim, True)

    def close(self):
        """Hands the counts to `./test` and ends the process; finding nothing to check is a failure."""
        if self.passed + self.failed == 0:
            self.check("the judge checked something", False)
        tally = os.environ.get("GABIER_TEST_TALLY")
        if tally:
            with open(tally, "w", encoding="ascii") as file:
                file.write(f"{self.passed} {self.failed}\n")
        sys.exit(1 if self.failed else 0)


def judge(body):
    """Runs a judge's body with a fresh report; an exception in it is a failed check."""
    report = Report()
    try:
        body(report)
    except Exception as error:
        traceback.print_exc()
        report.check("the judge ran to its end", False, _reason(error))
    report.close()


def _reason(error):
    """The innermost message of an exception, also of a task group's."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
