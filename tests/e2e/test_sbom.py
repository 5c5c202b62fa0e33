"""SBOMs, told by others' tools: CycloneDX's own validator and model, SPDX's, packageurl, packaging, rfc8785."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import rfc8785
from conftest import PYTHONS, ROOT, TOOLS, Pyzpack, manifest_of
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import get_spdx_licensing
from locks import World
from packageurl import PackageURL
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_format import installed_files
from wheels import make_project, make_wheel
from zipformat import read_archive, rewrite

GOLDEN = ROOT / "testdata/evidence"
FORMATS = ("cyclonedx", "spdx")
APP = {"app.py": "def main():\n    print('app')\n"}


def sbom(pyzpack: Pyzpack, pyz: Path, *arguments: str | Path, **options) -> dict:
    """The CycloneDX document on standard output, or what the arguments ask for, which others find valid."""
    done = pyzpack.run("sbom", pyz, *arguments, **options)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return validated(done.stdout)


def validated(text: str) -> dict:
    document = json.loads(text)
    assert rfc8785.dumps(document) == text.encode()
    (check_cyclonedx if "bomFormat" in document else check_spdx)(text)
    return document


def check_cyclonedx(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    bom = Bom.from_json(document)
    assert bom.validate()
    assert len(bom.components) == len(document["components"])
    components = [document["metadata"]["component"], *document["components"]]
    references = [component["bom-ref"] for component in components]
    assert len(references) == len(set(references))
    assert sorted(dependency["ref"] for dependency in document["dependencies"]) == sorted(references)
    for formula in document.get("formulation", []):
        references += [item["bom-ref"] for item in [formula, *formula["components"], *formula["workflows"]]]
    assert len(references) == len(set(references))
    for component in [*document["components"], *(c for f in document.get("formulation", []) for c in f["components"])]:
        purl = PackageURL.from_string(component["purl"])
        assert purl.to_string() == component["purl"]
        assert (purl.name, purl.version) == (component["name"], component.get("version"))


def check_spdx(text: str) -> None:
    path = Path(os.environ["SBOM_SCRATCH"]) / "document.spdx.json"
    path.write_text(text)
    done = subprocess.run([TOOLS / "pyspdxtools", "-i", path, "--version", "SPDX-2.3"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("SBOM_SCRATCH", str(tmp_path / "scratch"))


def by_name(document: dict) -> dict[str, dict]:
    return {component["name"]: component for component in document["components"]}


def packages(document: dict) -> dict[str, dict]:
    return {package["name"]: package for package in document["packages"][1:]}


def edges(document: dict) -> dict[str, set[str]]:
    """Who needs whom, by names; the file itself is the empty one."""
    names = {component["bom-ref"]: component["name"] for component in document["components"]}
    names[document["metadata"]["component"]["bom-ref"]] = ""
    return {names[one["ref"]]: {names[other] for other in one["dependsOn"]} for one in document["dependencies"]}


def spdx_edges(document: dict) -> dict[str, set[str]]:
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    names["SPDXRef-application"] = ""
    found: dict[str, set[str]] = {name: set() for name in names.values()}
    for relationship in document["relationships"]:
        if relationship["relationshipType"] == "DEPENDS_ON":
            found[names[relationship["spdxElementId"]]].add(names[relationship["relatedSpdxElement"]])
    return found


@pytest.mark.parametrize("name", ["tool.cdx.json", "tool.spdx.json"])
def test_the_golden_documents_are_valid(name: str) -> None:
    document = json.loads((GOLDEN / name).read_text())
    validated(rfc8785.dumps(document).decode())


def test_the_cases_of_purls_are_what_packageurl_says(tmp_path: Path) -> None:
    again = tmp_path / "purls.json"
    subprocess.run([sys.executable, ROOT / "scripts/purl_cases.py", again], check=True)
    assert again.read_text() == (GOLDEN / "purls.json").read_text()


def test_every_listed_licence_is_one_for_validators() -> None:
    licences, exceptions = (ROOT / "src/evidence/sbom/spdx-licenses.txt").read_text().split("\n\n")
    licensing = get_spdx_licensing()
    texts = [*licences.split(), *(f"MIT WITH {exception}" for exception in exceptions.split())]
    assert len(texts) > 700
    assert [text for text in texts if licensing.validate(text).errors] == []


def expected_edges(manifest: dict, site: Path, named: set[str]) -> dict[str, set[str]]:
    """What `packaging` makes of the metadata of an environment where the same wheels are installed."""
    installed = {
        canonicalize_name(one.metadata["Name"]): one for one in importlib.metadata.distributions(path=[str(site)])
    }
    assert set(installed) == {wheel["name"] for wheel in manifest["wheels"]}
    extras: dict[str, set[str]] = {name: {""} for name in installed}
    environments = [{**default_environment(), "python_version": python} for python in manifest["pythons"]]
    found: dict[str, set[str]] = {name: set() for name in installed}
    changed = True
    while changed:
        before = json.dumps([sorted(map(sorted, one.values())) for one in (found, extras)])
        for name, distribution in installed.items():
            for text in distribution.requires or []:
                requirement = Requirement(text)
                needed = canonicalize_name(requirement.name)
                counts = requirement.marker is None or any(
                    requirement.marker.evaluate({**environment, "extra": extra})
                    for environment in environments
                    for extra in extras[name]
                )
                if needed in installed and counts:
                    extras[needed] |= requirement.extras
                    if needed != name:
                        found[name].add(needed)
        changed = before != json.dumps([sorted(map(sorted, one.values())) for one in (found, extras)])
    found[""] = named
    return found


@pytest.mark.parametrize(("application", "requirement"), [("httpie", "httpie"), ("flask", "flask"), ("black", "black")])
def test_a_real_application_is_told_as_it_is(
    pyzpack: Pyzpack, wheelhouse, tmp_path: Path, application: str, requirement: str
) -> None:
    wheels = wheelhouse(application)
    arguments = ("--find-links", wheels, "-c", {"httpie": "http"}.get(application, application))
    pyz = pyzpack.build(requirement, *arguments, output=tmp_path / "out/app.pyz")
    manifest = manifest_of(pyz)
    document = sbom(pyzpack, pyz)
    found = [(one["name"], one["version"], one["hashes"][0]["content"]) for one in document["components"]]
    assert found == [(wheel["name"], wheel["version"], wheel["sha256"]) for wheel in manifest["wheels"]]
    root = document["metadata"]["component"]
    assert (root["name"], root["version"]) == (manifest["name"], manifest["version"])
    assert root["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(pyz.read_bytes()).hexdigest()}]
    assert document["metadata"]["tools"]["components"] == [{"type": "application", **manifest["tool"]}]
    assert all(component["licenses"] for component in document["components"])

    site = tmp_path / "site"
    subprocess.run(
        [TOOLS / "uv", "pip", "install", "--quiet", "--offline", "--no-index", "--find-links", wheels, "--target", site]
        + ["--python", pyzpack.python, "--no-config", "--cache-dir", tmp_path / "uv", requirement],
        check=True,
    )
    expected = expected_edges(manifest, site, {requirement})
    assert edges(document) == expected

    spdx = sbom(pyzpack, pyz, "--format", "spdx")
    found = [(one["name"], one["versionInfo"], one["checksums"][0]["checksumValue"]) for one in spdx["packages"][1:]]
    assert found == [(wheel["name"], wheel["version"], wheel["sha256"]) for wheel in manifest["wheels"]]
    purls = [package["externalRefs"][0]["referenceLocator"] for package in spdx["packages"][1:]]
    assert purls == [component["purl"] for component in document["components"]]
    assert spdx_edges(spdx) == expected


def test_two_builds_under_other_conditions_have_one_sbom(pyzpack: Pyzpack, tmp_path: Path) -> None:
    lib = make_wheel(tmp_path / "wheels", "lib", files={"lib.py": ""}, metadata="License-Expression: MIT\n")
    project = {"files": APP, "scripts": {"app": "app:main"}, "requires": ["lib"]}
    one = make_project(tmp_path / "one", "app", **project)
    other = make_project(tmp_path / "a directory/of another name", "app", **project)
    first = pyzpack.build(one, "--find-links", lib.parent, output=tmp_path / "out/app.pyz")
    second = pyzpack.build(
        other,
        "--find-links",
        lib.parent,
        output=tmp_path / "out/renamed",
        wrapper=["sh", "-c", 'umask 077; exec "$0" "$@"'],
        TZ="Pacific/Kiritimati",
        LC_ALL="C",
        HOME=tmp_path / "nowhere",
        SOURCE_DATE_EPOCH="315532800",
        PYZPACK_JOBS="1",
    )
    for name in FORMATS:
        told = [
            pyzpack.run("sbom", pyz, "--format", name, TZ=zone)
            for pyz, zone in ((first, "UTC"), (second, "Asia/Tokyo"))
        ]
        assert told[0].stdout == told[1].stdout != ""
        assert "renamed" not in told[0].stdout
        assert str(tmp_path) not in told[0].stdout
    assert "timestamp" not in sbom(pyzpack, first)["metadata"]
    dated = pyzpack.build(
        one, "--find-links", lib.parent, output=tmp_path / "out/dated.pyz", SOURCE_DATE_EPOCH="1700000001"
    )
    assert sbom(pyzpack, dated)["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    assert sbom(pyzpack, dated, "--format", "spdx")["creationInfo"]["created"] == "2023-11-14T22:13:20Z"


LICENCES = {
    "expression": ("License-Expression: MIT AND (0BSD OR Zlib)\nLicense: x\n", "MIT AND (0BSD OR Zlib)"),
    "lowercase": ("License-Expression: mit or gpl-2.0+ with llvm-exception\n", "MIT OR GPL-2.0+ WITH LLVM-exception"),
    "own": ("License-Expression: LicenseRef-Proprietary\n", None),
    "unlisted": ("License-Expression: NoSuchLicence-7.0\n", None),
    "malformed": ("License-Expression: MIT OR\n", None),
    "short": ("License: MIT\nClassifier: License :: OSI Approved :: MIT License\n", "MIT"),
    "words": ("License: The licence of this \"thing\"\n", None),
    "classifiers": ("Classifier: License :: OSI Approved :: BSD License\nClassifier: License :: Public Domain\n", None),
    "wording": ("License: Permission is granted\n        to  everybody.\n        |   é\n", None),
    "unknown": ("License: UNKNOWN\nSummary: UNKNOWN\nHome-page: UNKNOWN\nAuthor: UNKNOWN\n", None),
    "nothing": ("", None),
}  # fmt: skip


def test_licences_are_told_as_stated(pyzpack: Pyzpack, tmp_path: Path) -> None:
    wheels = [
        make_wheel(tmp_path / "wheels", name, files={f"{name}.py": ""}, metadata=metadata)
        for name, (metadata, _) in LICENCES.items()
    ]
    app = make_wheel(tmp_path / "wheels", "app", files=APP, scripts={"app": "app:main"})
    pyz = pyzpack.build(app, *wheels, "-c", "app", output=tmp_path / "out/app.pyz")
    declared = "declared"
    named = lambda *names: [{"license": {"acknowledgement": declared, "name": name}} for name in names]  # noqa: E731
    found = {name: one.get("licenses") for name, one in by_name(sbom(pyzpack, pyz)).items()}
    wording = "Permission is granted\nto  everybody.\n|   é"
    assert found == {
        "app": None,
        "classifiers": named("License :: OSI Approved :: BSD License", "License :: Public Domain"),
        "expression": [{"acknowledgement": declared, "expression": LICENCES["expression"][1]}],
        "lowercase": [{"acknowledgement": declared, "expression": LICENCES["lowercase"][1]}],
        "malformed": named("MIT OR"),
        "nothing": None,
        "own": [{"acknowledgement": declared, "expression": "LicenseRef-Proprietary"}],
        "short": named("MIT", "License :: OSI Approved :: MIT License"),
        "unknown": None,
        "unlisted": [{"acknowledgement": declared, "expression": "NoSuchLicence-7.0"}],
        "wording": [
            {
                "license": {
                    "acknowledgement": declared,
                    "name": "licence of wording",
                    "text": {"content": wording, "contentType": "text/plain"},
                }
            }
        ],
        "words": named('The licence of this "thing"'),
    }
    spdx = sbom(pyzpack, pyz, "--format", "spdx")
    found = {name: package["licenseDeclared"] for name, package in packages(spdx).items()}
    expected = {name: listed or f"LicenseRef-wheel-{name}-1.0" for name, (_, listed) in LICENCES.items()}
    nothing = dict.fromkeys(("app", "nothing", "unknown"), "NOASSERTION")
    assert found == {**expected, **nothing}
    extracted = {one["licenseId"]: one["extractedText"] for one in spdx["hasExtractedLicensingInfos"]}
    assert extracted["LicenseRef-wheel-wording-1.0"] == wording
    assert extracted["LicenseRef-wheel-own-1.0"] == "LicenseRef-Proprietary"
    assert len(extracted) == 6
    assert {package["licenseConcluded"] for package in spdx["packages"]} == {"NOASSERTION"}


def test_what_metadata_says_of_a_project_is_told_where_it_is_valid(pyzpack: Pyzpack, tmp_path: Path) -> None:
    metadata = (
        'Summary: Tells "things" \\ déjà vu\nHome-page: https://app.example\nAuthor-email: A B <ab@app.example>, C\n'
        "Project-URL: Source Code, https://app.example/r?x=[1]\nProject-URL: Documentation, https://docs.app.example/é\n"
        "Project-URL: Bug Tracker, https://user:secret@app.example/i\nProject-URL: Broken, not a url\n"
        "Project-URL: Mastodon, https://social.example/@app\n"
    )
    app = make_wheel(tmp_path / "wheels", "app", files=APP, scripts={"app": "app:main"}, metadata=metadata)
    pyz = pyzpack.build(app, output=tmp_path / "out/app.pyz")
    document = sbom(pyzpack, pyz)
    component = by_name(document)["app"]
    assert component["description"] == 'Tells "things" \\ déjà vu'
    assert component["authors"] == [{"email": "ab@app.example", "name": "A B"}, {"name": "C"}]
    distribution, *links = component["externalReferences"]
    assert distribution == {
        "type": "distribution",
        "url": app.name,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(app.read_bytes()).hexdigest()}],
    }
    assert links == [
        {"type": "website", "url": "https://app.example/"},
        {"type": "documentation", "url": "https://docs.app.example/%C3%A9", "comment": "Documentation"},
        {"type": "other", "url": "https://social.example/@app", "comment": "Mastodon"},
    ]
    package = packages(sbom(pyzpack, pyz, "--format", "spdx"))["app"]
    assert (package["homepage"], package["summary"]) == ("https://app.example/", component["description"])


def test_a_wheels_own_sboms_are_told_and_stay_as_they_are(pyzpack: Pyzpack, tmp_path: Path) -> None:
    own = b'{"bomFormat": "CycloneDX",\r\n "specVersion": "1.5"}\n\n'
    path = "app-1.0.dist-info/sboms/auditwheel é.cdx.json"
    app = make_wheel(tmp_path, "app", files={**APP, path: own}, scripts={"app": "app:main"})
    for layout in ("zip", "extract"):
        pyz = pyzpack.build(app, "--layout", layout, output=tmp_path / f"out/{layout}.pyz")
        assert installed_files(read_archive(pyz.read_bytes()))[path][0] == own
        references = by_name(sbom(pyzpack, pyz))["app"]["externalReferences"]
        assert references[1:] == [
            {
                "type": "bom",
                "url": "app-1.0.dist-info/sboms/auditwheel%20%C3%A9.cdx.json",
                "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(own).hexdigest()}],
            }
        ]
        comment = packages(sbom(pyzpack, pyz, "--format", "spdx"))["app"]["comment"]
        assert comment == f"it brings SBOMs: {path}, sha256 {hashlib.sha256(own).hexdigest()}"


def test_what_a_wheel_was_built_with_is_no_component(pyzpack: Pyzpack, tmp_path: Path) -> None:
    helper = make_wheel(tmp_path / "wheels", "helper", "2.0", files={"helper.py": ""})
    project = make_project(tmp_path / "project", "app", files=APP, scripts={"app": "app:main"})
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("requires = []", 'requires = ["helper"]'))
    pyz = pyzpack.build(project, "--find-links", helper.parent, output=tmp_path / "out/app.pyz")
    document = sbom(pyzpack, pyz)
    assert list(by_name(document)) == ["app"]
    properties = [(one["name"], one["value"]) for one in by_name(document)["app"]["properties"]]
    assert properties == [("pyzpack:origin", "built"), ("pyzpack:source:uri", ".")]
    [formula] = document["formulation"]
    sha256 = hashlib.sha256(helper.read_bytes()).hexdigest()
    # It lay in a directory: no index is claimed for it.
    purl = f"pkg:generic/helper@2.0?file_name={helper.name}"
    assert formula["components"] == [
        {
            "type": "library",
            "bom-ref": f"build-requirement:{purl}",
            "name": "helper",
            "version": "2.0",
            "purl": purl,
            "hashes": [{"alg": "SHA-256", "content": sha256}],
        }
    ]
    [workflow] = formula["workflows"]
    assert workflow["resourceReferences"] == [{"ref": f"build-requirement:{purl}"}]
    assert workflow["outputs"] == [{"type": "artifact", "resource": {"ref": document["components"][0]["bom-ref"]}}]
    package = packages(sbom(pyzpack, pyz, "--format", "spdx"))["app"]
    assert package["sourceInfo"] == f"origin: built from .; with {helper.name}, sha256 {sha256}"


def test_an_index_is_named_where_an_option_or_the_lock_names_it(pyzpack: Pyzpack, world: World) -> None:
    served = f"http://127.0.0.1:{world.index.port}"
    lib = "lib@1.5?file_name=lib-1.5-py3-none-any.whl"

    def purls(pyz: Path, *options: str) -> dict[str, str]:
        named = by_name(sbom(pyzpack, pyz, *options))
        spdx = packages(sbom(pyzpack, pyz, "--format", "spdx", *options))
        assert {name: one["purl"] for name, one in named.items()} == {
            name: one["externalRefs"][0]["referenceLocator"] for name, one in spdx.items()
        }
        return {name: one["purl"] for name, one in named.items()}

    pyz = world.directory / "free.pyz"
    done = pyzpack.run(
        "build",
        world.project,
        "--index-url",
        world.index.url,
        "--python",
        pyzpack.python,
        "-o",
        pyz,
        "--evidence",
        "none",
    )
    assert done.returncode == 0, done.stderr
    app = "pkg:generic/tool@1.0?file_name=tool-1.0-py3-none-any.whl"
    assert purls(pyz)["lib"] == f"pkg:pypi/{lib}"
    secret = f"http://user:S3CRET@127.0.0.1:{world.index.port}/simple/?token=S3CRET"
    named = purls(pyz, "--index-url", secret)
    assert named["lib"] == f"pkg:pypi/{lib}&repository_url={served}/simple"
    assert named["tool"] == app
    assert purls(pyz, "--extra-index-url", "https://other.example/simple")["lib"] == f"pkg:generic/{lib}"
    # Nothing of the option is in the file: who says nothing gets the default index.
    assert "S3CRET" not in pyzpack.run("sbom", pyz, "--index-url", secret).stdout

    locked = world.directory / "locked.pyz"
    done = pyzpack.run(
        "build", "--lock", world.write("uv.lock"), "--python", pyzpack.python, "-o", locked, cwd=world.project
    )
    assert done.returncode == 0, done.stderr
    assert purls(locked, "--index-url", "https://other.example/simple") == {
        "fast": f"pkg:pypi/fast@2.0?file_name=fast-2.0-py3-none-any.whl&repository_url={served}/simple",
        "lib": f"pkg:pypi/{lib}&repository_url={served}/simple",
        "tool": app,
    }
    document = sbom(pyzpack, locked)
    digest = hashlib.sha256((world.project / "uv.lock").read_bytes()).hexdigest()
    properties = [(one["name"], one["value"]) for one in document["metadata"]["component"]["properties"]]
    assert properties[-2:] == [("pyzpack:lock", "uv.lock"), ("pyzpack:lock:sha256", digest)]

    done = pyzpack.run(
        "build", "--lock", world.write("pylock.toml"), "--python", pyzpack.python, "-o", locked, cwd=world.project
    )
    assert done.returncode == 0, done.stderr
    url = f"{served}/files/lib-1.5-py3-none-any.whl"
    assert purls(locked)["lib"] == f"pkg:generic/lib@1.5?download_url={url}&file_name=lib-1.5-py3-none-any.whl"
    assert by_name(sbom(pyzpack, locked))["lib"]["externalReferences"][0]["url"] == url


def test_extras_bring_their_edges(pyzpack: Pyzpack, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    extra = "Provides-Extra: Fast-Path\n"
    make_wheel(wheels, "speed", files={"speed.py": ""})
    make_wheel(wheels, "other", files={"other.py": ""})
    make_wheel(wheels, "lib", files={"lib.py": ""}, requires=["speed; extra == 'fast_path'"], metadata=extra)
    app = make_wheel(wheels, "app", files=APP, scripts={"app": "app:main"}, requires=["lib; python_version < '99'"])
    options = ("--find-links", wheels, "-c", "app")
    plain = pyzpack.build("app", "other", *options, output=tmp_path / "out/plain.pyz")
    assert edges(sbom(pyzpack, plain)) == {"": {"app", "other"}, "app": {"lib"}, "lib": set(), "other": set()}
    fast = pyzpack.build(app, "lib[fast.path]", *options, output=tmp_path / "out/fast.pyz")
    expected = {"": {"app", "lib"}, "app": {"lib"}, "lib": {"speed"}, "speed": set()}
    assert edges(sbom(pyzpack, fast)) == expected
    assert spdx_edges(sbom(pyzpack, fast, "--format", "spdx")) == expected


def test_modules_without_metadata_have_an_sbom_too(pyzpack: Pyzpack, tmp_path: Path) -> None:
    script = tmp_path / "a script.py"
    script.write_text("print('hello')\n")
    pyz = pyzpack.build(script, output=tmp_path / "out/a.pyz")
    document = sbom(pyzpack, pyz)
    assert document["components"] == []
    assert "version" not in document["metadata"]["component"]
    assert len(sbom(pyzpack, pyz, "--format", "spdx")["packages"]) == 1


def test_a_file_is_written_in_one_step_or_not_at_all(pyzpack: Pyzpack, hello: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pyz = pyzpack.build(hello, "--evidence", "none", output=out / "hello.pyz")
    target = out / "hello.pyz.cdx.json"
    target.write_text("old")
    done = pyzpack.run("sbom", pyz, "-o", target, wrapper=["sh", "-c", 'umask 077; exec "$0" "$@"'])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert target.read_text() == pyzpack.run("sbom", pyz).stdout
    assert target.stat().st_mode & 0o7777 == 0o644
    assert sorted(path.name for path in out.iterdir()) == ["hello.pyz", "hello.pyz.cdx.json"]

    target.write_text("old")
    broken = out / "broken.pyz"
    broken.write_bytes(pyz.read_bytes() + b"x")
    foreign = out / "foreign.pyz"
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("__main__.py", "")
    for file, name, status, message in [
        (broken, target, 1, "error: `FILE` is not a .pyz of pyzpack: "),
        (foreign, target, 1, "error: `FILE` is not a .pyz of pyzpack: "),
        (out / "none.pyz", target, 2, "error: cannot read `FILE`: No such file or directory (os error 2)\n"),
        (pyz, pyz, 2, "error: the output `FILE` is one of the inputs\nhint: name another file, with `-o FILE`\n"),
        (pyz, out, 3, f"error: the output `{out}` is a directory\nhint: name a file in it, with `-o FILE`\n"),
    ]:
        before = pyz.read_bytes()
        done = pyzpack.run("sbom", file, "-o", name)
        assert (done.returncode, done.stdout) == (status, ""), done.stderr
        assert done.stderr.startswith(message.replace("`FILE` ", f"`{file}` ").replace("`FILE`:", f"`{file}`:"))
        assert target.read_text() == "old"
        assert pyz.read_bytes() == before
    done = pyzpack.run("sbom", pyz, "--format", "xml")
    assert (done.returncode, done.stdout) == (2, "")


def test_nothing_is_told_of_a_file_that_is_not_what_its_manifest_says(
    pyzpack: Pyzpack, hello: Path, tmp_path: Path
) -> None:
    pyz = pyzpack.build(hello, "--layout", "zip", output=tmp_path / "out/hello.pyz")
    archive = read_archive(pyz.read_bytes())
    changed = tmp_path / "out/changed.pyz"
    archive.entries["hello.py"] = replace(archive.entries["hello.py"], data=b"print('other')\n")
    changed.write_bytes(rewrite(archive))
    done = pyzpack.run("sbom", changed)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        f"error: `{changed}` does not hold what its manifest names: entry `hello.py`: the contents are not those that "
        "were checked [zip-contents]\n",
    )


def test_the_oldest_and_newest_python_count(pyzpack: Pyzpack, tmp_path: Path) -> None:
    """A file for many Pythons has the edges of each."""
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "old", files={"old.py": ""})
    make_wheel(wheels, "new", files={"new.py": ""})
    requires = [
        "old; python_full_version < '3.8.2'",
        "new; python_version >= '3.13'",
        "new; sys_platform == 'emscripten'",
    ]
    app = make_wheel(wheels, "app", files=APP, scripts={"app": "app:main"}, requires=requires)
    pyz = pyzpack.build(
        app,
        wheels / "old-1.0-py3-none-any.whl",
        wheels / "new-1.0-py3-none-any.whl",
        "-c",
        "app",
        output=tmp_path / "out/a.pyz",
    )
    assert {"3.8", "3.13"} <= set(manifest_of(pyz)["pythons"])
    assert PYTHONS
    assert edges(sbom(pyzpack, pyz))["app"] == {"old", "new"}
