"""P1, P2 and P11: a conversation in which everything is awake."""

import asyncio
import time
from datetime import datetime

from bench.figures import Figure, figure, overhead
from bench.model_process import Noted
from bench.page import Seen
from bench.raw_cli import Answer, raw_cli
from bench.setup import Stage

FIRST_TOKENS = 40
PAUSE_S = 0.15  # a person reads; also lets the CLI finish what it does after a result
SLOW_WORDS, WORD_GAP_S = 40, 0.1
FAST_WORDS, FAST_ROUNDS = 50, 15
STOPS = 15


async def first_token(stage: Stage) -> dict[str, Figure]:
    """P1: Enter → first text in the DOM, and the raw CLI's written → first text, taking turns so that drift cancels."""
    seen: list[tuple[Seen, Noted]] = []
    raw: list[tuple[Answer, Noted]] = []
    async with raw_cli(stage.recipe) as cli:
        await cli.initialize()
        await cli.ask("warm up")
        for number in range(FIRST_TOKENS):
            text = f"raw message {number}"
            answer = await cli.ask(text)
            raw.append((answer, await stage.model.noted(text)))
            await asyncio.sleep(PAUSE_S)
            text = f"product message {number}"
            one = await stage.page.say(text, words=5)
            seen.append((one, await stage.model.noted(text)))
            await asyncio.sleep(PAUSE_S)
    said = await said_at(stage)
    product_ms = [(one.first_text_at - one.sent_at) * 1000 for one, _ in seen]
    raw_ms = [(answer.first_text_at - answer.written_at) * 1000 for answer, _ in raw]
    complete = overhead(
        [(one.updates[-1][0] - one.sent_at) * 1000 for one, _ in seen],
        [(answer.result_at - answer.written_at) * 1000 for answer, _ in raw],
    )
    row = overhead(product_ms, raw_ms, goal="p50 ≤ 20, p95 ≤ 60", budget="p50 ≤ 30, p95 ≤ 80")
    return {
        "P1_first_token_overhead": row | {"breakdown": breakdown(seen, raw, said)},
        "P1_complete_overhead": complete,
    }


async def said_at(stage: Stage) -> dict[str, float]:
    """Return when each message was acknowledged in the runner's log, in CLOCK_MONOTONIC."""
    shift = time.monotonic() - time.time()
    events = await stage.page.screen.events()
    found = [event for event in events if event["type"] == "user_said"]
    return {event["text"]: datetime.fromisoformat(event["at"]).timestamp() + shift for event in found}


def breakdown(
    seen: list[tuple[Seen, Noted]], raw: list[tuple[Answer, Noted]], said: dict[str, float]
) -> dict[str, Figure]:
    """Split P1 into its parts. The model server's own part is the same for both and stands by itself."""
    enter, ask, back = [], [], []
    for one, noted in seen:
        acknowledged = said[noted["prompt"]]
        enter.append((acknowledged - one.sent_at) * 1000)
        ask.append((noted["at"] - acknowledged) * 1000)
        back.append((one.first_text_at - noted["deltas_at"][0]) * 1000)
    raw_ask = [(noted["at"] - answer.written_at) * 1000 for answer, noted in raw]
    raw_back = [(answer.first_text_at - noted["deltas_at"][0]) * 1000 for answer, noted in raw]
    server = [(noted["deltas_at"][0] - noted["at"]) * 1000 for _, noted in seen]
    return {
        "1 Enter → browser → web → runner: acknowledged in the log": figure(enter),
        "2 runner → CLI → gateway → request at the model": overhead(ask, raw_ask),
        "3 the model server itself": figure(server),
        "4 first delta → gateway → CLI → runner → web → browser → DOM": overhead(back, raw_back),
    }


async def smoothness(stage: Stage) -> dict[str, Figure]:
    """P2: how far the screen is behind the model at 10 words/s, and 50 words at once."""
    text = f"N={SLOW_WORDS} GAP={WORD_GAP_S} smooth"
    one = await stage.page.say(text, words=SLOW_WORDS)
    noted = await stage.model.noted(text)
    lags = word_lags(one, noted["deltas_at"])
    gaps = [(after[0] - before[0]) * 1000 for before, after in zip(one.updates, one.updates[1:], strict=False)]
    fast, raw_fast, raw_lags = [], [], []
    async with raw_cli(stage.recipe) as cli:
        await cli.initialize()
        await cli.ask("warm up")
        answer = await cli.ask(text)
        sent = (await stage.model.noted(text))["deltas_at"]
        raw_lags = [(shown - gone) * 1000 for gone, shown in zip(sent, answer.texts_at, strict=True)]
        for number in range(FAST_ROUNDS):
            answer = await cli.ask(f"N={FAST_WORDS} fast {number}")
            raw_fast.append((answer.last_text_at - answer.written_at) * 1000)
            one = await stage.page.say(f"N={FAST_WORDS} fast {number}", words=FAST_WORDS)
            done = next(at for at, words in one.updates if words >= FAST_WORDS)
            fast.append((done - one.sent_at) * 1000)
            await asyncio.sleep(PAUSE_S)
    return {
        "P2_word_lag": figure(lags, budget="p50 ≤ 60", raw=figure(raw_lags)),
        "P2_update_gap": figure(gaps, budget="p95 ≤ 150", words_per_s=1 / WORD_GAP_S),
        "P2_fifty_words": figure(fast, budget="p50 ≤ 130", raw=figure(raw_fast)),
    }


def word_lags(one: Seen, sent: list[float]) -> list[float]:
    """Return for each word the milliseconds from leaving the model server to standing in the DOM."""
    return [(next(at for at, words in one.updates if words > number) - gone) * 1000 for number, gone in enumerate(sent)]


async def stopping(stage: Stage) -> dict[str, Figure]:
    """P11: click on stop → the page says that the turn is over; the raw CLI: interrupt → result."""
    product, raw, acknowledged = [], [], []
    async with raw_cli(stage.recipe) as cli:
        await cli.initialize()
        for number in range(STOPS):
            ack_s, end_s = await cli.ask_and_stop(f"N=400 GAP=0.03 {number}", after_s=0.3)
            raw.append(end_s * 1000)
            acknowledged.append(ack_s * 1000)
            product.append(await stop_once(stage, f"N=400 GAP=0.03 {number}"))
    return {
        "P11_stop": figure(product, budget="p95 ≤ 200", raw=figure(raw), raw_acknowledged=figure(acknowledged)),
    }


async def stop_once(stage: Stage, text: str) -> float:
    """Click on stop; return the milliseconds to the end of the turn in the page."""
    page = stage.page.page
    await stage.page.say(text, words=8, to_end=False)
    await stage.page.screen.get("stop").click()
    await page.wait_for_function("bench.clicked > 0 && bench.idle > 0", polling=25)
    took: float = await page.evaluate("bench.idle - bench.clicked")
    await asyncio.sleep(PAUSE_S)
    return took
