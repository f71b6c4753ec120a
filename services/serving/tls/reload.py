"""Follows the certificate's files: what fits counts in seconds, what does not changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from prometheus_client import Counter, Gauge

from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.log import get_logger
from services.platform.printable import shown
from services.serving.tls.pair import CheckedPair, Pair, PairFiles, check_pair, read_pair

log = get_logger(__name__)


class CertificateMetrics(Protocol):
    """Where it is counted: looks that found something wrong, and when the certificate ends."""

    @property
    def tls_reload_failures(self) -> Counter:
        """Changes of the files that could not be taken over."""

    @property
    def tls_certificate_expiry(self) -> Gauge:
        """When the certificate that is served ends, in seconds since 1970."""


class PairReload:
    """Looks at the files again and again, at what they hold: a mounted secret changes by a link.

    ``current`` is what is served; it is read and checked at once, and `ConfigurationError` says
    what is wrong with it.
    """

    def __init__(
        self,
        files: PairFiles,
        metrics: CertificateMetrics,
        interval_seconds: float,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._files = files
        self._metrics = metrics
        self._interval_seconds = interval_seconds
        self._wall_clock = wall_clock
        self.current = check_pair(read_pair(files), files)
        #: What was wrong at the last look, and what was logged already.
        self._suspect: tuple[Pair | None, str] | None = None
        self._told: tuple[Pair | None, str] | None = None
        self._tell("TLS is served")

    def look(self) -> CheckedPair | None:
        """Read the files, and return a pair to serve from now on; None where nothing is to do.

        The two files do not change at one moment. So only what is wrong at two looks in a row is
        logged and counted, once, and is not checked again until it changes.
        """
        pair = None
        try:
            pair = read_pair(self._files)
            if pair == self.current.pair:
                self._suspect = self._told = None
                return None
            if self._told is not None and pair == self._told[0]:
                return None
            return check_pair(pair, self._files)
        except (ConfigurationError, OSError) as error:
            # Of the system, a want of descriptors or processes: it may be over at the next look.
            problem = (pair, str(error))
            if problem == self._suspect and problem != self._told:
                self._told = problem
                self._metrics.tls_reload_failures.inc()
                log.warning("certificate not reloaded, the old one stays", reason=str(error))
            self._suspect = problem
            return None

    def taken(self, checked: CheckedPair) -> None:
        """Note that a pair is served now."""
        self.current = checked
        self._suspect = self._told = None
        self._tell("certificate reloaded")

    async def follow(self, serve: Callable[[Pair], Awaitable[None]]) -> None:
        """Look, and hand on what is to be served, until cancelled."""
        while True:
            await asyncio.sleep(self._interval_seconds)
            checked = await asyncio.to_thread(self.look)
            if checked is None:
                continue
            try:
                await serve(checked.pair)
            except (UnavailableError, OSError) as error:
                log.error("certificate not reloaded, no server starts with it", reason=str(error))
            else:
                self.taken(checked)

    def _tell(self, message: str) -> None:
        checked, now = self.current, self._wall_clock()
        self._metrics.tls_certificate_expiry.set(checked.not_after.timestamp())
        facts = {
            "subject": shown(checked.own.subject),
            "names": [shown(name) for name in checked.own.names[:5]],
            "serial": checked.own.serial,
            "not_after": checked.not_after.isoformat(),
        }
        log.info(message, **facts)
        if checked.not_after.timestamp() <= now:
            log.warning("the certificate has expired: clients refuse it", **facts)
        elif checked.not_before.timestamp() > now:
            log.warning(
                "the certificate does not count yet: clients refuse it",
                not_before=checked.not_before.isoformat(),
                **facts,
            )
