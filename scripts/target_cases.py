"""Writes the cases of tests/target.rs: what `packaging` says about markers, requirements, specifiers and tags.

Run by scripts/check-markers, in an environment that has `packaging`. The seed is fixed: the same release of
`packaging` gives the same files.
"""

import hashlib
import itertools
import json
import random
import re
import sys
import sysconfig
import unittest.mock
from pathlib import Path

import packaging
from packaging import _manylinux, _musllinux, tags
from packaging._parser import Value, Variable
from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, Specifier
from packaging.version import Version

COMMAND = "made by scripts/check-markers with packaging " + packaging.__version__


def words(text):
    """The blank-separated words of a long text."""
    return text.split()


VARIABLES = {
    "python_version": ["3.8", "3.10", "3.11", "3.13", "3", "3.*", "3.11.*", "4", "2.7", "3.9 ", "3.10.0", "3.8, 3.9"],
    "python_full_version": ["3.8.1", "3.11.7", "3.13.0rc1", "3.11.*", "3.14.0a1", "3.9.0", "3.13.0.post1", "3.11.7+x"],
    "implementation_version": ["3.11.7", "7.3", "3.11", "3.13.0b1", "cpython"],
    "platform_release": ["5.15", "5.15.0-91-generic", "23.1.0", "10", "", "6", "5.*"],
    "os_name": ["posix", "nt", "java", "po"],
    "sys_platform": ["linux", "linux2", "darwin", "win32", "win", "cygwin", "linux darwin"],
    "platform_machine": ["x86_64", "aarch64", "arm64", "AMD64", "x86_64 aarch64", "i686"],
    "platform_system": ["Linux", "Darwin", "Windows", "linux", ""],
    "platform_version": ["#1 SMP", "1.0", "10.0.19041", "Darwin Kernel Version 23"],
    "platform_python_implementation": ["CPython", "PyPy", "cpython"],
    "implementation_name": ["cpython", "pypy"],
    "extra": ["socks", "Dev_Tools", "a.b", "dev-tools", "", "not one", "test"],
    "extras": ["socks", "Dev_Tools", "test"],
    "dependency_groups": ["dev", "Docs.All", "test"],
}
LEGACY = {
    "os_name": ["os.name"],
    "sys_platform": ["sys.platform"],
    "platform_version": ["platform.version"],
    "platform_machine": ["platform.machine"],
    "platform_python_implementation": ["platform.python_implementation", "python_implementation"],
}
SYMBOLS = ["==", "!=", "<", "<=", ">", ">=", "~=", "==="]
SETS = ("extras", "dependency_groups")

LINUX = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.7",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "5.15.0-91-generic",
    "platform_system": "Linux",
    "platform_version": "#101 SMP",
    "python_full_version": "3.11.7",
    "python_version": "3.11",
    "sys_platform": "linux",
}
MACOS = LINUX | {
    "platform_machine": "arm64",
    "platform_release": "23.1.0",
    "platform_system": "Darwin",
    "platform_version": "Darwin Kernel Version 23.1.0",
    "sys_platform": "darwin",
}
WINDOWS = LINUX | {
    "os_name": "nt",
    "platform_machine": "AMD64",
    "platform_release": "10",
    "platform_system": "Windows",
    "platform_version": "10.0.19041",
    "sys_platform": "win32",
}


def python(full, minor):
    return {"implementation_version": full, "python_full_version": full, "python_version": minor}


