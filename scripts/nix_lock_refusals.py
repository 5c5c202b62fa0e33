"""What nix/lock refuses, in whole messages: each case is a lock that is taken, and one change that makes it wrong."""

import hashlib

HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
INDEX = '{ registry = "https://index.example/simple" }'
WHEEL = "https://files.example/a-1.0-py3-none-any.whl"
TARGET = {"pythonVersion": "3.11.2", "system": "x86_64-linux", "libc": "glibc 2.36"}


def entry(name, version="1.0", more=""):
    wheel = f"https://files.example/{name}-{version}-py3-none-any.whl"
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {INDEX}\n'
        f'wheels = [{{ url = "{wheel}", hash = "sha256:{HASH}", size = 7 }}]\n{more}\n'
    )


def uv(needs, entries, head=""):
    return (
        f'version = 1\nrevision = 5\nrequires-python = ">=3.9"\n{head}\n[[package]]\nname = "demo"\nversion = "1.0"\n'
        f'source = {{ virtual = "." }}\n{needs}\n\n{entries}'
    )


UV = uv('dependencies = [{ name = "a" }]', entry("a"))
FORKED = uv(
    'dependencies = [{ name = "a", version = "2.0", marker = "os_name == \'posix\'" }]', entry("a") + entry("a", "2.0")
)
EXTRAS = uv(
    'dependencies = [{ name = "a" }]\n[package.optional-dependencies]\ncpu = [{ name = "b" }]\n'
    'gpu = [{ name = "c" }]\n[package.dev-dependencies]\ntest = [{ name = "b" }]',
    entry("a") + entry("b") + entry("c"),
    'conflicts = [[{ package = "demo", extra = "cpu" }, { package = "demo", extra = "gpu" }]]',
)
ENVIRONMENT = uv("", "", "supported-markers = [\"sys_platform == 'linux'\"]")
MEMBERS = (
    'version = 1\n[manifest]\nmembers = ["x", "y"]\n[[package]]\nname = "x"\nversion = "1"\n'
    'source = { editable = "apps/x" }\n[[package]]\nname = "y"\nversion = "1"\nsource = { editable = "apps/y" }\n'
)
PYLOCK = (
    'lock-version = "1.0"\ncreated-by = "test"\nrequires-python = ">=3.9"\nextras = ["cli"]\n'
    "environments = [\"sys_platform == 'linux'\"]\n"
    f'[[packages]]\nname = "a"\nversion = "1.0"\nrequires-python = ">=3.9"\nmarker = "python_version > \'3\'"\n'
    f'wheels = [{{ url = "{WHEEL}", upload-time = 2025-01-02T03:04:05Z, hashes = {{ sha256 = "{HASH}" }} }}]\n'
)
SECOND = PYLOCK[PYLOCK.index("[[packages]]") :].replace("1.0", "2.0").replace("> '3'", "> '4'")
AFTER = "and keep both under version control: a flake sees no other file"
LINUX = "CPython 3.11 on manylinux_2_36_x86_64"


