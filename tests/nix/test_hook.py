"""The setup hook: the bytes of a build outside of Nix, whatever phases do to other files; each variable and refusal."""

import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from conftest import PLAIN, ROOT, Built, Lab

# The status of nix-build where a builder fails.
FAILED = 100
STRUCTURED = "__structuredAttrs = true;"
PURE = ROOT / "testdata/nix/projects/pure"
INSTALLED = {
    "bin/plain": "555",
    "libexec/pyzpack/plain": "-> ../../share/pyzpack/plain.pyz",
    "share/pyzpack/SHA256SUMS": "444",
    "share/pyzpack/plain.pyz": "555",
    "share/pyzpack/plain.pyz.sha256": "444",
}


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def pure_project(leave_out: tuple[str, ...] = (), **changes: str) -> dict[str, str | bytes]:
    """A project with a build backend, a console script, a dependency and a lock, whose wheels lie beside it."""
    files = {
        str(path.relative_to(PURE)): path.read_bytes()
        for path in PURE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name not in leave_out
    }
    return files | changes


@pytest.mark.parametrize("attributes", ["", STRUCTURED], ids=["words", "structured"])
def test_the_installed_file_is_the_one_that_is_built_outside(lab: Lab, outside: Path, attributes: str) -> None:
    # No home, inputs of 1970, no network: as every build in Nix.
    probe = """
        doInstallCheck = true;
        preBuild = ''[ "$HOME" = /homeless-shelter ] && [ ! -e "$HOME" ] && [ "$(stat -c %Y main.py)" = 1 ]
            [ "$(grep -o '^ *[^ :]*:' /proc/net/dev | tr -d ' ')" = lo: ]
        '';
        installCheckPhase = "$out/bin/plain 'a  b' '' '*' > $out/said";
    """
    built = lab.hook(attributes + probe)
    assert built.files() == INSTALLED | {"said": "444"}
    assert built.digest() == digest(outside / "plain.pyz")
    assert built.read("said") == b"hello a  b  *\n"
    for name in ("plain.pyz.sha256", "SHA256SUMS"):
        assert built.read(f"share/pyzpack/{name}").decode() == f"{built.digest()}  plain.pyz\n"


def test_the_launcher_names_the_shell_and_the_python_of_nix(lab: Lab) -> None:
    launcher = lab.hook().read("bin/plain").decode().split("\n")
    assert launcher[0].startswith("#!/nix/store/")
    assert launcher[0].endswith("-bash/bin/bash")
    _, python, program, arguments = launcher[1].split(" ")
    assert python.startswith("'/nix/store/")
    assert python.endswith("-python3/bin/python3'")
    assert program.startswith("'/nix/store/")
    assert program.endswith("-plain-1.0/libexec/pyzpack/plain'")
    assert arguments == '"$@"'


def test_a_build_without_a_sandbox_and_in_another_store_gives_the_same(lab: Lab, open_lab: Lab, outside: Path) -> None:
    probe = 'postInstall = "echo $NIX_BUILD_TOP $NIX_STORE > $out/place";'
    inside, open_ = lab.hook(probe), open_lab.hook(probe)
    assert inside.read("place") == b"/build /nix/store\n"
    assert open_.read("place").startswith(f"{open_lab.place}/tmp/".encode())
    assert open_.read("place").endswith(f" {open_lab.place}/store\n".encode())
    assert inside.digest() == open_.digest() == digest(outside / "plain.pyz")


def test_nix_builds_it_twice_and_finds_no_difference(lab: Lab) -> None:
    expression = lab.expression('pyzpackEvidence = [ "all" ];', lab.source("plain", PLAIN))
    derivation = lab.nix("nix-instantiate", "-E", expression).strip()
    lab.nix("nix-store", "--realise", derivation)
    # A zip's times have steps of two seconds.
    subprocess.run(["sleep", "2"], check=True)
    lab.nix("nix-store", "--realise", "--check", derivation)
    lab.nix("nix", "build", "--no-link", "--rebuild", derivation)


