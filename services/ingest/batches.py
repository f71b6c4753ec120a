"""PURE: splits a body into its events, so that one faulty event costs no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, TypedDict, TypeVar

import msgspec

from schemas.price_class import UNITS
from schemas.wire import WireEvent
from services.ingest.adapters import native, openmeter
from services.ingest.adapters.usage_fields.unread import Unread, collecting
from services.ingest.depth import check_depth
from services.ingest.errors import (
    UNREADABLE,
    EventRejectedError,
    MalformedError,
    RequestError,
    TooLargeError,
)
from services.ingest.explain import CANNOT_BE_READ, PRICED_PARTS
from services.ingest.failed_calls import names_of_failed, used_nothing
from services.ingest.keys.key import Key
from services.ingest.native_batches import (
    record_of_object,
    records_of_array,
    records_of_lines,
)
from services.ingest.records import Record, to_record
from services.ingest.salvage import check_readable, salvaged, split
from services.ingest.structure import PARTS_MAX, check_parts
from services.ingest.times import ANY_TIME, TimeLimits

#: An array with more commas than this per allowed event is counted before it is split: each
#: element of ``[1,1,1,…`` would become an object of its own, fifty times its size.
_COMMAS_PER_EVENT: Final = 30
_SPACE: Final = b" \t\r\n"
_USAGE: Final = b'"usage"'

_price_facts: Final = attrgetter("service_tier", *PRICED_PARTS, *UNITS)
_raws: Final = msgspec.json.Decoder(list[msgspec.Raw])

RawEvent = bytes | msgspec.Raw
#: Input, output, read from a cache, written to one, reasoning; None for what is not told. Then what
#: else the price depends on, where anything of it is told.
Counts = tuple[int, int, int | None, int | None, int | None, *tuple[int | str | None, ...]]
Element = TypeVar("Element")
Adapted = TypeVar("Adapted", bound=WireEvent | None)


class Rejection(TypedDict):
    """Why the event at an index (an array's element, NDJSON's line, from 0) was not taken."""

    index: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How many events one request may hold, how large each may be, and how old or new."""

    events_max: int
    event_bytes_max: int
    times: TimeLimits = ANY_TIME
    #: Most values of JSON, or fields of protobuf, in one request.
    parts_max: int = PARTS_MAX


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an element is refused. The error itself is not kept.

    It holds the frames that it came through, which hold what it is kept in and all of the body:
    that would stay until the collector looks for cycles, and it rests (`server.py`).
    """

    index: int
    element: Any
    code: str
    message: str

    @classmethod
    def of(cls, index: int, element: Any, error: EventRejectedError) -> Fault:
        """Say it of an element by its error."""
        return cls(index, element, error.code, error.message)


@dataclass(slots=True)
class Batch:
    """What one request held: the records to send, and why the rest is none."""

    records: list[Record] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    #: What was rejected, one for each of `rejections`: text, or what was read of it.
    refused: list[object] = field(default_factory=list)
    #: For each of `records` what it counts; empty where all went the quick way.
    counts: list[Counts] = field(default_factory=list)
    #: What is neither: spans that are no calls of a model, answers from a gateway's own cache.
    skipped: int = 0
    #: Numbers in usage objects that no register knows, by format and path.
    unread: Unread = field(default_factory=Counter)


def native_json(body: bytes, key: Key, limits: BatchLimits) -> Batch:
    """Read one native event, or a JSON array of them.

    Raises `MalformedError` when the body is no JSON, `TooLargeError` for too many events or
    values.
    """
    check_parts(body, limits.parts_max)
    if not is_array(body):
        if len(body) <= limits.event_bytes_max:
            records = record_of_object(body, key, limits.times)
            if records is not None:
                return Batch(records)
        return _one_by_one(
            [(0, whole(body))], lambda raw: native.adapt(raw, key.entry), key, limits
        )
    # Every event has at least one brace, and is no larger than the body.
    if body.count(b"{") <= limits.events_max and len(body) <= limits.event_bytes_max:
        records = records_of_array(body, key, limits.times)
        if records is not None:
            return Batch(records)
    elements = enumerate(split_array(body, limits.events_max))
    return _one_by_one(elements, lambda raw: native.adapt(raw, key.entry), key, limits)


def native_ndjson(body: bytes, key: Key, limits: BatchLimits) -> Batch:
    """Read native events, one a line; blank lines are no events, but count as an index.

    A line that is no JSON only loses itself. Raises `TooLargeError` for too many lines or values.
    """
    check_parts(body, limits.parts_max)
    # Every event has at least one brace, and is no larger than the body.
    if body.count(b"{") <= limits.events_max and len(body) <= limits.event_bytes_max:
        records = records_of_lines(body, key, limits.times)
        if records is not None:
            return Batch(records)
    events = split_lines(body, limits.events_max)
    return _one_by_one(events, lambda raw: native.adapt(raw, key.entry), key, limits)


def cloud_events(
    body: bytes, key: Key, received: datetime, limits: BatchLimits, *, batch: bool | None
) -> Batch:
    """Read one CloudEvent, or an array of them; ``batch`` says which (None: look).

    Raises `MalformedError` when the body is no JSON or not the one or the other as said,
    `TooLargeError` for too many events or values.
    """
    check_parts(body, limits.parts_max)
    if batch is not None and batch != is_array(body):
        raise MalformedError(
            "application/cloudevents-batch+json needs a JSON array of events"
            if batch
            else "application/cloudevents+json needs one event; send arrays as"
            " application/cloudevents-batch+json"
        )
    texts: list[RawEvent] = (
        split_array(body, limits.events_max) if is_array(body) else [whole(body)]
    )
    # No limit on one event: what is read of it is small, and the rest is passed over.
    adapt = tolerant(lambda raw: openmeter.adapt(raw, key.entry, received))
    return collect(enumerate(texts), adapt, key, limits.times)


def cloud_event_binary(
    attributes: Mapping[str, str], body: bytes, key: Key, received: datetime, limits: BatchLimits
) -> Batch:
    """Read one CloudEvent in binary mode; ``attributes`` come from the request's headers.

    Raises `TooLargeError` for too many values.
    """
    check_parts(body, limits.parts_max)
    batch = collect(
        [(0, body)],
        tolerant(lambda raw: openmeter.adapt_binary(attributes, bytes(raw), key.entry, received)),
        key,
        limits.times,
    )
    # Kept as it would be in structured mode, envelope and data in one text.
    envelope = msgspec.json.encode(attributes)[:-1]
    batch.refused = [b'%b,"data":%b}' % (envelope, body) for _ in batch.refused]
    return batch


def _one_by_one(
    events: Iterable[tuple[int, RawEvent]],
    adapt: Callable[[RawEvent], WireEvent],
    key: Key,
    limits: BatchLimits,
) -> Batch:
    def checked(raw: RawEvent) -> WireEvent:
        # Of a provider's usage only counts are read, whatever else lies in it.
        if _USAGE not in bytes(raw):
            if (size_bytes := _size(raw)) > limits.event_bytes_max:
                raise EventRejectedError(
                    "event_too_large",
                    f"the event has {size_bytes} bytes: send at most {limits.event_bytes_max}",
                )
            check_depth(raw)
        return adapt(raw)

    return collect(events, tolerant(checked), key, limits.times)


def tolerant(adapt: Callable[[RawEvent], Adapted]) -> Callable[[RawEvent], Adapted]:
    """Make an adapter try again without what cannot be read, where the whole cannot be."""

    def adapted(raw: RawEvent) -> Adapted:
        try:
            return adapt(raw)
        except EventRejectedError as error:
            text = bytes(raw)
            if error.code != "invalid_json" or (again := _salvaged(text, error)) == text:
                raise
            try:
                return adapt(again)
            except EventRejectedError as second:
                if CANNOT_BE_READ not in second.message:
                    raise
                message = f"{error.message}; {second.message}"
                raise EventRejectedError("invalid_json", message) from None

    return adapted


def _salvaged(text: bytes, error: EventRejectedError) -> bytes:
    """Fix it where that costs not too much; else the event is refused for that, and it alone."""
    try:
        return salvaged(text)
    except TooLargeError as over:
        raise EventRejectedError("invalid_json", f"{error.message}; {over.message}") from None


def collect(
    elements: Iterable[tuple[int, Element]],
    adapt: Callable[[Element], WireEvent | None],
    key: Key,
    times: TimeLimits,
) -> Batch:
    """Adapt elements one by one, by their index; None from ``adapt`` is skipped, not rejected.

    Whatever is wrong with one, and be it that reading it ends in an exception that nobody foresaw,
    costs no other.
    """
    taken: list[tuple[int, Element, WireEvent]] = []
    faults: list[Fault] = []
    skipped = 0
    unread: Unread = Counter()
    with collecting(unread):
        for index, element in elements:
            try:
                event = adapt(element)
                if event is None:
                    skipped += 1
                    continue
                check_readable(event)
                times.check(event.time)
                taken.append((index, element, event))
            except EventRejectedError as error:
                faults.append(Fault.of(index, element, error))
            except RequestError:
                raise
            except Exception as error:
                faults.append(Fault.of(index, element, fault_of_ours(error)))
    batch = Batch(skipped=skipped, unread=unread)
    _admit(taken, key, batch, faults)
    for fault in sorted(faults, key=attrgetter("index")):
        batch.rejections.append(
            {"index": fault.index, "code": fault.code, "message": fault.message}
        )
        batch.refused.append(fault.element)
    return batch


def _admit(
    taken: Sequence[tuple[int, Element, WireEvent]],
    key: Key,
    batch: Batch,
    faults: list[Fault],
) -> None:
    """Make records of the events whose names the key may name; the others go to ``faults``."""
    proving = [event for _, _, event in taken if not used_nothing(event)]
    proven = {event.provider for event in proving}, {event.model for event in proving}
    for index, element, event in taken:
        try:
            failed = used_nothing(event)
            if failed:
                names = names_of_failed(event, key.use, key.at, proven)
                if names != (event.provider, event.model):
                    event = msgspec.structs.replace(event, provider=names[0], model=names[1])
            # Encoded first: what cannot be must not have used up a name.
            record = to_record(event)
            key.admit(event, counted=not failed)
        except EventRejectedError as error:
            faults.append(Fault.of(index, element, error))
            continue
        except Exception as error:
            faults.append(Fault.of(index, element, fault_of_ours(error)))
            continue
        batch.records.append(record)
        batch.counts.append(counts_of(event))


def counts_of(event: WireEvent) -> Counts:
    """Take the counts out of an event."""
    more = _price_facts(event)
    return (
        event.input_tokens,
        event.output_tokens,
        event.cache_read_input_tokens,
        event.cache_write_input_tokens,
        event.reasoning_output_tokens,
        *(more if any(one is not None for one in more) else ()),
    )


def fault_of_ours(error: Exception) -> EventRejectedError:
    """Say that reading an event failed by a fault of ours, and where; nothing of the event."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "?" if trace is None else trace.tb_frame.f_globals.get("__name__", "?")
    line = 0 if trace is None else trace.tb_lineno
    return EventRejectedError(
        UNREADABLE,
        "the event cannot be read, by a fault of ours"
        f" ({type(error).__name__} at {module}:{line}): report it, and have it requeued after",
    )


