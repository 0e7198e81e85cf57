"""Write an upload to disk as it arrives; it is never in memory as a whole."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect

from avfusion.errors import AvfError
from avfusion.prediction.app.clips import Clip

STALL_S = 60.0
"""An upload that sends nothing for so long is given up."""

_PIECE = 1 << 20


class GoneError(AvfError):
    """The client went away, or cancelled."""


async def save(clip: Clip, pieces: AsyncIterator[bytes]) -> None:
    """Write the pieces of an upload to the clip's file.

    Parameters
    ----------
    clip
        Its `share` follows the upload, which may have as many bytes as were announced.
    pieces
        The body of the request.

    Raises
    ------
    AvfError
        If it is empty or larger than announced.
    GoneError
        If it ended early.
    """
    size, buffer = 0, bytearray()
    with clip.path.open("wb") as file:
        try:
            while True:
                async with asyncio.timeout(STALL_S):
                    piece = await anext(pieces, None)
                if clip.removed:
                    raise GoneError(f"{clip.name}: cancelled.")
                if piece is None:
                    break
                size += len(piece)
                if size > clip.size:
                    raise AvfError(
                        f"{clip.name}: more than the {clip.size} bytes that were announced. Upload "
                        f"it again."
                    )
                buffer += piece
                if len(buffer) >= _PIECE:
                    await asyncio.to_thread(file.write, bytes(buffer))
                    buffer.clear()
                    clip.report("uploading", min(1.0, size / clip.size))
        except (ClientDisconnect, TimeoutError):
            raise GoneError(f"{clip.name}: the upload broke off. Upload it again.") from None
        await asyncio.to_thread(file.write, bytes(buffer))
    if not size:
        raise AvfError(f"{clip.name}: the file is empty (0 bytes). Choose another one.")