CONTEXTS = [
    {"environment": LINUX, "extras": []},
    {"environment": LINUX | python("3.8.18", "3.8"), "extras": ["socks"]},
    {
        "environment": LINUX | python("3.13.0rc1", "3.13") | {"platform_release": "6.8.0"},
        "extras": ["dev-tools", "a-b"],
    },
    {"environment": LINUX | python("3.14.0+", "3.14") | {"platform_release": "", "platform_version": ""}, "extras": []},
    {"environment": LINUX | python("3.10.0", "3.10") | {"platform_machine": "aarch64"}, "extras": ["test"]},
    {"environment": MACOS | python("3.13.0", "3.13"), "extras": []},
    {"environment": WINDOWS | python("3.9.1", "3.9"), "extras": ["socks", "test"]},
    {"environment": LINUX, "extras": [], "groups": []},
    {"environment": WINDOWS | python("3.12.1", "3.12"), "extras": ["socks", "dev-tools"], "groups": ["dev"]},
    {"environment": MACOS, "extras": ["test"], "groups": ["docs-all", "test"]},
]
CORNERS = (
    """
python_version>="3.8"
'3.8'<=python_version
"3" in python_version
python_version not in "2.7, 3.8"
python_version   not   in   '3.11'
python_version not	in '3.11'
python_version in "3.11 3.12" and(os_name=="posix")or sys_platform!='linux'
(((os_name == "posix")))
os_name == "posix" and (sys_platform == "linux" or sys_platform == "darwin") and extra == "Dev.Tools"
(os_name == "nt" and python_version < "3") or (os_name == "posix" and python_version >= "3")
python_version ~= "3.8"
python_version ~= "3"
os_name ~= "posix"
os_name === "posix"
python_full_version === "3.11.7"
python_full_version === "3.11.7 "
python_full_version === "3;11"
python_version == "3.11.*"
python_full_version == "3.11.7.*"
python_full_version == "3.11.7.0.*"
python_version == "3.11.0.*"
python_version == "3.11.1.*"
python_version != "3.11.*"
python_version > "3.*"
platform_release >= "5"
platform_release == "5.15.0-91-generic"
platform_release >= "5.15.0-91-generic"
platform_release < "10"
"10" >= platform_release
"x" == extra
extra == "x" or extra != "x"
extra != "socks"
extra == "socks" and extra == "test"
extra in "socks test"
"soc" in extra
extra not in "socks"
extra < "z"
extra
"socks" in extras
"socks" not in extras
'Dev_Tools' in extras and "dev" in dependency_groups
extras in "socks"
extras == "socks"
"a" in os.name
python_implementation == "CPython"
implementation_version<"3.12"and'x'not in sys_platform
python_version >= "3.8" and
and python_version >= "3.8"
python_version >= "3.8" or or os_name == "nt"
python_version >= 3.8
python_version = "3.8"
python_version >== "3.8"
python_version >= "3.8
python_version >= '3.8"
(python_version >= "3.8"
python_version >= "3.8")
pythonversion >= "3.8"
python_versions >= "3.8"
python_version >= "3.8"; os_name == "nt"
python_version notin "3.8"
python_version not "3.8"
python_version in"3.8"
python_versionin "3.8"
os_name=="it's"
os_name=='say "hi"'
()
not os_name == "nt"
sys_platform == "linux"andos_name == "posix"
Python_Version >= "3.8"
python_version IN "3.8"
python_version >= "3.8" AND os_name == "nt"
os_name == "é" or os_name != "é"
""

""".strip("\n").split("\n")
    + ["", " ", "\n", "os_name == 'a\nb'", " os_name == 'posix' ", "os_name ==\n'posix'"]
)


def comparison(chooser):
    name = chooser.choice(list(VARIABLES))
    values = VARIABLES[name] if chooser.random() < 0.9 else VARIABLES[chooser.choice(list(VARIABLES))]
    quote = chooser.choice("'\"")
    literal = quote + chooser.choice(values) + quote
    operator = chooser.choice(["in", "not in"]) if chooser.random() < 0.2 or name in SETS else chooser.choice(SYMBOLS)
    spelled = chooser.choice([name, *LEGACY.get(name, [])])
    blank = chooser.choice([" ", " ", "", "  "]) if operator in SYMBOLS else " "
    sides = [spelled, literal] if chooser.random() < 0.75 and name not in SETS else [literal, spelled]
    return f"{sides[0]}{blank}{operator}{blank}{sides[1]}"


