"""``python -m deploy`` as a process, against an account that keeps RunPod's rules."""

from pathlib import Path

import pytest

from tests.deploy.conftest import SECRETS, Deploy
from tests.deploy.fake_runpod import KEY, FakeRunpod, Fault


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def test_a_plan_shows_everything_and_changes_nothing(deploy: Deploy, runpod: FakeRunpod) -> None:
    ended = deploy("plan")
    assert ended.returncode == 3, ended.stderr
    assert "+ create volume foxetales-models" in ended.stdout
    assert "+ create endpoint foxetales-worker" in ended.stdout
    assert "workers.max" in ended.stdout
    assert runpod.writes() == []


def test_apply_without_yes_is_a_plan(deploy: Deploy, runpod: FakeRunpod) -> None:
    ended = deploy("apply")
    assert ended.returncode == 3
    assert "nothing was changed" in ended.stdout
    assert runpod.writes() == []


def test_apply_makes_volume_and_endpoint_and_a_second_one_nothing(
    deploy: Deploy, runpod: FakeRunpod
) -> None:
    ended = deploy("apply", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert "create endpoint foxetales-worker, id ep1" in ended.stdout
    endpoint = runpod.endpoints["ep1"]
    assert endpoint["networkVolumes"] == ["vol1"]
    assert endpoint["dataCenterIds"] == ["EU-RO-1"]
    assert endpoint["registry"] == "reg1"
    assert endpoint["flashboot"] == "FLASHBOOT"
    assert endpoint["timeout"] == 660_000
    assert endpoint["env"].items() >= SECRETS.items()
    written = runpod.writes()
    assert written == [("POST", "/v2/network-volumes"), ("POST", "/v2/serverless")]
    again = deploy("apply", "--yes")
    assert (again.returncode, again.stdout) == (0, "nothing to do\n")
    assert deploy("plan").returncode == 0
    assert runpod.writes() == written


def test_an_endpoint_that_runpod_scaled_down_is_brought_back(
    deploy: Deploy, runpod: FakeRunpod
) -> None:
    deploy("apply", "--yes")
    for days, left in ((3, 2), (7, 0)):
        runpod.stay_idle(days)
        planned = deploy("plan")
        assert planned.returncode == 3
        assert f"workers.max  {left} → 5" in planned.stdout
        assert deploy("apply", "--yes").returncode == 0
        assert runpod.endpoints["ep1"]["workers"]["max"] == 5
    assert runpod.bodies[-1] == {"workers": {"min": 0, "max": 5, "idleTimeout": 60}}


def test_only_the_parts_that_differ_are_sent(
    deploy: Deploy, runpod: FakeRunpod, file: Path
) -> None:
    deploy("apply", "--yes")
    change(file, ":0.1.0", ":0.2.0")
    change(file, "size_gb = 100", "size_gb = 200")
    ended = deploy("plan")
    assert (
        "images.shop.test/foxetales/worker:0.1.0 → images.shop.test/foxetales/worker:0.2.0"
        in ended.stdout
    )
    assert "100 → 200 GB" in ended.stdout
    assert deploy("apply", "--yes").returncode == 0
    assert runpod.bodies[-2:] == [
        {"size": 200},
        {"image": "images.shop.test/foxetales/worker:0.2.0"},
    ]
    assert runpod.writes()[-2:] == [
        ("PATCH", "/v2/network-volumes/vol1"),
        ("PATCH", "/v2/serverless/ep1"),
    ]


def test_variables_are_exchanged_as_a_whole_and_no_value_of_theirs_is_told(
    deploy: Deploy, runpod: FakeRunpod
) -> None:
    deploy("apply", "--yes")
    runpod.endpoints["ep1"]["env"]["BY_HAND"] = "a value from the console"
    ended = deploy("plan", S3_SECRET_ACCESS_KEY="another-secret")
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert ["env.S3_SECRET_ACCESS_KEY", "changed"] in lines
    assert ["env.BY_HAND", "removed"] in lines
    assert not any("CALLBACK_SECRET" in line for line in ended.stdout.splitlines())
    for value in ("another-secret", "a value from", *SECRETS.values(), KEY):
        assert value not in ended.stdout + ended.stderr
    assert deploy("apply", "--yes", S3_SECRET_ACCESS_KEY="another-secret").returncode == 0
    assert runpod.endpoints["ep1"]["env"]["S3_SECRET_ACCESS_KEY"] == "another-secret"
    assert "BY_HAND" not in runpod.endpoints["ep1"]["env"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500, 503])
