"""PURE: what is kept of a request's rejections: redacted, within the budgets, as records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from services.ingest.adapters.genai import GenAiRecord
from services.ingest.batches import Batch, Rejection
from services.ingest.errors import (
    BATCH_REFUSED,
    ClientGoneError,
    MalformedError,
    RequestError,
    TooLargeError,
    UnsupportedError,
)
from services.ingest.keys.entry import KeyEntry
from services.ingest.records import Record
from services.ingest.rejections.budget import KeptBudget
from services.ingest.rejections.otlp import otlp_request
from services.ingest.rejections.record import Format, KeptRejection, encode
from services.ingest.rejections.redaction import redact, redact_message

#: More of one request are counted and not kept: they are of one kind, and each costs some time.
PER_REQUEST_MAX: Final = 200
_MESSAGE_LENGTH_MAX: Final = 1000
_COMPANY: Final = "nothing is wrong with it; others of its batch were refused, and so was it"
#: What is around a payload.
_RECORD_BYTES: Final = 300


@dataclass(slots=True)
class Kept:
    """Records for the topic of rejections, and how many were left out, by why."""

    records: list[Record] = field(default_factory=list)
    unkept: Counter[str] = field(default_factory=Counter)


class Keeping:
    """Makes records of rejections; one for the process."""

    def __init__(self, budget: KeptBudget, payload_bytes_max: int) -> None:
        self._budget = budget
        self._payload_bytes_max = payload_bytes_max

    def of_batch(
        self,
        batch: Batch,
        entry: KeyEntry,
        form: Format,
        received: datetime,
        now: float,
        *,
        whole: bool,
    ) -> Kept:
        """Make the records of what one request's events were rejected for.

        ``whole``: where one is rejected, none was taken.
        """
        kept = Kept()
        if not batch.rejections:
            return kept
        pairs = list(zip(batch.rejections, batch.refused, [form] * len(batch.refused), strict=True))
        if whole:
            pairs += _company(batch)
        for number, (rejection, element, written_as) in enumerate(pairs):
            spent = self._budget.spent(entry.id, now)
            if spent is None and number >= PER_REQUEST_MAX:
                spent = "request_limit"
            if spent is not None:
                kept.unkept[spent] += len(pairs) - number
                break
            payload, size_bytes, cut = self._payload(element)
            one = KeptRejection(
                *(received, entry.id, entry.tenant, written_as, rejection["code"]),
                *(_message(rejection["message"]), rejection["index"], payload, size_bytes, cut),
            )
            self._keep(kept, one, now)
        return kept

    def of_request(
        self,
        error: RequestError,
        body: bytes,
        entry: KeyEntry,
        form: Format,
        received: datetime,
        now: float,
    ) -> Kept:
        """Make the record of a request that was refused as a whole for what it holds."""
        kept = Kept()
        if not is_for_its_content(error):
            return kept
        spent = self._budget.spent(entry.id, now)
        if spent is not None:
            kept.unkept[spent] += 1
            return kept
        payload, size_bytes, cut = self._payload(body or None)
        whole = KeptRejection(
            *(received, entry.id, entry.tenant, form, error.code, _message(error.message)),
            *(None, payload, size_bytes, cut),
        )
        self._keep(kept, whole, now)
        return kept

    def _keep(self, kept: Kept, rejection: KeptRejection, now: float) -> None:
        value = encode(rejection)
        self._budget.use(rejection.key_id, len(value) + _RECORD_BYTES, now)
        # By the key, so that what one key was refused is found in its order.
        kept.records.append({"key": rejection.key_id.encode(), "value": value})

    def _payload(self, element: object) -> tuple[str | None, int, bool]:
        """Give an element's payload as it may be kept, its size, and whether it was cut."""
        match element:
            case GenAiRecord():
                text = otlp_request(element)
                if len(text) > self._payload_bytes_max:
                    return None, len(text), True
                return text.decode(), len(text), False
            case bytes() | msgspec.Raw():
                raw = bytes(element)
                found = redact(raw, self._payload_bytes_max)
                return found.payload.decode("utf-8", "replace"), len(raw), found.cut
        return None, 0, False


def _company(batch: Batch) -> list[tuple[Rejection, object, Format]]:
    """Give the events that were refused for others of their batch, as they would be metered."""
    bad = {rejection["index"] for rejection in batch.rejections}
    good = (index for index in range(len(batch.records) + len(bad)) if index not in bad)
    return [
        ({"index": index, "code": BATCH_REFUSED, "message": _COMPANY}, record["value"], "native")
        for index, record in zip(good, batch.records, strict=True)
    ]


def is_for_its_content(error: RequestError) -> bool:
    """Say whether a request was refused for what it holds, and would be again."""
    if isinstance(error, ClientGoneError):
        return False
    return isinstance(error, MalformedError | TooLargeError | UnsupportedError)


def _message(text: str) -> str:
    # Cut before as well: a parser's message may show a name of megabytes.
    return redact_message(text[: 2 * _MESSAGE_LENGTH_MAX])[:_MESSAGE_LENGTH_MAX]