def refusals():
    """Name of the lock, right text, wrong text, message; and how it is read and what is wanted, for the wrong one alone."""
    for old, new, message in UV_CASES:
        yield "uv.lock", UV, UV.replace(old, new, 1), message
    for old, new, message in FORKED_CASES:
        yield "uv.lock", FORKED, FORKED.replace(old, new, 1), message
    for old, new, message in PYLOCK_CASES:
        yield "pylock.toml", PYLOCK, PYLOCK.replace(old, new, 1), message
    for wanted, message in [
        ({"extras": ["tpu"]}, "`uv.lock` has no extra `tpu` (it has: cpu, gpu)"),
        ({"groups": ["docs"]}, "`uv.lock` has no group `docs` (it has: test)"),
        ({"extras": ["cpu", "GPU"]}, "`uv.lock`: extra `cpu` and extra `gpu` exclude each other"),
        (
            {"extras": ["-"]},
            "not a valid name: `-` (letters, digits, `.`, `-` and `_`, beginning and ending with a letter or digit)",
        ),
    ]:
        yield "uv.lock", EXTRAS, EXTRAS, message, {}, wanted
    yield (
        "uv.lock",
        ENVIRONMENT,
        ENVIRONMENT.replace("linux", "darwin"),
        f'`uv.lock` is not for {LINUX}: none of its environments is (sys_platform == "darwin")',
    )
    yield (
        "uv.lock",
        FORKED,
        FORKED.replace("os_name == 'posix'", "x" * 16385),
        "`uv.lock` cannot be read as a lock: `package[0].dependencies[0].marker`: a text of 16385 characters, at most 16384 are taken",
    )
    of_x = MEMBERS.replace("apps/x", ".")
    yield (
        "uv.lock",
        of_x,
        MEMBERS,
        "`uv.lock` cannot be read as a lock: it locks several projects (`x`, `y`): say which with `project`, its "
        "directory from the lock's",
    )
    yield (
        "uv.lock",
        of_x,
        of_x,
        "`uv.lock` locks `x`, and what is packed is `z`",
        {"project": ".", "projectName": "z"},
        {},
    )
    yield "uv.lock", of_x, of_x, "`uv.lock` locks `x`, `y`, and what is packed is `apps/z`", {"project": "apps/z"}, {}


UV_CASES = [
    ("version = 1\n", "version = 2\n", "`uv.lock` has lock version 2, which is not known (known: 1)"),
    ("version = 1\n", "", "`uv.lock` cannot be read as a lock: missing field `version`"),
    (
        'name = "a"',
        'name = "-"',
        "`uv.lock`, demo 1.0: not a valid name: `-` (letters, digits, `.`, `-` and `_`, beginning and ending with a letter "
        "or digit)",
    ),
    (
        'name = "a"',
        "name = 1",
        "`uv.lock` cannot be read as a lock: `package[0].dependencies[0].name`: found an integer, expected a string",
    ),
    ('name = "demo"\n', "", "`uv.lock` cannot be read as a lock: `package[0].name` is missing"),
    (">=3.9", "new", "`uv.lock` cannot be read as a lock: `requires-python` is not a version specifier: `new`"),
    (">=3.9", ">=3.12", "`uv.lock` is for Python >=3.12, the target is Python 3.11.2"),
    (
        WHEEL,
        "ftp://files.example/a-1.0-py3-none-any.whl",
        "`uv.lock`, a 1.0: `ftp://files.example/a-1.0-py3-none-any.whl` is neither an http nor an https URL",
    ),
    (
        WHEEL,
        "ftp://u:secret@h/a-1.0-py3-none-any.whl",
        "`uv.lock`, a 1.0: `ftp://****@h/a-1.0-py3-none-any.whl` is neither an http nor an https URL",
    ),
    (
        WHEEL,
        "https://files.example/a.exe",
        "`uv.lock`, a 1.0: `a.exe` is the name of neither a wheel nor a source distribution",
    ),
    (
        WHEEL,
        "https://files.example/b-1.0-py3-none-any.whl",
        "`uv.lock`, a 1.0: `b-1.0-py3-none-any.whl` is of the name b, expected a",
    ),
    (
        WHEEL,
        "https://files.example/a-2.0-py3-none-any.whl",
        "`uv.lock`, a 1.0: `a-2.0-py3-none-any.whl` is of version 2.0, expected 1.0",
    ),
    (
        WHEEL,
        "https://files.example/a-1.0-cp311-cp311-win_amd64.whl",
        f"`uv.lock`, a 1.0: no wheel fits {LINUX}, and there is no source distribution; there are "
        "a-1.0-cp311-cp311-win_amd64.whl",
    ),
    (INDEX, '{ registry = "../links" }', "`uv.lock`, a 1.0: `../links` is outside of the project"),
    (
        INDEX,
        "{}",
        "`uv.lock`, a 1.0: its source is not one of registry, git, url, path, directory, editable and virtual",
    ),
    (INDEX, '{ editable = "../a" }', "`uv.lock`, a 1.0: `../a` is outside of the project"),
    (INDEX, '{ virtual = "x/../../a" }', "`uv.lock`, a 1.0: `x/../../a` is outside of the project"),
    (
        INDEX,
        '{ git = "https://h/r?rev=main" }',
        "`uv.lock`, a 1.0: `https://h/r?rev=main` is no commit of a git repository: it names no commit",
    ),
    (
        INDEX,
        '{ git = "https://h/r#main" }',
        "`uv.lock`, a 1.0: `main` is not a whole commit (40 or 64 hexadecimal digits)",
    ),
    (
        INDEX,
        f'{{ git = "https://h/r?lfs=true#{COMMIT}" }}',
        f"`uv.lock`, a 1.0: `https://h/r?lfs=true#{COMMIT}` is no commit of a git repository: git LFS is not followed",
    ),
    (
        INDEX,
        f'{{ git = "ssh://-oProxyCommand=x/r#{COMMIT}" }}',
        "`uv.lock`, a 1.0: `ssh://-oProxyCommand=x/r` cannot be a repository's: a host does not begin with `-`, a URL has "
        "no blanks",
    ),
    (f"sha256:{HASH}", "sha256:00", "`uv.lock`, a 1.0: `sha256:00` is not a sha256 hash"),
    (
        f'hash = "sha256:{HASH}", ',
        "",
        "`uv.lock`, a 1.0: `a-1.0-py3-none-any.whl` has no sha256 hash: lock again with an index that gives sha256 hashes, "
        "or run `pyzpack lock`",
    ),
    (
        f"sha256:{HASH}",
        "md5:00",
        "`uv.lock`, a 1.0: `a-1.0-py3-none-any.whl` has no sha256 hash: lock again with an index that gives sha256 hashes, "
        "or run `pyzpack lock`",
    ),
    ('"1.0"\nsource = { r', '"new"\nsource = { r', "`uv.lock`, a new: `new` is not a version"),
    (
        '"1.0"\nsource = { virtual = "."',
        '"1.0"\nsource = { x = "."',
        "`uv.lock` cannot be read as a lock: it holds no project",
    ),
    ('[{ name = "a" }]', '[{ name = "b" }]', "`uv.lock`, demo 1.0: it needs `b`, of which there is no entry"),
]