def test_no_answer_of_runpods_lets_a_secret_out(
    deploy: Deploy, runpod: FakeRunpod, status: int
) -> None:
    told = f"bad {KEY} in {list(SECRETS.values())}"
    runpod.faults.append(Fault("POST", "/v2/network-volumes", status, times=9, detail=told))
    ended = deploy("apply", "--yes")
    assert ended.returncode == 1
    assert f"POST network-volumes: {status}" in ended.stderr
    assert "bad ***" in ended.stderr
    for value in (*SECRETS.values(), KEY):
        assert value not in ended.stdout + ended.stderr


def test_another_key_is_refused(deploy: Deploy, runpod: FakeRunpod) -> None:
    ended = deploy("plan", RUNPOD_API_KEY="rpa_other")
    assert ended.returncode == 1
    assert ended.stderr.startswith("GET serverless: 401")
    assert len(runpod.calls) == 1


def test_what_was_cut_short_is_shown_by_plan_and_finished_by_apply(
    deploy: Deploy, runpod: FakeRunpod
) -> None:
    runpod.faults.append(Fault("POST", "/v2/serverless", 500))
    ended = deploy("apply", "--yes")
    assert ended.returncode == 1
    assert "done: create volume foxetales-models, id vol1" in ended.stdout
    assert "whether it was done isn't known" in ended.stderr
    planned = deploy("plan")
    assert "create volume" not in planned.stdout
    assert "+ create endpoint" in planned.stdout
    assert deploy("apply", "--yes").returncode == 0
    assert (len(runpod.volumes), len(runpod.endpoints)) == (1, 1)


def test_an_endpoint_whose_creation_was_answered_by_nothing_isnt_made_twice(
    deploy: Deploy, runpod: FakeRunpod
) -> None:
    runpod.faults.append(Fault("POST", "/v2/serverless", done=True))
    assert deploy("apply", "--yes").returncode == 1
    assert runpod.writes().count(("POST", "/v2/serverless")) == 1
    assert deploy("plan").stdout == "nothing to do\n"
    assert list(runpod.endpoints) == ["ep1"]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_reading_is_tried_again(deploy: Deploy, runpod: FakeRunpod, status: int) -> None:
    runpod.faults.append(Fault("GET", "/v2/serverless", status, times=3))
    assert deploy("plan").returncode == 3
    assert runpod.calls.count(("GET", "/v2/serverless")) == 4


def test_a_change_whose_answer_is_lost_is_made_again(deploy: Deploy, runpod: FakeRunpod) -> None:
    deploy("apply", "--yes")
    runpod.stay_idle(7)
    runpod.faults.append(Fault("PATCH", "/v2/serverless/ep1", done=True))
    assert deploy("apply", "--yes").returncode == 0
    assert runpod.endpoints["ep1"]["workers"]["max"] == 5


def test_after_too_many_calls_creating_is_tried_again(deploy: Deploy, runpod: FakeRunpod) -> None:
    runpod.faults.append(Fault("POST", "/v2/serverless", 429, times=2))
    assert deploy("apply", "--yes").returncode == 0
    assert len(runpod.endpoints) == 1


def test_a_pause_that_is_too_long_is_told_instead_of_waited_for(
    deploy: Deploy, runpod: FakeRunpod
) -> None:
    runpod.faults.append(Fault("GET", "/v2/serverless", 429, retry_after="3600"))
    ended = deploy("plan")
    assert (ended.returncode, len(runpod.calls)) == (1, 1)
    assert "429" in ended.stderr


