"""Read the claims of papers from config/claims.yaml and check their form.

A claim names fusions by their forms, so it applies to any study that has these forms, under any
names. check_claims.py tests claims.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from avfusion.errors import ConfigError
from avfusion.io.yaml import read_mapping
from avfusion.registry import fusions, near

FILE = Path("config/claims.yaml")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
Form = dict[str, Any]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Claim(_Data):
    name: Name
    says: str = Field(min_length=1, description="The claim in this project's words.")
    source: str = Field(min_length=1, description="Where it is made.")
    corpora: list[Name] = Field(description="Where its authors tested it; it is checked on all.")


class Better(_Claim):
    """One fusion scores higher than each of the others."""

    kind: Literal["better"]
    better: Name
    worse: Annotated[list[Name], Field(min_length=1)]

    def fusions(self) -> list[str]:
        """Return the names of the forms that the claim compares."""
        return [self.better, *self.worse]


class Equivalent(_Claim):
    """Two fusions differ by no more than a margin."""

    kind: Literal["equivalent"]
    pair: tuple[Name, Name]
    margin: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Else that of `statistics.margins`."
    )

    def fusions(self) -> list[str]:
        """Return the names of the forms that the claim compares."""
        return list(self.pair)


class Trend(_Claim):
    """The score rises along a sequence of fusions."""

    kind: Literal["trend"]
    along: Annotated[list[Name], Field(min_length=3)]

    def fusions(self) -> list[str]:
        """Return the names of the forms that the claim compares."""
        return self.along


class Robust(_Claim):
    """One fusion loses less than another as its input is corrupted, and does not score lower."""

    kind: Literal["robust"]
    better: Name
    worse: Name
    corruption: Name

    def fusions(self) -> list[str]:
        """Return the names of the forms that the claim compares."""
        return [self.better, self.worse]


Claim = Better | Equivalent | Trend | Robust
Direction = Literal["lower", "higher"]


class Gated(_Data):
    """A gated fusion, what it is without its gate, and how its gates should answer."""

    gated: Name
    ungated: Name
    answers: dict[str, dict[Literal["audio", "video"], Direction]] = Field(
        description="Gate -> spoilt modality -> its weight there, compared with clean input."
    )


class Claims(_Data):
    """The content of the file."""

    forms: dict[Name, Form] = Field({}, description="Name -> {is: class, and its options}.")
    claims: list[Annotated[Claim, Field(discriminator="kind")]]
    gates: list[Gated] = []

    def form(self, name: str) -> Form:
        """Return the form of a name; the name of a fusion stands for its defaults."""
        return self.forms.get(name, {"is": name})


def load(path: Path = FILE) -> Claims:
    """Read the claims of a file.

    Raises
    ------
    ConfigError
        If the file is not valid; the message has a line per fault.
    """
    try:
        claims = Claims.model_validate(read_mapping(path))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {_sentence(f)}" for f in error.errors())) from None
    faults = _faults(claims)
    if faults:
        raise ConfigError("\n".join(f"{path}: {fault}" for fault in faults))
    return claims


def _faults(claims: Claims) -> list[str]:
    """Check what types cannot: names are known and unique, and forms have the options they set."""
    faults = []
    for name, form in claims.forms.items():
        if "is" not in form:
            faults.append(f"forms.{name} has no class. Add `is: …`.")
        elif fusions.known(form["is"]):
            options = fusions.options(form["is"])
            for key in sorted(form.keys() - options.keys() - {"is"}):
                listed = ", ".join(options) or "none"
                faults.append(
                    f"forms.{name}: {form['is']} has no option {key!r}. It has: {listed}."
                )
    known = [*claims.forms, *fusions.names()]
    for gated in claims.gates:
        for name in (gated.gated, gated.ungated):
            if name not in known:
                faults.append(f"gates: no form or fusion named {name!r}.{near(name, known)}")
    for claim in claims.claims:
        for name in claim.fusions():
            if name not in known:
                faults.append(
                    f"{claim.name}: no form or fusion named {name!r}.{near(name, known)} "
                    f"Add it under forms."
                )
    names = [claim.name for claim in claims.claims]
    faults += [f"two claims are named {n!r}." for n in sorted(set(names)) if names.count(n) > 1]
    return faults


def _sentence(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "the file"
    message = fault["msg"][0].lower() + fault["msg"][1:]
    if fault["type"] in ("missing", "union_tag_not_found"):
        return f"{where}: {message}."
    return f"{where}: {message}; found {fault['input']!r}."