FORKED_CASES = [
    (', version = "2.0"', "", "`uv.lock`, demo 1.0: it needs `a`, and several entries match: 1.0, 2.0"),
    (', version = "2.0"', ', version = "3"', "`uv.lock`, demo 1.0: it needs `a 3`, of which there is no entry"),
    (
        "os_name == 'posix'",
        "os",
        "`uv.lock`, demo 1.0: invalid marker `os`: expected a marker variable or a quoted text, found `os`",
    ),
    (
        "os_name == 'posix'",
        "os_name ~= 'posix'",
        '`uv.lock`, a 2.0: marker `os_name ~= "posix"`: `~=` is not defined for `posix` and `posix`, which are not versions',
    ),
    (
        "\"os_name == 'posix'\" }]",
        '"os_name == \'posix\'" }, { name = "a", version = "1.0" }]',
        "`uv.lock`: several entries of `a` are needed at once: 1.0 (entry 2), 2.0 (entry 3)",
    ),
    (entry("a"), entry("a", "2.0"), "`uv.lock`, a 2.0: it stands there twice"),
]

PYLOCK_CASES = [
    (
        '"1.0"\ncreated',
        '"2.0"\ncreated',
        "`pylock.toml` has lock version 2.0, which is not known (known: 1.0, and other minor versions of 1)",
    ),
    ('created-by = "test"\n', "", "`pylock.toml` cannot be read as a lock: `created-by` is missing"),
    (
        "sys_platform == 'linux'\"]",
        "extra == 'linux'\"]",
        '`pylock.toml` cannot be read as a lock: `extra == "linux"` asks for extras or groups, which are no part of an '
        "environment",
    ),
    (
        "sys_platform == 'linux'\"]",
        "sys_platform == 'win32'\"]",
        f'`pylock.toml` is not for {LINUX}: none of its environments is (sys_platform == "win32")',
    ),
    ('name = "a"', 'name = "A"', "`pylock.toml`, a 1.0: `name`: `A` is not normalised, expected `a`"),
    (
        '">=3.9"\nmarker',
        '">=3.12"\nmarker',
        "`pylock.toml`, a 1.0: it needs Python >=3.12, the target is Python 3.11.2",
    ),
    (
        "python_version > '3'",
        "python_version",
        "`pylock.toml`, a 1.0: invalid marker `python_version`: expected one of <=, <, !=, ==, >=, >, ~=, ===, in, not in, "
        "found the end",
    ),
    (
        "python_version > '3'",
        "extra == 'cli'",
        '`pylock.toml`, a 1.0: marker `extra == "cli"`: `extra` is not defined in lock files',
    ),
    (f'{{ sha256 = "{HASH}" }}', "{}", "`pylock.toml`, a 1.0: `a-1.0-py3-none-any.whl` has no hash"),
    (
        "upload-time = 2025-01-02T03:04:05Z",
        "upload-time = 7",
        "`pylock.toml`, a 1.0: `wheels[].upload-time`: found an integer, expected a date with a time",
    ),
    (
        "upload-time = 2025-01-02T03:04:05Z",
        "made = 2025-01-02",
        "`pylock.toml` holds dates, which Nix cannot read: run `pyzpack lock --format nix`, which writes "
        f"`pylock.toml.nix.json` beside it, {AFTER}",
    ),
    (
        "[[packages]]",
        SECOND.replace("'4'", "'3'") + "[[packages]]",
        "`pylock.toml`: several entries of `a` are needed at once: 2.0 (entry 1), 1.0 (entry 2)",
    ),
    (
        "wheels = [",
        f'wheels = [{{ url = "{WHEEL}", hashes = {{ sha256 = "{"00" * 32}" }} }}, ',
        f"`pylock.toml`, a 1.0: `a-1.0-py3-none-any.whl` is there with several sha256 hashes: {'00' * 32}, {HASH}",
    ),
    (
        f'url = "{WHEEL}"',
        'path = "../a-1.0-py3-none-any.whl"',
        "`pylock.toml`, a 1.0: `../a-1.0-py3-none-any.whl` is outside of the project",
    ),
]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def _file(name, more):
    return {"filename": name, "sha256": HASH} | more


