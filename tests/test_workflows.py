"""The workflows of .github call what is there, hold their actions to a commit, and may do no more than they need."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from paypro_async.cli.app import paypro

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".github"
WORKFLOWS = sorted(FOLDER.glob("workflows/*.yml"))
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "vendor.dependabot": [FOLDER / "dependabot.yml"],
    "vendor.github-issue-forms": [FOLDER / "ISSUE_TEMPLATE" / "bug.yml"],
    "vendor.github-issue-config": [FOLDER / "ISSUE_TEMPLATE" / "config.yml"],
}
SESSIONS = set(
    re.findall(r"^@nox\.session.*\ndef (\w+)\(", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE)
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def workflow(name: str) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="comes with the tests' tools")
    found: dict[str, Any] = yaml.safe_load((FOLDER / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))
    return found


def jobs() -> dict[str, dict[str, Any]]:
    """Each job of each workflow, by both names."""
    return {f"{path.stem}/{name}": job for path in WORKFLOWS for name, job in workflow(path.stem)["jobs"].items()}


def steps() -> list[dict[str, Any]]:
    return [step for job in jobs().values() for step in job["steps"]]


def pythons(job: dict[str, Any]) -> set[str]:
    return set(job["strategy"]["matrix"]["python"])


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_schemas_take_the_files(schema: str) -> None:
    """Those that GitHub's own editor uses."""
    pytest.importorskip("check_jsonschema", reason="comes with the tools of 'nox -s manifests'")
    program = shutil.which("check-jsonschema")
    assert program is not None
    command = [program, "--builtin-schema", schema, *map(str, SCHEMAS[schema])]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_an_auditor_finds_nothing() -> None:
    """Nobody's text is put into a shell, no token lies about, no permission is wider than its job."""
    program = shutil.which("zizmor")
    if program is None:
        pytest.skip("comes with the tools of 'nox -s manifests'")
    checked = subprocess.run(
        [program, "--offline", "--no-progress", str(FOLDER)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_session_and_script_that_is_called_exists() -> None:
    commands = [step["run"] for step in steps() if "run" in step]
    called = {name for command in commands for name in re.findall(r"nox .*-s (\w+)", command)}
    assert called >= {"tests", "package", "demo", "audit"}
    assert called <= SESSIONS
    scripts = {name for command in commands for name in re.findall(r"(\.ci/\w+)", command)}
    assert scripts == {".ci/bring", ".ci/run", ".ci/more"}
    assert all(os.access(ROOT / name, os.X_OK) for name in scripts)


def test_each_action_is_held_to_a_commit_and_says_its_version() -> None:
    """A tag can be moved; and one action has one version everywhere."""
    versions: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for line in re.findall(r"uses: (.+)", path.read_text(encoding="utf-8")):
            held = re.fullmatch(r"([\w-]+/[\w-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+", line)
            assert held is not None, line
            versions.setdefault(held[1], set()).add(held[2])
    assert len(versions) == 6
    assert all(len(commits) == 1 for commits in versions.values()), versions


def test_a_job_may_do_what_it_needs_and_no_more() -> None:
    """Only the two last ones of a release may write or say who they are, and neither of them runs our code."""
    for path in WORKFLOWS:
        assert workflow(path.stem)["permissions"] == {}
    strong = {name for name, job in jobs().items() if set(job["permissions"].values()) - {"read"}}
    assert strong == {"release/publish", "release/page"}
    assert jobs()["release/publish"]["permissions"] == {"id-token": "write"}
    for name in strong:
        used = [step.get("uses", "") for step in jobs()[name]["steps"]]
        assert not [one for one in used if one.startswith("actions/checkout")]


def test_nothing_is_kept_of_a_token_and_nothing_runs_without_an_end() -> None:
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
    assert all(job["timeout-minutes"] <= 120 for job in jobs().values())
    assert not [path for path in WORKFLOWS if "secrets." in path.read_text(encoding="utf-8")]


def test_what_is_published_is_what_was_built_once_and_tried() -> None:
    """The index gets the files of the first job, after the wheel has run everywhere, and nothing else lies there."""
    release = workflow("release")["jobs"]
    assert workflow("release")[True] == {"push": {"tags": ["v*"]}}  # YAML takes the word "on" for true
    assert [release[name].get("needs") for name in ("build", "try", "publish", "page")] == [
        None,
        "build",
        "try",
        "publish",
    ]
    builds = [
        name for name, job in release.items() if any("nox -s package" in one.get("run", "") for one in job["steps"])
    ]
    assert builds == ["build"]
    stored = {
        step["with"]["name"]: step["with"]["path"]
        for step in release["build"]["steps"]
        if step.get("uses", "").startswith("actions/upload-artifact")
    }
    assert stored["built"].split() == ["dist/*.whl", "dist/*.tar.gz"]
    assert stored["sbom"] == "dist/*.cdx.json"
    fetched = [step["with"].get("name") for step in release["publish"]["steps"] if "download" in step.get("uses", "")]
    assert fetched == ["built"]
    assert release["publish"]["environment"] == "release"


def test_each_python_that_is_promised_is_tried() -> None:
    """Those that the classifiers name, in both workflows; the first of them runs all that a change waits for."""
    promised = {one.rpartition(" ")[2] for one in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", one)}
    [first] = [
        step["with"]["python-version"]
        for step in jobs()["ci/change"]["steps"]
        if step.get("uses", "").startswith("actions/setup-python")
    ]
    assert f">={first}" == PROJECT["requires-python"]
    assert {first} | pythons(jobs()["ci/pythons"]) >= promised
    assert pythons(jobs()["release/try"]) >= promised
    assert "3.14" in pythons(jobs()["ci/pythons"])


def test_a_report_of_a_defect_asks_for_the_versions() -> None:
    """By a command that there is."""
    text = (FOLDER / "ISSUE_TEMPLATE" / "bug.yml").read_text(encoding="utf-8")
    assert "`paypro --version --verbose`" in text
    options = {option for parameter in paypro.params for option in parameter.opts}
    assert {"--version", "--verbose"} <= options
