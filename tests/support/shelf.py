"""A small corpus that can be downloaded from `download_server`: two archives and a table."""

import hashlib

from avfusion.corpora.obtain.hosts import ZENODO
from avfusion.corpora.obtain.progress import Progress
from avfusion.corpora.obtain.remote import RemoteFile
from avfusion.corpora.obtain.run import obtain
from avfusion.corpora.obtain.source import Item, Plan, Source
from avfusion.corpora.obtain.zenodo import record_files
from support.download_server import tree, zipped

BODY = bytes(range(256)) * 2000
URL = "https://zenodo.org/it.zip"
PLACE = "zenodo.org/it.zip"
FILES = {
    "one.zip": zipped({"A/1.mp4": BODY[:5000], "A/2.mp4": b"two", "leave/x": b"x"}),
    "two.zip": zipped({"B/1.mp4": BODY[:700]}),
    "table.csv": b"a,b\n1,2\n",
}
EXPECTED = {"A/1.mp4": BODY[:5000], "A/2.mp4": b"two", "B/1.mp4": BODY[:700]}
EXPECTED["table.csv"] = FILES["table.csv"]


class Shelf(Source):
    """All files of a record; a folder of its archives is left out."""

    name = "Shelf (zenodo.org)"
    hosts = ZENODO

    def plan(self, client, root):
        files = record_files(client, 7).values()
        return Plan(tuple(Item(file, file.path.endswith(".zip")) for file in files))

    def path_of(self, item, member):
        return None if member.startswith("leave") else member


def shelf_of(site, root):
    """Put the corpus on a site; return a function that obtains it, and its root."""
    site.zenodo(7, FILES)

    def get(**more):
        return obtain(Shelf(), root, licence="free", mirror=site.address, pause_s=0, **more)

    return get, root


def visible(root):
    """Return path -> content of what lies in a folder, without hidden files."""
    return {path: body for path, body in tree(root).items() if not path.startswith(".")}


def remote(body=BODY, **more):
    """Return the file at `URL` with what its source states."""
    kinds = {"size": len(body), "digest": f"sha256:{hashlib.sha256(body).hexdigest()}"}
    return RemoteFile(URL, "sub/it.zip", **{**kinds, **more})


def fetch(client, file, folder):
    """Download a file, and check that its progress was counted once."""
    with Progress("it", file.size) as progress:
        path = client.fetch(file, folder, progress)
    assert progress.done == file.size
    return path


def begins(site):
    """Return the ranges in which the file at `URL` was asked for."""
    return [asked for path, asked in site.asked if path == PLACE]
