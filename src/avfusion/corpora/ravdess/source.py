"""Where RAVDESS can be downloaded: one archive per actor and vocal channel at Zenodo."""

import re
from collections.abc import Sequence
from pathlib import Path

from avfusion.corpora.acted import write_sentences
from avfusion.corpora.obtain.client import Client
from avfusion.corpora.obtain.hosts import ZENODO
from avfusion.corpora.obtain.remote import DownloadError
from avfusion.corpora.obtain.source import Item, Plan, Source
from avfusion.corpora.obtain.zenodo import record_files
from avfusion.corpora.ravdess.tree import CHANNELS, SILENT, SONG, SPEECH, STATEMENTS

RECORD = 1188976


_WORDS = {SPEECH: "Speech", SONG: "Song"}  # vocal channel -> its word in names of archives
_MEMBER = re.compile(r"(?:.*/)?(Actor_\d\d/01(?:-\d\d){6}\.mp4)", flags=re.ASCII)


class RavdessSource(Source):
    """Video archives of some actors.

    Parameters
    ----------
    actors
        Numbers of the actors.
    channel
        `speech`, `song` or `both`.
    """

    name = f"Zenodo record {RECORD}, https://zenodo.org/records/{RECORD}"
    hosts = ZENODO

    def __init__(self, actors: Sequence[int], channel: str) -> None:
        self.archives = [
            f"Video_{_WORDS[number]}_Actor_{actor:02d}.zip"
            for actor in actors
            for number in CHANNELS[channel]
            if not (number == SONG and actor == SILENT)
        ]

    def plan(self, client: Client, root: Path) -> Plan:
        """Return the archives of the actors, and write the two statements as transcripts.

        Raises
        ------
        DownloadError
            If the record cannot be read, or lacks one of the archives.
        """
        files = record_files(client, RECORD)
        if lost := [name for name in self.archives if name not in files]:
            raise DownloadError(
                f"Zenodo record {RECORD} lists no {lost[0]} among its {len(files)} files "
                f"({len(lost)} of {len(self.archives)} archives are missing). Nothing was "
                f"downloaded. Compare with https://zenodo.org/records/{RECORD}, update avfusion, "
                "then run the same command again."
            )
        write_sentences(root, STATEMENTS)
        return Plan(tuple(Item(files[name], archive=True) for name in self.archives))

    def path_of(self, item: Item, member: str) -> str | None:
        """Return the path of a clip with sound; None for its picture-only twin and other files."""
        match = _MEMBER.fullmatch(member)
        return match[1] if match else None
