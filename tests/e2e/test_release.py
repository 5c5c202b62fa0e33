"""What the README says of provenance and of a release: its example, its table, its workflow."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import yaml
from attestations import commits, dependencies, read_statement
from conftest import PYZPACK, ROOT, Pyzpack
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


def test_the_lines_of_the_workflow_do_what_they_say(pyzpack: Pyzpack, world: World, tmp_path: Path):
    """All but those of GitHub, Sigstore and cargo."""
    workflow = yaml.safe_load(section("Release", "yaml"))
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert re.fullmatch(r"[a-z]+/[a-z-]+@[0-9a-f]{40}", step.get("uses", f"a/b@{'0' * 40}"))
    world.write("pylock.toml")
    keys = tmp_path / "keys"
    keys.mkdir()
    assert pyzpack.run("keygen", keys / "release").returncode == 0
    shutil.copy(keys / "release.pub", world.project)
    made = make_repository(world.project)
    (tmp_path / "runner").mkdir()
    programs = {"PATH": f"{PYZPACK.parent}:{pyzpack.python.parent}:/usr/bin:/bin"}
    environment = pyzpack.environment(
        RUNNER_TEMP=tmp_path / "runner", RELEASE_KEY=(keys / "release").read_text(), **workflow["env"], **programs
    )

    def run(job: str, directory: Path) -> list[str]:
        lines = [step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step]
        ours = [line for line in lines if line.startswith(("pyzpack ", "cmp "))]
        for line in ours:
            done = subprocess.run(["bash", "-ec", line], cwd=directory, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return [line.split()[1] for line in ours]

    assert run("build", world.project) == ["build", "provenance", "sign", "verify"]
    predicate = read_statement(world.project / "hello.pyz.intoto.json")
    assert predicate == json.loads((tmp_path / "runner/predicate.json").read_text())
    assert commits(predicate) == [made]
    assert predicate["runDetails"]["builder"]["id"] == workflow["env"]["PYZPACK_BUILDER_ID"]
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", world.project, clone)
    (clone / "released").mkdir()
    for path in [*world.project.glob("hello.pyz*"), world.project / "SHA256SUMS"]:
        shutil.copy(path, clone / "released")
    assert run("rebuild", clone) == ["verify", "build", "again.pyz"]
