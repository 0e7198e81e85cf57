"""VoxCeleb1, utterances of 1,251 celebrities from videos; a video is one utterance."""

from collections.abc import Iterator

from avfusion.corpora.check import Check
from avfusion.corpora.voxceleb1.checks import voxceleb1_checks
from avfusion.corpora.voxceleb1.release import VoxCeleb1Release
from avfusion.registry import corpora


@corpora.add("voxceleb1")
class VoxCeleb1(VoxCeleb1Release):
    """VoxCeleb1 with the official trial lists; people of Vox1-O are the test partition.

    Parameters
    ----------
    root : Path
        Folder with the wav files of dev and test, the faces, vox1_meta.csv and the trial lists, at
        any depth.
    cleaned : bool
        Use the cleaned lists (veri_test2.txt and so on) instead of the first ones.
    validation : int
        Number of dev people in the validation partition; 1,150 are left to train on, as in the code
        of RJCA for verification.
    seed : int
        Seed of the choice of these people and of the validation trials.
    expect : dict, optional
        Counts that replace those of the release: `people`, `utterances`, and `O`, `E` and `H`
        (trials of a list).
    """

    def checks(self) -> Iterator[Check]:
        """Yield checks of counts, the meta file, trial lists, faces and sound."""
        yield from voxceleb1_checks(self)
