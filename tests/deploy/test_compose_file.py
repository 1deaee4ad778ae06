"""What the deployment's files promise can be read off them, without an engine."""

import math
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INIT_ENV = ROOT / "deploy" / "init-env"
# What compose itself sets to a default in the file, by "${NAME:-default}" or "${NAME:?message}".
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")
SECRETS = {"TUNER_TOKEN", "RAY_AUTH_TOKEN"}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


def variables(text):
    return {m["name"]: (m["kind"], m["rest"]) for m in VARIABLE.finditer(text)}


def test_every_service_runs_the_one_image_that_one_of_them_builds(services):
    assert {"coordinator", "ray-head", "ray-worker"} <= set(services)
    assert len({service["image"] for service in services.values()}) == 1
    assert [name for name, service in services.items() if "build" in service] == ["coordinator"]


def test_ports_are_published_on_the_loopback_alone(services):
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert len(published) == 2
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_service_is_watched_and_restarted(services):
    for service in services.values():
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


def test_no_service_has_privileges(services):
    for service in services.values():
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert not {"privileged", "cap_add", "network_mode", "user"} & set(service)


def test_no_secret_is_in_the_file_and_compose_refuses_to_start_without(services):
    for service in services.values():
        for name, value in service["environment"].items():
            if name.endswith("TOKEN"):
                kind, message = variables(value)[name]
                assert VARIABLE.fullmatch(value)
                assert kind == "?"
                assert "deploy/init-env" in message


def test_rays_token_is_demanded_alike_everywhere(services):
    tokens = {service["environment"]["RAY_AUTH_TOKEN"] for service in services.values()}
    assert len(tokens) == 1
    assert {service["environment"]["RAY_AUTH_MODE"] for service in services.values()} == {"token"}


def test_the_clients_token_is_known_to_the_coordinator_alone(services):
    knowing = [name for name, s in services.items() if "TUNER_TOKEN" in s["environment"]]
    assert knowing == ["coordinator"]


def test_drivers_and_packets_stay_off_the_head(services):
    head, worker = services["ray-head"]["command"], services["ray-worker"]["command"]
    assert "--num-cpus=0" in head
    assert not any("runner" in argument for argument in head)
    assert any(re.fullmatch(r'--resources=\{"runner": \d+\}', argument) for argument in worker)


def test_with_gpus_one_worker_has_them_all():
    override = yaml.safe_load((ROOT / "deploy" / "gpu.yml").read_text(encoding="utf-8"))
    deploy = override["services"]["ray-worker"]["deploy"]
    assert deploy["replicas"] == 1
    (devices,) = deploy["resources"]["reservations"]["devices"]
    assert devices["count"] == "all"
    assert devices["capabilities"] == ["gpu"]


def test_two_workers_come_up_unless_told_otherwise(services):
    assert services["ray-worker"]["deploy"]["replicas"] == "${TUNER_WORKERS:-2}"


@pytest.mark.parametrize("name", ["ray-head", "ray-worker"])
def test_rays_object_store_fits_into_the_shared_memory(services, name):
    service = services[name]
    (store,) = [a for a in service["command"] if a.startswith("--object-store-memory=")]
    number, unit = re.fullmatch(r"(\d+)([mg])", service["shm_size"]).groups()
    shared = int(number) * {"m": 2**20, "g": 2**30}[unit]
    assert int(store.partition("=")[2]) < shared


def test_the_coordinators_settings_are_ones_that_it_knows(services, monkeypatch):
    from services.coordinator.settings import Settings

    environment = services["coordinator"]["environment"]
    for name, value in environment.items():
        if name.startswith("TUNER_COORDINATOR_"):
            assert name.removeprefix("TUNER_COORDINATOR_").lower() in Settings.model_fields
            monkeypatch.setenv(name, VARIABLE.sub(lambda m: m["rest"], value))
    settings = Settings()
    assert settings.insecure
    assert settings.advertise == "coordinator:50551"
    assert settings.data_roots == (Path("/data"),)


def test_init_env_makes_what_compose_demands_for_its_owners_eyes_alone(tmp_path):
    file = tmp_path / ".env"
    subprocess.run([INIT_ENV, file], check=True, capture_output=True)
    lines = file.read_text(encoding="utf-8").splitlines()
    made = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len({made[name] for name in SECRETS}) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", made[name]) for name in SECRETS)
    demanded = variables((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert {name for name, (kind, _) in demanded.items() if kind == "?"} == SECRETS
    workers, cpus = int(made["TUNER_WORKERS"]), int(made["TUNER_WORKER_CPUS"])
    available = len(os.sched_getaffinity(0))
    assert cpus == max(1, math.floor(available / workers))


def test_init_env_leaves_a_file_that_is_there_alone(tmp_path):
    file = tmp_path / ".env"
    file.write_text("TUNER_TOKEN=kept\n", encoding="utf-8")
    result = subprocess.run([INIT_ENV, file], check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert "remove it first" in result.stderr
    assert file.read_text(encoding="utf-8") == "TUNER_TOKEN=kept\n"


def test_what_the_image_is_made_of_reaches_the_engine_and_nothing_else():
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in ignore if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    copied = {
        source.rstrip("*")
        for line in dockerfile.splitlines()
        if line.startswith("COPY ") and "--from=" not in line
        for source in line.split()[1:-1]
    }
    assert {name.removesuffix(".md") for name in let_in} == {
        name.removesuffix(".md") for name in copied
    }


def test_the_image_names_no_index_host_and_runs_as_nobody_special():
    lines = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    instructions = [line for line in lines if not line.startswith("#")]
    assert not any("://" in line for line in instructions)
    assert [line for line in instructions if line.startswith("USER ")] == ["USER tuner"]


def test_the_image_is_labelled_and_tagged_with_the_packages_version(services):
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    version = pyproject["project"]["version"]
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert f"ARG VERSION={version}\n" in dockerfile
    assert services["coordinator"]["image"] == f"${{TUNER_IMAGE:-tuner:{version}}}"


def test_the_dependencies_layer_holds_what_the_extras_name():
    answer = subprocess.run(
        [sys.executable, "deploy/requirements.py", "server", "cluster"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = [re.split(r"[^\w-]", line)[0] for line in answer.stdout.splitlines()]
    assert {"grpcio", "SQLAlchemy", "optuna", "torch"} <= set(names)
    assert len(answer.stdout.splitlines()) == len(set(answer.stdout.splitlines()))
