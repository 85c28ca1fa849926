"""Every format becomes a title, metadata and passages under their headings."""

from __future__ import annotations

from knowledge.formats import Text, read
from knowledge.passages import MAX_CHARS, cut


def markdown(text: str, path: str = "a-fine-name.md") -> Text:
    return read(text.encode(), path=path, content_type="text/markdown")


def test_it_reads_front_matter_and_skips_keys_it_does_not_know() -> None:
    text = markdown("---\ntitle: Light\ntags: [a, b]\nsource: https://example.com\nlayout: x\n---\n# Light\n\nBody")
    assert (text.title, text.metadata.tags, text.metadata.sources) == ("Light", ("a", "b"), ("https://example.com",))
    assert text.body == "# Light\n\nBody"


def test_it_takes_the_title_from_the_first_heading_or_the_name() -> None:
    assert markdown("intro\n\n# Heading\n\nBody").title == "Heading"
    assert markdown("Body").title == "A fine name"


def test_it_reads_windows_files() -> None:
    text = markdown("\ufeff---\r\ntitle: Light\r\n---\r\n# One\r\n\r\nBody\r\n")
    assert (text.title, cut(text.title, text.body)[0].text) == ("Light", "Body")


def test_a_rule_inside_the_text_is_no_front_matter() -> None:
    assert markdown("above\n\n---\n\nbelow").body == "above\n\n---\n\nbelow"


def test_it_reads_json_with_a_text_and_json_without() -> None:
    own = read(b'{"title": "T", "tags": "x", "text": "# H\\n\\nBody"}', path="a.json", content_type="application/json")
    assert (own.title, own.metadata.tags, own.body) == ("T", ("x",), "# H\n\nBody")
    any_json = read(b'{"title": "T", "rules": ["one", "two"]}', path="a.json", content_type="application/json")
    assert cut(any_json.title, any_json.body) == [("T > rules", "- one\n- two")]


def test_it_cuts_along_headings_and_keeps_the_trail() -> None:
    body = "# Title\n\nintro\n\n## A\n\n### B\n\ndeep\n\n## C ##\n\nlast"
    assert cut("Title", body) == [("Title", "intro"), ("Title > A > B", "deep"), ("Title > C", "last")]


def test_it_sees_no_heading_in_a_fenced_block() -> None:
    (passage,) = cut("T", "```sh\n# a comment\n```\n\n```inline``` text")
    assert passage.heading == "T"
    assert "# a comment" in passage.text


def test_it_cuts_long_sections_between_paragraphs_with_nothing_lost() -> None:
    paragraphs = [f"Paragraph {number} " + "word " * 60 for number in range(20)]
    passages = cut("T", "\n\n".join(paragraphs))
    assert len(passages) > 3
    assert all(len(passage.text) <= MAX_CHARS for passage in passages)
    assert all(any(paragraph.strip() in passage.text for passage in passages) for paragraph in paragraphs)
