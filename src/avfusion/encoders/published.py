"""Base of the encoders of the papers, whose network can have fewer channels than published."""

from typing import Any

from avfusion.encoders.tuned_file import TunedFile
from avfusion.errors import ConfigError


class PublishedEncoder(TunedFile):
    """Base of the encoders whose network is one of `backbones`.

    Parameters
    ----------
    width
        Share of the published channels.
    """

    def __init__(self, entry: str, *, width: float = 1.0, **options: Any) -> None:
        if not width > 0:
            raise ConfigError(f"{entry}: `width` must be above 0, found {width}.")
        self.width = width
        super().__init__(entry, **options)

    def preprocessing(self) -> dict[str, Any]:
        """Return how the input of the network is made, JSON-ready.

        It follows from the code and the options, so it is no part of the key of the features.
        """
        raise NotImplementedError

    def described(self) -> dict[str, Any]:
        """Return the preprocessing, for settings.json."""
        return {"preprocessing": self.preprocessing()}
