"""Endings of the names of media files."""

VIDEOS = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts"),
        *(".m2ts", ".wmv", ".flv", ".3gp", ".mxf", ".vob", ".ogv"),
    }
)


SOUNDS = frozenset(
    {
        *(".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".aif", ".aiff"),
        *(".wma", ".caf", ".mka", ".amr"),
    }
)


def ending(path: str) -> str:
    """Return the ending of a path's name in lower case, with its dot.

    >>> ending("a.b/Clip.MP4"), ending("a.b/clip")
    ('.mp4', '')
    """
    name = path.rpartition("/")[2]
    return "." + name.rpartition(".")[2].lower() if "." in name else ""
