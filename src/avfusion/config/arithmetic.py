"""Hold numeric libraries to one instruction set, so that machines compute the same bits.

oneDNN, MKL, ATen, OpenBLAS, NumPy and OpenCV choose instructions by the processor, and the order of
a sum changes with their width. Fits amplify such differences: an encoder gets other weights.

| variable | library | held to |
|---|---|---|
| `ONEDNN_MAX_CPU_ISA` | convolutions and recurrent layers of PyTorch | AVX2 |
| `ATEN_CPU_CAPABILITY` | PyTorch's own kernels | AVX2 |
| `MKL_CBWR` | matrix products and FFT of PyTorch | conditional numerical reproducibility |
| `OPENBLAS_CORETYPE` | matrix products of NumPy and SciPy | Haswell, the first with AVX2 |
| `NPY_DISABLE_CPU_FEATURES` | functions of NumPy | AVX2 |
| `OPENCV_CPU_DISABLE` | OpenCV | AVX2, by `hold_opencv` |
| `OMP_NUM_THREADS` | all of them | one thread |

MKL has its branch for AVX2 on processors of Intel only, so `COMPATIBLE`, its common branch, is
used. onnxruntime has no such setting. The places of faces, which it computes, are rounded
(`avfusion.media.yunet`).

The libraries read these variables when they are loaded, so a command that lacks them starts again.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

Arithmetic = Literal["fast", "portable"]

WIDE = ("X86_V4", "AVX512_ICL", "AVX512_SPR")
"""Instruction sets of NumPy beyond AVX2."""

PORTABLE = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": " ".join(WIDE),
    "OMP_NUM_THREADS": "1",
}
"""Variable -> value under `portable`."""

OPENCV = "OPENCV_CPU_DISABLE"
_SKX = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
WIDE_OPENCV = {
    "AVX512-SKX": _SKX,
    "AVX512-CNL": _SKX | {"avx512ifma", "avx512vbmi"},
    "AVX512-CLX": _SKX | {"avx512_vnni"},
    "AVX512-ICL": _SKX | {"avx512ifma", "avx512vbmi", "avx512_vnni", "avx512_vbmi2"},
}
"""Instruction sets of OpenCV beyond AVX2 -> flags of a processor that has them."""


BASE = Path("config/config.yaml")
CPU = Path("/proc/cpuinfo")

_DESCRIPTOR = re.compile(r"/dev/stdin|/(?:dev|proc/self)/fd/(\d+)")

CHOSEN = "AVF_ARITHMETIC"
"""Variable with the arithmetic that was chosen, by the workflow or by a command for itself."""


def variables(arithmetic: Arithmetic) -> dict[str, str]:
    """Return the environment of a kind of arithmetic.

    >>> variables("fast")
    {'AVF_ARITHMETIC': 'fast'}
    """
    return {CHOSEN: arithmetic} | (PORTABLE if arithmetic == "portable" else {})


def hold(arithmetic: Arithmetic, instead: Mapping[str, str] | None = None) -> None:
    """Start this command again with the variables of an arithmetic, unless it needs none.

    Call it before a numeric library is imported, and in a process of one's own only.

    Parameters
    ----------
    arithmetic
        What the command needs.
    instead
        Words of the command line -> what they are replaced by.
    """
    if arithmetic != "fast" and held() != arithmetic:
        words = [(instead or {}).get(word, word) for word in sys.orig_argv[1:]]
        environment = os.environ | variables(arithmetic)
        os.execve(sys.executable, [sys.executable, *words], environment)


def hold_opencv() -> None:
    """Hold OpenCV under `portable`; call it before OpenCV is imported.

    OpenCV complains about instruction sets that the processor lacks, so only its own are named.
    """
    if held() == "portable":
        flags = _flags()
        wide = [name for name, needed in WIDE_OPENCV.items() if needed <= flags]
        if wide:
            os.environ.setdefault(OPENCV, ",".join(wide))


def kept(settings: Path) -> Path:
    """Return a path from which settings can be read several times, also by the next program.

    A pipe is copied into memory. The copy takes the place of a descriptor such as /dev/stdin, whose
    path then stays; that of a named pipe is another one. Other paths are returned as they are.
    """
    if settings.is_file() or not settings.exists():
        return settings
    copy = os.memfd_create("settings", 0)  # without MFD_CLOEXEC it outlives the start of a program
    with os.fdopen(os.dup(copy), "wb") as file:
        file.write(settings.read_bytes())
    described = _DESCRIPTOR.fullmatch(str(settings))
    if described is None:
        return Path(f"/proc/self/fd/{copy}")
    os.dup2(copy, int(described[1] or 0))
    return settings


def of_job(settings: Path) -> Arithmetic | None:
    """Return the arithmetic that the settings of a job state; None if they state none."""
    try:
        document = json.loads(settings.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # the command reports it
    if not isinstance(document, dict):
        return None
    of_encoder = document.get("encoder")
    stated = document.get("arithmetic")
    if stated is None and isinstance(of_encoder, dict):
        stated = of_encoder.get("arithmetic")
    return stated if stated in get_args(Arithmetic) else None


def held() -> Arithmetic:
    """Return the arithmetic that this process has by its environment."""
    same = all(os.environ.get(name) == value for name, value in PORTABLE.items())
    return "portable" if same else "fast"


def can_be_portable() -> bool:
    """Return whether this machine has an x86-64 processor with AVX2 and FMA."""
    return {"avx2", "fma"} <= _flags()


def _flags() -> set[str]:
    """Return the flags of the processor; empty where they are not known."""
    try:
        text = CPU.read_text(encoding="utf-8")
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(line.split())


def stated(path: Path) -> Arithmetic:
    """Return `arithmetic` of a config file; a file without fusions has that of the base study.

    The rest of the file is not checked.

    Raises
    ------
    ConfigError
        If a file is not YAML.
    """
    from avfusion.io.yaml import read_mapping  # a fifth of the start of `avf --help`

    given = read_mapping(path)
    if "arithmetic" not in given and "fusions" not in given and BASE.is_file():
        given = read_mapping(BASE)
    return "portable" if given.get("arithmetic") == "portable" else "fast"
