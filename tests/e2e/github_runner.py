"""As much of GitHub's runner as a composite action needs: its steps in order, each as the documentation says.

What the imitation does not know (another context, another operator, another kind of step) fails a test and is not
guessed.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from conftest import Pyzpack

FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE")


def evaluate(expression: str, contexts: Mapping) -> str:
    """`a.b.c`, or that compared with a literal."""
    parsed = re.fullmatch(r"\s*([\w-]+(?:\.[\w-]+)+)(?: (==|!=) '([^']*)')?\s*", expression)
    assert parsed, f"the imitation does not know the expression {expression!r}"
    path, operator, literal = parsed.groups()
    value = contexts
    for part in path.split("."):
        assert isinstance(value, Mapping), path
        if any(value is declared for declared in (contexts, contexts.get("inputs"), contexts.get("steps"))):
            assert part in value, f"{path} is nothing that was declared"
        value = value.get(part, "")
    assert isinstance(value, str), path
    if operator is None:
        return value
    # Comparisons of strings do not look at case.
    return str((value.lower() == literal.lower()) is (operator == "==")).lower()


def substitute(text: object, contexts: Mapping) -> str:
    """A value of a workflow with its expressions filled in, once: what they give is not read again."""
    text = str(text).lower() if isinstance(text, bool) else str(text)
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: evaluate(found[1], contexts), text)


def read_pairs(text: str) -> dict[str, str]:
    """What a step wrote to GITHUB_OUTPUT or GITHUB_ENV: `name=value`, or `name<<END`, lines, `END`."""
    pairs, lines = {}, iter(re.split("\r?\n", text))
    for line in lines:
        if not line:
            continue
        name, heredoc, end = line.partition("<<")
        if heredoc and "=" not in name:
            value = []
            for inner in lines:
                if inner == end:
                    break
                value.append(inner)
            else:
                raise AssertionError(f"no {end!r} ends the value of {name}")
            pairs[name] = "\n".join(value)
        else:
            name, equals, value = line.partition("=")
            assert equals, f"GitHub refuses the line {line!r}"
            pairs[name] = value
    return pairs


def read_commands(log: str) -> list[tuple[str, dict[str, str], str]]:
    """The commands in what a step printed, as (name, properties, message); those between stop and go are none."""
    commands, stopped = [], None
    for line in log.splitlines():
        parsed = re.match(r"\s*::([\w-]+)(?: (.*?))?::(.*)", line)
        if stopped is not None:
            stopped = None if line.strip() == f"::{stopped}::" else stopped
        elif parsed and parsed[1] == "stop-commands":
            stopped = parsed[3]
        elif parsed:
            properties = dict(pair.split("=", 1) for pair in (parsed[2] or "").split(",") if pair)
            message = parsed[3].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
            commands.append((parsed[1], properties, message))
    assert stopped is None, "commands were switched off and not on again"
    return commands


@dataclass
class Ended:
    """What a run of an action or of a job's steps left."""

    outputs: dict[str, str] = field(default_factory=dict)
    # The steps that ran, by name, with their exit statuses.
    steps: dict[str, int] = field(default_factory=dict)
    # What GitHub shows beside the job: (title, message).
    errors: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    log: str = ""
    summary: str = ""

    @property
    def succeeded(self) -> bool:
        return not any(self.steps.values())


@dataclass
class Runner:
    """A machine of a job: a workspace, and what lasts from step to step."""

    workspace: Path
    temporary: Path
    environment: dict[str, str]
    paths: list[str] = field(default_factory=list)

    @classmethod
    def of_job(cls, directory: Path, workspace: Path, pyzpack: Pyzpack) -> Runner:
        """A machine with Python, git and nothing of ours, for a workflow that a tag started."""
        temporary = directory / "temporary"
        temporary.mkdir(parents=True)
        environment = pyzpack.environment(
            PATH=f"{pyzpack.python.parent}:/usr/bin:/bin",
            GITHUB_SERVER_URL="https://github.example",
            GITHUB_REPOSITORY="owner/tool",
            GITHUB_REF_NAME="v1@2",
            GITHUB_WORKFLOW_REF="owner/tool/.github/workflows/release.yml@refs/tags/v1@2",
            GITHUB_WORKSPACE=str(workspace),
            RUNNER_TEMP=str(temporary),
        )
        return cls(workspace, temporary, environment)

    def run_action(self, directory: Path, given: Mapping[str, str]) -> Ended:
        """`uses:` with these inputs under `with:`."""
        action = yaml.safe_load((directory / "action.yml").read_text())
        assert action["runs"]["using"] == "composite"
        assert not given.keys() - action["inputs"].keys(), "GitHub warns of inputs that no action has"
        inputs = {name: str(given.get(name, about.get("default", ""))) for name, about in action["inputs"].items()}
        ended = Ended()
        # What a step that did not run gives is empty.
        outputs = {step["id"]: {"outputs": {}} for step in action["runs"]["steps"] if "id" in step}
        contexts = {"inputs": inputs, "steps": outputs, "runner": {"temp": str(self.temporary)}}
        for step in action["runs"]["steps"]:
            assert step.keys() <= {"name", "id", "if", "shell", "run", "env", "working-directory"}
            assert step["shell"] == "bash"
            if not ended.succeeded or ("if" in step and evaluate(step["if"], contexts) != "true"):
                continue
            assert "${{" not in step["run"], "an expression in a script is run as part of it"
            where = self.workspace / substitute(step.get("working-directory", ""), contexts)
            variables = {name: substitute(value, contexts) for name, value in step.get("env", {}).items()}
            variables["GITHUB_ACTION_PATH"] = str(directory)
            written = self.run_script(ended, step["name"], step["run"], where, variables)
            if "id" in step:
                outputs[step["id"]] = {"outputs": written}
        ended.outputs = {name: substitute(about["value"], contexts) for name, about in action["outputs"].items()}
        return ended

    def run_script(self, ended: Ended, name: str, script: str, where: Path, variables: Mapping) -> dict[str, str]:
        """One `run:` with `shell: bash`; gives its outputs, and adds all else to what the steps before it left."""
        directory = Path(tempfile.mkdtemp(dir=self.temporary.parent))
        files = {variable: directory / variable.lower() for variable in FILES}
        for path in files.values():
            path.touch()
        (directory / "script.sh").write_text(script)
        environment = {**self.environment, **variables, **{name: str(path) for name, path in files.items()}}
        environment["PATH"] = ":".join([*self.paths, environment["PATH"]])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", directory / "script.sh"],
            cwd=where,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ended.steps[name] = done.returncode
        ended.log += done.stdout
        for command, properties, message in read_commands(done.stdout):
            assert command in ("error", "warning", "notice"), f"the step gave the command {command}"
            (ended.errors if command == "error" else ended.remarks).append((properties["title"], message))
        assert files["GITHUB_ENV"].read_text() == files["GITHUB_STATE"].read_text() == ""
        self.paths = files["GITHUB_PATH"].read_text().splitlines() + self.paths
        ended.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        return read_pairs(files["GITHUB_OUTPUT"].read_text())
