"""The files of contrib/containers fit each other and what giveway installs. They are not run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "contrib" / "containers"
KUBERNETES = "1.36"


def documents(name: str) -> list[dict[str, Any]]:
    return [*yaml.safe_load_all((FOLDER / name).read_text())]


CDI, COMPOSE = documents("cdi.yaml")[0], documents("compose.yaml")[0]
MANIFESTS = documents("kubernetes.yaml")
BY_KIND = {manifest["kind"]: manifest for manifest in MANIFESTS}
POD = BY_KIND["DaemonSet"]["spec"]["template"]["spec"]


def environments() -> Iterator[tuple[dict[str, str], list[str]]]:
    """Each environment with the hook, and where its container has something mounted."""
    edits = CDI["containerEdits"]
    for device in CDI["devices"]:
        pairs = [*edits["env"], *device["containerEdits"]["env"]]
        environment = dict(pair.split("=", 1) for pair in pairs)
        yield environment, [mount["containerPath"] for mount in edits["mounts"]]
    for name in ("urgent", "low"):
        service = COMPOSE["services"][name]
        yield service["environment"], [volume.split(":")[1] for volume in service["volumes"]]


@pytest.mark.parametrize(
    "manifest", MANIFESTS, ids=lambda m: f"{m['kind']}-{m['metadata']['name']}"
)
def test_a_manifest_fits_the_published_schema(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_schema_refuses_a_wrong_manifest() -> None:
    wrong = BY_KIND["PriorityClass"] | {"value": "much"}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


def test_a_cdi_name_is_one() -> None:
    assert re.fullmatch(r"[a-z0-9.-]+/[A-Za-z0-9_.-]+", CDI["kind"])
    assert set(CDI) == {"cdiVersion", "kind", "containerEdits", "devices"}
    for device in CDI["devices"]:
        assert set(device) == {"name", "containerEdits"}


def test_every_variable_is_one_of_giveway() -> None:
    known = (ROOT / "docs" / "reference" / "environment.md").read_text()
    for environment, _ in environments():
        assert {"LD_PRELOAD", "GIVEWAY_DEVICE", "GIVEWAY_DIR", "GIVEWAY_PRIORITY"} <= set(
            environment
        )
        assert [name for name in environment if f"`{name}`" not in known] == []


def test_the_hook_and_the_pages_are_mounted() -> None:
    for environment, mounts in environments():
        for name in ("LD_PRELOAD", "GIVEWAY_DIR"):
            assert any(environment[name].startswith(f"{mount}/") for mount in mounts), name


def test_the_hook_is_what_the_image_has() -> None:
    copied = re.search(r"cp -r \S*/giveway/lib (\S+)", (FOLDER / "Dockerfile").read_text())
    assert copied is not None
    for environment, _ in environments():
        folder, _, name = environment["LD_PRELOAD"].rpartition("/")
        assert folder == copied[1]
        built = (ROOT / "native" / "gpu" / "CMakeLists.txt").read_text()
        assert f"add_shim({name.removeprefix('lib').removesuffix('.so')} " in built


def test_all_containers_run_as_the_owner_of_the_pages() -> None:
    services = COMPOSE["services"]
    owner = services["hook"]["entrypoint"][services["hook"]["entrypoint"].index("-o") + 1]
    assert {services[n]["user"].split(":")[0] for n in ("urgent", "low", "watch")} == {owner}
    (script,) = (c["command"][-1] for c in POD["initContainers"])
    (daemon,) = POD["containers"]
    pod = BY_KIND["Deployment"]["spec"]["template"]["spec"]
    users = {daemon["securityContext"]["runAsUser"], pod["securityContext"]["runAsUser"]}
    assert users == {int(re.search(r"-o (\d+)", script)[1])}  # type: ignore[index]


def test_the_node_has_what_the_specification_mounts() -> None:
    prepared = {volume["hostPath"]["path"] for volume in POD["volumes"] if "hostPath" in volume}
    assert {mount["hostPath"] for mount in CDI["containerEdits"]["mounts"]} < prepared


def test_the_policy_names_devices_that_there_are() -> None:
    (mutation,) = BY_KIND["MutatingAdmissionPolicy"]["spec"]["mutations"]
    expression = mutation["applyConfiguration"]["expression"]
    assert f'"{CDI["kind"]}="' in expression
    named = set(re.findall(r'"(\w+)"', expression))
    assert named == {device["name"] for device in CDI["devices"]}
    label = BY_KIND["MutatingAdmissionPolicy"]["spec"]["matchConstraints"]["objectSelector"]
    labels = BY_KIND["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert label["matchLabels"].items() <= labels.items()


def test_the_image_is_built_from_what_the_build_needs() -> None:
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().split()
    assert lines[0] == "*"
    sent = {line.removeprefix("!") for line in lines[1:]}
    assert all((ROOT / name).exists() for name in sent)
    assert {"CMakeLists.txt", "pyproject.toml", "constraints.txt", "native", "src", "tools"} <= sent
