"""PURE. What an event, a row and a look-up cost, fitted to measured shapes, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median

import numpy as np

from bench.scale.shapes import Recorded
from bench.scale.writing import Written


@dataclass(frozen=True, slots=True)
class Costs:
    """Processor time of all programs together, in microseconds, and what stood idle meanwhile.

    ``event`` is without finding the fields, which is known by writer.
    """

    event: float
    row: float
    look_up: float
    idle: float

    def processor_us(self, form_us: float, written: Written) -> float:
        """What an event costs."""
        return form_us + self.event + self.row * written.work + self.look_up * written.look_ups

    def events_per_second(self, shape: Recorded, written: Written) -> float:
        """How fast so many processors meter a shape."""
        return 1e6 * (shape.cores - self.idle) / self.processor_us(shape.form_us, written)


def fit(shapes: Sequence[Recorded], written: Mapping[str, Written]) -> Costs:
    """The costs that are nearest to what was measured, by least squares of relative errors.

    Without a shape that looks anything up, look-ups cost nothing, for nothing says what they do.
    """
    told = [written[one.shape] for one in shapes]
    looked_up = any(each.look_ups > 0 for each in told)
    columns = [[1.0, each.work, *([each.look_ups] if looked_up else [])] for each in told]
    measured = np.array([one.processor_us for one in shapes])
    rest = np.array([one.processor_us - one.form_us for one in shapes])
    found, *_ = np.linalg.lstsq(np.array(columns) / measured[:, None], rest / measured, rcond=None)
    costs = [float(cost) for cost in found]
    look_up = costs[2] if looked_up else 0.0
    return Costs(costs[0], costs[1], look_up, mean(one.idle for one in shapes))


def clickhouse_row(shapes: Sequence[Recorded], written: Mapping[str, Written]) -> float:
    """Processor time of ClickHouse for a row, in microseconds: the median of the shapes."""
    return median(one.clickhouse_us / written[one.shape].work for one in shapes)