def test_the_fixup_phase_rewrites_scripts_and_leaves_the_packed_file_alone(lab: Lab, outside: Path) -> None:
    packed = digest(outside / "plain.pyz")
    built = lab.hook("""
        buildInputs = [ python3 ];
        postInstall = ''
          install -m755 dist/plain.pyz $out/bin/unprotected.pyz
          printf '#!/usr/bin/env python3\\nprint(1)\\n' > $out/bin/script
          chmod 755 $out/bin/script
        '';
    """)
    assert built.read("bin/script").startswith(b"#!/nix/store/")
    assert built.digest("bin/unprotected.pyz") != packed
    assert built.digest() == packed
    assert built.files()["share/pyzpack/plain.pyz"] == "555"


def test_what_wraps_executables_finds_the_launcher_alone(lab: Lab, outside: Path) -> None:
    built = lab.hook("""
        preFixup = ''
          wrapAll() { find $prefix -type f -perm -0100 -exec sh -c 'echo "# wrapped" >> "$1"' _ {} \\; ; }
          fixupOutputHooks+=(wrapAll)
        '';
    """)
    assert built.read("bin/plain").endswith(b"\n# wrapped\n")
    assert built.digest() == digest(outside / "plain.pyz")


@pytest.mark.parametrize("switch", ["dontFixup = true;", "dontPatchShebangs = true;"])
def test_the_installed_file_can_be_executed_without_a_fixup_phase_too(lab: Lab, switch: str) -> None:
    assert lab.hook(switch).files() == INSTALLED


