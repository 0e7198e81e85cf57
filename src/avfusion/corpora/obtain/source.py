"""What a corpus that can be downloaded says about itself: its files, and how they are kept."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from avfusion.corpora.obtain.client import Client
from avfusion.corpora.obtain.remote import RemoteFile


@dataclass(frozen=True)
class Item:
    """One file to download.

    Parameters
    ----------
    file
        The file; its path is relative to the root of the corpus.
    archive
        Whether it is a ZIP archive that is unpacked.
    """

    file: RemoteFile
    archive: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything that will be downloaded.

    Parameters
    ----------
    items
        The files, in the order in which they are asked for.
    """

    items: tuple[Item, ...]

    @property
    def bytes(self) -> int:
        """Bytes to download."""
        return sum(item.file.size for item in self.items)


class Source(ABC):
    """Where a corpus can be downloaded.

    Attributes
    ----------
    name : str
        The source in words, with its address.
    hosts : frozenset of str
        Hosts that may be asked (`obtain.hosts`).
    """

    name: ClassVar[str]
    hosts: ClassVar[frozenset[str]]

    @abstractmethod
    def plan(self, client: Client, root: Path) -> Plan:
        """Return what there is to download, from the metadata of the source.

        Parameters
        ----------
        client
            Client of the hosts.
        root
            Folder of the corpus; small tables may be written there.

        Raises
        ------
        DownloadError
            If the metadata cannot be read.
        """

    def path_of(self, item: Item, member: str) -> str | None:
        """Return where a member of an archive is written below the root; None leaves it out."""
        return member

    def located(self, client: Client, items: tuple[Item, ...]) -> Iterator[Item]:
        """Yield items with addresses that are valid now; some sources give them for an hour."""
        yield from items

    def again(self, client: Client, item: Item) -> Item | None:
        """Return an item that could not be downloaded with another address; None without one.

        Parameters
        ----------
        client
            Client of the hosts.
        item
            An item that `located` or `again` has returned.

        Raises
        ------
        DownloadError
            If no other server states an address.
        """
        return None
