"""`bulkstate emulator`: serves the API until a signal ends it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import anyio
import typer

from bulkstate.cli.signals import attend
from bulkstate.emulator.app import serve
from bulkstate.emulator.faults import load_faults
from bulkstate.emulator.world import default_world, load_world
from bulkstate.errors import Interrupted
from bulkstate.runs.stopping import Stopping


def emulator(
    host: str, port: int, db: Path | None, world_file: Path | None, faults_file: Path | None, trust_vendor_token: bool
) -> None:
    """Serve what the files say."""
    world = default_world() if world_file is None else load_world(world_file)
    faults = None if faults_file is None else load_faults(faults_file)

    async def work(stopping: Stopping) -> None:
        with stopping.cancels():
            async with serve(
                world, database=db, faults=faults, host=host, port=port, trust_vendor_token=trust_vendor_token
            ) as served:
                typer.echo(f"emulator at {served.url}\n  organisation  {served.organisation}")
                if world.credentials is None:
                    typer.echo(f"  app_key       {served.app_key}\n  app_secret    {served.app_secret}")
                await anyio.sleep_forever()

    with suppress(Interrupted):
        attend(work)