def test_the_example_of_the_readme_is_a_package(lab: Lab) -> None:
    example = re.search(r"```nix\n(\{ stdenv, pyzpackHook, .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    source = lab.source("example", pure_project(**{"package.nix": example}))
    packages = f"import {lab.stub} {{ overlays = [ (import {lab.flake}/nix/overlay.nix) ]; }}"
    path = lab.nix("nix-build", "--no-out-link", "-E", f"({packages}).callPackage {source}/package.nix {{ }}")
    assert (lab.real(path.strip()) / "bin/hello").exists()


# What the variables say.


def test_source_names_what_is_packed(lab: Lab, outside: Path) -> None:
    source = lab.source("nested", {f"program/{name}": content for name, content in PLAIN.items()})
    assert lab.hook('pyzpackSrc = "program";', source).digest() == digest(outside / "plain.pyz")
    assert lab.hook(f"pyzpackSrc = {source}/program; dontUnpack = true;", source).digest() == digest(
        outside / "plain.pyz"
    )


def test_files_of_the_store_have_their_own_names_again(lab: Lab, tmp_path: Path) -> None:
    script = '# /// script\n# dependencies = ["tinydep"]\n# ///\nimport tinydep\nprint(tinydep.WORD)\n'
    wheel = next(PURE.glob("wheels/tinydep-*.whl"))
    house = lab.source("house-tinydep", {wheel.name: wheel.read_bytes()})
    source = lab.source("script", {"job.py": script})
    built = lab.hook(f"dontUnpack = true; pyzpackSrc = {source}/job.py; pyzpackWheelhouse = {house};")
    (tmp_path / "job.py").write_text(script)
    lab.pyzpack("build", "job.py", "--offline", "--find-links", house, "-o", "job.pyz", directory=tmp_path)
    assert built.digest() == digest(tmp_path / "job.pyz")

    attributes = f'dontUnpack = true; pyzpackFlags = "-e tinydep"; pyzpackSrc = [ {house}/{wheel.name} ];'
    shutil.copy(wheel, tmp_path)
    lab.pyzpack("build", wheel.name, "--offline", "-e", "tinydep", "-o", "wheel.pyz", directory=tmp_path)
    assert lab.hook(attributes).digest() == digest(tmp_path / "wheel.pyz")


@pytest.mark.parametrize("attributes", ["", STRUCTURED], ids=["words", "structured"])
def test_several_inputs_wheelhouses_and_flags_keep_their_order_and_their_words(
    lab: Lab, tmp_path: Path, attributes: str
) -> None:
    wheels = sorted(PURE.glob("wheels/*.whl"))
    for wheel in wheels:
        lab.source(f"house-{wheel.name.split('_')[0].split('-')[0]}", {wheel.name: wheel.read_bytes()})
    houses = " ".join(f"{lab.place}/sources/house-{name}" for name in ("plain", "tinydep"))
    built = lab.hook(
        f"""{attributes}
        dontUnpack = true;
        pyzpackSrc = [ "tinydep" "plain-backend" ];
        pyzpackWheelhouse = [ {houses} ];
        pyzpackFlags = [ "--entry-point" "tinydep" "--shebang" "/usr/bin/python3" ];
        pyzpackImportsCheck = [ "tinydep" "plain_backend" ];
        """
    )
    assert built.read("share/pyzpack/plain.pyz").startswith(b"#!/usr/bin/python3\n")
    for wheel in wheels:
        shutil.copy(wheel, tmp_path)
    arguments = ["--find-links", ".", "-e", "tinydep", "--shebang", "/usr/bin/python3", "tinydep", "plain-backend"]
    lab.pyzpack("build", "--offline", "-o", "out.pyz", *arguments, directory=tmp_path)
    assert built.digest() == digest(tmp_path / "out.pyz")


def test_one_wheelhouse_may_be_a_text(lab: Lab) -> None:
    source = lab.source("pure", pure_project())
    lab.hook(f'pyzpackWheelhouse = "${{{source}/wheels}}"; pyzpackFlags = "--locked";', source)


def locked_outside(lab: Lab, place: Path) -> str:
    """The digest of the locked project, built outside of Nix."""
    for name, content in pure_project().items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    lab.pyzpack("build", "--offline", "--locked", "-o", "greet.pyz", directory=place)
    return digest(place / "greet.pyz")


@pytest.mark.parametrize("attributes", ["", STRUCTURED], ids=["words", "structured"])
def test_a_lock_of_the_store_has_its_own_name_again(lab: Lab, tmp_path: Path, attributes: str) -> None:
    expected = locked_outside(lab, tmp_path)
    with_lock = lab.source("pure", pure_project())
    without = lab.source("pure-without-lock", pure_project(leave_out=("pylock.toml",)))
    flags = attributes + 'pyzpackFlags = [ "--locked" ];'
    # Found in the source; named in it; from the store into a source that has none, has the same, has it in a directory.
    for source, lock in [
        (with_lock, ""),
        (with_lock, 'pyzpackLock = "pylock.toml";'),
        (without, f"pyzpackLock = {with_lock}/pylock.toml;"),
        (with_lock, f"pyzpackLock = {with_lock}/pylock.toml;"),
        (without, f'pyzpackLock = "${{{with_lock}}}/pylock.toml";'),
    ]:
        assert lab.hook(flags + lock, source).digest() == expected, lock


def test_output_is_the_file_and_the_launcher(lab: Lab, outside: Path) -> None:
    for name in ("tool", "tool.pyz"):
        built = lab.hook(f'pyzpackOutput = "{name}";')
        assert built.files() == {name.replace("plain", "tool"): mode for name, mode in INSTALLED.items()} | {
            "libexec/pyzpack/tool": "-> ../../share/pyzpack/tool.pyz"
        }
        assert built.digest("share/pyzpack/tool.pyz") == digest(outside / "plain.pyz")


def test_without_a_name_the_project_gives_it(lab: Lab) -> None:
    built = lab.hook('pname = null; name = "whatever-1.0";')
    assert "share/pyzpack/main.pyz" in built.files()
    assert "bin/main" in built.files()


def test_what_the_source_has_in_dist_is_not_installed(lab: Lab) -> None:
    old = {"dist/SHA256SUMS": "0" * 64 + "  old.pyz\n", "dist/plain.pyz": "old", "dist/old.pyz": "old"}
    old["dist/plain.pyz.notes"] = "old"
    built = lab.hook("", lab.source("with-dist", PLAIN | old))
    assert built.files() == INSTALLED
    assert built.read("share/pyzpack/SHA256SUMS").decode() == f"{built.digest()}  plain.pyz\n"


@pytest.mark.parametrize(
    "evidence",
    ['"cyclonedx,provenance"', '[ "cyclonedx" "provenance" ]', f'[ "cyclonedx" "provenance" ]; {STRUCTURED[:-1]}'],
    ids=["text", "list", "structured"],
)
def test_evidence_is_installed_beside_the_file(lab: Lab, tmp_path: Path, evidence: str) -> None:
    built = lab.hook(f"pyzpackEvidence = {evidence};")
    for name, content in PLAIN.items():
        (tmp_path / name).write_text(content)
    arguments = ["--offline", "--evidence", "cyclonedx,provenance", "-o", "out/plain.pyz"]
    (tmp_path / "out").mkdir()
    lab.pyzpack("build", *arguments, directory=tmp_path)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"SHA256SUMS", "plain.pyz", "plain.pyz.cdx.json", "plain.pyz.intoto.json"}
    assert {name.split("/")[-1] for name in built.files() if name.startswith("share/")} == names
    for name in names:
        assert built.read(f"share/pyzpack/{name}") == (tmp_path / "out" / name).read_bytes()


