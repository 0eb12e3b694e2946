"""The stand-in for `gcloud`: what a release may rely on, because Google's own does it too."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_platform_kit.testing._gcloud._flags import items, pairs
from quant_platform_kit.testing.gcloud import Cloud, ServiceDown

HERE = ("--region", "asia-east1", "--quiet")
VARIABLES = {"STRATEGY_PROFILE": "global_etf_rotation", "LIST": "a,b=c", "EMPTY": ""}
SERVICE = """
import json, os

def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    names = ("GREETING", "TOKEN", "K_SERVICE", "QPK_BUNDLE_PATH")
    if environ["PATH_INFO"] == "/run":
        print(json.dumps({"severity": "INFO", "logger": "beat", "message": body.decode()}))
        print("plain words", flush=True)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: os.environ.get(name) for name in names}).encode()]
"""


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """Return a project with one service."""
    made = Cloud.make(tmp_path / "cloud")
    made.add("rebalancer", VARIABLES, secrets={"TOKEN": "broker-token:3"})
    return made


def gcloud(cloud: Cloud, *words: str, told: str = "") -> CompletedProcess[str]:
    return subprocess.run(
        [cloud.path / "gcloud", *words], input=told, capture_output=True, text=True, check=False
    )


def answer(cloud: Cloud, *words: str, told: str = "") -> Any:  # noqa: ANN401 (any JSON)
    done = gcloud(cloud, *words, "--format=json", told=told)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def update(cloud: Cloud, *words: str) -> CompletedProcess[str]:
    return gcloud(cloud, "run", "services", "update", "rebalancer", *HERE, *words)


def describe(cloud: Cloud) -> dict[str, Any]:
    found: dict[str, Any] = answer(cloud, "run", "services", "describe", "rebalancer", *HERE)
    return found


def ready(service: dict[str, Any]) -> str:
    (found,) = (c["status"] for c in service["status"]["conditions"] if c["type"] == "Ready")
    return str(found)


def definition(name: str, image: str, **labels: str) -> str:
    """Return a definition as a platform's `service.yaml` has it."""
    lines = "".join(f"        {key}: {value}\n" for key, value in labels.items())
    return (
        f"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata:\n  name: {name}\n"
        f"spec:\n  template:\n    metadata:\n      labels:\n{lines or '        a: b'}\n"
        f"    spec:\n      containers:\n        - image: {image}\n          env:\n"
        "            - name: GREETING\n              value: hello\n"
    )


def image(cloud: Cloud, folder: Path, tag: str = "images.invalid/desk:1") -> str:
    """Build an image of a service that echoes."""
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(
        "FROM python AS build\nENV PATH=/x\nFROM python\nENV PATH=/y QPK_BUNDLE_PATH=bundle.json\n"
    )
    (folder / "main.py").write_text(SERVICE)
    done = gcloud(cloud, "builds", "submit", str(folder), "--tag", tag)
    assert done.returncode == 0, done.stderr
    return tag


# ── The command line ───────────────────────────────────────────────────────────────────


@given(st.dictionaries(st.from_regex(r"[A-Z]{1,8}", fullmatch=True), st.text("ab,=:;^ /é{}\"'")))
def test_values_with_commas_and_equals_signs_arrive_behind_a_delimiter_of_their_own(
    values: dict[str, str],
) -> None:
    written = "|".join(f"{name}={value}" for name, value in values.items())
    assert pairs(f"^|^{written}") == values


def test_a_list_is_split_at_commas_or_at_its_own_delimiter() -> None:
    assert items("A,B") == ["A", "B"]
    assert items("^::^A,B::C") == ["A,B", "C"]