def _package(name, version, source, **more):
    head = {"name": name, "version": version, "requires-python": None, "source": source}
    return head | {"dependencies": [], "optional-dependencies": {}} | more


def _edge(to, **more):
    return {"to": to, "extras": [], "marker": None} | more


# What `pyzpack lock --format nix` writes, with every kind of source.
DESCRIBED = {
    "format": "pyzpack-nix-lock",
    "version": 1,
    "lock": {"name": "poetry.lock", "sha256": digest("")},
    "requires-python": ">=3.9",
    "environments": ["sys_platform == 'linux'"],
    "extras": ["cli"],
    "groups": ["docs", "test"],
    "default-groups": ["test"],
    "conflicts": [[{"extra": "cli"}, {"group": "docs"}]],
    "project": 4,
    "roots": [_edge(0, of={}, extras=["x"], marker="os_name == 'posix'"), _edge(2, of={"extra": "cli"})],
    "packages": [
        _package(
            "a",
            "1.0",
            {"type": "files", "files": [_file("a-1.0-py3-none-any.whl", {"url": WHEEL})]},
            **{"requires-python": ">=3.8", "dependencies": [_edge(1)], "optional-dependencies": {"x": [_edge(3)]}},
        ),
        _package(
            "b", "1", {"type": "archive", "file": _file("b-1.zip", {"path": "wheels/b-1.zip"}), "subdirectory": "s"}
        ),
        _package("c", None, {"type": "git", "url": "https://git.example/c", "commit": COMMIT, "subdirectory": None}),
        _package("d", None, {"type": "directory", "path": "libs/d"}),
        _package("e", "1", {"type": "virtual", "path": "."}),
    ],
    "builds": [
        {
            "name": "b",
            "version": None,
            "requires": ["t"],
            "packages": [
                _package(
                    "t",
                    "1",
                    {"type": "files", "files": [_file("t-1-py3-none-any.whl", {"path": "t-1-py3-none-any.whl"})]},
                    marker="os_name == 'posix'",
                )
            ],
        }
    ],
}

