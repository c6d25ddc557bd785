"""The benchmark's own arithmetic and its raw side: a wrong ruler is worse than none."""

import os
from pathlib import Path

import pytest

from bench import store_writes
from bench.figures import figure, overhead, quantile
from bench.model_process import model_process
from bench.raw_cli import Recipe, raw_cli
from bench.setup import CLI
from core.domain.records import UserId
from core.store.sqlite import SqliteStore


def test_quantiles_are_samples_and_not_between_them() -> None:
    samples = [float(number) for number in range(1, 101)]
    assert (quantile(samples, 0.5), quantile(samples, 0.95), quantile([7.0], 0.95)) == (50.0, 95.0, 7.0)
    assert figure([], unit="KB")["n"] == 0


def test_overhead_is_product_minus_raw_at_the_same_quantile_with_both_beside_it() -> None:
    row = overhead([30.0, 40.0, 90.0], [10.0, 15.0, 20.0])
    assert (row["p50"], row["p95"], row["n"]) == (25.0, 70.0, 3)
    assert (row["product"]["p50"], row["raw"]["p50"]) == (40.0, 15.0)


async def test_the_stores_row_counts_what_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_writes, "WRITERS", 3)
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        figures = await store_writes.rows("P", store)
        plain = figures.pop("P_events")
        assert plain["a_second"] > 0
        assert len(await store.events("p0", owner=UserId("plain"), limit=5_000)) * 8 == plain["n"]
        assert [figure["n"] for figure in figures.values()] == [20, 3 * store_writes.ROUNDS, 3 * store_writes.ROUNDS]
        assert figures["P_50_sessions_of_one_user"]["lost"] == 0
        await store.delete_events("s1", owner=UserId("one"))
        assert await store_writes.lost(store) == store_writes.ROUNDS * store_writes.EVENTS


async def test_the_raw_cli_is_timed_from_written_to_text_to_result(tmp_path: Path) -> None:
    async with model_process() as model, raw_cli(recipe(model.url, tmp_path)) as cli:
        await cli.initialize()
        answer = await cli.ask("N=5 GAP=0.02")
        noted = await model.noted("N=5 GAP=0.02")
        assert answer.written_at < noted["at"] < noted["deltas_at"][0] < answer.first_text_at < answer.result_at
        assert len(answer.texts_at) == len(noted["deltas_at"]) == 5
        acknowledged_s, ended_s = await cli.ask_and_stop("N=100 GAP=0.05", after_s=0.1)
        assert 0 < acknowledged_s <= ended_s < 2


def recipe(url: str, folder: Path) -> Recipe:
    words = "--output-format=stream-json --input-format=stream-json --verbose --include-partial-messages"
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "raw",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    return Recipe(argv=[str(CLI), *words.split()], environ=environ, folder=folder)
