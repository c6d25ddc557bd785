"""Tests that the web's data about boxes is checked: ids become directories, and processes have to be alive."""

import pytest

from core.config.runtime_dir import Process
from tests.core.gateway.gateway_harness import ALICE, BOB, GatewayHarness, living_process

SOON = {"watch_s": 0.05}


@pytest.mark.parametrize("name", ["..", "a%2Fb", "%2e%2e%2fetc", "x" * 65, "a b", "a%00b"])
async def test_an_id_that_is_no_name_is_refused(harness: GatewayHarness, process: Process, name: str) -> None:
    async with harness.gateway(**SOON):
        body = {"user": ALICE, "key": "k", "pid": process.pid, "start": process.start}
        answer = await harness.control("PUT", f"/boxes/{name}", body)
        assert answer.status == 404 or answer.body["code"] == "bad_input"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"user":"a"}', b'{"user":1,"key":"k","pid":1,"start":1}', b"\xff", b"x" * 70_000]
)
async def test_a_box_that_is_none_is_refused(harness: GatewayHarness, body: bytes) -> None:
    async with harness.gateway(**SOON):
        answer = await harness.control("PUT", "/boxes/b", data=body)
        assert answer.status == 400
        assert answer.body["code"] in ("bad_input", "too_large")


async def test_a_process_that_does_not_live_is_refused(harness: GatewayHarness) -> None:
    with living_process() as (who, _):
        pass
    async with harness.gateway(**SOON):
        harness.runtime.make_box("b")
        answer = await harness.control(
            "PUT", "/boxes/b", {"user": ALICE, "key": "k", "pid": who.pid, "start": who.start}
        )
        assert (answer.status, answer.body["code"]) == (400, "box_gone")


async def test_a_box_without_a_directory_is_refused(harness: GatewayHarness, process: Process) -> None:
    async with harness.gateway(**SOON):
        answer = await harness.control(
            "PUT", "/boxes/b", {"user": ALICE, "key": "k", "pid": process.pid, "start": process.start}
        )
        assert (answer.status, answer.body["code"]) == (400, "box_gone")


async def test_told_again_of_a_box_it_goes_on_and_of_another_user_it_changes(
    harness: GatewayHarness, process: Process
) -> None:
    await harness.add_session(ALICE)
    async with harness.gateway(**SOON):
        box_http = await harness.open_box(ALICE, process)
        await harness.open_box(ALICE, process)
        assert (await box_http("POST", "/internal/spec", {"session": "s1"})).status == 200
        await harness.open_box(BOB, process)
        assert (await box_http("POST", "/internal/spec", {"session": "s1"})).status == 404


async def test_a_deleted_box_has_no_directory_and_deleting_it_again_is_fine(
    harness: GatewayHarness, process: Process
) -> None:
    async with harness.gateway(**SOON):
        await harness.open_box(ALICE, process)
        for _ in range(2):
            assert (await harness.control("DELETE", "/boxes/box1")).status == 200
        assert not harness.runtime.box("box1").exists()


async def test_a_box_cannot_speak_the_webs_words_nor_the_web_a_boxs(harness: GatewayHarness, process: Process) -> None:
    async with harness.gateway(**SOON):
        box_http = await harness.open_box(ALICE, process)
        for method, path in (("POST", "/stop"), ("GET", "/hold"), ("PUT", "/boxes/x"), ("DELETE", "/boxes/box1")):
            assert (await box_http(method, path, {})).status in (404, 405)
        assert (await harness.control("POST", "/internal/spec", {"session": "s1"})).status == 404