def expression(chooser, depth):
    if depth == 0 or chooser.random() < 0.35:
        return comparison(chooser)
    parts = [expression(chooser, depth - 1) for _ in range(chooser.choice([2, 2, 3]))]
    text = chooser.choice([" and ", " or "]).join(parts)
    return f"({text})" if chooser.random() < 0.6 else text


def damaged(chooser, text):
    position = chooser.randrange(len(text))
    return text[:position] + chooser.choice(["", "", *"'\"()=<> ;aé"]) + text[position + chooser.choice([0, 1]) :]


def deliberately_refused(marker):
    """What src/target/marker refuses and `packaging` takes; its module documentation lists it."""
    items = list(marker._markers)
    while items:
        item = items.pop()
        if isinstance(item, list):
            items.extend(item)
        if isinstance(item, tuple):
            left, operator, right = item
            if isinstance(left, Value) == isinstance(right, Value):
                return True
            variable = left if isinstance(left, Variable) else right
            if variable.value in SETS and operator.value not in ("in", "not in"):
                return True
    return False


def verdict(marker, context):
    environment, extras = context["environment"], context["extras"]
    try:
        if "groups" in context:
            sets = {"extras": frozenset(extras), "dependency_groups": frozenset(context["groups"])}
            return "1" if marker.evaluate(environment | sets, "lock_file") else "0"
        # pip asks for no extra first, for the distribution itself, then for each of the extras.
        verdicts = [marker.evaluate(environment | {"extra": extra}) for extra in ["", *extras]]
        return "1" if any(verdicts) else "0"
    except (UndefinedComparison, UndefinedEnvironmentName):
        return "E"


def marker_cases():
    chooser = random.Random(508)
    texts = dict.fromkeys(CORNERS)
    texts.update(dict.fromkeys(comparison(chooser) for _ in range(1200)))
    texts.update(dict.fromkeys(expression(chooser, 3) for _ in range(600)))
    texts.update(dict.fromkeys(damaged(chooser, expression(chooser, 1)) for _ in range(700)))
    cases = []
    for text in texts:
        try:
            marker = Marker(text)
        except InvalidMarker:
            cases.append([text, None])
            continue
        if "\\" not in text and not deliberately_refused(marker):
            cases.append([text, "".join(verdict(marker, context) for context in CONTEXTS)])
    return {"about": COMMAND, "contexts": CONTEXTS, "markers": cases}


VERSIONS = words(
    "0 1 1.0 1.0.0 1.0.1 1.1 1.10 2 2.0 2.0.0 2.1 3 3.8 3.8.0 3.8.1 3.8.1.0 3.8.10 3.9 1.0a1 1.0a2 1.0b1 1.0rc1 "
    "1.0.dev0 1.0.dev1 1.0a1.dev1 1.0.post0 1.0.post1 1.0.post1.dev2 1.0a1.post1 1.1.dev1 1.1a1 2.0.dev0 2.0rc1 "
    "1.0+a 1.0+a.1 1.0+1 1.0a1+x 1.0.post1+x 2.0+x 1!0 1!1.0 1!1.0a1 1!2.0 2!1.0 1.0-1 1.0.RC2 v1.0 2024.1 "
    "3.8.1rc1 3.8.2.dev1"
)
SUFFIXES = ["", "", "", "a1", "b2", "rc1", ".dev0", ".dev1", ".post0", ".post1", "a1.dev1", ".post1.dev2"]


def specifier(chooser):
    operator = chooser.choice(SYMBOLS[:-1])
    release = ".".join(str(chooser.choice([0, 1, 1, 2, 3, 8, 10])) for _ in range(chooser.choice([1, 2, 2, 3, 4])))
    epoch = chooser.choice(["", "", "", "", "1!"])
    suffix = chooser.choice(SUFFIXES)
    if operator in ("==", "!="):
        suffix = chooser.choice([suffix, suffix, ".*", suffix + "+a", suffix + "+1"])
    return f"{operator}{epoch}{release}{suffix}"


