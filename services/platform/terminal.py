"""Tables and coloured lines of the commands, with what others wrote shown as it is."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.markup import escape
from rich.segment import Segment

from services.platform.printable import shown


def cell(value: object) -> str:
    """Give a text for a table or a line of `console`, which reads ``[red]`` as markup."""
    return escape(shown(value))


def console(*, width_of_a_file: int | None = None) -> Console:
    """Make the console of a command; what is not printable is escaped in all that it prints."""
    made = Console()
    if width_of_a_file is not None and not made.is_terminal:
        made = Console(width=width_of_a_file)
    made.push_render_hook(_Escaping())
    return made


class _Escaping(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Escaped(one) for one in renderables]


class _Escaped:
    """Renders as what it is around; the codes of styles come after, and stay."""

    def __init__(self, within: ConsoleRenderable) -> None:
        self._within = within

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from _fit(console.render(self._within, options))


def _fit(segments: Iterable[Segment]) -> Iterable[Segment]:
    for one in segments:
        if one.control or one.text.isprintable():
            yield one
        else:
            lines = (shown(line) for line in one.text.split("\n"))
            yield Segment("\n".join(lines), one.style)
