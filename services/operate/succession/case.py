"""What the steps of a succession work with, and what they find out on their way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from clickhouse_connect.driver.client import Client

from schemas.metering_rules import MeteringRules
from services.operate.succession.patience import Patience
from services.operate.succession.rules import rules_to_inherit
from services.platform.clickhouse import connect
from services.platform.kafka import ExplainingAdmin, admin_client
from services.platform.kafka_log import Log
from services.platform.kafka_questions import KafkaQuestions
from services.platform.settings import ClickHouseSettings, KafkaSettings
from services.platform.succession import Succession


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asks for; None is as the predecessor has it."""

    topic: str
    partitions: int
    #: The workers' consumer group, as they are told it.
    group: str
    replication_factor: int | None = None
    retention_ms: int | None = None
    #: How long producers are given to hear of the successor.
    hear_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Site:
    """The system that it happens on."""

    kafka: KafkaSettings
    clickhouse: ClickHouseSettings
    questions: KafkaQuestions
    report: Callable[[str], None]
    patience: Patience

    @property
    def admin(self) -> ExplainingAdmin:
        """A new admin client: one that failed once may go on failing forever."""
        return admin_client(self.kafka)

    @contextmanager
    def database(self) -> Iterator[Client]:
        """A connection to ClickHouse. Raises `UnavailableError` and `ConfigurationError`."""
        with closing(connect(self.clickhouse)) as client:
            yield client


@dataclass(slots=True)
class Case:
    """One succession, as far as it is known by now."""

    wanted: Wanted
    #: The predecessor; None once it has ended, since then nobody needs its topic.
    old: Log | None = None
    new: Log | None = None
    succession: Succession | None = None
    #: The consumer groups of the workers on the two.
    old_group: str = ""
    new_group: str = ""
    #: The predecessor's rules, of the partitions that the meter knows.
    rules: dict[int, MeteringRules] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it is decided where the predecessor ended."""
        return self.succession is not None and self.succession.complete

    @property
    def predecessor(self) -> Log:
        """The log that is to end."""
        assert self.old is not None, "the predecessor is not known, or has ended"
        return self.old

    @property
    def successor(self) -> Log:
        """The log that follows."""
        assert self.new is not None, "the successor is not made yet"
        return self.new

    @property
    def announced(self) -> Succession:
        """What was announced."""
        assert self.succession is not None, "nothing is announced yet"
        return self.succession

    @property
    def grown(self) -> bool:
        """Whether the predecessor has partitions that were added to it under the meter."""
        return self.predecessor.partitions > len(self.rules)

    @property
    def inherited_rules(self) -> MeteringRules:
        """What the successor's partitions are metered by. Raises `ConfigurationError`."""
        return rules_to_inherit(self.rules, self.predecessor.name)