@pytest.mark.parametrize("attributes", ["", STRUCTURED], ids=["words", "structured"])
def test_epoch_is_the_time_of_the_entries(lab: Lab, tmp_path: Path, attributes: str) -> None:
    for name, content in PLAIN.items():
        (tmp_path / name).write_text(content)
    arguments = ["--offline", "--source-date-epoch", "1700000000", "-o", "plain.pyz"]
    lab.pyzpack("build", *arguments, directory=tmp_path)
    assert lab.hook(f"pyzpackEpoch = 1700000000; {attributes}").digest() == digest(tmp_path / "plain.pyz")


def test_the_time_that_stdenv_found_is_none_of_the_files(lab: Lab, outside: Path) -> None:
    built = lab.hook("""
        preBuild = "export SOURCE_DATE_EPOCH=1700000000";
        postBuild = "echo $SOURCE_DATE_EPOCH > time";
        postInstall = "cp time $out";
    """)
    assert built.digest() == digest(outside / "plain.pyz")
    # For other phases it stays.
    assert built.read("time") == b"1700000000\n"


def test_python_may_be_another_package_or_a_program(lab: Lab) -> None:
    for python in ("other", '"${other}/bin/python3"'):
        attributes = f"""
            pyzpackPython = let other = runCommand "other-python" {{ }} ''
              mkdir -p $out/bin
              ln -s /usr/bin/python3 $out/bin/python3
            ''; in {python};
        """
        assert b"-other-python/bin/python3' " in lab.hook(attributes).read("bin/plain")


# As nixpkgs does where the hook's target is not the system that it runs on.
CROSS = """
    strictDeps = true;
    nativeBuildInputs = [ (pyzpackHook.overrideAttrs (_: { crossCompiling = "1"; })) python3 ];
    pyzpackImportsCheck = [ "words" ];
"""


def test_for_another_system_the_launcher_names_that_systems_python(lab: Lab, outside: Path) -> None:
    built = lab.hook(
        CROSS
        + """
        buildInputs = [
          (runCommand "target-python" { } "mkdir -p $out/bin; ln -s /usr/bin/python3 $out/bin/python3")
        ];
        """
    )
    assert b"-target-python/bin/python3' " in built.read("bin/plain")
    assert built.digest() == digest(outside / "plain.pyz")
    assert "not checked, since what was packed runs on another system: words\n" in built.log


def test_library_path_comes_before_the_users_own(lab: Lab) -> None:
    shown = {"main.py": 'import os\nprint(os.environ.get("LD_LIBRARY_PATH"))\n', "requirements.txt": ""}
    built = lab.hook(
        """
        pyzpackLibraryPath = "/first:/second";
        doInstallCheck = true;
        installCheckPhase = "{ $out/bin/plain; LD_LIBRARY_PATH=/mine $out/bin/plain; } > $out/said";
        """,
        lab.source("libraries", shown),
    )
    assert built.read("said") == b"/first:/second\n/first:/second:/mine\n"


def test_the_program_is_called_as_its_launcher_is(lab: Lab) -> None:
    shown = {"main.py": "import argparse\nargparse.ArgumentParser().parse_args()\n", "requirements.txt": ""}
    attributes = (
        'pyzpackOutput = "tool"; doInstallCheck = true; installCheckPhase = "$out/bin/tool --help > $out/said";'
    )
    assert lab.hook(attributes, lab.source("usage", shown)).read("said").startswith(b"usage: tool [-h]\n")


