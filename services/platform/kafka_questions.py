"""Questions to Kafka about topics, offsets and commits, asked in a process of their own.

librdkafka's admin client (2.16) has faults that no caller can fix: after a change of leader it
answers FENCED_LEADER_EPOCH forever, and some answers end the process that it is in, by a failed
assertion or a segmentation fault. So the client lives in a child
(`services.platform.kafka_respondent`). A question that fails in whatever way ends that child, and
the next one has a new client; what happens to the child happens to nobody else.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import IO, Any, Final, cast

from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka import ADMIN_TIMEOUT_SECONDS, client_config
from services.platform.kafka_log import Log
from services.platform.kafka_reasons import GRANTS_REMEDY, Reasons
from services.platform.settings import KafkaSettings

#: How long an answer may take: what the client waits for the broker, and some for the child to
#: start on a busy machine.
ANSWER_SECONDS: Final = ADMIN_TIMEOUT_SECONDS + 10.0
READ_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Commit:
    """What a consumer group committed for a partition: an offset, and the text beside it."""

    offset: int
    metadata: str


class KafkaQuestions:
    """Asks Kafka, one question at a time, through a child process made at first need.

    Thread-safe; a second caller waits. Every question raises `UnavailableError` when no sound
    answer comes in time, which a retry may fix, and `ConfigurationError` where none would.
    """

    def __init__(self, settings: KafkaSettings, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._config = client_config(settings)
        self._answer_seconds = answer_seconds
        self._lock = Lock()
        self._respondent: Respondent | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id, while there is one."""
        return None if self._respondent is None else self._respondent.pid

    def describe(self, topic: str) -> Log:
        """Say which log the topic is now. Raises `ConfigurationError` when there is no such."""
        found = self._ask({"ask": "describe", "topic": topic})
        return Log(found["cluster_id"], found["topic_id"], topic, found["partitions"])

    def require_broker(self) -> None:
        """See that a broker answers within `HELLO_SECONDS`."""
        self._ask({"ask": "hello"})

    def cluster_id(self) -> str:
        """The id of the cluster."""
        found: str = self._ask({"ask": "cluster"})["cluster_id"]
        return found

    def starts(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """The first offset that each partition still holds."""
        return self._offsets(topic, dict.fromkeys(partitions, "earliest"))

    def ends(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """The offset that the next record of each partition will get."""
        return self._offsets(topic, dict.fromkeys(partitions, "latest"))

    def stable_ends(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """Up to where a consumer of committed records can read now: open transactions end it."""
        return self._offsets(topic, dict.fromkeys(partitions, "latest"), committed=True)

    def at(self, topic: str, times_ms: Mapping[int, int]) -> dict[int, int]:
        """The first offset appended at or after a time, by partition; -1 where there is none."""
        return self._offsets(topic, times_ms)

    def commits(self, group: str, topic: str, partitions: Sequence[int]) -> dict[int, Commit]:
        """What a consumer group committed; missing where it never did."""
        question = {"ask": "commits", "group": group, "topic": topic, "partitions": [*partitions]}
        return {int(name): Commit(*commit) for name, commit in self._ask(question).items()}

    def require_read(self, topics: Sequence[str], group: str) -> None:
        """See that we may read topics as a member of a group, where the broker tells.

        Raises `ConfigurationError` naming what we may not: who lacks the right to a group is told
        nothing when it joins, and waits. A topic that does not exist is passed over.
        """
        found = self._ask({"ask": "rights", "topics": [*topics], "group": group})
        missing = [
            f"{kind} {name}"
            for kind, rights in (("topic", found["topics"]), ("group", found["groups"]))
            for name, allowed in rights.items()
            if allowed is not None and not {"READ", "ALL"} & {*allowed}
        ]
        if missing:
            raise ConfigurationError(
                f"{Reasons(self._config).who} lacks the right to read {', '.join(missing)}:"
                f" {GRANTS_REMEDY}"
            )

    def close(self) -> None:
        """End the child; the next question would start another."""
        with self._lock:
            respondent, self._respondent = self._respondent, None
        if respondent is not None:
            respondent.end()

    def _offsets(
        self, topic: str, at: Mapping[int, int | str], *, committed: bool = False
    ) -> dict[int, int]:
        if not at:
            return {}
        question = {"ask": "offsets", "topic": topic, "at": {**at}, "committed": committed}
        found = {int(name): offset for name, offset in self._ask(question).items()}
        if found.keys() != at.keys():
            raise UnavailableError(f"Kafka answers for {sorted(found)} when asked for {sorted(at)}")
        return found

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            respondent, self._respondent = self._respondent or Respondent(self._config), None
            try:
                answer = respondent.answer(question, self._answer_seconds)
                if "error" in answer:
                    kind = ConfigurationError if answer["final"] else UnavailableError
                    raise kind(answer["error"])
            except BaseException:
                # Whatever went wrong, no client that failed once is asked again.
                respondent.end()
                raise
            self._respondent = respondent
        found: dict[str, Any] = answer["found"]
        return found


class Respondent:
    """The child process, and the pipes to it: a line of JSON each way a question."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "services.platform.kafka_respondent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._unread = b""
        # On the pipe, not in arguments or environment: it holds passwords.
        self._config: Mapping[str, Any] | None = config

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def answer(self, question: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Hand over a question and wait for its answer, or raise `UnavailableError`."""
        lines = [question] if self._config is None else [self._config, question]
        self._config = None
        try:
            for line in lines:
                self._pipe_in.write(json.dumps(line).encode() + b"\n")
            self._pipe_in.flush()
            answer: dict[str, Any] = json.loads(self._line(time.monotonic() + seconds))
        except (OSError, ValueError) as error:
            raise UnavailableError(f"cannot ask Kafka: {self._ending()}") from error
        return answer

    @property
    def _pipe_in(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdin)

    def _line(self, deadline: float) -> bytes:
        pipe = cast("IO[bytes]", self._process.stdout).fileno()
        waiting = select.poll()
        waiting.register(pipe, select.POLLIN)
        while b"\n" not in self._unread:
            left_ms = 1000 * (deadline - time.monotonic())
            if left_ms <= 0 or not waiting.poll(left_ms):
                raise UnavailableError("Kafka does not answer in time")
            more = os.read(pipe, READ_BYTES)
            if not more:
                raise UnavailableError(f"cannot ask Kafka: {self._ending()}")
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _ending(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return f"the process that asks ended with {self._process.wait(1)}"
        return "the process that asks closed its pipe"

    def end(self) -> None:
        """Kill it: it holds nothing that anybody would miss."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                cast("IO[bytes]", pipe).close()
        self._process.wait()
