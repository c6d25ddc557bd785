"""The real CLI comes back to an agent that was built before: in a new conversation, and in the old one resumed."""

from pathlib import Path

from core.config.runtime_dir import Process
from tests.core.gateway.gateway_harness import ALICE, GatewayHarness
from tests.core.gateway.test_builder import ANSWER, WISH
from tests.core.gateway.test_real_cli import Person, bridge


async def test_a_new_conversation_knows_the_agent_that_is_there(
    harness: GatewayHarness, process: Process, tmp_path: Path
) -> None:
    await harness.add_session(ALICE)
    async with harness.gateway():
        box_http = await harness.open_box(ALICE, process)
        spec = await box_http("POST", "/internal/spec", {"session": "s1"})
        async with bridge(box_http) as url:
            person = Person(tmp_path / "home", url, spec.body["token"])
            async with person.cli() as client:
                await person.say(client, WISH)
                await person.say(client, ANSWER)
            assert "CLAUDE.md" in {path.name for path in person.folder.iterdir()}
            built, person.session = person.session, ""
            person.used.clear()
            async with person.cli() as client:
                assert "다시 실행했어요" in await person.say(client, "다시 실행해 줘")
                assert person.used == ["Bash"]
                assert "아침 비서" in await person.say(client, "이름을 '아침 비서'로 바꿔 줘")
                assert person.drafts[-1]["name"] == "아침 비서"
                assert "반영했어요" in await person.say(client, "주말은 빼 줘")
            guide = (person.folder / "CLAUDE.md").read_text()
            assert guide.startswith("# 아침 비서\n") and "- 주말은 빼 줘" in guide and WISH in guide
            person.session = built
            async with person.cli() as client:
                assert "반영했어요" in await person.say(client, "유로도 추가해 줘")
            assert WISH in (person.folder / "CLAUDE.md").read_text()
