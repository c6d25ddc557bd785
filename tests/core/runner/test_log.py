"""The log is what a runner is after a crash: nothing acknowledged is lost, no number is given twice."""

import os
import resource
from pathlib import Path

import pytest

from core.domain.errors import StoreUnavailable
from core.domain.events import Notice, UserSaid, decode, seq_of
from core.runner.log import EventLog
from core.runner.seal import Seal


def said(text: str) -> UserSaid:
    return UserSaid(message_id=text, text=text)


def test_what_is_appended_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    log, events = EventLog.open(tmp_path / "s.jsonl", b"")
    assert (events, log.last_seq) == ([], 0)
    for n in range(1, 6):
        stored, line = log.append(said(f"m{n}"))
        assert seq_of(stored) == n and decode(line) == stored
    again, events = EventLog.open(tmp_path / "s.jsonl", b"")
    assert [event.text for event in events] == ["m1", "m2", "m3", "m4", "m5"]
    assert again.last_seq == 5 and again.size_bytes == log.size_bytes
    assert seq_of(again.append(said("m6"))[0]) == 6
    log.close()
    again.close()


@pytest.mark.parametrize("torn", [b'{"seq":3,"type":"user_s', b'{"seq":3', b"\0\0\0\0\n", b'{"seq":3}garbage\n'])
def test_a_torn_last_line_is_cut_off_and_its_number_given_again(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "s.jsonl"
    log, _ = EventLog.open(path, b"")
    log.append(said("one"))
    log.append(said("two"))
    log.close()
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    log, events = EventLog.open(path, b"")
    assert len(events) == 2 and path.read_bytes() == whole
    assert seq_of(log.append(said("three"))[0]) == 3
    log.close()


def test_every_prefix_of_a_log_opens_and_keeps_its_whole_lines(tmp_path: Path) -> None:
    log, _ = EventLog.open(tmp_path / "s.jsonl", b"")
    for text in ("eins", "zwei 안녕", "drei"):
        log.append(said(text))
    log.close()
    whole = (tmp_path / "s.jsonl").read_bytes()
    for length in range(len(whole) + 1):
        path = tmp_path / "cut" / "s.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(whole[:length])
        log, events = EventLog.open(path, b"")
        assert len(events) == whole[:length].count(b"\n") == log.last_seq
        log.close()


def test_an_unknown_kind_of_event_keeps_its_number(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(Seal(b"", "s").line(b'{"type":"from_the_future","seq":1}') + b"\n")
    log, events = EventLog.open(path, b"")
    assert events == [] and log.last_seq == 1
    assert log.read(0) == [b'{"type":"from_the_future","seq":1}']
    log.close()


def test_reading_is_bounded_in_number_and_size(tmp_path: Path) -> None:
    log, _ = EventLog.open(tmp_path / "s.jsonl", b"")
    for _ in range(10):
        log.append(Notice(text="x" * 1_000_000))
    assert [decode(line).seq for line in log.read(2, 3)] == [3, 4, 5]
    assert 1 <= len(log.read(0, 10)) < 6
    assert log.read(10, 10) == [] and log.read(99, 10) == []
    log.close()


def test_a_full_disk_refuses_the_event_and_leaves_the_log_whole(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    log, _ = EventLog.open(path, b"")
    log.append(said("one"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.size_bytes + 10, before[1]))
    try:
        with pytest.raises(StoreUnavailable):
            log.append(said("two"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert log.last_seq == 1 and os.path.getsize(path) == log.size_bytes
    assert seq_of(log.append(said("three"))[0]) == 2
    log.close()
