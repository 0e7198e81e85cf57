"""Files of a Zenodo record: names, sizes and checksums from its metadata."""

from typing import Any

from avfusion.corpora.obtain.client import Client
from avfusion.corpora.obtain.remote import DownloadError, RemoteFile


def record_files(client: Client, record: int) -> dict[str, RemoteFile]:
    """Return name -> file, of a record (https://developers.zenodo.org).

    `files` is a list whose link `self` is the file. In the form of InvenioRDM it has `entries`, and
    `self` is their metadata: the link `content` is the file.

    Parameters
    ----------
    client
        Client of zenodo.org.
    record
        Number of the record.

    Raises
    ------
    DownloadError
        If the record cannot be read, or its metadata lacks a name, a size or a checksum.
    """
    url = f"https://zenodo.org/api/records/{record}"
    answer = client.json(url)
    try:
        files = answer["files"]
        entries = files["entries"] if isinstance(files, dict) else files
        rows = entries.values() if isinstance(entries, dict) else entries
        return {str(entry["key"]): _file(entry) for entry in rows}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DownloadError(
            f"{url}: its `files` are not as documented: {error!r}. Update avfusion."
        ) from None


def _file(entry: dict[str, Any]) -> RemoteFile:
    digest = str(entry["checksum"])
    if not digest.startswith("md5:"):
        raise ValueError(f"checksum {digest!r}")
    links = entry["links"]
    url = str(links.get("content") or links["self"])
    return RemoteFile(url, str(entry["key"]), int(entry["size"]), digest)