def test_a_runpod_that_isnt_there_is_told(deploy: Deploy) -> None:
    ended = deploy("plan", RUNPOD_REST_URL="http://127.0.0.1:9/v2")
    assert ended.returncode == 1
    assert "no answer (ConnectError)" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_change_that_runpod_only_seems_to_take_is_noticed(
    deploy: Deploy, runpod: FakeRunpod, file: Path
) -> None:
    deploy("apply", "--yes")
    runpod.ignores.add("flashboot")
    change(file, 'flashboot = "on"', 'flashboot = "priority"')
    ended = deploy("apply", "--yes")
    assert ended.returncode == 1
    assert "still tells something else for: flashboot" in ended.stderr


def test_an_endpoint_is_found_by_its_id_whatever_its_name(
    deploy: Deploy, runpod: FakeRunpod
) -> None:
    deploy("apply", "--yes")
    runpod.endpoints["ep1"]["name"] = "renamed in the console"
    assert deploy("apply", "--yes", RUNPOD_ENDPOINT_ID="ep1").returncode == 0
    assert [each["name"] for each in runpod.endpoints.values()] == ["foxetales-worker"]


def test_two_endpoints_of_one_name_are_for_a_person_to_tell_apart(
    deploy: Deploy, runpod: FakeRunpod
) -> None:
    deploy("apply", "--yes")
    runpod.endpoints["ep2"] = runpod.endpoints["ep1"] | {"id": "ep2"}
    ended = deploy("apply", "--yes")
    assert ended.returncode == 2
    assert "ep1, ep2" in ended.stderr
    assert deploy("plan", RUNPOD_ENDPOINT_ID="ep2").returncode == 0
    missing = deploy("plan", RUNPOD_ENDPOINT_ID="ep9")
    assert (missing.returncode, "no endpoint 'ep9'" in missing.stderr) == (2, True)


def test_a_registry_credential_that_isnt_there_is_asked_for(
    deploy: Deploy, runpod: FakeRunpod
) -> None:
    runpod.registries.clear()
    ended = deploy("apply", "--yes")
    assert ended.returncode == 2
    assert "no registry credential called 'foxetales'" in ended.stderr
    assert runpod.writes() == []


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [("size_gb = 100", "size_gb = 50", "no volume smaller"), ("EU-RO-1", "US-KS-2", "no volume")],
)
def test_a_volume_is_neither_made_smaller_nor_moved(
    deploy: Deploy, runpod: FakeRunpod, file: Path, before: str, after: str, reason: str
) -> None:
    deploy("apply", "--yes")
    written = runpod.writes()
    change(file, before, after)
    ended = deploy("apply", "--yes")
    assert (ended.returncode, reason in ended.stderr.replace("\n", " ")) == (2, True)
    assert runpod.writes() == written


def test_everything_that_the_environment_lacks_is_told_at_once(deploy: Deploy) -> None:
    ended = deploy("plan", S3_ACCESS_KEY_ID=None, CALLBACK_SECRET="")
    assert ended.returncode == 2
    assert [line.split()[0] for line in ended.stderr.splitlines()] == [
        "CALLBACK_SECRET",
        "S3_ACCESS_KEY_ID",
    ]
    ended = deploy(
        "plan", RUNPOD_API_KEY=None, RUNPOD_REST_URL="http://runpod.io/v2", JOB_DEADLINE_S="soon"
    )
    assert [line.split()[0] for line in ended.stderr.splitlines()] == [
        "RUNPOD_API_KEY",
        "RUNPOD_REST_URL",
        "JOB_DEADLINE_S",
    ]


def test_what_is_unsafe_never_reaches_runpod(
    deploy: Deploy, runpod: FakeRunpod, file: Path
) -> None:
    change(file, "max = 5", "max = 0")
    ended = deploy("apply", "--yes", JOB_DEADLINE_S="3600")
    assert ended.returncode == 2
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == [
        "workers.max",
        "timeout_s",
    ]
    assert runpod.calls == []


def test_the_costs_are_counted_by_ones_own_numbers(deploy: Deploy) -> None:
    ended = deploy("costs", "--seconds-per-page", "10")
    assert ended.returncode == 0
    assert "| L40S | `ADA_48_PRO` | 0.00053 | $0.016 |" in ended.stdout
    wrong = deploy("costs", "--preview-pages", "99")
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "costs: the preview has more pages than the book\n",
    )