def specifier_cases():
    chooser = random.Random(440)
    fixed = [f"{operator}{version}" for operator in SYMBOLS[:-1] for version in VERSIONS]
    fixed += ["==1.*", "!=1.*", "==1.0.*", "==3.8.1.*", "!=3.8.1.*", "==1!1.*", "~=1", "==1.0a1.*", ">=1.*", "=1", "=="]
    cases = []
    for text in dict.fromkeys(fixed + [specifier(chooser) for _ in range(700)]):
        try:
            parsed = Specifier(text)
        except InvalidSpecifier:
            cases.append([text, None])
            continue
        cases.append([text, "".join("01"[parsed.contains(version, prereleases=True)] for version in VERSIONS)])
    return {"about": COMMAND, "versions": VERSIONS, "specifiers": cases}


REQUIREMENT_CORNERS = (
    """
foo
 foo 
Foo.Bar_baz
foo-
foo_
-foo
é
foo[]
foo[ ]
foo[a]
foo[a,b]
foo[ a , B_c ]
foo [a]
foo[a b]
foo[a,]
foo[,a]
foo[a
foo>=1
foo>=1,<2
foo >= 1 , < 2
foo>=1,
foo,>=1
foo>=1,,<2
foo>=1 <2
foo (>=1.0)
foo(>=1.0,<2)
foo ( >= 1.0 , < 2 )
foo ()
foo (1.0)
foo 1.0
foo==1.0
foo = 1.0
foo===1.0
foo=>1
foo~=1
foo~=1.0
foo>=1.*
foo==1.*
foo==1.0a1.*
foo>=1.0+local
foo==1.0+local
foo<=1.0-1
foo==v1.0
foo>=2.0.0-alpha1
foo!=1.5.*,>=1;python_version>="3"
foo[a]>=1;os_name=="nt"
foo;os_name=="nt"
foo ; os_name == "nt"
foo;
foo ;
foo;os_name
foo>=1 os_name=="nt"
foo;os_name=="nt" foo
foo @ https://example.org/foo-1.0-py3-none-any.whl
foo@https://example.org/foo.zip
foo @ https://example.org/foo.zip ; os_name == "nt"
foo @ https://example.org/foo.zip;os_name=="nt"
foo @ https://example.org/foo.zip os_name=="nt"
foo[a,b] @ file:///tmp/foo
foo @ git+https://user:secret@example.org/foo.git@v1#subdirectory=x
foo @
foo @ 
foo @ https://example.org/foo.zip 
foo>=1 @ https://example.org/foo.zip
foo(>=1
foo>=1)
foo((>=1))
foo>=
foo>=a
foo>=1.0foo
foo >=1.0.post
foo<2.dev
foo; extra == 'X_y'
foo (>=1) ; extra == "a" and (os_name == "nt" or os_name == "posix")
foo bar
foo/bar
foo#egg
./foo
https://example.org/foo.whl
""".strip("\n").split("\n")
    + ["", "\n", "foo>=\n1", "foo\n>=1", "foo\t>=1\t;\tos_name=='nt'"]
)


def requirement_facts(text):
    try:
        parsed = Requirement(text)
    except InvalidRequirement:
        return None
    wanted = []
    for part in parsed.specifier:
        star = ".*" if part.version.endswith(".*") else ""
        wanted.append(part.operator + str(Version(part.version.removesuffix(".*"))) + star)
    return {
        "name": re.sub(r"[-_.]+", "-", parsed.name).lower(),
        "extras": sorted({re.sub(r"[-_.]+", "-", extra).lower() for extra in parsed.extras}),
        "specifiers": sorted(set(wanted)),
        "url": parsed.url,
        "marker": str(parsed.marker) if parsed.marker else None,
    }


