"""`wattoken rejected`: what ingest refused."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.options import Json, KeysFile, LetterReason
from services.cli.root import app

rejected = typer.Typer(help="What ingest refused: list, show, requeue.", no_args_is_help=True)
app.add_typer(rejected, name="rejected")

RejectedKey = Annotated[
    str | None, typer.Option("--key", help="Only those of this API key, by its id.")
]
RejectedTenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant's.")]


@rejected.command("list")
def list_rejected(
    reason: LetterReason = None,
    key_id: RejectedKey = None,
    tenant: RejectedTenant = None,
    limit: Annotated[int, typer.Option(min=0, help="How many of the newest.")] = 10,
    as_json: Json = False,
) -> None:
    """Count what ingest refused and kept, by reason, and show the newest."""
    from services.rejected.commands import list_rejected as run
    from services.rejected.reading import Selection

    run(Selection(reason, key_id, tenant), limit, as_json=as_json)


@rejected.command("show")
def show_rejected(partition: int, offset: int, as_json: Json = False) -> None:
    """Show one rejection whole, by its place on the topic; its payload is redacted."""
    from services.rejected.commands import show_rejected as run
    from services.rejected.reading import Place

    run(Place(partition, offset), as_json=as_json)


@rejected.command("requeue")
def requeue_rejected(
    keys_file: KeysFile,
    reason: LetterReason = None,
    key_id: RejectedKey = None,
    tenant: RejectedTenant = None,
    partition: Annotated[int, typer.Option(help="With --offset: only this one.")] = 0,
    offset: Annotated[int | None, typer.Option(help="Only the one at this offset.")] = None,
    as_key: Annotated[
        str | None, typer.Option(help="Read them as this key's, by its id: the old one is gone.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Meter what ingest refused, after what stood in its way was fixed.

    What would be refused again is left, and what was put back before. If its sender sent it again
    too, it counts once within 24 hours.
    """
    from services.rejected.commands import requeue_rejected as run
    from services.rejected.reading import Place, Selection

    place = None if offset is None else Place(partition, offset)
    run(Selection(reason, key_id, tenant, place), keys_file, as_key, confirmed=yes)
