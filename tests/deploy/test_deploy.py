"""The deployment files: valid by their own tools, and true to the server's options, paths and metrics."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mien.serve.prometheus import ServerMetrics

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_manifests_fit_the_schema_of_kubernetes(manifest: Path) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    kubernetes_validate.validate(yaml.safe_load(manifest.read_text()), "1.31", strict=True)


def test_the_dockerfile_passes_hadolint() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([hadolint, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_nginx_accepts_the_proxy(tmp_path: Path) -> None:
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is not installed")
    certificate, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=mien -keyout {key} -out {certificate}".split(),
        check=True,
        capture_output=True,
        timeout=60,
    )
    server = (DEPLOY / "nginx.conf").read_text().replace("/etc/ssl/mien/", f"{tmp_path}/")
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{server}\n}}\n")
    done = subprocess.run(
        ["nginx", "-t", "-e", f"{tmp_path}/errors", "-c", f"{tmp_path}/nginx.conf"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_files_name_options_paths_and_metrics_that_exist() -> None:
    from mien.cli.app import command_line

    serve = next(each for each in command_line(["serve"]).registered_commands)
    assert serve.callback is not None
    known = {f"--{name.replace('_', '-')}" for name in serve.callback.__annotations__} | {"--open"}
    texts = {path.name: path.read_text() for path in DEPLOY.rglob("*") if path.is_file()}
    for name in ("Dockerfile", "mien.service", "nginx.conf"):
        lines = [line for line in texts[name].splitlines() if "mien serve" in line or '"serve"' in line]
        assert lines and {option for line in lines for option in re.findall(r"--[a-z-]+", line)} <= known, name
    metric = yaml.safe_load(texts["autoscaler.yaml"])["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert f"\n{metric} " in ServerMetrics().text().decode()
    compose = yaml.safe_load(texts["compose.yaml"])["services"]["mien"]
    assert compose["read_only"] and compose["cap_drop"] == ["ALL"]
