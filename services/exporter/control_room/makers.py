"""PURE. Whose models make the tokens: the week's mix and league, the day's first models."""

from __future__ import annotations

from collections.abc import Sequence

from services.exporter.control_room.document import League, Mix, Model, Place, Share
from services.exporter.control_room.rows import LeagueRow, MixShare, ModelDay


def mix(rows: Sequence[MixShare]) -> Mix:
    """Sum up the newest week by country and by author, most tokens first."""
    newest = max((row.week for row in rows), default=None)
    week = [row for row in rows if row.week == newest]
    total = sum(row.tokens for row in week)
    origins: dict[str, int] = {}
    for row in week:
        origins[row.origin] = origins.get(row.origin, 0) + row.tokens

    def share(name: str, origin: str, tokens: int) -> Share:
        return Share(name, origin, str(tokens), tokens / total if total else 0.0)

    return Mix(
        week_start=newest,
        tokens=str(total),
        origins=[
            share(origin, origin, tokens)
            for origin, tokens in sorted(origins.items(), key=lambda item: (-item[1], item[0]))
        ],
        authors=[
            share(row.author, row.origin, row.tokens)
            for row in sorted(week, key=lambda row: (-row.tokens, row.author, row.origin))
        ],
    )


def league(rows: Sequence[LeagueRow]) -> League:
    """Show the newest week's places in their order."""
    newest = max((row.week for row in rows), default=None)
    before = {row.origin: row.share for row in rows if row.week != newest}
    return League(
        week_start=newest,
        places=[
            Place(
                rank=row.rank,
                origin=row.origin,
                tokens=str(row.tokens),
                share=row.share or 0.0,
                leading_weeks=row.leading_weeks,
                share_week_before=before.get(row.origin),
                growth=row.growth,
            )
            for row in sorted(rows, key=lambda row: (row.rank, row.origin))
            if row.week == newest
        ],
    )


def models(rows: Sequence[ModelDay]) -> list[Model]:
    """Show the models in the order of the rows."""
    return [
        Model(
            model=row.model,
            author=row.author or "unknown",
            origin=row.origin or "unknown",
            requests=str(row.requests),
            tokens=str(row.tokens),
            share=row.tokens / row.all_tokens if row.all_tokens else 0.0,
        )
        for row in rows
    ]