def test_a_console_script_of_the_launchers_name_does_not_take_the_entry_points_place(lab: Lab) -> None:
    entry = "import sys, greet\nprint('entry point', *sys.argv[1:])\n"
    source = lab.source("pure", pure_project())
    for flags, said, linked in [("", "hello 1.2 you\n", True), ("--entry-point greet", "", False)]:
        built = lab.hook(
            f"""
            pyzpackOutput = "greet";
            pyzpackFlags = "--locked {flags}";
            doInstallCheck = true;
            installCheckPhase = "$out/bin/greet you > $out/said";
            """,
            source,
        )
        assert built.read("said").decode() == said, entry
        assert ("libexec/pyzpack/greet" in built.files()) is linked


@pytest.mark.parametrize("attributes", ["", STRUCTURED], ids=["words", "structured"])
def test_imports_are_checked_in_what_was_installed(lab: Lab, attributes: str) -> None:
    built = lab.hook(attributes + 'pyzpackImportsCheck = [ "main" "words" "json" ];')
    assert "Check whether the following modules can be imported: main words json\n" in built.log
    assert "hello\n" in built.log


def test_phases_may_be_the_derivations_own(lab: Lab, outside: Path) -> None:
    packed = digest(outside / "plain.pyz")
    own_build = 'buildPhase = "mkdir dist; pyzpack build -q --offline -o dist/plain.pyz";'
    built = lab.hook("dontUsePyzpackBuild = true;" + own_build)
    assert (built.digest(), built.files()) == (packed, INSTALLED)
    assert lab.hook(own_build).digest() == packed
    own_install = "installPhase = ''install -Dm644 dist/plain.pyz $out/lib/plain.pyz'';"
    built = lab.hook('dontUsePyzpackInstall = true; pyzpackImportsCheck = "words";' + own_install)
    assert built.files() == {"lib/plain.pyz": "444"}
    assert built.digest("lib/plain.pyz") == packed


def test_hooks_run_before_and_after_each_phase(lab: Lab) -> None:
    names = ["preBuild", "postBuild", "preInstall", "postInstall", "preFixup", "postFixup"]
    attributes = "".join(f'{name} = "echo in {name}";' for name in names)
    log = lab.hook(attributes).log.splitlines()
    assert [line.removeprefix("in ") for line in log if line.startswith("in ")] == names


def test_the_program_of_the_hook_is_on_path(lab: Lab) -> None:
    assert lab.hook('postInstall = "pyzpack inspect $out/share/pyzpack/plain.pyz --json > $out/shown";').read("shown")


# What is refused.


def refused(lab: Lab, attributes: str, source: Path | None = None) -> str:
    outcome = lab.try_hook(attributes, source)
    assert outcome.status == FAILED, outcome.log
    return outcome.refusal()


def test_a_file_that_a_later_phase_changes_is_refused(lab: Lab, outside: Path) -> None:
    packed = digest(outside / "plain.pyz")
    changed = sha256((outside / "plain.pyz").read_bytes() + b"\n").hexdigest()
    for phase in (
        "postInstall = CHANGE;",
        "postFixup = CHANGE;",
        "dontFixup = true; postInstall = CHANGE;",
        "doInstallCheck = true; installCheckPhase = ''chmod u+w $out/share/pyzpack/plain.pyz; '' + CHANGE;",
    ):
        attributes = phase.replace("CHANGE", '"echo >> $out/share/pyzpack/plain.pyz"')
        assert refused(lab, attributes) == (
            "error: pyzpackHook: `/nix/store/HASH-plain-1.0/share/pyzpack/plain.pyz` was changed after it was installed"
            f": expected sha256 {packed}, found {changed}\n"
            "hint: see which hook or phase did it, such as postInstall, postFixup or a program that wraps others\n"
        )


def test_evidence_that_a_later_phase_changes_is_refused(lab: Lab) -> None:
    message = refused(lab, 'postFixup = "echo >> $out/share/pyzpack/SHA256SUMS";')
    assert message.startswith(
        "error: pyzpackHook: `/nix/store/HASH-plain-1.0/share/pyzpack/SHA256SUMS` was changed after it was installed: "
    )
    assert refused(lab, 'postFixup = "rm $out/share/pyzpack/SHA256SUMS";') == (
        "error: pyzpackHook: `/nix/store/HASH-plain-1.0/share/pyzpack/SHA256SUMS` was removed after it was installed\n"
        "hint: see which hook or phase did it; installPhase is the last one to choose what is there\n"
    )


