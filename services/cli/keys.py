"""`wattoken keys`: API keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import Json, KeysFile
from services.cli.root import app

keys = typer.Typer(help="API keys: create, list, revoke, rotate.", no_args_is_help=True)
app.add_typer(keys, name="keys")

PepperFile = Annotated[
    Path, typer.Option(envvar="WATTOKEN_INGEST_PEPPER_FILE", help="What they are hashed under.")
]


@keys.command("create")
def create_key(
    tenant: Annotated[
        list[str], typer.Option(help="The customer it meters; more for the events to choose from.")
    ],
    region: Annotated[
        list[str], typer.Option(help="Where tokens are served; more for the events to choose from.")
    ],
    keys_file: KeysFile,
    pepper_file: PepperFile,
    any_region: Annotated[
        bool, typer.Option("--any-region", help="Let an event name any region.")
    ] = False,
    provider: Annotated[
        str | None, typer.Option(help="Who serves the tokens if an event says nothing.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may do: ingest, read, adjust (debit and credit); the first two if not"
            " given."
        ),
    ] = None,
    expires_in_days: Annotated[
        float | None, typer.Option(min=0, help="Never if not given.")
    ] = None,
    events_per_second: Annotated[float | None, typer.Option(min=0.001)] = None,
    bytes_per_second: Annotated[float | None, typer.Option(min=1)] = None,
    models_max: Annotated[int | None, typer.Option(min=1, help="Distinct ones in a day.")] = None,
    regions_max: Annotated[int | None, typer.Option(min=1, help="Distinct ones in a day.")] = None,
    providers_max: Annotated[
        int | None, typer.Option(min=1, help="Distinct ones in a day.")
    ] = None,
    series_max: Annotated[
        int | None,
        typer.Option(min=1, help="Combinations of region, provider and model in a day."),
    ] = None,
    note: Annotated[str | None, typer.Option(help="Who has it, in your words.")] = None,
    as_json: Json = False,
) -> None:
    """Make an API key for a gateway and print it, once; makes the files where there are none.

    Ingest knows the key within a second or so, without a restart.
    """
    from services.ingest.keys import commands
    from services.ingest.keys.entry import DEFAULT_SCOPES

    limits = {
        **{"events_per_second": events_per_second, "bytes_per_second": bytes_per_second},
        **{"models_max": models_max, "regions_max": regions_max, "providers_max": providers_max},
        "series_max": series_max,
    }
    grant = commands.Grant(
        *(tenant, region, any_region, provider),
        *(scope or [*DEFAULT_SCOPES], expires_in_days, limits, note),
    )
    commands.create(keys_file, pepper_file, grant, as_json=as_json)


@keys.command("list")
def list_keys(keys_file: KeysFile, pepper_file: PepperFile, as_json: Json = False) -> None:
    """Show what each API key stands for; its secret is stored nowhere."""
    from services.ingest.keys import commands

    commands.show(keys_file, pepper_file, as_json=as_json)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The part between the two underscores.")],
    keys_file: KeysFile,
    pepper_file: PepperFile,
) -> None:
    """Refuse an API key from now on; its holder gets 403 with the reason."""
    from services.ingest.keys import commands

    commands.revoke(keys_file, pepper_file, key_id)


@keys.command("rotate")
def rotate_key(
    key_id: Annotated[str, typer.Argument(help="The part between the two underscores.")],
    keys_file: KeysFile,
    pepper_file: PepperFile,
    grace_hours: Annotated[
        float, typer.Option(min=0, help="How long the old key works beside the new one.")
    ] = 24.0,
    as_json: Json = False,
) -> None:
    """Make a new API key that stands for the same and print it, once; the old one runs out."""
    from services.ingest.keys import commands

    commands.rotate(keys_file, pepper_file, key_id, grace_hours, as_json=as_json)
