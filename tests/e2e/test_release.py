"""What the README says of provenance and of a release: its example, its table, its workflow."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import yaml
from attestations import commits, dependencies, read_statement
from conftest import PYZPACK, ROOT, Pyzpack
from github_runner import Ended, Runner, substitute
from locks import World
from repositories import git, make_repository

README = (ROOT / "README.md").read_text()


def section(title: str, form: str) -> str:
    """The first block of this form in the section of this title."""
    _, _, text = README.partition(f"\n### {title}\n")
    return re.search(rf"```{form}\n(.*?)```", text, re.DOTALL)[1]


def test_the_example_is_a_provenance():
    document = json.loads(section("Build type", "json"))
    written = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    predicate = read_statement(written)
    assert len(commits(predicate)) == 1
    assert sorted(dependencies(predicate).values()) == [
        ["build-requirement"],
        ["built-wheel"],
        ["lock"],
        ["source"],
        ["wheel"],
    ]


def test_every_parameter_has_a_line_in_the_page_of_the_build_type():
    source = (ROOT / "src/evidence/provenance/mod.rs").read_text()
    known = re.search(r"EXTERNAL_PARAMETERS: .*? = \[(.*?)\]", source, re.DOTALL)[1]
    _, _, page = README.partition("\n### Build type\n")
    table = page.partition("| key | |\n|---|---|\n")[2].partition("\n\n")[0]
    described = [key for row in table.splitlines() for key in re.findall(r"`([a-z-]+)`", row.split("|")[1])]
    assert sorted(described) == re.findall(r'"([a-z-]+)"', known)


def test_the_workflow_does_what_it_says(pyzpack: Pyzpack, world: World, tmp_path: Path):
    """Each job on a machine of its own; what is GitHub's alone (attest, artifacts, gh) is played here."""
    jobs = yaml.safe_load(section("Release", "yaml"))["jobs"]
    world.write("pylock.toml")
    assert pyzpack.run("keygen", tmp_path / "release").returncode == 0
    shutil.copy(tmp_path / "release.pub", world.project)
    made = make_repository(world.project)
    secrets = {"RELEASE_KEY": (tmp_path / "release").read_text()}
    artifact, attested, said = tmp_path / "artifact", [], tmp_path / "said"
    artifact.mkdir()
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "gh").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {said}\n')
    (commands / "gh").chmod(0o755)

    def run(name: str) -> Path:
        workspace = tmp_path / name / "workspace"
        workspace.mkdir(parents=True)
        runner = Runner.of_job(tmp_path / name, workspace, pyzpack)
        # What the action's first step would have put there.
        runner.paths = [str(PYZPACK.parent), str(commands)]
        done = {step["id"]: {"outputs": {}} for step in jobs[name]["steps"] if "id" in step}
        contexts = {"steps": done, "secrets": secrets, "github": {"token": "a token"}}
        for step in jobs[name]["steps"]:
            given = {key: substitute(value, contexts) for key, value in step.get("with", {}).items()}
            environment = {key: substitute(value, contexts) for key, value in step.get("env", {}).items()}
            if "run" in step:
                ended = Ended()
                runner.run_script(ended, "run", step["run"], workspace, environment)
                assert ended.succeeded, f"{step['run']}\n{ended.log}"
                continue
            used, _, commit = step["uses"].partition("@")
            assert commit == "COMMIT" if used == "OWNER/PYZPACK" else re.fullmatch(r"[0-9a-f]{40}", commit)
            match used:
                case "actions/checkout":
                    git(tmp_path, "clone", "-q", world.project, workspace)
                case "OWNER/PYZPACK":
                    ended = runner.run_action(ROOT, {"pyzpack": str(PYZPACK), **given})
                    assert ended.succeeded, ended.log
                    if "id" in step:
                        done[step["id"]] = {"outputs": ended.outputs}
                case "actions/attest":
                    attested.append((given["subject-path"], json.loads(Path(given["predicate-path"]).read_text())))
                case "actions/upload-artifact":
                    for path in given["path"].splitlines():
                        shutil.copy(path, artifact)
                case "actions/download-artifact":
                    shutil.copytree(artifact, workspace / given["path"])
                case _:
                    raise AssertionError(f"nobody plays {used}")
        return workspace

    workspace = run("build")
    ((subject, predicate),) = attested
    assert subject == str(workspace / "hello.pyz")
    assert predicate == read_statement(workspace / "hello.pyz.intoto.json")
    assert commits(predicate) == [made]
    assert predicate["runDetails"]["builder"]["id"].startswith("https://github.example/owner/tool/.github/workflows/")
    kinds = ["cdx.json", "cdx.sigstore.json", "intoto.json", "sha256", "sigstore.json", "spdx.json"]
    names = ["SHA256SUMS", "hello.pyz", *(f"hello.pyz.{kind}" for kind in kinds)]
    assert sorted(path.name for path in artifact.iterdir()) == names
    run("rebuild")
    run("publish")
    assert [line for line in said.read_text().splitlines() if line.startswith("released/")] == [
        f"released/{name}" for name in names
    ]
