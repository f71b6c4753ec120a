"""What the subcommand audit does without a ledger: wiring and printing."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from services.audit.report import as_json as findings_json
from services.audit.report import print_findings
from services.audit.run import audit
from services.audit.span import span_of
from services.platform.progress import ProgressShown
from services.platform.settings import ClickHouseSettings, KafkaSettings, read_settings
from services.platform.terminal import console


def run_live_audit(
    since: datetime | None, until: datetime | None, last: str | None, *, as_json: bool
) -> bool:
    """Hold what is metered against the log and print the findings; True if nothing differs."""
    span = span_of(since, until, last, datetime.now(UTC))
    kafka, clickhouse = read_settings(KafkaSettings), read_settings(ClickHouseSettings)
    with ProgressShown("offsets read", None) as bar:
        findings = audit(kafka, clickhouse, span, bar.update)
    if as_json:
        print(json.dumps(findings_json(findings), indent=2))
    else:
        print_findings(findings, console())
    return findings.exact
