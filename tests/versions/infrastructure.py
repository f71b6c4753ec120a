"""The local stack with other versions in it."""

from __future__ import annotations

from pathlib import Path

from services.local_stack.cache import Report
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.kafka import kafka_plan
from services.local_stack.processes import ChildPlan
from services.local_stack.prometheus import prometheus_plan
from tests.versions import clickhouse, kafka


class OtherInfrastructure(Infrastructure):
    """As `Infrastructure`, on other versions where they are given.

    ``kafka`` is a release on Maven Central, ``clickhouse`` one of `clickhouse.SERVERS`, and
    ``prometheus`` the path of a binary.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        kafka: str | None = None,
        clickhouse: str | None = None,
        prometheus: Path | None = None,
        report: Report = lambda line: None,
    ) -> None:
        super().__init__(state_dir, broker="kafka", prometheus="if-installed", report=report)
        self._kafka = kafka
        self._clickhouse = clickhouse
        self._prometheus_binary = prometheus

    def _broker_plan(self) -> ChildPlan:
        if self._kafka is None:
            return super()._broker_plan()
        jars = kafka.jars_of(self._kafka, self.report)
        self.broker_name = f"Apache Kafka {self._kafka}"
        ports = (self.ports.kafka, self.ports.kafka_controller)
        return kafka_plan(jars, self.data / "kafka", *ports, self.logs / "kafka.log")

    def _clickhouse_plan(self) -> ChildPlan:
        if self._clickhouse is None:
            return super()._clickhouse_plan()
        ports = (self.ports.clickhouse_http, self.ports.clickhouse_tcp)
        log_path = self.logs / "clickhouse.log"
        return clickhouse.server_plan(self._clickhouse, self.data / "clickhouse", *ports, log_path)

    def _prometheus_plan(self) -> ChildPlan | None:
        if self._prometheus_binary is None:
            return super()._prometheus_plan()
        folder, log_path = self.data / "prometheus", self.logs / "prometheus.log"
        return prometheus_plan(self._prometheus_binary, folder, self.ports.prometheus, log_path)
