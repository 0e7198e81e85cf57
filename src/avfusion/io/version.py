"""The version of the package; a module of its own, because `avfusion` names all packages."""

__version__ = "0.1.0"
