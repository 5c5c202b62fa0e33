"""What goes wrong: a clear message, the documented status, the old output as it was, no litter."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import BUILT, HELLO, OLD, Pyzpack, assert_untouched, needs
from index import serve
from wheels import make_project, make_wheel

NO, USAGE, MACHINE = 1, 2, 3


def assert_refused(
    pyzpack: Pyzpack, output: Path, status: int, words: list[str], *arguments: str | Path, **options
) -> subprocess.CompletedProcess[str]:
    """A build that fails as documented, says these words on standard error and leaves everything as it was."""
    local = [] if "--index-url" in arguments else ["--no-index", "--offline"]
    done = pyzpack.run("build", *arguments, *local, "--python", pyzpack.python, "-o", output, **options)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert [word for word in words if word not in done.stderr] == [], done.stderr
    assert "panicked" not in done.stderr
    assert_untouched(pyzpack, output)
    return done


# Projects and entry points


def test_directory_without_a_project(pyzpack: Pyzpack, output: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    assert_refused(pyzpack, output, USAGE, ["empty", "pyproject.toml"], tmp_path / "empty")


def test_missing_input(pyzpack: Pyzpack, output: Path, tmp_path: Path):
    assert_refused(pyzpack, output, USAGE, ["absent-1.0-py3-none-any.whl"], tmp_path / "absent-1.0-py3-none-any.whl")


def test_project_without_an_entry_point(pyzpack: Pyzpack, output: Path, tmp_path: Path):
    project = make_project(tmp_path / "project", "hello", files=HELLO)
    assert_refused(pyzpack, output, USAGE, ["entry point", "-e"], project)


def test_several_console_scripts_are_listed(pyzpack: Pyzpack, output: Path, tmp_path: Path):
    wheel = make_wheel(tmp_path, "hello", files=HELLO, scripts={"hello": "hello:main", "hullo": "hello:other"})
    assert_refused(pyzpack, output, USAGE, ["hello", "hullo", "-c"], wheel)


def test_mistyped_console_script_gets_a_suggestion(pyzpack: Pyzpack, output: Path, hello: Path):
    assert_refused(pyzpack, output, USAGE, ["helo", "hello"], hello, "-c", "helo")


@pytest.mark.parametrize("entry", ["hallo:main", "hello:mian"])
def test_entry_point_that_no_wheel_holds(pyzpack: Pyzpack, output: Path, hello: Path, entry: str):
    assert_refused(
        pyzpack, output, USAGE, [entry.split(":")[0 if entry.startswith("hallo") else 1]], hello, "-e", entry
    )


# Settings


@pytest.mark.parametrize(
    ("arguments", "changes", "words"),
    [
        (["--no-such-option"], {}, ["--no-such-option"]),
        (["--shebang", "/usr/bin/env " + "x" * 115], {}, ["127"]),
        (["--shebang", "/bin/sh\nexit"], {}, ["shebang"]),
        (["--layout", "folder"], {}, ["folder"]),
        (["--jobs", "none"], {}, ["none"]),
        (["--source-date-epoch", "yesterday"], {}, ["yesterday"]),
        ([], {"SOURCE_DATE_EPOCH": "1.5e9"}, ["SOURCE_DATE_EPOCH", "1.5e9"]),
        ([], {"SOURCE_DATE_EPOCH": ""}, ["SOURCE_DATE_EPOCH"]),
    ],
)
def test_malformed_setting(pyzpack: Pyzpack, output: Path, hello: Path, arguments, changes, words):
    assert_refused(pyzpack, output, USAGE, words, hello, *arguments, **changes)


def test_unknown_key_of_the_project_gets_a_suggestion(pyzpack: Pyzpack, output: Path, tmp_path: Path):
    tool = '\n[tool.pyzpack]\nlayuot = "zip"\n'
    project = make_project(tmp_path / "project", "hello", files=HELLO, scripts={"hello": "hello:main"}, tool=tool)
    assert_refused(pyzpack, output, USAGE, ["layuot", "layout"], project)


def test_no_such_interpreter(pyzpack: Pyzpack, output: Path, hello: Path):
    done = pyzpack.run("build", hello, "--offline", "--python", "3.99", "-o", output)
    assert done.returncode == MACHINE, done.stderr
    assert "3.99" in done.stderr
    assert_untouched(pyzpack, output)


# Wheels


def test_unknown_requirement(pyzpack: Pyzpack, output: Path, hello: Path):
    words = ["no-such-project"]
    assert_refused(pyzpack, output, NO, words, "no-such-project==1.0", "-c", "x", "--find-links", hello.parent)


def test_requirement_of_a_wheel_that_is_nowhere(pyzpack: Pyzpack, output: Path, tmp_path: Path):
    wheel = make_wheel(tmp_path, "hello", files=HELLO, scripts={"hello": "hello:main"}, requires=["absent>=2"])
    assert_refused(pyzpack, output, NO, ["absent"], wheel)


@pytest.mark.parametrize("tag", ["cp311-cp311-win_amd64", "cp39-cp39-manylinux2014_x86_64", "py2-none-any"])
def test_wheel_for_another_platform(pyzpack: Pyzpack, output: Path, tmp_path: Path, tag: str):
    wheel = make_wheel(tmp_path, "hello", files=HELLO, scripts={"hello": "hello:main"}, tag=tag)
    assert_refused(pyzpack, output, NO, [wheel.name, tag.split("-")[2 if "win" in tag else 0]], wheel)


def test_wheel_for_another_python(pyzpack: Pyzpack, output: Path, tmp_path: Path):
    wheel = make_wheel(tmp_path, "hello", files=HELLO, scripts={"hello": "hello:main"}, requires_python=">=3.99")
    assert_refused(pyzpack, output, NO, ["hello", ">=3.99"], wheel)


@pytest.mark.parametrize("kept", [0, 1, 30, 0.5, 0.9, -1])
def test_truncated_wheel(pyzpack: Pyzpack, output: Path, hello: Path, kept: float):
    data = hello.read_bytes()
    hello.write_bytes(data[: int(len(data) * kept) if isinstance(kept, float) else kept])
    assert_refused(pyzpack, output, NO, [hello.name], hello)


def test_wheel_with_one_byte_changed(pyzpack: Pyzpack, output: Path, hello: Path):
    with zipfile.ZipFile(hello) as archive:
        entry = archive.getinfo("hello.py")
    data = bytearray(hello.read_bytes())
    data[entry.header_offset + 30 + len(entry.filename) + 5] ^= 0x10
    hello.write_bytes(data)
    assert_refused(pyzpack, output, NO, [hello.name, "hello.py"], hello)


def test_wheel_whose_record_lies(pyzpack: Pyzpack, output: Path, hello: Path):
    with zipfile.ZipFile(hello) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents["hello.py"] += b"# one line more than RECORD knows\n"
    with zipfile.ZipFile(hello, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    assert_refused(pyzpack, output, NO, [hello.name, "hello.py", "RECORD"], hello)


def test_wrong_hash_in_requirements(pyzpack: Pyzpack, output: Path, hello: Path, tmp_path: Path):
    (tmp_path / "requirements.txt").write_text(f"hello==1.0 --hash=sha256:{'1' * 64}\n")
    (tmp_path / "app.py").write_text("import hello\n\ndef main():\n    hello.main()\n")
    arguments = ["-r", "requirements.txt", "-e", "app:main", "--find-links", hello.parent]
    assert_refused(pyzpack, output, NO, ["hello", "1" * 8], *arguments, cwd=tmp_path)


def test_wrong_hash_on_the_index(pyzpack: Pyzpack, output: Path, hello: Path):
    with serve(hello.parent, wrong_hash=True) as index:
        words = ["hello", "0" * 8]
        assert_refused(pyzpack, output, NO, words, "hello", "-c", "hello", "--index-url", index.url)


def test_index_that_does_not_answer(pyzpack: Pyzpack, output: Path):
    assert_refused(
        pyzpack, output, MACHINE, ["127.0.0.1"], "hello", "-c", "hello", "--index-url", "http://127.0.0.1:9/simple/"
    )


def test_two_wheels_with_one_path(pyzpack: Pyzpack, output: Path, hello: Path):
    other = make_wheel(hello.parent, "other", files={"hello.py": "MAIN = None\n"})
    words = ["hello.py", "other", "--on-conflict"]
    assert_refused(pyzpack, output, NO, words, hello, other, "-c", "hello")
    pyzpack.build(hello, other, "-c", "hello", "--on-conflict", "first", output=output)


# Backends


def test_failing_backend_shows_its_telling_end(pyzpack: Pyzpack, output: Path, tmp_path: Path):
    project = make_project(
        tmp_path / "project", "hello", files=HELLO, scripts={"hello": "hello:main"}, backend="failing_backend"
    )
    done = assert_refused(pyzpack, output, NO, ["the frobnicator is not installed", "logs"], project)
    assert "compiling part 3\n" not in done.stderr
    logs = [path.read_text() for path in (pyzpack.cache / "logs").iterdir()]
    assert any("compiling part 3\n" in log and "frobnicator" in log for log in logs)


def test_backend_that_never_ends_is_stopped(pyzpack: Pyzpack, output: Path, sleeping_project: Path):
    assert_refused(pyzpack, output, NO, ["2"], sleeping_project, "--build-timeout", "2s", timeout=30)


# Outputs


def test_output_is_a_directory(pyzpack: Pyzpack, hello: Path, tmp_path: Path):
    (tmp_path / "out.pyz").mkdir()
    done = pyzpack.run("build", hello, "--offline", "--python", pyzpack.python, "-o", tmp_path / "out.pyz")
    assert (done.returncode, done.stdout) == (MACHINE, ""), done.stderr
    assert "out.pyz" in done.stderr
    assert list((tmp_path / "out.pyz").iterdir()) == []


def test_output_directory_is_missing(pyzpack: Pyzpack, hello: Path, tmp_path: Path):
    output = tmp_path / "absent/tool.pyz"
    done = pyzpack.run("build", hello, "--offline", "--python", pyzpack.python, "-o", output)
    assert (done.returncode, done.stdout) == (MACHINE, ""), done.stderr
    assert "absent" in done.stderr
    assert not output.parent.exists()


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that another user may enter, which pytest's own is not."""
    directory = Path(tempfile.mkdtemp(prefix="pyzpack-e2e-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def test_output_directory_is_read_only(pyzpack: Pyzpack, open_directory: Path):
    wheel = make_wheel(open_directory, "hello", files=HELLO, scripts={"hello": "hello:main"})
    output = open_directory / "out/tool.pyz"
    output.parent.mkdir()
    output.write_bytes(OLD)
    output.parent.chmod(0o555)
    (open_directory / "own").mkdir()
    wrapper: list[str | Path] = []
    if os.geteuid() == 0:
        wrapper = [needs("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chown(open_directory / "own", 65534, 65534)
        # Root's own Python may lie where nobody else can look.
        pyzpack.python = Path(needs("/usr/bin/python3"))
    pyzpack.cache = pyzpack.temporary = open_directory / "own"
    arguments = ["build", wheel, "--offline", "--python", pyzpack.python, "-o", output]
    done = pyzpack.run(*arguments, wrapper=wrapper, PATH="/usr/bin:/bin", cwd=open_directory)
    assert (done.returncode, done.stdout) == (MACHINE, ""), done.stderr
    assert "tool.pyz" in done.stderr
    assert output.read_bytes() == OLD
    assert [path.name for path in output.parent.iterdir()] == ["tool.pyz"]


SMALL_DISK = """
mount -t tmpfs -o size=$1 pyzpack-test "$2" || exit 99
report=$3; shift 3; disk=$1; shift
[ ! -d "$report/old" ] || cp -a "$report/old/." "$disk"
"$@"; status=$?
(cd "$disk" && ls -A) >"$report/listing"; cp "$disk/tool.pyz" "$report/kept" 2>/dev/null
exit $status
"""


def on_small_disk(disk: Path, size: str, report: Path) -> list[str | Path]:
    """A wrapper that mounts a small tmpfs at `disk`, visible to that one run alone; what it held goes to `report`."""
    unshare = [needs("unshare"), "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run([*unshare, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode != 0:
        pytest.skip("this machine does not allow a mount of one's own")
    (report / "old").mkdir(parents=True)
    return [*unshare, "sh", "-c", SMALL_DISK, "sh", size, disk, report, disk]


@pytest.fixture
def large(tmp_path: Path) -> Path:
    data = random.Random(1).randbytes(3_000_000)
    return make_wheel(tmp_path / "wheels", "large", files={**HELLO, "large.bin": data}, scripts={"hello": "hello:main"})


@pytest.mark.parametrize(("size", "status"), [("1m", MACHINE), ("20m", 0)])
def test_output_disk_is_full(pyzpack: Pyzpack, tmp_path: Path, large: Path, size: str, status: int):
    disk, report = tmp_path / "disk", tmp_path / "report"
    disk.mkdir()
    wrapper = on_small_disk(disk, size, report)
    (report / "old/tool.pyz").write_bytes(OLD)
    arguments = ["build", large, "--offline", "--python", pyzpack.python, "-o", disk / "tool.pyz"]
    done = pyzpack.run(*arguments, wrapper=wrapper)
    assert done.returncode == status, done.stderr
    if status:
        assert "tool.pyz" in done.stderr
        assert "space" in done.stderr
        assert (report / "kept").read_bytes() == OLD
        assert (report / "listing").read_text().split() == ["tool.pyz"]
    else:
        assert (report / "listing").read_text().split() == BUILT


@pytest.mark.parametrize(("size", "status"), [("1m", MACHINE), ("60m", 0)])
def test_temporary_disk_is_full(pyzpack: Pyzpack, tmp_path: Path, output: Path, size: str, status: int):
    project = make_project(tmp_path / "project", "hello", files=HELLO, scripts={"hello": "hello:main"})
    (project / "large.bin").write_bytes(random.Random(1).randbytes(3_000_000))
    report = tmp_path / "report"
    wrapper = on_small_disk(pyzpack.temporary, size, report)
    arguments = ["build", project, "--no-index", "--offline", "--python", pyzpack.python, "-o", output]
    done = pyzpack.run(*arguments, wrapper=wrapper, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert (report / "listing").read_text() == ""
    if status:
        assert "space" in done.stderr
        assert_untouched(pyzpack, output)


@pytest.mark.parametrize(("size", "status"), [("1m", MACHINE), ("60m", 0)])
def test_cache_disk_is_full(pyzpack: Pyzpack, tmp_path: Path, output: Path, large: Path, size: str, status: int):
    with serve(large.parent) as index:
        wrapper = on_small_disk(pyzpack.cache, size, tmp_path / "report")
        arguments = [
            "build",
            "large",
            "-c",
            "hello",
            "--index-url",
            index.url,
            "--python",
            pyzpack.python,
            "-o",
            output,
        ]
        done = pyzpack.run(*arguments, wrapper=wrapper)
    assert done.returncode == status, done.stderr
    if status:
        assert "space" in done.stderr
        assert_untouched(pyzpack, output)
