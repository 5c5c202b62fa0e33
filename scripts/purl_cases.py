"""Writes testdata/evidence/purls.json: what packageurl-python makes of names, versions, qualifiers and subpaths.

Usage: .venv/bin/python scripts/purl_cases.py [FILE]. The seed is fixed: the same release gives the same file, and
tests/e2e/test_sbom.py compares.
"""

import json
import random
import sys
from pathlib import Path

from packageurl import PackageURL

FILE = Path(__file__).resolve().parents[1] / "testdata/evidence/purls.json"
KEYS = ("download_url", "file_name", "repository_url", "vcs_url")
NAMES = ("requests", "Zope.Interface", "ruamel_yaml", "a", "A__b--C.d", "0x", "backports.zoneinfo", "PyYAML")
VERSIONS = ("1.0", "2!1.0.post1", "1.0+local.1", "1.0a1.dev2", "2024.1.1", " 1 ", "", "1 0", "1%2B0", "v1/ü", "a@b?c#d")
VALUES = (
    "a-1.0-py3-none-any.whl",
    "a-1.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
    "https://example.org/simple",
    "https://example.org:8443/a b/ü?q=1&r=2#x",
    "git+https://example.org/r.git@0123456789abcdef",
    "git+ssh://git@example.org/r.git@v1%20",
    "~tilde_and-dash.dot",
    "!$'()*,;=[]{}|^`\"<>\\",
    " ",
    "",
    "日本",
)
SUBPATHS = (None, None, None, "py", "a/b", "/a//b/", "./a/../b", "a b/ü+", ".", "", "a:b@c")


def cases():
    choose = random.Random(770)
    alphabet = [chr(code) for code in range(0x20, 0x7F)] + ["é", "ß", "中", "\U0001f40d"]
    for _ in range(300):
        qualifiers = {key: choose.choice(VALUES) for key in KEYS if choose.random() < 0.4}
        if choose.random() < 0.4:
            qualifiers[choose.choice(KEYS)] = "".join(choose.choices(alphabet, k=choose.randrange(1, 30)))
        yield {
            "kind": choose.choice(("pypi", "generic")),
            "name": choose.choice(NAMES) + choose.choice(("", "", "-x", "_Y", ".z1")),
            "version": choose.choice((*VERSIONS, "".join(choose.choices(alphabet, k=choose.randrange(1, 12))))),
            "qualifiers": qualifiers,
            "subpath": choose.choice(SUBPATHS),
        }


def write(file):
    lines = []
    for case in cases():
        parts = {**case, "type": case["kind"]}
        purl = PackageURL(**{key: parts[key] for key in ("type", "name", "version", "qualifiers", "subpath")})
        lines.append(json.dumps({**case, "purl": purl.to_string()}, ensure_ascii=False, sort_keys=True))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
