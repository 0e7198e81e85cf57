"""What the papers claim, as data: config/claims.yaml, read and checked for form.

A claim names fusions by their forms, so it meets any study that has them, whatever their entries
are called there. How a claim is checked is in claim_checks.py.
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
        """Names of the forms that the claim is about."""
        return [self.better, *self.worse]


class Equivalent(_Claim):
    """Two fusions differ by no more than a margin."""

    kind: Literal["equivalent"]
    pair: tuple[Name, Name]
    margin: Annotated[float, Field(gt=0)] | None = Field(None, description="CCC; else the file's.")

    def fusions(self) -> list[str]:
        """Names of the forms that the claim is about."""
        return list(self.pair)


class Trend(_Claim):
    """The score rises along a row of fusions."""

    kind: Literal["trend"]
    along: Annotated[list[Name], Field(min_length=3)]

    def fusions(self) -> list[str]:
        """Names of the forms that the claim is about."""
        return self.along


class Robust(_Claim):
    """One fusion loses less than another as its input is corrupted."""

    kind: Literal["robust"]
    better: Name
    worse: Name
    corruption: Name

    def fusions(self) -> list[str]:
        """Names of the forms that the claim is about."""
        return [self.better, self.worse]


Claim = Better | Equivalent | Trend | Robust


class Claims(_Data):
    """The whole file."""

    margin: Annotated[float, Field(gt=0)] = Field(description="CCC within which two are equal.")
    forms: dict[Name, Form] = Field({}, description="Name -> {is: class, and its options}.")
    claims: list[Annotated[Claim, Field(discriminator="kind")]]

    def form(self, name: str) -> Form:
        """The form behind a name; a fusion's own name means its defaults."""
        return self.forms.get(name, {"is": name})


def load(path: Path = FILE) -> Claims:
    """The claims of a file; refuses with every fault in a sentence."""
    try:
        read = Claims.model_validate(read_mapping(path))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {_sentence(f)}" for f in error.errors())) from None
    found = _faults(read)
    if found:
        raise ConfigError("\n".join(f"{path}: {fault}" for fault in found))
    return read


def _faults(read: Claims) -> list[str]:
    """What types cannot say: names are known, once each, and forms have the options they set."""
    found = []
    for name, form in read.forms.items():
        if "is" not in form:
            found.append(f"forms.{name} says no class. Add `is: …`.")
        elif fusions.known(form["is"]):
            known = fusions.options(form["is"])
            for key in sorted(form.keys() - known.keys() - {"is"}):
                listed = ", ".join(known) or "none"
                found.append(f"forms.{name}: {form['is']} has no option {key!r}. It has: {listed}.")
    known = [*read.forms, *fusions.names()]
    for claim in read.claims:
        for name in claim.fusions():
            if name not in known:
                found.append(
                    f"{claim.name}: no form or fusion named {name!r}.{near(name, known)} "
                    f"Add it under forms."
                )
    names = [claim.name for claim in read.claims]
    found += [f"two claims are named {n!r}." for n in sorted(set(names)) if names.count(n) > 1]
    return found


def _sentence(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "the file"
    said = fault["msg"][0].lower() + fault["msg"][1:]
    if fault["type"] in ("missing", "union_tag_not_found"):
        return f"{where}: {said}."
    return f"{where}: {said}; found {fault['input']!r}."
