"""Faults of the log that the judgement must see, or it judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from tests.upgrades.load import Sender, record_of

#: The event that is lost or comes twice.
NUMBER: Final = 100


class Plant(Enum):
    """What becomes of one event, though the sender believes that it was sent as all others."""

    #: The log does not have it.
    LOST = "lost"
    #: Each partition has it: ids are compared within a partition.
    TWICE = "twice"


class PlantedSender(Sender):
    """A sender with a fault."""

    def __init__(
        self, bootstrap_servers: str, topic: str, rate: float, plant: Plant, partitions: int
    ) -> None:
        super().__init__(bootstrap_servers, topic, rate)
        self._plant = plant
        self._partitions = partitions

    def _send(self, event: Mapping[str, Any]) -> None:
        if event["id"] != f"up-{NUMBER:08d}":
            super()._send(dict(event))
        elif self._plant is Plant.TWICE:
            for partition in range(self._partitions):
                self._producer.produce(
                    *(self._topic, record_of(dict(event))),
                    partition=partition,
                    on_delivery=self._delivered,
                )
