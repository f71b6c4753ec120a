"""What is there: rows of the views that are compared, and where a log ends."""

from __future__ import annotations

from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.chaos.database import Database
from tests.upgrades.sums import Rows, Shape, shapes

ANSWER_SECONDS: Final = 20.0


def shapes_of(database: Database, name: str) -> list[Shape]:
    """The views of the database ``name`` that are compared. Raises `DatabaseAwayError`."""
    columns: dict[str, set[str]] = {}
    for view, column in database.rows("table, name", f"system.columns WHERE database = '{name}'"):
        columns.setdefault(view, set()).add(column)
    return shapes(columns)


def rows_shown(database: Database, shape: Shape) -> Rows:
    """What a view shows. Raises `DatabaseAwayError`."""
    width = len(shape.keys)
    names = [
        f"toString({'toUnixTimestamp(window_start)' if name == 'window_start' else name})"
        for name in shape.keys
    ]
    # Texts, for a sum may be more than a number of JSON can say.
    sums = [f"toString(sum(v.{name}))" for name in shape.sums]
    grouped = (
        f"(SELECT {', '.join([*names, *sums])} FROM {shape.view} AS v"
        f" GROUP BY {', '.join(shape.keys)})"
    )
    return {
        tuple(row[:width]): tuple(int(value) for value in row[width:])
        for row in database.rows("*", grouped)
    }


def log_ends(bootstrap_servers: str, topic: str, partitions: int) -> dict[int, int]:
    """Where each partition ends; nothing where not all brokers that lead them answer."""
    found: dict[int, int] = {}
    # A client of its own each time: brokers that have just begun may not lead yet.
    asked = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "ends", "log_level": 0})
    try:
        for number in range(partitions):
            place = TopicPartition(topic, number)
            found[number] = asked.get_watermark_offsets(place, timeout=ANSWER_SECONDS)[1]
    except KafkaException:
        return {}
    finally:
        asked.close()
    return found
