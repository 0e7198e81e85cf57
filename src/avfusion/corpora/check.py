"""One check of a corpus: what was expected, what was observed, and how certain the expectation is.

`avf verify` writes the checks of a corpus to checks.csv.
"""

from dataclasses import dataclass

DEFINED, RECOMPUTED = "by definition", "recomputed"
READ, COMPUTED = "read in a source", "computed from public material"
RECOLLECTION, GIVEN = "recollection", "given in the config"
CERTAINTIES = (DEFINED, RECOMPUTED, READ, COMPUTED, RECOLLECTION, GIVEN)

FEW_PEOPLE = (
    "With fewer than three people, train and test show the same ones. Scores cannot show how well "
    "a model works for a new person; add people to measure that."
)


@dataclass(frozen=True)
class Check:
    """One row of checks.csv.

    Parameters
    ----------
    name
        Name of the check.
    verdict
        `PASS`, `WARN` or `FAIL`.
    expected, found
        Expectation and observation, in words.
    hint
        How to correct the corpus; empty if the check passes.
    certainty
        Source of the expectation, one of `CERTAINTIES`.

    Raises
    ------
    ValueError
        If the certainty is unknown, or if a recollection fails a corpus: unverified expectations
        may warn but never fail.
    """

    name: str
    verdict: str
    expected: str
    found: str
    hint: str = ""
    certainty: str = DEFINED

    def __post_init__(self) -> None:
        if self.certainty not in CERTAINTIES:
            raise ValueError(f"{self.name}: certainty {self.certainty!r} is not in CERTAINTIES.")
        if self.certainty == RECOLLECTION and self.verdict == "FAIL":
            raise ValueError(f"{self.name}: a recollection cannot fail a corpus.")


def check(name: str, good: bool, expected: str, found: object, hint: str, **more: str) -> Check:
    """Return a check that passes if `good` is true.

    Parameters
    ----------
    name, expected, found
        As in `Check`.
    good
        Whether the expectation holds.
    hint
        How to correct the corpus; left out if the check passes.
    **more
        `verdict` if it is not good (default: FAIL, or WARN for a recollection) and `certainty`.
    """
    worst = "WARN" if more.get("certainty") == RECOLLECTION else "FAIL"
    verdict = "PASS" if good else more.get("verdict", worst)
    more.pop("verdict", None)
    return Check(name, verdict, expected, str(found), "" if good else hint, **more)