def split_lines(body: bytes, events_max: int) -> Iterator[tuple[int, bytes]]:
    """Split NDJSON into its lines and their indexes; raises `TooLargeError` for too many."""
    lines = body.split(b"\n", events_max + 1)
    if len(lines) > events_max and b"".join(lines[events_max:]).strip(_SPACE):
        raise too_many(events_max)
    return ((index, line) for index, line in enumerate(lines) if line.strip(_SPACE))


def is_array(body: bytes) -> bool:
    """Say whether a JSON text is an array."""
    return body[:64].lstrip(_SPACE)[:1] == b"[" or body.lstrip(_SPACE)[:1] == b"["


def split_array(body: bytes, events_max: int) -> list[RawEvent]:
    """Split a JSON array into the texts of its elements, which need not all be JSON.

    Raises `MalformedError` when the body is no JSON, `TooLargeError` for too many elements.
    """
    elements: list[RawEvent]
    if body.count(b",") > _COMMAS_PER_EVENT * events_max:
        elements = [*split(body, events_max)]
    else:
        try:
            elements = [*_raws.decode(body)]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            elements = [*split(body, events_max)]
    if len(elements) > events_max:
        raise too_many(events_max)
    return elements


#: What msgspec says of a JSON text that is followed by something else.
_TRAILING: Final = "trailing characters"


def whole(body: bytes) -> bytes:
    """Check that a body is one JSON text, or would be without what cannot be read in it."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as first:
        # Looked through only then: that takes a hundred times as long. A text and more behind it,
        # such as one a line, becomes no single one by what is replaced.
        if _TRAILING in str(first):
            raise MalformedError(f"the body is no JSON: {first}") from None
        try:
            msgspec.json.decode(salvaged(body), type=msgspec.Raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedError(f"the body is no JSON: {error}") from None
    return body


def _size(raw: RawEvent) -> int:
    return len(raw) if isinstance(raw, bytes) else len(memoryview(raw))


def too_many(events_max: int) -> TooLargeError:
    """Refuse a request with too many events."""
    return TooLargeError(f"more than {events_max} events in one request: split it")
