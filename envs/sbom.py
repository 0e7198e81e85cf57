"""Write the software bill of materials of the lock: CycloneDX 1.6 as JSON, on standard output.

    python envs/sbom.py [LOCK] > sbom.json

It lists each package of the lock (by default envs/requirements.txt) with its version and the
SHA-256 of its files, so that a scanner can compare them with known vulnerabilities.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).with_name("requirements.txt")

_PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def bill(lock: str) -> dict[str, Any]:
    """Return the bill of materials of a lock file of pip.

    >>> bill("a-b==1.0 \\\\\\n --hash=sha256:" + 64 * "0")["components"][0]["purl"]
    'pkg:pypi/a-b@1.0'
    """
    found = list(_PACKAGE.finditer(lock))
    ends = [match.start() for match in found[1:]] + [len(lock)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "avfusion"}},
        "components": [
            _component(match[1], match[2], _HASH.findall(lock[match.end() : end]))
            for match, end in zip(found, ends, strict=True)
        ],
    }


def _component(name: str, version: str, digests: list[str]) -> dict[str, Any]:
    plain = re.sub(r"[-_.]+", "-", name).lower()
    address = f"pkg:pypi/{plain}@{version}"
    files = [
        {"type": "distribution", "url": address, "hashes": [{"alg": "SHA-256", "content": digest}]}
        for digest in digests
    ]
    return {
        "type": "library",
        "bom-ref": address,
        "name": plain,
        "version": version,
        "purl": address,
        "externalReferences": files,
    }


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else LOCK
    json.dump(bill(path.read_text(encoding="utf-8")), sys.stdout, indent=1)
    sys.stdout.write("\n")
