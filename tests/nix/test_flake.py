"""What the flake and `default.nix` offer: every output, the package, the program run from it."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, SYSTEM, Lab

VERSION, DESCRIPTION = (
    re.search(rf'^{key} = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    for key in ("version", "description")
)
SYSTEMS = ["aarch64-darwin", "aarch64-linux", "x86_64-darwin", "x86_64-linux"]
EXPRESSIONS = sorted(
    str(path.relative_to(ROOT))
    for place in ("flake.nix", "default.nix", "nix/**/*.nix", "testdata/nix/**/*.nix")
    for path in ROOT.glob(place)
)


def test_every_expression_parses(lab: Lab) -> None:
    for expression in EXPRESSIONS:
        lab.nix("nix-instantiate", "--parse", lab.flake / expression)
    assert "flake.nix" in EXPRESSIONS
    assert "nix/hook.nix" in EXPRESSIONS


def test_the_flake_shows_every_output_on_every_system(lab: Lab) -> None:
    shown = json.loads(lab.nix(*lab.flake_command("flake", "show", "--json", f"path:{lab.flake}")))

    def derivation(name: str) -> dict[str, dict[str, str]]:
        return {system: {"default": {"name": name, "type": "derivation"}} for system in SYSTEMS}

    package = {"name": f"pyzpack-{VERSION}", "type": "derivation", "description": DESCRIPTION}
    of_hook = "Setup hook that packs a Python program with pyzpack"
    hook = {"name": "pyzpack-hook", "type": "derivation", "description": of_hook}
    packages = {"default": package, "pyzpack": package, "pyzpackHook": hook}
    assert {name: value for name, value in shown.items() if name != "checks"} == {
        "devShells": derivation("shell"),
        "formatter": {system: {"name": "nixfmt-tree", "type": "derivation"} for system in SYSTEMS},
        "lib": {"type": "unknown"},
        "overlays": {"default": {"type": "nixpkgs-overlay"}},
        "packages": dict.fromkeys(SYSTEMS, packages),
        "templates": {"default": {"description": "A Python program that Nix packs as one .pyz", "type": "template"}},
    }
    assert sorted(shown["checks"]) == SYSTEMS
    assert {"package", "hook"} <= set(shown["checks"][SYSTEM])


def test_no_nixpkgs_is_asked_for_a_system_that_it_has_no_more(lab: Lab) -> None:
    files = {str(path.relative_to(lab.stub)): path.read_bytes() for path in lab.stub.rglob("*.nix")}
    assert b'release = "26.05"' in files["lib.nix"]
    files["lib.nix"] = files["lib.nix"].replace(b'release = "26.05"', b'release = "26.11"')
    newer = lab.source("newer-nixpkgs", files)
    for name in ("packages", "lib", "checks", "devShells", "formatter"):
        command = ["nix", "eval", "--json", f"path:{lab.flake}#{name}", "--apply", "builtins.attrNames"]
        systems = lab.nix(*command, "--override-input", "nixpkgs", f"path:{newer}", "--no-write-lock-file")
        assert json.loads(systems) == ["aarch64-darwin", "aarch64-linux", "x86_64-linux"]


def test_nix_finds_nothing_wrong_with_the_flake(open_lab: Lab) -> None:
    # Of a store that is not where its paths say, Nix 2.8 takes no template.
    open_lab.nix(*open_lab.flake_command("flake", "check", "--no-build", f"path:{open_lab.flake}"))


def test_the_flakes_lock_is_of_its_input(lab: Lab) -> None:
    # Nix would write it anew otherwise, and have nothing here to write it from.
    shown = json.loads(lab.nix("nix", "flake", "metadata", "--json", "--no-update-lock-file", f"path:{lab.flake}"))
    locked = shown["locks"]["nodes"]["nixpkgs"]["locked"]
    assert (locked["owner"], locked["repo"], len(locked["rev"])) == ("NixOS", "nixpkgs", 40)


def test_the_program_runs_from_the_flake(lab: Lab) -> None:
    assert lab.nix(*lab.flake_command("run", f"path:{lab.flake}"), "--", "--version") == f"pyzpack {VERSION}\n"


def test_without_flakes_default_nix_has_the_same(lab: Lab) -> None:
    arguments = ["--arg", "pkgs", f"import {lab.stub} {{ }}", lab.flake]
    built = lab.nix("nix-build", "--no-out-link", "-A", "pyzpack", "-A", "pyzpackHook", *arguments).split()
    assert [path.split("-", 1)[1] for path in built] == [f"pyzpack-{VERSION}", "pyzpack-hook"]
    of_flake = lab.nix(*lab.flake_command("eval", "--raw", f"path:{lab.flake}#default.outPath"))
    assert built[0] == of_flake


def test_the_package_has_a_manual_and_completions(lab: Lab) -> None:
    path = lab.nix(
        "nix-build", "--no-out-link", "-A", "pyzpack", "--arg", "pkgs", f"import {lab.stub} {{ }}", lab.flake
    )
    package = lab.real(path.strip())
    files = sorted(str(file.relative_to(package)) for file in package.rglob("*") if file.is_file())
    assert files == [
        "bin/pyzpack",
        "share/bash-completion/completions/pyzpack.bash",
        "share/fish/vendor_completions.d/pyzpack.fish",
        "share/man/man1/pyzpack.1",
        "share/zsh/site-functions/_pyzpack",
    ]
    assert (package / "share/man/man1/pyzpack.1").read_text().startswith(".ie")


@pytest.mark.parametrize(
    ("file", "rebuilt"),
    [
        ("README.md", False),
        ("nix/hook.sh", False),
        ("testdata/nix/nondet.nix", False),
        ("src/main.rs", True),
        ("src/runtime/python/main.py", True),
        ("Cargo.lock", True),
    ],
)
def test_the_package_is_built_anew_only_where_what_is_compiled_changed(lab: Lab, file: str, rebuilt: bool) -> None:
    def derivation() -> str:
        arguments = ["-A", "pyzpack", "--arg", "pkgs", f"import {lab.stub} {{ }}", lab.flake]
        return lab.nix("nix-instantiate", *arguments)

    path = lab.flake / file
    content = path.read_bytes()
    before = derivation()
    try:
        path.write_bytes(content + b"\n")
        assert (derivation() != before) is rebuilt
    finally:
        path.write_bytes(content)


def test_what_is_compiled_is_in_the_package(lab: Lab) -> None:
    named = {
        (source.parent / name).resolve().relative_to(ROOT)
        for source in ROOT.glob("src/**/*.rs")
        for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', source.read_text())
    }
    outside = sorted(str(path) for path in named if path.parts[0] != "src")
    # Named by tests alone.
    assert outside == [
        "testdata/evidence/purls.json",
        "testdata/evidence/tool.cdx.json",
        "testdata/evidence/tool.spdx.json",
    ]


def test_the_template_is_a_project_that_builds(lab: Lab) -> None:
    # As `nix flake init -t` does, which takes no other nixpkgs than the locked one.
    template = lab.nix(*lab.flake_command("eval", "--raw", f"path:{lab.flake}#templates.default.path"))
    place = lab.source("template", {path.name: path.read_bytes() for path in lab.real(template).iterdir()})
    assert sorted(path.name for path in place.iterdir()) == ["flake.nix", "main.py", "pylock.toml"]
    arguments = [
        "--override-input",
        "pyzpack",
        f"path:{lab.flake}",
        "--override-input",
        "pyzpack/nixpkgs",
        f"path:{lab.stub}",
    ]
    ran = lab.nix("nix", "run", *arguments, "--no-write-lock-file", f"path:{place}", "--", "you")
    assert ran == "hello you\n"


def test_nix_finds_what_is_not_deterministic(lab: Lab) -> None:
    control = lab.flake / "testdata/nix/nondet.nix"
    path = lab.nix("nix-build", "--no-out-link", control).strip()
    subprocess.run(["sleep", "2"], check=True)
    outcome = lab.run("nix-build", "--no-out-link", "--check", control)
    assert outcome.status == 104
    assert f"may not be deterministic: output '{lab.real(path)}' differs" in outcome.log


def test_registries_are_nowhere_named() -> None:
    hosts = re.compile(rb"pypi\.|pythonhosted|crates\.io|npmjs", re.IGNORECASE)
    named = [
        str(path.relative_to(ROOT))
        for place in ("nix", "testdata/nix", "tests/nix")
        for path in Path(ROOT / place).rglob("*")
        if path.is_file()
        and path.suffix != ".pyc"
        and path.name != Path(__file__).name
        and hosts.search(path.read_bytes())
    ]
    assert named == []
