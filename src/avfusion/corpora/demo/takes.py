"""Plans of several videos of each made person: same face and voice, other words, light and camera.

A person is that of `scene` with the same index. What a take shows and says comes from an index of
its own, and so do its exposure, white balance, grain and level of noise.
"""

from dataclasses import dataclass, fields

import numpy as np

from avfusion.corpora.demo.scene import Scene, scene

TAKES = 4
"""Videos of each person."""

_FIRST = 100_000  # the indices of takes begin here, so that no take is that of another person's
_PORTRAIT = 2  # the stream of random numbers from which a face is painted


@dataclass(frozen=True)
class Take(Scene):
    """Plan of one video of a person; `person` is the seed of the face."""

    person: tuple[int, int] = (0, 0)

    def rng(self, stream: int) -> np.random.Generator:
        """Return a random generator; that of the face is the same in all takes of a person."""
        if stream == _PORTRAIT:
            return np.random.default_rng([*self.person, stream])
        return super().rng(stream)


def take_name(index: int) -> str:
    """Return the name of a take.

    >>> take_name(9)
    'person002_1'
    """
    person, number = divmod(index, TAKES)
    return f"person{person:03d}_{number}"


def take(index: int, seconds: float, seed: int) -> Take:
    """Return the plan of a take: take `index % TAKES` of person `index // TAKES`."""
    person = index // TAKES
    shown, who = scene(_FIRST + index, seconds, seed), scene(person, seconds, seed)
    content = {field.name: getattr(shown, field.name) for field in fields(Scene)}
    content |= {"partition": who.partition, "subject": who.subject}
    content |= {"voice": who.voice, "formants": who.formants, "video": take_name(index)}
    return Take(**content, person=(seed, person))
