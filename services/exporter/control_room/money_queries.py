"""What the control room asks of charges: sums over all tenants, in the currency of each price."""

from __future__ import annotations

from typing import Final

from clickhouse_connect.driver.client import Client

from services.exporter.control_room.money import ChargeRow, month_start
from services.exporter.control_room.rows import Window
from services.platform.clickhouse import all_rows

#: More models than a person reads; their sums are in the row of their currency all the same.
MODELS_MAX: Final = 8

# One look at the month's charges: what is worked out is dear, so its sums are made in one pass. The
# amount of what no price fits is NULL; it counts as 0 in a currency that has no name.
SPEND_SQL: Final = f"""
SELECT
    currency,
    model,
    today,
    month,
    tokens,
    token_amount,
    sum(today) OVER (PARTITION BY currency),
    sum(month) OVER (PARTITION BY currency),
    sum(tokens) OVER (PARTITION BY currency),
    sum(token_amount) OVER (PARTITION BY currency)
FROM
(
    SELECT
        currency,
        model,
        sumIf(money, window_start >= toDateTime({{day_from:UInt32}}, 'UTC')) AS today,
        sum(money) AS month,
        sumIf(charged_tokens, entry = 'usage') AS tokens,
        sumIf(money, entry = 'usage' AND unit = '') AS token_amount
    FROM
    (
        SELECT
            currency,
            model,
            entry,
            unit,
            window_start,
            tokens AS charged_tokens,
            toDecimal256(assumeNotNull(amount), 15) AS money
        FROM charge_parts
        WHERE window_start >= toDateTime({{month_from:UInt32}}, 'UTC')
          AND window_start < toDateTime({{now:UInt32}}, 'UTC')
    )
    GROUP BY currency, model
)
ORDER BY currency, month DESC, tokens DESC, model
LIMIT {MODELS_MAX} BY currency
"""


def read_charges(client: Client, window: Window) -> list[ChargeRow]:
    """Read the running month's charges. Raises as `mapped_errors` says."""
    given = {
        **{"month_from": month_start(window.day_from), "day_from": window.day_from},
        "now": window.now,
    }
    return [ChargeRow(*row) for row in all_rows(client, SPEND_SQL, given)]
