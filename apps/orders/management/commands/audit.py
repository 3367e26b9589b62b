"""`manage.py audit`: does every invariant hold? Exit code 1 and the violations when not.

Exit code 0: all hold. What could not be checked counts as not holding: without an answer from the
gateway the code is 1 as well, unless `--no-gateway` was given.
"""

import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser

from apps.orders import audit
from apps.payments.gateway import GatewayError, get_gateway


class Command(BaseCommand):
    help = "Check every invariant; exit 0 when all hold, else 1 with each violation named."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--safety", action="store_true", help="leave the liveness checks out")
        parser.add_argument("--no-gateway", action="store_true", help="do not ask the gateway")
        parser.add_argument(
            "--accepted", metavar="FILE", help="a client's log: one accepted order id per line"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        findings = list(audit.check(liveness=not options["safety"]))
        skipped = []
        if not options["no_gateway"]:
            try:
                findings.append(audit.check_gateway(get_gateway()))
            except GatewayError as error:
                skipped.append(
                    "invariant 5 NOT CHECKED: the gateway could not be asked"
                    f" ({type(error).__name__}); --no-gateway leaves it out"
                )
        if options["accepted"]:
            ids = [UUID(line) for line in Path(options["accepted"]).read_text().split()]
            findings.append(audit.check_accepted(ids))
        findings.sort(key=lambda finding: finding.number)
        violated = [finding for finding in findings if not finding.holds]
        if options["json"]:
            self._print_json(findings, skipped, clean=not violated and not skipped)
        else:
            self._print(findings)
        for line in skipped:
            self.stderr.write(self.style.ERROR(line))
        if violated or skipped:
            sys.exit(1)

    def _print_json(self, findings: list[audit.Finding], skipped: list[str], clean: bool) -> None:
        document = {
            "clean": clean,
            "skipped": skipped,
            "invariants": [
                {
                    "number": finding.number,
                    "name": finding.name,
                    "holds": finding.holds,
                    "violations": finding.violations,
                    "examples": finding.examples,
                    "left_be": finding.left_be,
                }
                for finding in findings
            ],
        }
        self.stdout.write(json.dumps(document, indent=2))

    def _print(self, findings: list[audit.Finding]) -> None:
        for finding in findings:
            mark = "ok " if finding.holds else "BAD"
            self.stdout.write(f"{mark} {finding.number:2d}  {finding.name}")
            for example in finding.examples:
                self.stdout.write(f"        {example}")
            if finding.violations > len(finding.examples):
                self.stdout.write(f"        … {finding.violations} in all")
            for known in finding.left_be:
                self.stdout.write(f"        left as it is: {known}")