def test_a_reference_to_the_store_inside_the_file_is_refused(lab: Lab) -> None:
    path = "/nix/store/" + "0123456789abcdfghijklmnpqrsvwxyz" + "-tool-1.0/bin/tool"
    source = lab.source("refers", PLAIN | {"words.py": f'GREETING = "{path}"\n' + "# many words\n" * 99})
    assert refused(lab, "", source) == (
        "error: pyzpackHook: `plain.pyz` refers to /nix/store:\n"
        "words.py: `/nix/store/HASH-tool-1.0/bin/tool`\n"
        "hint: take wheels that were built elsewhere, or dontPyzpackCheckReferences = true where the file stays on this"
        " machine\n"
    )
    built = lab.hook("dontPyzpackCheckReferences = true;", source)
    # Nix does not see it: it is deflated. So it is written down where Nix looks.
    assert path.encode() not in built.read("share/pyzpack/plain.pyz")
    assert built.read("nix-support/pyzpack-references") == b"/nix/store/0123456789abcdfghijklmnpqrsvwxyz-tool-1.0\n"


def test_what_the_file_refers_to_is_kept_where_the_check_is_off(lab: Lab) -> None:
    tool = """
        tool = runCommand "tool" { } "mkdir $out";
        postPatch = ''echo "PLACE = '$tool'" >> words.py'';
    """
    source = lab.source("refers-to-tool", PLAIN | {"words.py": PLAIN["words.py"] + "# many words\n" * 99})
    built = lab.hook(f"{tool} dontPyzpackCheckReferences = true;", source)
    references = lab.nix("nix-store", "--query", "--references", f"/nix/store/{built.path.name}").split()
    assert any(path.endswith("-tool") for path in references)
    assert b"-tool" not in built.read("share/pyzpack/plain.pyz")
    assert b"-tool" in built.read("nix-support/pyzpack-references")


# A project whose backend packs what the compiler wrappers of nixpkgs would be told.
TOLD = {
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n\n'
    '[project]\nname = "told"\nversion = "1.0"\n[project.scripts]\nplain = "told:main"\n',
    "backend.py": """
import base64, hashlib, os, zipfile

NAMES = ("NIX_CFLAGS_COMPILE", "NIX_DONT_SET_RPATH", "NIX_LDFLAGS")


def build_wheel(directory, config_settings=None, metadata_directory=None):
    told = "\\n".join(f"{name}={os.environ.get(name)}" for name in NAMES)
    files = {
        "told.py": f"def main():\\n    print({told!r})\\n",
        "told-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: told\\nVersion: 1.0\\n",
        "told-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "told-1.0.dist-info/entry_points.txt": "[console_scripts]\\nplain = told:main\\n",
    }
    record = "told-1.0.dist-info/RECORD,,\\n"
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(text)}\\n"
    with zipfile.ZipFile(os.path.join(directory, "told-1.0-py3-none-any.whl"), "w") as wheel:
        for name, text in (files | {"told-1.0.dist-info/RECORD": record}).items():
            wheel.writestr(name, text)
    return "told-1.0-py3-none-any.whl"
""",
}
FLAGS = """
    NIX_LDFLAGS = "-rpath /own/lib -L/zlib/lib -rpath  /zlib/lib";
    NIX_CFLAGS_COMPILE = "-frandom-seed=0123456789 -isystem /zlib/include";
"""


def told(lab: Lab, attributes: str) -> list[str]:
    built = lab.hook(attributes, lab.source("told", TOLD))
    ran = subprocess.run(
        ["/usr/bin/python3", built.path / "share/pyzpack/plain.pyz"], capture_output=True, text=True, check=True
    )
    return ran.stdout.splitlines()