# What to put at a place of it, or to take away; and the message.
GONE = object()
FILE = ("packages", 0, "source", "files", 0)
DESCRIBED_CASES = [
    (("format",), "x", "NAME: its format is `x`, expected `pyzpack-nix-lock`AGAIN"),
    (("format",), {}, "NAME: its format is `a set`, expected `pyzpack-nix-lock`AGAIN"),
    (("version",), 2, "NAME has version 2, which is not known (known: 1)AGAIN"),
    (("lock", "name"), "uv.lock", "NAME is of `uv.lock`, not of `poetry.lock`AGAIN"),
    (
        ("lock", "sha256"),
        "00" * 32,
        f"NAME is stale: `poetry.lock` has changed since (its sha256 is {digest('')}, expected {'00' * 32})AGAIN",
    ),
    ((), [], "NAME is not what `pyzpack lock --format nix` writesAGAIN"),
    (("packages",), GONE, "NAME: `packages` is missingAGAIN"),
    (("more",), 1, "NAME: `more` is not knownAGAIN"),
    (("roots", 1, "of", "more"), "x", "NAME: `roots[1].of.more` is not knownAGAIN"),
    (("roots", 1, "of", "group"), "test", "NAME: a member is an extra or a group, and not bothAGAIN"),
    (("roots", 0, "to"), 5, "NAME: there is no entry 5, the last is 4AGAIN"),
    (("roots", 0, "to"), 1.5, "NAME: `roots[0].to`: found a float, expected an integerAGAIN"),
    (("project",), -1, "NAME: there is no entry -1, the last is 4AGAIN"),
    (("requires-python",), "new", "NAME: `requires-python`: `new` is not a version specifierAGAIN"),
    (("extras",), ["Cli"], "NAME: `extras and groups`: `Cli` is not normalised, expected `cli`AGAIN"),
    (
        ("environments",),
        ["x"],
        "NAME: `environments`: invalid marker `x`: expected a marker variable or a quoted text, found `x`AGAIN",
    ),
    (("packages", 0, "name"), "A", "NAME: A 1.0: `name`: `A` is not normalised, expected `a`AGAIN"),
    (("packages", 0, "version"), "new", "NAME: a new: `version`: `new` is not a versionAGAIN"),
    (("packages", 0, "dependencies", 0, "to"), 9, "NAME: a 1.0: there is no entry 9, the last is 4AGAIN"),
    (("packages", 0, "source", "type"), "x", "NAME: a 1.0: `source.type`: `x` is not knownAGAIN"),
    (("packages", 0, "source", "path"), "x", "NAME: a 1.0: `source.path` is not knownAGAIN"),
    ((*FILE, "sha256"), "X" * 64, f"NAME: a 1.0: `{'X' * 64}` is not a sha256 hash in lower caseAGAIN"),
    ((*FILE, "sha256"), HASH.upper(), f"NAME: a 1.0: `{HASH.upper()}` is not a sha256 hash in lower caseAGAIN"),
    ((*FILE, "path"), "a", "NAME: a 1.0: `a-1.0-py3-none-any.whl` has to have either a URL or a pathAGAIN"),
    ((*FILE, "url"), GONE, "NAME: a 1.0: `a-1.0-py3-none-any.whl` has to have either a URL or a pathAGAIN"),
    (
        (*FILE, "url"),
        "file:///etc/passwd",
        "NAME: a 1.0: `file:///etc/passwd` is neither an http nor an https URLAGAIN",
    ),
    (
        (*FILE, "url"),
        "https://u:p@files.example/a",
        "NAME: a 1.0: the URL of `a-1.0-py3-none-any.whl` has a user, a query or a fragmentAGAIN",
    ),
    *(
        (
            (*FILE, "filename"),
            name,
            f"NAME: a 1.0: `{name}` is the name of neither a wheel nor a source distributionAGAIN",
        )
        for name in ["../a-1.0-py3-none-any.whl", "a-1.0-py3-none-any.whl\tx", "a-1.0-py3-none-any.whl\nb", "", "a"]
    ),
    (
        (*FILE, "filename"),
        "b-1.0-py3-none-any.whl",
        "NAME: a 1.0: `b-1.0-py3-none-any.whl` is of the name b, expected aAGAIN",
    ),
    (("packages", 1, "source", "file", "path"), "../b", "NAME: b 1: `../b` is outside of the projectAGAIN"),
    (
        ("packages", 1, "source", "file", "path"),
        "x/../b",
        "NAME: b 1: `x/../b` is not written as pyzpack does, expected `b`AGAIN",
    ),
    (("packages", 1, "source", "subdirectory"), "../s", "NAME: b 1: `../s` is outside of the projectAGAIN"),
    (
        ("packages", 2, "source", "url"),
        "ext::sh -c x",
        "NAME: c: `ext::sh -c x` is neither an https nor an ssh URL of a repositoryAGAIN",
    ),
    (
        ("packages", 2, "source", "url"),
        "https://u:p@git.example/c",
        f"NAME: c: `https://****@git.example/c` at `{COMMIT}` is not written as pyzpack doesAGAIN",
    ),
    (
        ("packages", 2, "source", "commit"),
        "main",
        "NAME: c: `main` is not a whole commit (40 or 64 hexadecimal digits)AGAIN",
    ),
    (("packages", 3, "source", "path"), "/etc", "NAME: d: `/etc` is outside of the projectAGAIN"),
    (
        ("builds", 0, "packages", 0, "dependencies"),
        [_edge(0)],
        "NAME: the build of b, t 1: it has dependencies: what a build needs is listed wholeAGAIN",
    ),
    (
        ("builds", 0, "packages", 0, "marker"),
        "x",
        "NAME: the build of b, t 1: `marker`: invalid marker `x`: expected a marker variable or a quoted text, found `x`AGAIN",
    ),
]
# Texts that are no JSON for Nix, which would stop it without a name.
DESCRIBED_TEXTS = ["", "{", '{"format":', "{\n<<<<<<< ours\n}\n", "[]"]
DESCRIBED_AGAIN = "; run `pyzpack lock --format nix`, then evaluate again"
# What stands for none of what is due anywhere.
WRONG = [None, True, 7, -1, 1.5, "", "a\tb\nc", "../../x", [], {}, ["x"], {"x": "y"}, [[]], "é", "$(x)", "'\"${x}"]


