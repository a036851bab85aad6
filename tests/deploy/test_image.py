"""The Dockerfile, as far as it can be checked without building it."""

import fnmatch
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, ROOT, SERVICES, copied, dockerfile

EVERYTHING = [path for stage in ("packages", "operations", "frontend", "portal") for path in copied(stage)]


def words(name: str) -> list[list[str]]:
    return [found for instruction, found in dockerfile() if instruction == name]


def test_what_it_copies_exists_for_every_service() -> None:
    assert SERVICES
    for service in SERVICES:
        assert Path("services") / service in copied("portal", service)


def test_its_default_service_exists() -> None:
    assert words("ARG")[0][0].removeprefix("SERVICE=") in SERVICES


def test_no_secret_can_get_in() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    assert "deploy/secrets" in ignored
    assert not any("secrets" in path.parts or path == Path("deploy") for path in EVERYTHING)


def test_what_it_copies_is_in_the_context() -> None:
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for path in EVERYTHING:
        assert any(fnmatch.fnmatch(str(path), pattern) or path.is_relative_to(pattern) for pattern in let_in), path


@pytest.mark.parametrize(
    ("stage", "module"),
    [
        *(("service", f"services.{name}.app") for name in SERVICES),
        *(("operations", f"deploy.{name}") for name in ("provision", "cli.main", "cli.preview")),
    ],
)
def test_what_it_copies_is_enough_to_start(tmp_path: Path, stage: str, module: str) -> None:
    for path in copied(stage, module.split(".")[1]):
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, tmp_path / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, tmp_path / path)

    where = f"import {module} as m; print(m.__file__)"
    command = [sys.executable, "-B", "-c", where]  # the copy is not compiled for later: there is none
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)


def test_it_installs_nothing_that_is_not_locked() -> None:
    install = next(" ".join(found) for found in words("RUN") if "pip" in found)
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install
    locked = (DEPLOY / "requirements.txt").read_text()
    assert re.search(r"https?://", locked) is None


def test_front_end_packages_are_locked_too_and_run_nothing_while_they_are_installed() -> None:
    install = next(" ".join(found) for found in words("RUN") if "npm" in found)
    assert install.startswith("npm ci ")
    assert {"--omit=dev", "--ignore-scripts"} <= set(install.split())
    frontend = ROOT / "services" / "portal" / "frontend"
    locked = json.loads((frontend / "package-lock.json").read_text())["packages"]
    assert all(package["integrity"].startswith("sha512-") for place, package in locked.items() if place)
    assert not any("resolved" in package for package in locked.values())
    copied_from = next(found for found in words("COPY") if found[0] == "--from=frontend")
    assert ROOT / copied_from[-1] == frontend / "node_modules"
    assert "**/node_modules" in (ROOT / ".dockerignore").read_text().splitlines()


def test_it_runs_as_nobody_special_and_stops_by_a_signal() -> None:
    users = words("USER")
    assert len(users) == 2, "the service's and the commands'"
    assert all(user[0].isdecimal() and user[0] != "0" for user in users)
    assert words("STOPSIGNAL") == [["SIGTERM"]]
    # Without a shell in between, which would keep the signal for itself.
    assert words("CMD")[-1] == ["exec", "python", "-m", "services.${SERVICE}.app"]