def test_libraries_are_not_told_places_in_the_store(lab: Lab) -> None:
    assert told(lab, f"{FLAGS} dontPyzpackCheckReferences = false;") == [
        "NIX_CFLAGS_COMPILE=-frandom-seed=pyzpack -isystem /zlib/include",
        "NIX_DONT_SET_RPATH=1",
        "NIX_LDFLAGS= -L/zlib/lib ",
    ]


def test_libraries_of_a_file_that_stays_in_nix_are_told(lab: Lab) -> None:
    assert told(lab, f"{FLAGS} dontPyzpackCheckReferences = true;") == [
        "NIX_CFLAGS_COMPILE=-frandom-seed=0123456789 -isystem /zlib/include",
        "NIX_DONT_SET_RPATH=None",
        "NIX_LDFLAGS=-rpath /own/lib -L/zlib/lib -rpath  /zlib/lib",
    ]


def test_what_a_derivation_packs_itself_is_searched_for_references_too(lab: Lab) -> None:
    source = lab.source("refers-out", PLAIN)
    build = """
        postPatch = ''echo "PLACE = '$out'" >> words.py'';
        dontUsePyzpackBuild = true;
        buildPhase = "mkdir dist; pyzpack build -q --offline -o dist/plain.pyz";
    """
    assert refused(lab, build, source) == (
        "error: pyzpackHook: `plain.pyz` refers to /nix/store:\n"
        "words.py: `/nix/store/HASH-plain-1.0`\n"
        "hint: take wheels that were built elsewhere, or dontPyzpackCheckReferences = true where the file stays on this"
        " machine\n"
    )


def test_a_wheelhouse_that_is_not_there_is_refused(lab: Lab) -> None:
    assert refused(lab, 'pyzpackWheelhouse = [ "/nowhere" ];') == (
        "error: pyzpackHook: pyzpackWheelhouse names `/nowhere`, which is not a directory\n"
        "hint: give directories of wheels, such as the result of wheelhouse { lock = ./pylock.toml; }\n"
    )


def test_a_lock_that_is_not_there_is_refused(lab: Lab) -> None:
    assert refused(lab, 'pyzpackLock = "pylock.toml";') == (
        "error: pyzpackHook: pyzpackLock is `pylock.toml`, which is not a file\n"
        "hint: give a path such as ./pylock.toml, or the name of a file in the source\n"
    )


def test_a_lock_that_is_not_the_sources_own_is_refused(lab: Lab) -> None:
    source = lab.source("pure", pure_project())
    changed = pure_project()["pylock.toml"] + b"\n"
    other = lab.source("other-lock", {"pylock.toml": changed}) / "pylock.toml"
    assert refused(lab, f"pyzpackLock = {other};", source) == (
        "error: pyzpackHook: pyzpackLock is not the `pylock.toml` of the source: sha256 "
        f"{sha256(changed).hexdigest()} and {digest(PURE / 'pylock.toml')}\n"
        "hint: leave pyzpackLock out where the source has its own, or take `pylock.toml` out of the source\n"
    )


def test_a_lock_beside_a_source_that_cannot_be_written_to_is_refused(lab: Lab) -> None:
    lock = lab.source("pure", pure_project()) / "pylock.toml"
    source = lab.source("plain", PLAIN)
    assert refused(lab, f"pyzpackSrc = {source}; pyzpackLock = {lock};") == (
        "error: pyzpackHook: cannot put `pylock.toml` into `/nix/store/HASH-plain`, which is not writable\n"
        "hint: let src name the source, which is copied, and pyzpackSrc what is in it\n"
    )


@pytest.mark.parametrize(
    ("output", "shown"), [("bin/tool", "'bin/tool'"), ("..", "'..'"), (".pyz", "'.pyz'"), (r"a\nb", r"$'a\nb'")]
)
def test_an_output_that_names_no_program_is_refused(lab: Lab, output: str, shown: str) -> None:
    assert refused(lab, f'pyzpackOutput = "{output}";') == (
        f"error: pyzpackHook: pyzpackOutput is {shown}, which is no name for a program\nhint: give one such as plain\n"
    )


def test_a_source_that_has_a_file_called_dist_is_refused(lab: Lab) -> None:
    assert refused(lab, "", lab.source("dist-file", PLAIN | {"dist": ""})) == (
        "error: pyzpackHook: `dist` is a file of the source, and what is packed goes there\n"
        "hint: take it out in prePatch, or set dontUsePyzpackBuild and write the file in buildPhase\n"
    )