def changed(value, place, new):
    """The value with something else, or nothing, at one place."""
    if not place:
        return new
    key, *rest = place
    copied = value.copy()
    if new is GONE and not rest:
        del copied[key]
    elif isinstance(copied, dict) and key not in copied:
        copied[key] = new
    else:
        copied[key] = changed(copied[key], rest, new)
    return copied


def places_in(value, place=()):
    """Every place of a document."""
    yield place
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places_in(inner, (*place, key))


# A target that is none stops the evaluation: its arguments, and the message.
TARGETS = [
    (
        {"platform": "plan9_x86"},
        "unknown platform tag `plan9_x86`: write a wheel's, such as manylinux_2_28_x86_64, musllinux_1_2_aarch64 or "
        "macosx_11_0_arm64",
    ),
    ({"pythonVersion": "three"}, "`three` is not the version of a Python, such as 3.12.4"),
    ({"libc": "uclibc 1"}, "libc `uclibc 1` is not what a x86_64-linux has: write it as in `glibc 2.36` or `musl 1.2`"),
    (
        {"system": "aarch64-darwin", "libc": None},
        'which macOS it must run on is not known: give `platform = "macosx_14_0_arm64"`, or `libc = "macos 14.0"`',
    ),
    (
        {"system": "x86_64-freebsd"},
        "`x86_64-freebsd` is no system that wheels are chosen for: it ends in `-linux` or `-darwin`",
    ),
]

