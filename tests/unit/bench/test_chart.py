from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="comes with the extra `bench`")

from bench.chart import LABELS, draw_growth, draw_throughput

PNG = b"\x89PNG\r\n\x1a\n"


def size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head.startswith(PNG)
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def test_throughput_is_drawn_with_a_bar_for_each_program(tmp_path: Path) -> None:
    few, many = tmp_path / "img" / "few.png", tmp_path / "many.png"
    draw_throughput({"wattoken": 400_000.0}, "how", few)
    draw_throughput({name: 1000.0 * (at + 1) for at, name in enumerate(LABELS)}, "how", many)
    assert size(few)[0] == size(many)[0] > 1000
    assert size(many)[1] > size(few)[1]


def test_growth_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "growth.png"
    draw_growth([(1, 300_000.0), (48, 250_000.0)], "Partitions", "partitions", "events/s", path)
    assert size(path)[0] > 500