def requirement_text(chooser):
    def blank():
        return chooser.choice(["", "", " ", "  "])

    name = chooser.choice(["foo", "Foo.Bar", "a", "zope.interface", "ruamel_yaml", "A-1"])
    extras = chooser.choice(["", "", "[a]", "[a,b]", f"[{blank()}A_b{blank()},{blank()}c.d ]"])
    specifiers = f"{blank()},{blank()}".join(specifier(chooser) for _ in range(chooser.choice([0, 1, 1, 2, 3])))
    if chooser.random() < 0.2:
        specifiers = f"({blank()}{specifiers}{blank()})"
    marker = f"{blank()};{blank()}{expression(chooser, 1)}" if chooser.random() < 0.5 else ""
    if chooser.random() < 0.1:
        specifiers, marker = "@ https://example.org/x.whl", f" {marker.strip()}" if marker else ""
    return f"{name}{blank()}{extras}{blank()}{specifiers}{marker}"


def requirement_cases(real):
    chooser = random.Random(5080)
    texts = REQUIREMENT_CORNERS + real + [requirement_text(chooser) for _ in range(700)]
    texts += [damaged(chooser, requirement_text(chooser)) for _ in range(500)]
    cases = []
    for text in dict.fromkeys(texts):
        facts = requirement_facts(text)
        if facts and (facts["name"].endswith("-") or text.strip().startswith(("foo_",))):
            continue  # PEP 508: a name ends with a letter or digit; `packaging` takes `foo_`.
        if facts and facts["marker"] and (deliberately_refused(Marker(facts["marker"])) or "\\" in text):
            continue
        cases.append([text, facts])
    return {"about": COMMAND, "requirements": cases}


PLATFORMS = [
    ("manylinux_2_36_x86_64", "x86_64", (2, 36), None),
    ("manylinux_2_5_x86_64", "x86_64", (2, 5), None),
    ("manylinux2014_x86_64", "x86_64", (2, 17), None),
    ("manylinux_2_28_aarch64", "aarch64", (2, 28), None),
    ("manylinux_2_17_i686", "i686", (2, 17), None),
    ("manylinux_2_31_armv7l", "armv7l", (2, 31), None),
    ("manylinux_3_2_x86_64", "x86_64", (3, 2), None),
    ("musllinux_1_2_x86_64", "x86_64", None, (1, 2)),
    ("musllinux_1_1_aarch64", "aarch64", None, (1, 1)),
    ("linux_x86_64", "x86_64", None, None),
    ("macosx_11_0_arm64", "arm64", (11, 0), None),
    ("macosx_14_2_arm64", "arm64", (14, 2), None),
    ("macosx_10_9_x86_64", "x86_64", (10, 9), None),
    ("macosx_13_0_x86_64", "x86_64", (13, 0), None),
    ("win_amd64", None, None, None),
    ("win32", None, None, None),
    ("win_arm64", None, None, None),
]
WHEEL_TAGS = words("""
py3-none-any py2.py3-none-any cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64
cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64 cp38-abi3-manylinux_2_17_x86_64 cp37-abi3-win_amd64
cp313-cp313t-manylinux_2_28_x86_64 cp313-cp313-musllinux_1_2_x86_64 cp312-cp312-macosx_10_9_universal2
cp312-cp312-macosx_11_0_arm64 cp39-cp39-macosx_10_9_x86_64 py3-none-manylinux1_x86_64 py3-none-win32
cp311-none-any py310-none-any cp314-cp314t-win_amd64 cp315-abi3t-manylinux_2_17_x86_64 cp36-abi3-linux_x86_64
py30-none-any py2-none-any pp310-pypy310_pp73-win_amd64 cp310-cp310-manylinux_2_31_armv7l
""")
TAG_TEXTS = [
    *words("py3-none-any py2.py3-none-any PY3-None-ANY a.b-c.d-e.f py3-none py3--any .py3-none-any py3.-none-any"),
    *words("3py-none-any é-none-any py3-none-a+b cp311-cp311-win_amd64 - -- py3-none-any-x py3-no.ne-"),
    "",
    "py 3-none-any",
]


