"""A process that decodes: requests on standard input, replies on standard output.

Started by `services.aggregator.decoding.pool`. Decoding is more than half of the work on an event
and depends on nothing but its bytes, so it is what a second core can take over.
"""

from __future__ import annotations

import signal
import sys
from io import BufferedIOBase
from typing import Final, cast

from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels
from services.aggregator.decoding.messages import read_request, reply
from services.aggregator.decoding.record_batch import unpack
from services.platform.gc_tuning import tune_gc
from services.platform.malloc_tuning import FreedMemory, map_large_arrays

#: When worker and decoders look for cycles, of which batches make none.
GC_THRESHOLDS: Final = (200_000, 20, 50)


def main() -> None:
    """Decode until the worker closes the pipe, or is no more."""
    # The worker decides when to end, also on Ctrl-C: its last flush may wait for what is here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    labels = Labels()
    decoder = Decoder(labels)
    tenants = series = 0
    tune_gc(*GC_THRESHOLDS)
    map_large_arrays()
    freed = FreedMemory()
    requests = cast(BufferedIOBase, sys.stdin.buffer)
    while (batches := read_request(requests)) is not None:
        decoded = decoder.decode(unpack(batches).values.frames)
        new_tenants = [labels.tenants.meaning[n] for n in range(tenants, len(labels.tenants))]
        new_series = [labels.series.meaning[n] for n in range(series, len(labels.series))]
        tenants, series = len(labels.tenants), len(labels.series)
        for part in reply(decoded, new_tenants, new_series):
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        freed.give_back()


if __name__ == "__main__":
    main()
