"""The commands that keep, bring back and move what the platform has, and what they say to the terminal."""

import argparse
import asyncio

from core.config.settings import Settings
from core.operations.archive import ArchiveSummary
from core.operations.backup import Manifest, backup
from core.operations.migration import migrate
from core.operations.restore import at_rest, restore

SHOWN = 5  # entries that could not be read


async def run(command: str, settings: Settings, given: argparse.Namespace) -> int:
    """The exit status. Raises: PlatformError: with one line for the terminal."""
    if command == "backup":
        manifest, taken = await asyncio.to_thread(backup, settings, given.file, force=given.force)
        print(f"{given.file}: {_rows(manifest)}, {taken.files:,} files of {taken.size_bytes / 2**20:,.1f} MiB")
        _complain(taken)
        _say_where_secrets_are(settings)
    elif command == "restore":
        manifest, kept = await asyncio.to_thread(restore, settings, given.file, force=given.force)
        print(f"{settings.data_dir}: {_rows(manifest)}, as of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
        if kept:
            print(f"what was there before is in {kept}")
        _say_where_secrets_are(settings)
    else:
        at_rest(settings)
        moved = await migrate(settings, to=given.to)
        rows = ", ".join(f"{number:,} {sort}" for sort, number in sorted(moved.tally.rows.items())) or "nothing"
        print(
            f"{moved.target}: {rows}, {'the same already' if moved.already else 'each compared with ' + moved.source}"
        )
        print(f"to use it, set OMA_STORE={given.to}")
    return 0


def _rows(manifest: Manifest) -> str:
    return f"{manifest.rows.get('records', 0):,} records, {manifest.rows.get('events', 0):,} events"


def _complain(taken: ArchiveSummary) -> None:
    if taken.left_out:
        names = ", ".join(taken.left_out[:SHOWN])
        print(f"{len(taken.left_out):,} could not be read and are not in it: {names}")


def _say_where_secrets_are(settings: Settings) -> None:
    if settings.vault == "google":
        print("users' secrets are not in it: they stay where they are, in Secret Manager")
