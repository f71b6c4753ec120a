"""The steps of a succession, in their order. Each may be done again, by anybody, at any time.

1. Find the log that is to end, and what another run has done already.
2. Make the successor's topic.
3. Give it its metering rules: those that the predecessor had last.
4. Announce it on the topic of successions: producers go over. Wait until they have heard.
5. Close the predecessor: its brokers refuse what comes later, and open transactions end.
6. Decide where the predecessor ended. Mostly that is where it ends. If partitions were added to it
   under the meter, it is where the meter stood when it noticed: then its workers must have ended,
   and what lies beyond is copied to the successor.
7. Write the ends, on the topic and in ClickHouse: workers go over once they have metered that far.
8. Wait until they have, and until the successor's partitions are taken.
9. Copy what the closed topic took all the same: records too small to be events, if any.

Whatever is decided is decided once: a run that finds a later step done takes over what it says.
Killed between any two steps, producers go on with one topic or the other and workers with the
predecessor; the next run ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from services.operate.succession.beginning import (
    announce_successor,
    find,
    give_rules,
    make_successor,
)
from services.operate.succession.case import Case, Site, Wanted
from services.operate.succession.ending import (
    close_predecessor,
    decide_ends,
    sweep,
    write_ends,
)
from services.operate.succession.patience import Patience
from services.operate.succession.workers import await_workers
from services.platform.kafka import require_kafka
from services.platform.kafka_questions import KafkaQuestions
from services.platform.schema_state import require_clickhouse
from services.platform.settings import ClickHouseSettings, KafkaSettings

Step = Callable[[Site, Case], None]
STEPS: Final[tuple[Step, ...]] = (
    *(find, make_successor, give_rules, announce_successor, close_predecessor),
    *(decide_ends, write_ends, await_workers, sweep),
)


def succeed(
    kafka: KafkaSettings,
    clickhouse: ClickHouseSettings,
    wanted: Wanted,
    timeout_seconds: float,
    report: Callable[[str], None],
) -> None:
    """Do the steps of the module's docstring; ``report`` gets a line for each, and more.

    ``timeout_seconds`` is how long nothing may move while others are waited for. Raises
    `NothingMovesError` when that is over, Kafka and ClickHouse being among the others, and
    `ConfigurationError` when a person must decide; then run it again.
    """
    questions = KafkaQuestions(kafka)
    site = Site(kafka, clickhouse, questions, report, Patience(timeout_seconds, report))
    case = Case(wanted)
    try:
        for require in (lambda: require_kafka(kafka), lambda: require_clickhouse(clickhouse)):
            site.patience.wait(require, "run this again")
        for step in STEPS:
            # Each may be done again, so what fails for now is.
            site.patience.wait(partial(step, site, case), "run this again")
    finally:
        questions.close()
