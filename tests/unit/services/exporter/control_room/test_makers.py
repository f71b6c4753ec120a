"""Mix, league and models from rows, by hand-made examples."""

from __future__ import annotations

from services.exporter.control_room import makers
from services.exporter.control_room.rows import LeagueRow, MixShare, ModelDay


def test_mix_and_league_show_the_newest_week() -> None:
    mix = makers.mix(
        [
            MixShare(1, "CN", "DeepSeek", 999),
            MixShare(8, "US", "OpenAI", 25),
            MixShare(8, "CN", "DeepSeek", 50),
            MixShare(8, "CN", "Xiaomi", 25),
        ]
    )
    assert (mix.week_start, mix.tokens) == (8, "100")
    assert [(share.name, share.share) for share in mix.origins] == [("CN", 0.75), ("US", 0.25)]
    assert [share.name for share in mix.authors] == ["DeepSeek", "OpenAI", "Xiaomi"]
    league = makers.league(
        [
            LeagueRow(8, "US", 25, 0.25, 2, 0),
            LeagueRow(8, "CN", 75, 0.75, 1, 2),
            LeagueRow(1, "CN", 60, 0.6, 1, 1),
        ]
    )
    assert [(p.rank, p.origin, p.leading_weeks, p.share_week_before) for p in league.places] == [
        (1, "CN", 2, 0.6),
        (2, "US", 0, None),
    ]
    assert makers.mix([]).week_start is None
    assert makers.league([]).places == []


def test_growth_is_told_of_each_place() -> None:
    league = makers.league(
        [LeagueRow(8, "CN", 75, 1.0, 1, 2, 0.5), LeagueRow(1, "CN", 60, 1, 1, 1)]
    )
    assert [place.growth for place in league.places] == [0.5]


def test_a_model_that_no_catalogue_knows() -> None:
    (model,) = makers.models([ModelDay("m", "", "", 1, 2**60, 2**61)])
    assert (model.tokens, model.author, model.origin, model.share) == (
        str(2**60),
        "unknown",
        "unknown",
        0.5,
    )