def test_a_comma_in_a_value_without_a_delimiter_of_its_own_is_bad_syntax(cloud: Cloud) -> None:
    done = update(cloud, "--update-env-vars", "LIST=a,b")
    assert done.returncode == 2
    assert "argument --update-env-vars: Bad syntax for dict arg: [b]" in done.stderr
    assert cloud.environment("rebalancer")["LIST"] == "a,b=c"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "deploy", "x"), "Invalid choice"),
        (("run", "services", "update", "x", "--colour", "red"), "unrecognized arguments"),
        (("run", "services", "describe", "rebalancer"), "--region: Must be specified"),
        (("scheduler", "jobs", "describe", "x"), "--location"),
    ],
)
def test_a_wrong_command_line_ends_with_2(words: tuple[str, ...], said: str, cloud: Cloud) -> None:
    done = gcloud(cloud, *words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_the_program_loads_nothing_slow(cloud: Cloud) -> None:
    check = (
        "import sys; import quant_platform_kit.testing._gcloud.__main__; "
        "print({'numpy', 'sqlalchemy', 'pydantic', 'yaml', 'urllib.request'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# ── Services ───────────────────────────────────────────────────────────────────────────


def test_a_service_is_described_as_knative_does(cloud: Cloud) -> None:
    service = describe(cloud)
    (container,) = service["spec"]["template"]["spec"]["containers"]
    plain = {each["name"]: each.get("value") for each in container["env"]}
    assert plain == {**VARIABLES, "EMPTY": "", "TOKEN": None}
    assert container["env"][-1]["valueFrom"]["secretKeyRef"] == {"name": "broker-token", "key": "3"}
    status = service["status"]
    (serves,) = status["traffic"]
    assert serves["revisionName"] == status["latestReadyRevisionName"]
    assert status["latestCreatedRevisionName"] == status["latestReadyRevisionName"]
    assert (ready(service), serves["percent"]) == ("True", 100)
    assert status["url"].startswith("https://rebalancer-")


def test_an_update_is_a_new_revision_and_leaves_all_else_alone(cloud: Cloud) -> None:
    before = describe(cloud)
    done = update(
        cloud,
        *("--update-env-vars", "^;^LIST=x,y=z;NEW=1"),
        *("--remove-env-vars", "STRATEGY_PROFILE,ABSENT"),
        *("--update-labels", "commit=0a1b"),
    )
    assert done.returncode == 0, done.stderr
    assert cloud.environment("rebalancer") == {"EMPTY": "", "LIST": "x,y=z", "NEW": "1"}
    after = describe(cloud)
    assert after["status"]["latestReadyRevisionName"] != before["status"]["latestReadyRevisionName"]
    assert after["spec"]["template"]["metadata"]["labels"]["commit"] == "0a1b"
    assert after["metadata"]["labels"]["commit"] == "0a1b"
    assert after["metadata"]["generation"] == 2


def test_a_variable_that_names_a_secret_is_no_text(cloud: Cloud) -> None:
    done = update(cloud, "--update-env-vars", "TOKEN=plain")
    assert done.returncode == 1
    assert "Cannot update environment variable [TOKEN] to string literal because it has" in (
        done.stderr
    )
    update(cloud, "--remove-env-vars", "TOKEN")
    names = [v["name"] for v in describe(cloud)["spec"]["template"]["spec"]["containers"][0]["env"]]
    assert "TOKEN" in names  # passed over in silence, as Google's does
    assert update(cloud, "--update-secrets", "LIST=x:1").returncode == 1
    assert update(cloud, "--remove-secrets", "TOKEN").returncode == 0
    assert update(cloud, "--update-env-vars", "TOKEN=plain").returncode == 0


@pytest.mark.parametrize("pair", ["commit=Abc", "commit=a.b", "Commit=a", f"commit={'a' * 64}"])
def test_a_label_is_short_and_of_few_characters(pair: str, cloud: Cloud) -> None:
    done = update(cloud, "--update-labels", pair)
    assert (done.returncode, "Bad value" in done.stderr) == (2, True)


def test_an_update_without_a_change_is_none(cloud: Cloud) -> None:
    done = update(cloud)
    assert (done.returncode, "No configuration change" in done.stderr) == (1, True)


def test_what_the_system_sets_is_set_by_nobody_else(cloud: Cloud) -> None:
    done = update(cloud, "--update-env-vars", "PORT=1,A=2")
    assert done.returncode == 1
    assert "reserved env names were provided: PORT" in done.stderr
    assert cloud.environment("rebalancer") == VARIABLES


def test_a_service_is_known_in_its_region_and_project_alone(cloud: Cloud) -> None:
    for name, region in (("nobody", "asia-east1"), ("rebalancer", "us-east4")):
        done = gcloud(cloud, "run", "services", "describe", name, "--region", region)
        assert (done.returncode, f"Cannot find service [{name}]" in done.stderr) == (1, True)
    done = gcloud(cloud, "run", "services", "describe", "rebalancer", *HERE, "--project=other")
    assert (done.returncode, "PERMISSION_DENIED" in done.stderr) == (1, True)


def test_a_permission_that_is_missing_hides_a_service_and_protects_it(cloud: Cloud) -> None:
    cloud.deny("rebalancer")
    for verb in ("describe", "update"):
        done = gcloud(cloud, "run", "services", verb, "rebalancer", *HERE)
        assert (done.returncode, "PERMISSION_DENIED" in done.stderr) == (1, True)
    cloud.allow("rebalancer")
    assert describe(cloud)["metadata"]["generation"] == 1


def test_a_revision_that_does_not_start_is_kept_and_gets_no_traffic(cloud: Cloud) -> None:
    cloud.fail("rebalancer")
    done = update(cloud, "--update-env-vars", "STRATEGY_PROFILE=other")
    assert done.returncode == 1
    assert "is not ready and cannot serve traffic" in done.stderr
    service = describe(cloud)
    assert ready(service) == "False"
    status = service["status"]
    assert status["latestCreatedRevisionName"] != status["latestReadyRevisionName"]
    (container,) = service["spec"]["template"]["spec"]["containers"]
    assert {"name": "STRATEGY_PROFILE", "value": "other"} in container["env"]
    assert cloud.environment("rebalancer") == VARIABLES  # of what serves
    assert update(cloud, "--update-env-vars", "A=1").returncode == 0
    assert cloud.environment("rebalancer") == {**VARIABLES, "STRATEGY_PROFILE": "other", "A": "1"}


def test_an_answer_may_be_lost_after_the_change_has_landed(cloud: Cloud) -> None:
    cloud.lose("rebalancer")
    done = update(cloud, "--update-env-vars", "A=1")
    assert (done.returncode, "Connection aborted" in done.stderr) == (1, True)
    assert cloud.environment("rebalancer")["A"] == "1"
    assert ready(describe(cloud)) == "True"


def test_updates_at_one_time_are_made_one_after_the_other(cloud: Cloud) -> None:
    threads = [
        threading.Thread(target=update, args=(cloud, "--update-env-vars", f"N{number}=1"))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {f"N{number}" for number in range(4)} <= cloud.environment("rebalancer").keys()
    assert describe(cloud)["metadata"]["generation"] == 5


# ── Images, and services of a definition ───────────────────────────────────────────────


def test_an_image_needs_a_dockerfile(cloud: Cloud, tmp_path: Path) -> None:
    done = gcloud(cloud, "builds", "submit", str(tmp_path), "--tag", "x")
    assert done.returncode == 1
    assert "Dockerfile required when specifying --tag" in done.stderr


def test_a_build_may_fail_and_then_there_is_no_image(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    cloud.break_build()
    done = gcloud(cloud, "builds", "submit", str(tmp_path), "--tag", "x")
    assert (done.returncode, 'status "FAILURE"' in done.stderr) == (1, True)
    done = update(cloud, "--image", "x")
    assert (done.returncode, "Image 'x' not found" in done.stderr) == (1, True)


def test_a_definition_makes_a_service_that_runs_a_copy_of_the_folder(
    cloud: Cloud, tmp_path: Path
) -> None:
    tag = image(cloud, tmp_path / "platform")
    made = answer(
        cloud, "run", "services", "replace", "-", *HERE, told=definition("echo", tag, commit="0a")
    )
    assert made["spec"]["template"]["metadata"]["labels"] == {"commit": "0a"}
    (tmp_path / "platform" / "main.py").write_text("raise SystemExit\n")  # the image has its own
    assert (cloud.image("echo") / "main.py").read_text() == SERVICE
    assert cloud.environment("echo") == {"GREETING": "hello"}


def test_a_definition_with_a_label_that_cannot_be_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    tag = image(cloud, tmp_path / "platform")
    text = definition("echo", tag, commit="NOT-LOWER")
    done = gcloud(cloud, "run", "services", "replace", "-", *HERE, told=text)
    assert (done.returncode, "Bad value [NOT-LOWER]" in done.stderr) == (1, True)


def test_what_serves_runs_with_its_variables_and_what_it_prints_is_found(
    cloud: Cloud, tmp_path: Path
) -> None:
    tag = image(cloud, tmp_path / "platform")
    gcloud(cloud, "run", "services", "replace", "-", *HERE, told=definition("echo", tag))
    words = ("run", "services", "update", "echo", *HERE)
    assert gcloud(cloud, *words, "--update-secrets", "TOKEN=broker-token:3").returncode == 0
    with pytest.raises(ServiceDown, match=r"broker-token:3 was not found"):
        cloud.run("echo", Path(sys.executable), {})
    cloud.keep_secret("broker-token", "3", "hush")
    found = cloud.run("echo", Path(sys.executable), {"slot": "close"})
    assert found == {
        "GREETING": "hello",
        "TOKEN": "hush",
        "K_SERVICE": "echo",
        "QPK_BUNDLE_PATH": "bundle.json",
    }
    of_it = 'resource.type="cloud_run_revision" AND resource.labels.service_name="echo"'
    (entry,) = answer(cloud, "logging", "read", f'{of_it} AND jsonPayload.logger="beat"')
    assert json.loads(entry["jsonPayload"]["message"]) == {"slot": "close"}
    assert entry["severity"] == "INFO"
    (plain,) = answer(cloud, "logging", "read", f'{of_it} textPayload:"PLAIN" ')
    assert plain["textPayload"] == "plain words"
    newest, *_ = answer(cloud, "logging", "read", of_it)
    assert answer(cloud, "logging", "read", of_it, "--limit", "1") == [newest]
    assert answer(cloud, "logging", "read", f'{of_it} timestamp>"2100-01-01T00:00:00Z"') == []


def test_a_filter_that_is_none_is_refused(cloud: Cloud) -> None:
    done = gcloud(cloud, "logging", "read", "service is echo")
    assert (done.returncode, "Unparseable filter" in done.stderr) == (1, True)


def test_a_service_that_does_not_start_says_why(cloud: Cloud) -> None:
    update(cloud, "--remove-secrets", "TOKEN")
    with pytest.raises(ServiceDown, match="No module named 'main'"):
        cloud.run("rebalancer", Path(sys.executable), {})


# ── Jobs ───────────────────────────────────────────────────────────────────────────────

JOB = (
    *("--location=asia-east1", "--schedule=35 15 * * 1-5", "--time-zone=America/New_York"),
    *("--uri=https://echo.invalid/run", "--http-method=post", '--message-body={"slot": "close"}'),
    *("--oidc-service-account-email=caller@desk.invalid", "--attempt-deadline=1200s"),
    *("--max-retry-attempts=3", "--oidc-token-audience=https://echo.invalid"),
)


def test_a_job_is_made_once_and_then_changed(cloud: Cloud) -> None:
    jobs = ("scheduler", "jobs")
    made = answer(cloud, *jobs, "create", "http", "close", *JOB, "--headers=Content-Type=a/b")
    assert made["httpTarget"]["oidcToken"]["audience"] == "https://echo.invalid"
    assert made["httpTarget"]["httpMethod"] == "POST"
    assert (made["retryConfig"], made["attemptDeadline"]) == ({"retryCount": 3}, "1200s")
    again = gcloud(cloud, *jobs, "create", "http", "close", *JOB)
    assert (again.returncode, "ALREADY_EXISTS" in again.stderr) == (1, True)
    answer(cloud, *jobs, "update", "http", "close", "--location=asia-east1", "--schedule=0 9 * * *")
    found = answer(cloud, *jobs, "describe", "close", "--location", "asia-east1")
    assert found == {**made, "schedule": "0 9 * * *"}
    assert answer(cloud, *jobs, "list", "--location", "asia-east1") == [found]
    assert answer(cloud, *jobs, "list", "--location", "us-east4") == []
    assert cloud.jobs() == {"close": found}


@pytest.mark.parametrize(
    "wrong", ["--schedule=at noon", "--time-zone=New York", "--attempt-deadline=31m"]
)
def test_a_job_that_could_never_run_is_refused(wrong: str, cloud: Cloud) -> None:
    done = gcloud(cloud, "scheduler", "jobs", "create", "http", "close", *JOB, wrong)
    assert (done.returncode, "INVALID_ARGUMENT" in done.stderr) == (1, True)
    assert cloud.jobs() == {}


def test_a_job_that_is_not_there_is_not_found(cloud: Cloud) -> None:
    for verb in (("describe",), ("update", "http")):
        words = ("scheduler", "jobs", *verb, "close", "--location=asia-east1")
        done = gcloud(cloud, *words)
        assert (done.returncode, "NOT_FOUND" in done.stderr) == (1, True)


# ── Secrets, and jobs that somebody stops and runs ─────────────────────────────────────


def test_a_secret_is_made_once_and_gets_versions(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    words = ("secrets", "create", "token", "--replication-policy=automatic")
    made = gcloud(cloud, *words, f"--data-file={path}")
    assert "Created version [1] of the secret [token]." in made.stderr
    again = gcloud(cloud, *words)
    assert (again.returncode, "already exists" in again.stderr) == (1, True)
    gcloud(cloud, "secrets", "versions", "add", "token", "--data-file=-", told="second")
    listed = gcloud(cloud, "secrets", "versions", "list", "token", "--format=value(name)")
    assert listed.stdout.split() == [f"projects/desk/secrets/token/versions/{n}" for n in (2, 1)]


def test_a_version_of_a_secret_that_is_not_there_is_refused(cloud: Cloud) -> None:
    words = ("secrets", "versions", "add", "nothing", "--data-file=-")
    done = gcloud(cloud, *words, told="hush")
    assert (done.returncode, "NOT_FOUND: Secret" in done.stderr) == (1, True)
    assert "hush" not in done.stderr


def test_the_latest_version_of_a_secret_is_what_a_service_gets(
    cloud: Cloud, tmp_path: Path
) -> None:
    tag = image(cloud, tmp_path / "platform")
    gcloud(cloud, "run", "services", "replace", "-", *HERE, told=definition("echo", tag))
    gcloud(cloud, "run", "services", "update", "echo", *HERE, "--update-secrets", "TOKEN=token")
    for version in ("9", "10"):
        cloud.keep_secret("token", version, f"of {version}")
    assert cloud.run("echo", Path(sys.executable), {})["TOKEN"] == "of 10"  # noqa: S105 (none)


def test_a_role_is_given_once_for_one_secret_or_service(cloud: Cloud) -> None:
    gcloud(cloud, "secrets", "create", "token")
    who, role = "--member=serviceAccount:runner@desk.invalid", "--role=roles/x"
    for words in (
        ("secrets", "add-iam-policy-binding", "token"),
        ("run", "services", "add-iam-policy-binding", "rebalancer", *HERE),
    ):
        for _ in range(2):
            (given,) = answer(cloud, *words, who, role)["bindings"]
        assert given == {"members": ["serviceAccount:runner@desk.invalid"], "role": "roles/x"}


def test_a_job_is_paused_and_resumed(cloud: Cloud) -> None:
    place = ("--location=asia-east1",)
    words = ("scheduler", "jobs", "create", "http", "close", "--schedule=35 15 * * 1-5")
    gcloud(cloud, *words, *place, "--uri=https://x.invalid/run", "--message-body={}")
    for verb, state in (("pause", "PAUSED"), ("resume", "ENABLED")):
        assert answer(cloud, "scheduler", "jobs", verb, "close", *place)["state"] == state
    done = gcloud(cloud, "scheduler", "jobs", "pause", "open", *place)
    assert (done.returncode, "NOT_FOUND" in done.stderr) == (1, True)


def test_an_image_of_which_nobody_lent_an_environment_is_not_run(
    cloud: Cloud, tmp_path: Path
) -> None:
    tag = image(cloud, tmp_path / "platform")
    gcloud(cloud, "run", "services", "replace", "-", *HERE, told=definition("echo", tag))
    (cloud.image("echo") / "bundle.json").unlink(missing_ok=True)
    with pytest.raises(ServiceDown, match="no environment was lent"):
        cloud.ask("echo", {"slot": "close"})
