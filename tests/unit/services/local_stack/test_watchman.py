"""The watchman knows which groups are left when the pipe ends."""

from __future__ import annotations

from services.local_stack.watchman import groups_left


def test_groups_announced_and_not_taken_back_are_left() -> None:
    assert groups_left(["+10\n", "+11\n", "-10\n", "+12\n"]) == {11, 12}


def test_a_group_that_came_again_after_a_restart_is_left() -> None:
    assert groups_left(["+10\n", "-10\n", "+10\n"]) == {10}


def test_half_a_line_is_no_group() -> None:
    assert groups_left(["+10\n", "+"]) == {10}
