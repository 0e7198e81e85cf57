"""The application: its addresses, and what happens at its start and end."""

import asyncio
import mimetypes
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from pydantic import BaseModel, Field

from avfusion.config.sections import Rule
from avfusion.errors import AvfError
from avfusion.prediction.app.apart import Apart
from avfusion.prediction.app.clips import Clip, Clips, FullError, NoClipError
from avfusion.prediction.app.guard import Guard
from avfusion.prediction.app.options import Options
from avfusion.prediction.app.pages import Pages
from avfusion.prediction.app.predictor import Predictor
from avfusion.prediction.app.results import FORMATS, content, file_name, keep, ranges_of, without
from avfusion.prediction.app.upload import save
from avfusion.prediction.app.work import Check, Predicted, checking, predicting
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.request import Request as Wanted

CHECK_LIMIT_S = 120.0


class Announced(BaseModel):
    """What a page says of a clip before it sends the file."""

    name: Annotated[str, Field(min_length=1, max_length=500)]
    size: int
    face: Rule | None = None
    start_s: float | None = None
    end_s: float | None = None

    def wanted(self) -> Wanted:
        """Return what to predict."""
        return Wanted(self.face, self.start_s, self.end_s)


class Server:
    """Everything behind the addresses.

    Parameters
    ----------
    options
        What `avf serve` was asked for.
    folder
        For uploads.
    """

    def __init__(self, options: Options, folder: Path) -> None:
        bundle = Bundle.open(options.model, options.files, options.trust_code)
        self.options = options
        self.pages = Pages(bundle.document, bundle.name, options)
        threads = max(1, len(os.sched_getaffinity(0)) // options.jobs)
        given = options.model, dict(options.files), threads, options.trust_code
        self.places = [Apart(predicting, *given, temporary=folder) for _ in range(options.jobs)]
        self.checker, self.check_lock = Apart(checking, temporary=folder), threading.Lock()
        self.predictor: Predictor[Clip] = Predictor(self.places, self.done)
        self.clips = Clips(folder, options, self.predictor)

    def done(self, clip: Clip, predicted: Predicted) -> None:
        """Note a result, without folders of the server, and write it if results are kept."""
        prediction, media = predicted
        prediction.clip["path"] = clip.name
        clip.predicted = predicted
        if self.options.keep is not None:
            clip.kept = keep(prediction, media, self.options.keep).name
        clip.report("done", 1.0)

    def check(self, clip: Clip) -> None:
        """Refuse a file that is no clip, or too long; in a process of its own, as it may crash."""
        clip.report("checking", 0.0)
        job = Check(clip.path, 60 * self.options.most_minutes)
        with self.check_lock:
            self.checker.do(job, lambda phase, share: None, CHECK_LIMIT_S)

    async def receive(self, clip: Clip, pieces: AsyncIterator[bytes]) -> None:
        """Save an upload, check it, and let it wait."""
        try:
            await save(clip, pieces)
            await asyncio.to_thread(self.check, clip)
            self.clips.predict(clip)
        except (AvfError, OSError) as error:
            clip.fail(str(error))

    def start(self) -> None:
        """Start processes before the first clip arrives."""
        self.places[0].start()
        self.checker.start()

    def close(self) -> None:
        """Stop all processes."""
        self.predictor.close()
        self.checker.stop()

    async def remove_unused(self) -> None:
        """Remove clips that are not in use, as long as the server runs."""
        while True:
            await asyncio.sleep(min(30.0, self.options.idle_s / 4))
            await asyncio.to_thread(self.clips.remove_unused)


def application(server: Server, port: int) -> FastAPI:
    """Return the application; `port` is the one that is listened on."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(server.start)
        cleaner = asyncio.create_task(server.remove_unused())
        yield
        cleaner.cancel()
        with suppress(asyncio.CancelledError):
            await cleaner
        await asyncio.to_thread(server.close)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, options=server.options, port=port)
    app.add_exception_handler(AvfError, _refuse)
    _add_pages(app, server)
    _add_clips(app, server)
    _add_results(app, server)
    return app


async def _refuse(request: Request, error: Exception) -> Response:
    kinds: dict[type[Exception], int] = {NoClipError: 404, FullError: 507}
    return JSONResponse({"error": str(error)}, kinds.get(type(error), 422))


def _add_pages(app: FastAPI, server: Server) -> None:
    @app.get("/")
    def start() -> HTMLResponse:
        return HTMLResponse(server.pages.start())

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in server.pages.files:
            raise NoClipError(f"No file {name}.")
        text, kind = server.pages.files[name]
        return Response(text, media_type=kind)

    @app.get("/favicon.ico")
    def icon() -> Response:
        return Response(status_code=204)


def _add_clips(app: FastAPI, server: Server) -> None:
    clips = server.clips

    @app.get("/clips")
    def every(request: Request) -> list[dict[str, Any]]:
        return [clips.state(clip) for clip in clips.of(request.state.owner)]

    @app.post("/clips", status_code=201)
    def add(request: Request, announced: Announced) -> dict[str, Any]:
        wanted = announced.wanted()
        clip = clips.add(request.state.owner, announced.name, announced.size, wanted)
        return clips.state(clip)

    @app.get("/clips/{number}")
    def state(request: Request, number: str) -> dict[str, Any]:
        return clips.state(clips.get(number, request.state.owner))

    @app.delete("/clips/{number}", status_code=204)
    def remove(request: Request, number: str) -> None:
        clips.remove(clips.get(number, request.state.owner))

    @app.post("/clips/{number}/file", status_code=202)
    async def upload(request: Request, number: str) -> dict[str, Any]:
        clip = clips.get(number, request.state.owner)
        if clip.phase != "uploading" or clip.path.exists():
            raise AvfError(f"{clip.name}: was uploaded already. Announce it again.")
        await server.receive(clip, request.stream())
        return clips.state(clip)


def _add_results(app: FastAPI, server: Server) -> None:
    def finished(request: Request, number: str) -> tuple[Clip, Predicted]:
        clip = server.clips.get(number, request.state.owner)
        if clip.phase != "done" or clip.predicted is None:
            raise NoClipError(f"{clip.name}: has no result.")
        return clip, clip.predicted

    Finished = Annotated[tuple[Clip, Predicted], Depends(finished)]  # noqa: N806 - a type

    @app.get("/clips/{number}/page")
    def page(done: Finished) -> HTMLResponse:
        return HTMLResponse(server.pages.result(*done))

    @app.get("/clips/{number}/file")
    def file(done: Finished) -> FileResponse:
        kind = mimetypes.guess_type(done[0].name)[0] or ""
        if not kind.startswith(("video/", "audio/")):
            kind = "video/mp4" if done[1].media.pictures else "audio/mpeg"
        return FileResponse(done[0].path, media_type=kind)

    @app.get("/clips/{number}/rows.{form}")
    def rows(done: Finished, form: str, out: str = "") -> Response:
        if form not in FORMATS:
            raise NoClipError(f"No format {form}; there are {', '.join(FORMATS)}.")
        prediction, media = done[1]
        prediction = without(prediction, ranges_of(out))
        name = file_name(prediction, form)
        response = Response(content(prediction, media, form), media_type=FORMATS[form])
        response.headers["content-disposition"] = _attachment(name)
        return response


def _attachment(name: str) -> str:
    """Return a header that names a download (RFC 6266)."""
    from urllib.parse import quote

    return f"attachment; filename*=UTF-8''{quote(name)}"
