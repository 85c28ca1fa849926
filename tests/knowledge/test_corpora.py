"""Public collections come into BEIR's layout as their authors meant them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import corpora
from knowledge.evaluation import queries_in

if TYPE_CHECKING:
    from pathlib import Path

DIALOGUE = {
    "sample_id": "c1",
    "conversation": {
        "speaker_a": "Ann",
        "session_1_date_time": "noon",
        "session_1": [
            {"speaker": "Ann", "dia_id": "D1:1", "text": "Hello"},
            {"speaker": "Bob", "dia_id": "D1:2", "text": "Look", "blip_caption": "a red barn"},
        ],
        "session_2": [{"speaker": "Ann", "dia_id": "D2:1", "text": "I moved"}],
    },
    "qa": [
        {"category": 1, "question": "Who moved?", "evidence": ["D2:1", "D9:9"]},
        {"category": 2, "question": "What colour?", "evidence": ["D1:02; D2:1"]},
        {"category": 5, "question": "Never said?", "evidence": ["D1:1"]},
    ],
}
CHAT = {
    "haystack_session_ids": ["s1", "s2"],
    "haystack_sessions": [
        [{"role": "user", "content": "my cat is Tom", "has_answer": True}, {"role": "assistant", "content": "nice"}],
        [{"role": "user", "content": "it rains"}],
    ],
    "answer_session_ids": ["s1"],
    "question": "Who is my cat?",
}


def grades(out: Path) -> dict[str, set[str]]:
    return {query.text: set(query.grades) for query in queries_in(out)}


def documents(out: Path) -> dict[str, str]:
    lines = map(json.loads, (out / "corpus.jsonl").read_text().splitlines())
    return {line["_id"]: line["text"] for line in lines}


def converted(monkeypatch: pytest.MonkeyPatch, out: Path, *words: str | Path) -> Path:
    monkeypatch.setattr("sys.argv", ["corpora", *map(str, words[:2]), str(out), *map(str, words[2:])])
    corpora.main()
    return out


def written(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_insuranceqa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"1": {"en": "Yes. "}, "2": {"en": "No."}, "3": {"en": " "}}
    for name, content in (("answers", answers), ("test", {"7": {"en": "Is it covered?", "answers": ["2", "3"]}})):
        (tmp_path / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(content).encode()))
    out = converted(monkeypatch, tmp_path / "out", "insuranceqa", tmp_path)
    assert documents(out) == {"a1": "Yes.", "a2": "No."}
    assert grades(out) == {"Is it covered?": {"a2"}}


def test_locomo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "locomo.json", [DIALOGUE])
    out = converted(monkeypatch, tmp_path / "sessions", "locomo", file)
    assert documents(out) == {"c1-D1": "Ann: Hello\nBob: Look [a red barn]", "c1-D2": "Ann: I moved"}
    assert grades(out) == {"Who moved?": {"c1-D2"}, "What colour?": {"c1-D1", "c1-D2"}}
    out = converted(monkeypatch, tmp_path / "turns", "locomo", file, "--turns")
    assert set(documents(out)) == {"c1-D1:1", "c1-D1:2", "c1-D2:1"}
    assert grades(out) == {"Who moved?": {"c1-D2:1"}, "What colour?": {"c1-D1:2", "c1-D2:1"}}


def test_longmemeval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "m.json", [CHAT | {"question_id": "q1"}, CHAT | {"question_id": "q2_abs"}])
    out = converted(monkeypatch, tmp_path / "sessions", "longmemeval", file)
    assert documents(out) == {"s1": "user: my cat is Tom\n\nassistant: nice", "s2": "user: it rains"}
    assert grades(out) == {"Who is my cat?": {"s1"}}
    out = converted(monkeypatch, tmp_path / "turns", "longmemeval", file, "--turns")
    assert set(documents(out)) == {"s1-0", "s1-1", "s2-0"}
    assert grades(out) == {"Who is my cat?": {"s1-0"}}