@pytest.mark.parametrize("output", ["a b; touch x", "a'b$(id)", "-rf"])
def test_any_other_name_is_one(lab: Lab, output: str) -> None:
    run = 'doInstallCheck = true; installCheckPhase = "\\"$out/bin/$pyzpackOutput\\" > $out/said";'
    built = lab.hook(f'pyzpackOutput = "{output}"; {run}')
    assert built.files() == {name.replace("plain", output): mode for name, mode in INSTALLED.items()} | {
        f"libexec/pyzpack/{output}": f"-> ../../share/pyzpack/{output}.pyz",
        "said": "444",
    }
    assert built.read("said") == b"hello\n"


def test_the_time_that_the_project_says_counts_however_it_is_written(lab: Lab, tmp_path: Path) -> None:
    told = pure_project()
    told["pyproject.toml"] = b"tool = { pyzpack = { source-date-epoch = 1700000000 } }\n" + told["pyproject.toml"]
    for name, content in told.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    lab.pyzpack("build", "--offline", "--locked", "-o", "greet.pyz", directory=tmp_path)
    built = lab.hook('pyzpackFlags = "--locked";', lab.source("timed", told))
    assert built.digest() == digest(tmp_path / "greet.pyz")


def test_a_python_that_is_not_there_is_refused(lab: Lab) -> None:
    assert refused(lab, "nativeBuildInputs = [ pyzpackHook ];") == (
        "error: pyzpackHook: no python3 among the inputs\n"
        "hint: add python3 to nativeBuildInputs; it builds, and the launcher runs it\n"
    )
    assert refused(lab, CROSS) == (
        "error: pyzpackHook: no python3 of the system that this is built for\n"
        "hint: add python3 to buildInputs; that of nativeBuildInputs runs on this machine\n"
    )
    assert refused(lab, 'pyzpackPython = "/nowhere";') == (
        "error: pyzpackHook: pyzpackPython is `/nowhere`, which is no Python\n"
        "hint: give a package such as python3, or the path of its program\n"
    )


def test_modules_that_cannot_be_imported_are_refused(lab: Lab) -> None:
    # A directory of the inputs does not stand in for what is not packed, nor does one of the source.
    attributes = """
        pyzpackImportsCheck = [ "words" "absent" ];
        preBuild = "mkdir elsewhere; touch elsewhere/absent.py; export PYTHONPATH=$PWD/elsewhere";
    """
    outcome = lab.try_hook(attributes)
    assert outcome.status == FAILED
    assert outcome.refusal() == (
        "error: pyzpackHook: not all modules of pyzpackImportsCheck can be imported: words absent\n"
        "hint: the traceback above names the first that cannot; pack what it needs, or take it out of the list\n"
    )
    assert "ModuleNotFoundError: No module named 'absent'\n" in outcome.log


def test_a_build_phase_that_writes_nothing_is_refused(lab: Lab) -> None:
    assert refused(lab, 'dontUsePyzpackBuild = true; buildPhase = "true";') == (
        "error: pyzpackHook: there is no `dist/plain.pyz` to install\n"
        "hint: let buildPhase write it, or set pyzpackOutput to the name of what it writes into dist\n"
    )


def test_what_pyzpack_refuses_ends_the_build_with_its_message(lab: Lab) -> None:
    outcome = lab.try_hook("", lab.source("nothing", {"README": ""}))
    assert outcome.status == FAILED
    assert "error: `/build/nothing` is not a Python project" in outcome.log
    assert "failed with exit code 2" in outcome.log


def test_everything_in_the_store_is_as_it_was_built(lab: Lab) -> None:
    built: Built = lab.hook()
    lab.nix("nix-store", "--verify", "--check-contents")
    file = built.path / "share/pyzpack/plain.pyz"
    file.chmod(0o644)
    content = file.read_bytes()
    file.write_bytes(content + b"\n")
    assert lab.run("nix-store", "--verify", "--check-contents").status == 1
    file.write_bytes(content)
    file.chmod(0o555)
