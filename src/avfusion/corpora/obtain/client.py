"""Files of a source: downloads that are resumed, and checked by size and digest."""

import os
from pathlib import Path

from avfusion.corpora.obtain.answers import RangeError, continues, pieces
from avfusion.corpora.obtain.connection import Connection
from avfusion.corpora.obtain.part import open_part
from avfusion.corpora.obtain.progress import Progress
from avfusion.corpora.obtain.remote import DownloadError, RemoteFile, fault_of


class Client(Connection):
    """Requests to the hosts of one source, and downloads of its files."""

    def fetch(self, file: RemoteFile, folder: Path, progress: Progress) -> Path:
        """Download a file and check its size and digest.

        An existing file is checked, not downloaded again. A partial download is kept as
        `NAME.part` and resumed by the next call.

        Parameters
        ----------
        file
            What to download.
        folder
            Folder that its path is relative to.
        progress
            Told of every piece.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        DownloadError
            If the server does not answer or sends another file.
        OSError
            If the disk is full; what was written is kept.
        """
        target = folder / file.path
        if target.is_file():
            if fault := fault_of(file, target):
                raise DownloadError(
                    f"{target}: {fault}. Move it away, then run the same command again."
                )
            progress.add(file.size)
            return target
        part = target.with_name(f"{target.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        if _size(part) > file.size:
            part.unlink()
        progress.add(_size(part))

        def receive() -> None:
            try:
                self._append(file, part, progress)
            except RangeError:  # what is here is not of this file
                progress.add(-_size(part))
                part.unlink()
                raise

        self.retried(file.url, receive, lambda: _size(part))
        if fault := fault_of(file, part):
            part.unlink()
            raise DownloadError(f"{part}: {fault}. It was removed. Run the same command again.")
        _keep(part, target)
        return target

    def fetch_unstated(self, url: str, path: Path, progress: Progress, most: int) -> Path:
        """Download a file whose size and digest no source states; it always starts from 0.

        A file of more than `most` bytes is refused.
        """
        part = path.with_name(f"{path.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)

        def receive() -> None:
            progress.add(-_size(part))
            with self.opened(url, {}) as answer, open_part(part) as out:
                for piece in pieces(answer):
                    self.stop()
                    out.write(piece)
                    progress.add(len(piece))
                    if out.tell() > most:
                        raise DownloadError(
                            f"{url}: more than {most:,} bytes, where small tables are expected. "
                            "The source has changed; update avfusion."
                        )
                stated = answer.headers.get("Content-Length")
            if stated is not None and _size(part) < int(stated):
                raise EOFError(f"the server stopped at {_size(part):,} of {int(stated):,} bytes")

        part.unlink(missing_ok=True)
        self.retried(url, receive)
        _keep(part, path)
        return path

    def _append(self, file: RemoteFile, part: Path, progress: Progress) -> None:
        """Append the missing bytes to `part`; raise EOFError if the server stops early."""
        begin = _size(part)
        if begin == file.size and part.exists():
            return
        headers = file.headers | ({"Range": f"bytes={begin}-"} if begin else {})
        with self.opened(file.url, headers) as answer:
            if begin and not continues(answer, begin):
                progress.add(-begin)
                begin = 0
            with open_part(part, append=begin > 0) as out:
                for piece in pieces(answer):
                    self.stop()
                    begin += len(piece)
                    if begin > file.size:
                        part.unlink()
                        raise DownloadError(
                            f"{file.url}: more than the stated {file.size:,} bytes. What was "
                            "received was removed. Run the same command again; if it stays so, the "
                            "source has changed."
                        )
                    out.write(piece)
                    progress.add(len(piece))
        if begin < file.size:
            raise EOFError(f"the server stopped at {begin:,} of {file.size:,} bytes")


def _keep(part: Path, path: Path) -> None:
    """Give a complete download its name, after it is on disk."""
    with part.open("rb+") as written:
        os.fsync(written.fileno())
    part.replace(path)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
