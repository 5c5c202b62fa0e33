"""`buildPyz` and `wheelhouse`: what a lock names is fetched and built piece by piece, and the bytes are those of a
build outside of Nix; what cannot be had is told when Nix evaluates."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from conftest import ROOT, Lab, Outcome

sys.path.append(str(ROOT / "tests/e2e"))
from index import Index, serve

PROJECTS = ROOT / "testdata/nix/projects"
EVIDENCE = ["SHA256SUMS", *(f"shop.pyz{end}" for end in ("", ".sha256", ".cdx.json", ".spdx.json", ".intoto.json"))]

# A distribution in C, of which the index has the source alone.
COUNTED = {
    "setup.py": "from setuptools import Extension, setup\n"
    "setup(name='counted', version='2.0', python_requires='>=3.8',"
    " ext_modules=[Extension('counted', ['counted.c'])])\n",
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
    "PKG-INFO": "Metadata-Version: 2.1\nName: counted\nVersion: 2.0\nRequires-Python: >=3.8\n",
    "counted.c": "#include <Python.h>\n"
    "static PyObject *count(PyObject *self, PyObject *items) { return PyLong_FromSsize_t(PyObject_Length(items)); }\n"
    'static PyMethodDef methods[] = {{"count", count, METH_O, NULL}, {NULL, NULL, 0, NULL}};\n'
    'static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "counted", NULL, -1, methods};\n'
    "PyMODINIT_FUNC PyInit_counted(void) { return PyModule_Create(&module); }\n",
}
SHOP = {
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n\n'
    '[project]\nname = "shop"\nversion = "4.1"\nrequires-python = ">=3.11"\ndependencies = ["flask", "counted"]\n'
    '\n[project.scripts]\nshop = "shop:main"\n\n[tool.setuptools]\npy-modules = ["shop"]\n',
    "shop.py": "import sys\n\nimport counted\nimport flask\n\n\ndef main():\n"
    "    with flask.Flask('shop').app_context():\n"
    "        print(flask.jsonify(counted=counted.count(sys.argv[1:])).get_data(as_text=True).strip())\n",
}


def make_sdist(directory: Path, name: str, files: dict[str, str]) -> None:
    with tarfile.open(directory / f"{name}.tar.gz", "w:gz") as archive:
        for file, text in files.items():
            member = tarfile.TarInfo(f"{name}/{file}")
            member.size = len(text)
            archive.addfile(member, BytesIO(text.encode()))


@dataclass
class Shop:
    """A project that is locked from an index on this machine: real distributions, pure and native, and one in C."""

    source: Path
    index: Index
    outside: Path


@pytest.fixture(scope="module")
def shop(lab: Lab) -> Iterator[Shop]:
    place = Path(tempfile.mkdtemp(prefix="pyzpack-index-"))
    (place / "files").mkdir()
    for name in ("flask", "build-tools"):
        wheels = ROOT / "target/wheels" / name
        listing = ROOT / f"testdata/e2e/{name}.txt"
        subprocess.run([sys.executable, ROOT / "scripts/wheelhouse.py", listing, wheels], check=True)
        for wheel in wheels.glob("*.whl"):
            shutil.copy(wheel, place / "files")
    make_sdist(place / "files", "counted-2.0", COUNTED)
    outside = place / "outside"
    outside.mkdir()
    for name, content in SHOP.items():
        (outside / name).write_text(content)
    with serve(place / "files") as index:
        python = ["--python", "/usr/bin/python3"]
        resolver = {"PATH": f"{place}/uv:/usr/bin:/bin"}
        (place / "uv").mkdir()
        (place / "uv/uv").symlink_to(ROOT / ".venv/bin/uv")
        lab.pyzpack("lock", "--index-url", index.url, *python, directory=outside, **resolver)
        source = lab.source("shop", SHOP | {"pylock.toml": (outside / "pylock.toml").read_bytes()})
        lab.pyzpack("build", "--locked", "--evidence", "all", *python, directory=outside)
        index.requests.clear()
        yield Shop(source, index, outside / "dist")
    shutil.rmtree(place)


def expression(lab: Lab, arguments: str) -> str:
    return f"""
        let pkgs = import {lab.stub} {{ overlays = [ (import {lab.flake}/nix/overlay.nix) ]; }};
        in with pkgs; {arguments}"""


def of_project(lab: Lab, source: Path, more: str = "", lock: str = "pylock.toml") -> str:
    return expression(lab, f"buildPyz {{ src = {source}; lock = {source}/{lock}; {more} }}")


def instantiate(lab: Lab, text: str) -> Outcome:
    return lab.run("nix-instantiate", "--option", "allow-import-from-derivation", "false", "-E", text)


def refusal(outcome: Outcome) -> str:
    """What a `throw` says, without where it stands."""
    assert outcome.status == 1, outcome.log
    message = re.search(r"^error: (.*?)(?=^\(use '--show-trace'|\Z)", outcome.log, re.MULTILINE | re.DOTALL)
    assert message, outcome.log
    return re.sub(r"^ +", "", message[1], flags=re.MULTILINE).rstrip()


def build(lab: Lab, text: str) -> Path:
    return lab.real(lab.nix("nix-build", "--no-out-link", "-E", text).strip())


def packed(path: Path, name: str) -> str:
    return sha256((path / f"share/pyzpack/{name}.pyz").read_bytes()).hexdigest()


def test_each_file_is_fetched_once_and_the_bytes_are_those_of_a_build_outside(lab: Lab, shop: Shop) -> None:
    built = build(lab, of_project(lab, shop.source))
    fetched = sorted(request for request in shop.index.requests if not request.startswith("/simple"))
    lock = (shop.source / "pylock.toml").read_text()
    named = re.findall(r'url = "http://127\.0\.0\.1:\d+(/files/[^"]+)"', lock)
    # Whatever else the index has of a version, one file is taken; what is locked twice is fetched once.
    assert fetched == sorted(set(named))
    assert sorted(path.name for path in (built / "share/pyzpack").iterdir()) == sorted(EVIDENCE)
    for name in EVIDENCE:
        assert (built / "share/pyzpack" / name).read_bytes() == (shop.outside / name).read_bytes(), name


def test_without_a_sandbox_the_bytes_are_the_same(open_lab: Lab, lab: Lab, shop: Shop) -> None:
    source = open_lab.source("shop", {path.name: path.read_bytes() for path in shop.source.iterdir()})
    built = build(open_lab, of_project(open_lab, source))
    assert packed(built, "shop") == sha256((shop.outside / "shop.pyz").read_bytes()).hexdigest()


def test_what_was_built_is_built_the_same_again(lab: Lab, shop: Shop) -> None:
    text = of_project(lab, shop.source)
    for attribute in ("", ".wheelhouse.wheels.counted"):
        derivation = lab.nix("nix-instantiate", "-E", f"({text}){attribute}").strip()
        lab.nix("nix-store", "--realise", derivation)
        lab.nix("nix-store", "--realise", "--check", derivation)
    lab.nix("nix-store", "--verify", "--check-contents")


def test_another_lock_builds_no_source_anew(lab: Lab, shop: Shop) -> None:
    files = {path.name: path.read_text() for path in shop.source.iterdir()}
    files["pylock.toml"] = files["pylock.toml"].replace("created-by", "# Another day.\ncreated-by", 1)
    other = lab.source("another-day", files)
    wheels = [
        lab.nix("nix-instantiate", "-E", f"({of_project(lab, source)}).wheelhouse.wheels.{name}")
        for name in ("counted", "flask")
        for source in (shop.source, other)
    ]
    assert wheels[0] == wheels[1]
    assert wheels[2] == wheels[3]
    assert wheels[0] != wheels[2]


def test_the_launcher_runs_it_and_finds_libraries_of_native_wheels(lab: Lab, shop: Shop) -> None:
    text = of_project(lab, shop.source)
    run = f'runCommand "run" {{ }} "PYZPACK_CACHE=$TMPDIR/cache ${{{text}}}/bin/shop a b > $out"'
    assert build(lab, expression(lab, run)).read_text() == '{"counted":2}\n'
    launcher = (build(lab, text) / "bin/shop").read_text()
    assert re.fullmatch(
        r"#!/nix/store/\S+/bin/bash\n"
        r"export LD_LIBRARY_PATH='(/nix/store/[^:']+/lib:?)+'\$\{LD_LIBRARY_PATH:\+:\$LD_LIBRARY_PATH\}\n"
        r"exec '/nix/store/\S+/bin/python3' '/nix/store/\S+/libexec/pyzpack/shop' \"\$@\"\n",
        launcher,
    ), launcher


def test_other_libraries_take_the_place_of_those(lab: Lab, shop: Shop) -> None:
    text = of_project(lab, shop.source, 'pyzpackLibraryPath = "/nix/store/other/lib";')
    evaluated = lab.nix("nix-instantiate", "--eval", "-E", f"({text}).pyzpackLibraryPath")
    assert evaluated == '"/nix/store/other/lib"\n'


def test_an_environment_of_a_python_is_a_python(lab: Lab, shop: Shop) -> None:
    # As python3.withPackages makes it: without a version of its own.
    environment = 'python = removeAttrs pkgs.python3 [ "version" ] // { python = pkgs.python3; };'
    plain, of_environment = (instantiate(lab, of_project(lab, shop.source, more)) for more in ("", environment))
    assert of_environment.output == plain.output, of_environment.log


def test_what_comes_with_it_is_had_by_itself(lab: Lab, shop: Shop) -> None:
    text = of_project(lab, shop.source)
    assert build(lab, f"({text}).sbom").read_bytes() == (shop.outside / "shop.pyz.cdx.json").read_bytes()
    assert build(lab, f"({text}).tests.verify").read_text().endswith("PASSED\n")
    assert build(lab, f"({text}).tests.start").read_text() == "started\n"
    wheelhouse = build(lab, f"({text}).wheelhouse")
    assert {path.name.split("-")[0] for path in wheelhouse.iterdir()} == (
        {"blinker", "click", "counted", "flask", "itsdangerous", "jinja2", "markupsafe", "setuptools", "werkzeug"}
    )
    assert all(path.is_symlink() and path.suffix == ".whl" for path in wheelhouse.iterdir())


def test_the_hook_takes_a_wheelhouse_by_itself(lab: Lab, shop: Shop) -> None:
    wheels = f"pyzpackWheelhouse = wheelhouse {{ lock = {shop.source}/pylock.toml; }};"
    built = lab.hook(f'pname = "shop"; {wheels}', shop.source)
    assert built.digest("share/pyzpack/shop.pyz") == sha256((shop.outside / "shop.pyz").read_bytes()).hexdigest()


def test_what_builds_a_source_and_what_fetches_may_be_changed(lab: Lab, shop: Shop) -> None:
    overrides = 'overrides.counted = { NOTE = "of counted"; };'
    fetch = 'fetchurl = args: pkgs.fetchurl (args // { meta.note = "of ${args.name}"; });'
    wheelhouse = expression(lab, f"wheelhouse {{ lock = {shop.source}/pylock.toml; {overrides} {fetch} }}")
    notes = f"with ({wheelhouse}).wheels; [ counted.NOTE (flask.NOTE or null) flask.meta.note ]"
    said = json.loads(lab.nix("nix-instantiate", "--eval", "--strict", "--json", "-E", notes))
    flask = next(shop.index.directory.glob("flask-*")).name
    assert said == ["of counted", None, f"of {flask}"]


def test_another_file_than_the_lock_names_is_refused(lab: Lab, shop: Shop) -> None:
    files = {path.name: path.read_text() for path in shop.source.iterdir()}
    found = sha256(next((shop.index.directory).glob("blinker*")).read_bytes()).hexdigest()
    expected = found[:-1] + ("0" if found[-1] != "0" else "1")
    source = lab.source("tampered", files | {"pylock.toml": files["pylock.toml"].replace(found, expected)})
    outcome = lab.run("nix-build", "--no-out-link", "-E", of_project(lab, source))
    assert outcome.status == 102
    assert "hash mismatch in fixed-output derivation" in outcome.log
    assert "blinker-1.9.0-py3-none-any.whl" in outcome.log


def test_nothing_is_imported_from_a_derivation(lab: Lab) -> None:
    source = lab.source("elsewhere", {name.name: name.read_bytes() for name in (PROJECTS / "pure").glob("*.*")})
    lock = f"{lab.flake}/testdata/nix/projects/pure/pylock.toml"
    made = f'src = runCommand "source" {{ }} "cp -r ${{{source}}} $out"; lock = {lock};'
    assert refusal(instantiate(lab, expression(lab, f"buildPyz {{ {made} }}"))) == (
        "buildPyz: `pname` is not given, and `src` is made by a derivation, which is not asked for it\n"
        'hint: pname = "..."'
    )
    text = expression(lab, f'buildPyz {{ {made} pname = "greet"; }}')
    assert instantiate(lab, text).status == 0
    here = expression(lab, f"buildPyz {{ src = {source}; lock = {lock}; }}")
    assert packed(build(lab, text), "greet") == packed(build(lab, here), "greet")


def project_files(name: str) -> dict[str, str | bytes]:
    root = PROJECTS / name
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_what_a_lock_does_not_say_is_asked_for_with_the_command(lab: Lab) -> None:
    files = project_files("uv")
    del files["uv.lock.nix.json"]
    assert refusal(instantiate(lab, of_project(lab, lab.source("bare-uv", files), lock="uv.lock"))) == (
        "`uv.lock` does not say what is needed to build `welcome`, of which it has no wheel for CPython 3.11 on "
        "manylinux_2_36_x86_64\n"
        'hint: run "pyzpack lock --format nix" in the project, and keep the file that it writes where it is, '
        "under version control: a flake sees no other file"
    )


def test_requirements_beside_the_lock_have_to_agree_with_it(lab: Lab) -> None:
    files = project_files("sdist") | {"requirements.txt": "oldstyle\nnewer\n"}
    outcome = lab.run(
        "nix-build", "--no-out-link", "-E", of_project(lab, lab.source("newer", files), 'pname = "sdist";')
    )
    assert outcome.status == 100
    assert "newer" in outcome.log.partition("error: ")[2].splitlines()[0], outcome.log


def test_a_description_of_another_lock_is_stale(lab: Lab) -> None:
    files = project_files("uv")
    found = sha256(files["uv.lock"] + b"\n").hexdigest()
    described = json.loads(files["uv.lock.nix.json"])["lock"]["sha256"]
    source = lab.source("stale-uv", files | {"uv.lock": files["uv.lock"] + b"\n"})
    message = refusal(instantiate(lab, of_project(lab, source, lock="uv.lock")))
    assert found in message
    assert described in message
    assert "pyzpack lock --format nix" in message


def test_options_of_a_build_are_arguments(lab: Lab) -> None:
    project = project_files("pure")["pyproject.toml"].decode()
    dependencies = re.search(r"^dependencies = .*$", project, re.MULTILINE)[0]
    more = '\n[dependency-groups]\nmore = ["plain-backend"]\n\n[project.optional-dependencies]\ncli = ["tinydep"]\n'
    project = project.replace(dependencies, "dependencies = []") + more
    main = "import sys\n\nimport tinydep\n\n\ndef main():\n    print(tinydep.WORD, *sys.argv[1:])\n"
    files = project_files("pure") | {"pyproject.toml": project, "greet.py": main}
    source = lab.source("options", files)
    lab.pyzpack(
        *("lock", "--universal", "--find-links", "wheels", "--no-index"),
        directory=source,
        PATH=f"{ROOT}/.venv/bin:/usr/bin:/bin",
    )
    arguments = """
        entryPoint = "greet:main"; extras = [ "cli" ]; groups = [ "more" ]; layout = "extract"; evidence = "spdx";
        epoch = 1700000000; flags = [ "--on-conflict" "first" ]; importsCheck = [ "tinydep" "plain_backend" ];"""
    built = build(lab, of_project(lab, source, arguments))
    command = (
        "build --entry-point greet:main --extra cli --group more --layout extract --evidence spdx --on-conflict first"
    )
    lab.pyzpack(*command.split(), "--source-date-epoch", "1700000000", directory=source)
    names = sorted(path.name for path in (source / "dist").iterdir())
    assert names == ["SHA256SUMS", "greet.pyz", "greet.pyz.spdx.json"]
    assert sorted(path.name for path in (built / "share/pyzpack").iterdir()) == names
    for name in names:
        assert (built / "share/pyzpack" / name).read_bytes() == (source / "dist" / name).read_bytes(), name


def test_members_of_a_workspace_are_built_with_what_they_take_of_it(lab: Lab) -> None:
    wheels = {name: content for name, content in project_files("uv").items() if name.startswith("wheels/")}
    system = '[build-system]\nrequires = ["plain-backend"]\nbuild-backend = "plain_backend"\n\n'

    def member(name: str, needs: str) -> str:
        about = f'[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = ">=3.8"\ndependencies = {needs}\n'
        return system + about + "\n[tool.uv.sources]\n"

    of_core = 'core = { workspace = true }\n\n[project.scripts]\napi = "api:main"\n'
    of_wheel = 'tinydep = { path = "../../wheels/tinydep-1.0-py3-none-any.whl" }\n'
    source = lab.source(
        "workspace",
        wheels
        | {
            "pyproject.toml": '[tool.uv]\nno-index = true\n\n[tool.uv.workspace]\nmembers = ["apps/*", "libs/core"]\n',
            "apps/api/pyproject.toml": member("api", '["core"]') + of_core,
            "apps/api/api.py": "import core\n\n\ndef main():\n    print('api', core.WORD)\n",
            "apps/worker/pyproject.toml": member("worker", "[]") + of_core.replace("api", "worker"),
            "apps/worker/worker.py": "def main():\n    print('worker')\n",
            "libs/core/pyproject.toml": member("core", '["tinydep"]') + of_wheel,
            "libs/core/core.py": "from tinydep import WORD\n",
        },
    )
    tools = {"PATH": f"{ROOT}/.venv/bin:/usr/bin:/bin"}
    subprocess.run([f"{ROOT}/.venv/bin/uv", "lock", "--quiet", "--offline"], cwd=source, check=True)
    text = of_project(lab, source, 'pyzpackSrc = "apps/api";', lock="uv.lock")
    assert refusal(instantiate(lab, text)) == (
        "`uv.lock` does not say what is needed to build `api`, `core`, of which it has no wheel for CPython 3.11 on "
        "manylinux_2_36_x86_64\n"
        'hint: run "pyzpack lock --format nix" in `apps/api`, and keep the file that it writes where it is, '
        "under version control: a flake sees no other file"
    )
    links = ["--find-links", "../../wheels", "--no-index"]
    members = {name: source / "apps" / name for name in ("api", "worker")}
    for directory in members.values():
        lab.pyzpack("lock", "--format", "nix", *links, directory=directory, **tools)
    for name, directory in members.items():
        said = lab.pyzpack("lock", "--format", "nix", "--check", *links, directory=directory, **tools)
        assert said == "uv.lock.nix.json: up to date\n"
        lab.hand_over()
        built = build(lab, text.replace("apps/api", f"apps/{name}"))
        lab.pyzpack("build", "--locked", *links, directory=directory)
        assert packed(built, name) == sha256((directory / f"dist/{name}.pyz").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("name", "more", "platform", "message"),
    [
        (
            "native",
            'pname = "native";',
            "macosx_14_0_arm64",
            "pyzpack: `pylock.toml`, fastsum 1.0: no wheel fits CPython 3.11 on macosx_14_0_arm64, and there is no "
            "source distribution; there are fastsum-1.0-cp38-abi3-manylinux_2_17_x86_64.whl",
        ),
        ("pure", 'extras = [ "gui" ];', None, "pyzpack: `pylock.toml` has no extra `gui`"),
        (
            "native",
            "",
            None,
            "buildPyz: `pname` is not given, and no `pyproject.toml` in `src` says it\n" + 'hint: pname = "..."',
        ),
    ],
)
def test_what_cannot_be_had_is_told_when_nix_evaluates(
    lab: Lab, name: str, more: str, platform: str | None, message: str
) -> None:
    source = lab.flake / "testdata/nix/projects" / name
    asked = f'platform = "{platform}";' if platform else ""
    assert refusal(instantiate(lab, of_project(lab, source, more + asked))) == message


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            'epoch = "1; touch x";',
            'buildPyz: `epoch` is "1; touch x", expected seconds since 1970\nhint: epoch = 1700000000;',
        ),
        (
            'flags = [ "--shebang" "/usr/bin/env python3" ];',
            'buildPyz: `flags` has "/usr/bin/env python3", which would not stay one argument\n'
            "hint: __structuredAttrs = true;",
        ),
    ],
)
def test_arguments_that_would_not_arrive_are_refused(lab: Lab, more: str, message: str) -> None:
    source = lab.flake / "testdata/nix/projects/pure"
    assert refusal(instantiate(lab, of_project(lab, source, more))) == message


def test_arguments_with_blanks_and_a_time_as_text_arrive(lab: Lab) -> None:
    source = lab.flake / "testdata/nix/projects/pure"
    flags = 'flags = [ "--shebang" "/usr/bin/env -S python3 -I" ]; __structuredAttrs = true;'
    text, number = (
        build(lab, of_project(lab, source, f"{flags} epoch = {epoch};")) for epoch in ('"1700000000"', 1700000000)
    )
    assert (text / "share/pyzpack/greet.pyz").read_bytes().startswith(b"#!/usr/bin/env -S python3 -I\nPK")
    assert packed(text, "greet") == packed(number, "greet")


DIGEST = sha256(b"").hexdigest()
WHEEL = f'wheels = [{{ url = "https://files.example/s-1-py3-none-any.whl", hashes = {{ sha256 = "{DIGEST}" }} }}]'


def source(name: str) -> str:
    return f'sdist = {{ url = "https://files.example/{name}-1.tar.gz", hashes = {{ sha256 = "{DIGEST}" }} }}'


def sources_lock(builds: dict[str, list[str]], **more: str) -> str:
    """A lock of the source `s`, and with what each is built: other sources, or what `more` says they are."""

    lines = ['lock-version = "1.0"', 'created-by = "test"', "[[packages]]", 'name = "s"', 'version = "1"', source("s")]
    lines += ["[tool.pyzpack]", "lock-version = 1"]
    for name, needs in builds.items():
        listed = ", ".join(f'{{ name = "{one}", version = "1" }}' for one in needs)
        lines += ["[[tool.pyzpack.builds]]", f'name = "{name}"', "requires = []", f"packages = [{listed}]"]
    for name in sorted({one for needs in builds.values() for one in needs}):
        lines += ["[[tool.pyzpack.build-packages]]", f'name = "{name}"', 'version = "1"', more.get(name, source(name))]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("lock", "message"),
    [
        (
            sources_lock({"s": ["b"], "b": ["c"], "c": ["b"]}),
            "pyzpack: `pylock.toml`: to build b 1, it would have to be built first (b 1 needs c 1 needs b 1): one of "
            "them has to be there as a wheel for CPython 3.11 on manylinux_2_36_x86_64",
        ),
        (
            sources_lock({"s": ["w"], "w": []}, w='directory = { path = "w" }'),
            "`pylock.toml`: `w`, which others are built with, is a directory of the project, and has no wheel\n"
            "hint: lock it from an index, or as a file",
        ),
        (
            sources_lock({"app": ["s"]}, s=WHEEL).replace(source("s"), WHEEL.replace(DIGEST, "00" * 32)),
            "`pylock.toml` has two files called `s-1-py3-none-any.whl`: sha256 " + "00" * 32 + f" and {DIGEST}\n"
            "hint: lock again, so that what is packed and what builds it take the same file",
        ),
    ],
    ids=["round", "directory", "other-bytes"],
)
def test_build_requirements_that_nix_cannot_have_are_told_when_it_evaluates(lab: Lab, lock: str, message: str) -> None:
    place = lab.source("hostile-builds", {"pylock.toml": lock})
    text = expression(lab, f"wheelhouse {{ lock = {place}/pylock.toml; }}")
    assert refusal(instantiate(lab, text)) == message


def test_versions_with_an_epoch_have_names_in_the_store(lab: Lab) -> None:
    lock = sources_lock({"s": []}).replace('version = "1"', 'version = "2!1"').replace("s-1.tar.gz", "s-2%211.tar.gz")
    files = {"pylock.toml": lock, "main.py": ""}
    text = of_project(lab, lab.source("with-epoch", files), 'pname = "app"; version = "1!3";')
    assert instantiate(lab, text).status == 0


def test_what_several_are_built_with_is_evaluated_once(lab: Lab) -> None:
    # Each level needs both of the next: a million ways lead to the last.
    levels = {f"{side}{level}": [f"x{level + 1}", f"y{level + 1}"] for level in range(20) for side in "xy"}
    place = lab.source("many-ways", {"pylock.toml": sources_lock({"s": ["x0"], **levels, "x20": [], "y20": []})})
    assert instantiate(lab, expression(lab, f"wheelhouse {{ lock = {place}/pylock.toml; }}")).status == 0


def test_all_checks_of_the_flake_pass(lab_in_place: Lab) -> None:
    # Of templates, Nix 2.8 checks the directory by its name in the store.
    lab_in_place.nix(*lab_in_place.flake_command("flake", "check", "-L", f"path:{lab_in_place.flake}"))
    lab_in_place.nix("nix-store", "--verify", "--check-contents")


def test_the_example_in_readme_does_what_readme_says(lab_in_place: Lab) -> None:
    lab = lab_in_place
    section = (ROOT / "README.md").read_text().partition("\n## In Nix\n")[2]
    flake, commands = re.findall(r"^```(?:nix|console)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[:2]
    files = {name: text for name, text in project_files("pure").items() if name not in ("greet.py", "pylock.toml")}
    project = (PROJECTS / "pure/pyproject.toml").read_text().replace("greet", "hello")
    program = "from importlib.metadata import version\n\n\ndef main():\n    print('hello', version('hello'))\n"
    place = lab.source("hello", files | {"pyproject.toml": project, "hello.py": program})
    lock = ["lock", "--universal", "--find-links", "wheels", "--no-index"]
    lab.pyzpack(*lock, directory=place, PATH=f"{ROOT}/.venv/bin:/usr/bin:/bin")
    (place / "flake.nix").write_text(flake.replace("github:OWNER/pyzpack", f"path:{lab.flake}"))
    lab.hand_over()
    inputs = ["--override-input", "pyzpack/nixpkgs", f"path:{lab.stub}", "--no-write-lock-file"]
    said = ""
    for line in re.findall(r"^\$ (.*)$", commands, re.MULTILINE):
        said += f"$ {line}\n"
        command = line.split()
        if command[0] == "nix":
            command[2:2] = inputs
        said += lab.nix("env", "-C", place, "LC_ALL=C.UTF-8", *command)
    assert sorted(said.split("\n")) == sorted(commands.split("\n"))
    # There, with the link that `nix build` left.
    lab.pyzpack("build", directory=place)
    assert packed(place / "result", "hello") == sha256((place / "dist/hello.pyz").read_bytes()).hexdigest()


def test_what_an_index_has_is_packed_without_a_project(lab: Lab, shop: Shop) -> None:
    readme = (ROOT / "README.md").read_text()
    arguments = re.search(r'```nix\n(pname = "httpie";\n.*?)```', readme, re.DOTALL)[1]
    assert "`pyzpack lock httpie==3.2.4`" in readme
    flask = next(shop.index.directory.glob("flask-*")).name.split("-")[1]
    for httpie, other in (("httpie==3.2.4", f"flask=={flask}"), ('"httpie"', '"flask"'), ('"http"', '"flask"')):
        assert httpie in arguments
        arguments = arguments.replace(httpie, other)
    place = lab.source("of-an-index", {})
    place.mkdir()
    python = ["--python", "/usr/bin/python3"]
    resolver = {"PATH": f"{ROOT}/.venv/bin:/usr/bin:/bin"}
    lab.pyzpack("lock", f"flask=={flask}", "--index-url", shop.index.url, *python, directory=place, **resolver)
    built = build(lab, of_project(lab, place, arguments))
    named = ["-c", "flask", "--lock", "pylock.toml", "-o", "flask.pyz"]
    lab.pyzpack("build", f"flask=={flask}", *named, *python, directory=place)
    assert packed(built, "flask") == sha256((place / "flask.pyz").read_bytes()).hexdigest()
    assert build(lab, f"({of_project(lab, place, arguments)}).tests.verify").read_text().endswith("PASSED\n")


def test_a_lock_that_git_does_not_have_is_asked_for(lab: Lab) -> None:
    source = lab.source("no-lock", {"pyproject.toml": project_files("pure")["pyproject.toml"]})
    copied = f'builtins.path {{ path = {source}; name = "source"; }}'
    text = expression(lab, f'let src = {copied}; in buildPyz {{ inherit src; lock = src + "/pylock.toml"; }}')
    assert re.sub(r"/nix/store/[a-z0-9]{32}-", "/nix/store/HASH-", refusal(instantiate(lab, text))) == (
        "pyzpack: no such lock file: `/nix/store/HASH-source/pylock.toml`; where it is there, run "
        "`git add pylock.toml`, since a flake sees no other file"
    )