def platform_tags(name, architecture, libc, musl):
    if name.startswith("win"):
        return [name]
    if name.startswith("macosx"):
        return list(tags.mac_platforms(libc, architecture))
    with (
        unittest.mock.patch.object(sysconfig, "get_platform", lambda: f"linux-{architecture}"),
        unittest.mock.patch.object(_manylinux, "_get_glibc_version", lambda: libc or (-1, -1)),
        unittest.mock.patch.object(_manylinux, "_have_compatible_abi", lambda _executable, _archs: True),
        unittest.mock.patch.object(_manylinux, "_get_manylinux_module", lambda: None),
        unittest.mock.patch.object(
            _musllinux, "_get_musl_version", lambda _: _musllinux._MuslVersion(*musl) if musl else None
        ),
    ):
        return list(tags._linux_platforms(is_32bit=False))


def interpreter_tags(version, flags, platforms):
    variables = {"Py_DEBUG": int("d" in flags), "Py_GIL_DISABLED": int("t" in flags)}
    with unittest.mock.patch.object(tags, "_get_config_var", lambda name, _warn=False: variables[name]):
        abis = tags._cpython_abis(version)
    name = "cp" + "".join(map(str, version))
    compatible = tags.compatible_tags(version, name, platforms)
    return [str(tag) for tag in itertools.chain(tags.cpython_tags(version, abis, platforms), compatible)]


def tag_cases():
    cases = []
    for platform, (minor, flags) in itertools.product(
        PLATFORMS, [*((n, "") for n in range(8, 15)), (13, "t"), (14, "t"), (12, "d"), (14, "td")]
    ):
        everything = platform_tags(*platform)
        # A named platform promises nothing about the machine a linux_* wheel was built on; a probed one is it.
        named = [tag for tag in everything if platform[0].startswith("linux_") or not tag.startswith("linux_")]
        for machine, platforms in {"any": named, "this": everything}.items():
            if machine == "this" and platforms == named:
                continue
            supported = interpreter_tags((3, minor), flags, platforms)
            ranks = {}
            for rank, tag in enumerate(supported):
                ranks.setdefault(tag, rank)
            best = [
                min((ranks[str(tag)] for tag in tags.parse_tag(text) if str(tag) in ranks), default=None)
                for text in WHEEL_TAGS
            ]
            cases.append(
                {
                    "platform": platform[0],
                    "machine": machine,
                    "python": f"3.{minor}",
                    "flags": flags,
                    "count": len(supported),
                    "sha256": hashlib.sha256("\n".join(supported).encode()).hexdigest(),
                    "ranks": best,
                }
            )
    parsed = []
    for text in TAG_TEXTS:
        try:
            parsed.append([text, sorted(map(str, tags.parse_tag(text)))])
        except tags.InvalidTag:
            parsed.append([text, None])
    return {"about": COMMAND, "wheels": WHEEL_TAGS, "supported": cases, "sets": parsed}


def main():
    directory = Path(sys.argv[1])
    lines = (directory / "requires-dist.txt").read_text(encoding="utf-8").splitlines()
    real = [line for line in lines if not line.startswith("#")]
    files = {
        "markers": marker_cases(),
        "specifiers": specifier_cases(),
        "requirements": requirement_cases(real),
        "tags": tag_cases(),
    }
    for name, content in files.items():
        # One case a line: a change shows as such in a diff.
        keys = []
        for key, value in content.items():
            if isinstance(value, list):
                items = ",\n".join(json.dumps(item, ensure_ascii=True) for item in value)
                keys.append(f"{json.dumps(key)}: [\n{items}\n]")
            else:
                keys.append(f"{json.dumps(key)}: {json.dumps(value)}")
        text = "{\n" + ",\n".join(keys) + "\n}\n"
        (directory / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"{name}.json: {max(len(value) for value in content.values())} cases, {len(text)} bytes")


if __name__ == "__main__":
    main()
