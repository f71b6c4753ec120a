"""Errors of ingest; library exceptions are mapped to them where they enter.

::

    WattokenError
    └── RequestError              the whole request is refused; carries its HTTP status
        ├── UnauthorizedError     401  no key, or one that is not known
        ├── ForbiddenError        403  a known key that may not send (any more)
        ├── MalformedError        400  the body cannot be read as what it says it is
        │   └── ClientGoneError        the client went away before it was whole
        ├── ReadTimeoutError      408  the body came too slowly
        ├── TooLargeError         413  too many bytes (wire or decompressed) or events
        ├── UnsupportedError      415  a content type or encoding that is not spoken here
        ├── RateLimitError        429  the key has sent more than its rate; retry later
        └── BusyError             503  Kafka did not acknowledge, or too much is in flight; retry
    EventRejectedError            one event of a request is no valid event; the others go on
"""

from __future__ import annotations

from typing import ClassVar, Final

from services.platform.errors import WattokenError


class RequestError(WattokenError):
    """The whole request is refused: nothing of it counts as accepted."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}


class UnauthorizedError(RequestError):
    """No API key, or one that is not known."""

    status = 401
    code = "unauthorized"

    def __init__(self, message: str) -> None:
        super().__init__(message, {"WWW-Authenticate": "Bearer"})


class ForbiddenError(RequestError):
    """A known key that may not send (any more)."""

    status = 403
    code = "key_not_allowed"


class MalformedError(RequestError):
    """The body cannot be read as what it says it is."""

    status = 400
    code = "malformed_body"


class ClientGoneError(MalformedError):
    """The client went away before its body was whole; nobody reads the answer."""


class ReadTimeoutError(RequestError):
    """The body came too slowly."""

    status = 408
    code = "read_timeout"


class TooLargeError(RequestError):
    """Too many bytes, on the wire or decompressed, or too many events."""

    status = 413
    code = "too_large"


class UnsupportedError(RequestError):
    """A content type or encoding that is not spoken here."""

    status = 415
    code = "unsupported_type"


class RateLimitError(RequestError):
    """The key has sent more than its rate allows; the client should retry later."""

    status = 429
    code = "rate_limited"

    def __init__(self, limit: str, retry_after_seconds: int) -> None:
        message = f"this API key has used up its {limit}: retry after {retry_after_seconds} s"
        super().__init__(message, {"Retry-After": str(retry_after_seconds)})


class BusyError(RequestError):
    """Kafka did not acknowledge in time, or too much is in flight; the client should retry."""

    status = 503
    code = "unavailable"

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message, {"Retry-After": str(retry_after_seconds)})


class EventRejectedError(Exception):
    """One event of a request is no valid event.

    `code` is one of `EVENT_CODES`; `message` names the field, what is wrong and how to fix it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


#: A fault of ours: reading the event ended in an exception that nobody foresaw.
UNREADABLE: Final = "unreadable"
#: Nothing is wrong with it but its company: on OpenMeter's path a batch is taken whole or not.
BATCH_REFUSED: Final = "batch_refused"
#: Why one event can be rejected: the values of the label `code` of the service's metrics.
EVENT_CODES = (
    "invalid_json",
    "not_an_object",
    "missing_field",
    "unknown_field",
    "wrong_type",
    "out_of_range",
    "invalid_time",
    "invalid_value",
    "subset_exceeds_total",
    "total_mismatch",
    "adjustment_fields",
    "no_token_counts",
    "tenant_not_allowed",
    "region_not_allowed",
    "adjustment_not_allowed",
    "too_many_models",
    "too_many_regions",
    "too_many_providers",
    "too_many_series",
    "too_many_series_in_all",
    "event_too_large",
    "too_deep",
    "too_old",
    "too_new",
    UNREADABLE,
    BATCH_REFUSED,
)