# A lock with what sources are built with; names of files are of their own making.
BUILDS = f"""lock-version = "1.0"
created-by = "pyzpack"
[[packages]]
name = "s"
version = "1.0"
sdist = {{ url = "https://files.example/s-1.0.tar.gz", hashes = {{ sha256 = "{HASH}" }} }}
[tool.pyzpack]
lock-version = 1
[[tool.pyzpack.builds]]
name = "demo"
requires = ["backend"]
packages = [{{ name = "backend", version = "1" }}]
[[tool.pyzpack.builds]]
name = "s"
version = "1.0"
requires = ["backend", "tool"]
packages = [
    {{ name = "backend", version = "1" }},
    {{ name = "tool", version = "1", marker = "sys_platform == 'linux'" }},
    {{ name = "other", version = "1", marker = "sys_platform == 'win32'" }},
]
[[tool.pyzpack.builds]]
name = "tool"
version = "1"
requires = ["backend"]
packages = [{{ name = "backend", version = "1" }}]
[[tool.pyzpack.build-packages]]
name = "backend"
version = "1"
wheels = [{{ url = "https://files.example/backend-1-py3-none-any.whl", hashes = {{ sha256 = "{HASH}" }} }}]
[[tool.pyzpack.build-packages]]
name = "tool"
version = "1"
sdist = {{ url = "https://files.example/tool-1.tar.gz", hashes = {{ sha256 = "{HASH}" }} }}
[[tool.pyzpack.build-packages]]
name = "other"
version = "1"
sdist = {{ url = "https://files.example/other-1.tar.gz", hashes = {{ sha256 = "{HASH}" }} }}
"""

SDIST = ["s-1.0.tar.gz"]

# Names that URLs escape, and that the store does not take.
NAMES = PYLOCK + "".join(
    f'[[packages]]\nname = "{name}"\nversion = "{version}"\nwheels = [{{ url = "https://files.example/{file}?token=secret", '
    f'hashes = {{ sha256 = "{HASH}" }} }}]\n'
    for name, version, file in [
        ("b", "1.0+cpu", "b-1.0%2Bcpu-py3-none-any.whl"),
        ("c", "2!1", "c-2%211-py3-none-any.whl"),
    ]
)

# A lock; what is packed; what is built with what; of what the lock does not say it; what is taken; store names.
BUILD_CASES = [
    (
        BUILDS,
        "demo",
        [
            ["demo ?", "backend-1-py3-none-any.whl"],
            ["s 1.0", "backend-1-py3-none-any.whl", "tool-1.tar.gz"],
            ["tool 1", "backend-1-py3-none-any.whl"],
        ],
        [],
        SDIST,
        [],
    ),
    (
        BUILDS.replace('name = "tool"\nversion = "1"\nrequires', 'name = "tool"\nversion = "2"\nrequires'),
        None,
        [["s 1.0", "backend-1-py3-none-any.whl", "tool-1.tar.gz"]],
        ["tool 1"],
        SDIST,
        [],
    ),
    (BUILDS[: BUILDS.index("[tool.pyzpack]")], "demo", [], ["demo ?", "s 1.0"], SDIST, []),
    (
        NAMES,
        None,
        [],
        [],
        ["a-1.0-py3-none-any.whl", "b-1.0+cpu-py3-none-any.whl", "c-2!1-py3-none-any.whl"],
        ["c-2_1-py3-none-any.whl"],
    ),
]
