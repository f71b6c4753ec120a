"""PURE. What a log is: one incarnation of a topic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Log:
    """One incarnation of a topic: cluster id and topic id name it forever.

    A topic that was deleted and recreated has another id, so it is another log.
    """

    cluster_id: str
    topic_id: str
    topic: str
    partitions: int

    @property
    def name(self) -> str:
        """The value of the column ``log``: neither id contains a slash (both are base64url)."""
        return f"{self.cluster_id}/{self.topic_id}"
