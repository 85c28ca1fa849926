from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.providers.media.text.pictures import Pixels, drawn, ink, line_count, matching, refusal


def _html(html: str, css: str = "", **asset: Any) -> dict[str, Any]:
    return {"type": "html", "html": html, "css": css, **asset}


def _pixels(html: str, css: str = "", **asset: Any) -> Pixels:
    return drawn(_html(html, css, **asset))


WHITE, RED, BLUE = (255, 255, 255), (255, 0, 0), (0, 0, 255)


def test_a_countdown_of_the_services_demos() -> None:
    css = 'p { font-size: 200px; color: #25d3d0; font-family: "Montserrat ExtraBold"; }'
    pixels = _pixels("<p>10</p>", css, width=400, height=400)
    assert pixels.shape == (400, 400, 4)
    left, top, right, bottom = ink(pixels)
    assert left + right == pytest.approx(400, abs=12)
    assert top + bottom == pytest.approx(400, abs=6)
    # Figures of Montserrat are 0.7 of their size high.
    assert bottom - top == pytest.approx(140, abs=6)
    assert matching(pixels, (0x25, 0xD3, 0xD0)).sum() > 5000


def test_a_progress_bar_of_the_services_demos() -> None:
    pixels = _pixels("<p>&nbsp;</p>", background="#25d3d0", width=4.015686274509804, height=16)
    assert pixels.shape == (16, 4, 4)
    assert (pixels == (0x25, 0xD3, 0xD0, 255)).all()


def test_a_background_carries_its_alpha_in_front_or_is_transparent() -> None:
    assert _pixels("", background="#80FF0000")[0, 0].tolist() == [255, 0, 0, 128]
    assert _pixels("", background="transparent")[..., 3].max() == 0


def test_text_is_white_and_in_the_middle_by_default() -> None:
    pixels = _pixels("HH")
    left, top, right, bottom = ink(pixels)
    assert left + right == pytest.approx(400, abs=2)
    assert top + bottom == pytest.approx(240, abs=2)
    assert (pixels[pixels[..., 3] > 0][:, :3] == 255).all()


@pytest.mark.parametrize("position", ["topLeft", "topRight", "bottomLeft", "bottomRight"])
def test_content_stands_at_its_position(position: str) -> None:
    left, top, right, bottom = ink(_pixels("H", position=position))
    assert (left < 12) == ("Left" in position)
    assert (right > 388) == ("Right" in position)
    assert (top < 20) == ("top" in position)
    assert (bottom > 220) == ("bottom" in position)


@pytest.mark.parametrize(
    ("html", "same"),
    [
        ("<b>x</b>", '<span style="font-weight: bold">x</span>'),
        ("<strong>x</strong>", "<b>x</b>"),
        ("<i>x</i>", '<span style="font-style: italic">x</span>'),
        ("<em>x</em>", "<cite>x</cite>"),
        ("<u>x</u>", '<span style="text-decoration: underline">x</span>'),
        ("<s>x</s>", '<span style="text-decoration: line-through">x</span>'),
        ("a &amp; b &eacute; &#9733;", "a & b é ★"),
        ("<div>a\n  b</div>", "<div>a b</div>"),
        ("a <b> b</b>", "a <b>b</b>"),
        ("<p>one<p>two", "<p>one</p><p>two</p>"),
        ("<!-- a note --><html><body>x</body></html>", "x"),
        ("<H2 CLASS=a>x</H2>", "<h2>x</h2>"),
    ],
)
def test_tags_entities_and_blanks_mean_what_they_mean(html: str, same: str) -> None:
    assert (_pixels(html) == _pixels(same)).all()
    assert _pixels(html)[..., 3].any()


def test_headings_are_of_six_sizes() -> None:
    heights = [ink(_pixels(f"<h{n}>H</h{n}>"))[3] - ink(_pixels(f"<h{n}>H</h{n}>"))[1] for n in range(1, 7)]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] == pytest.approx(2 * heights[3], abs=2)


def test_breaks_and_paragraphs_begin_lines() -> None:
    assert line_count(_pixels("o<br>o<br/>o")) == 3
    assert line_count(_pixels("<p>o</p><p>o</p>")) == 2


def test_paragraphs_share_the_larger_of_two_margins() -> None:
    css = "p { font-size: 20px; line-height: 1; margin: 0 } .a { margin-bottom: 30px } .b { margin-top: 10px }"
    rows = _pixels('<p class="a">H</p><p class="b">H</p>', css)[..., 3].max(axis=1) > 128
    starts = np.nonzero(np.diff(rows.astype(int), prepend=0) == 1)[0]
    assert starts[1] - starts[0] == 20 + 30


def test_blocks_have_padding_margin_and_background() -> None:
    css = """div { background-color: #0000FF; padding: 10px 20px; margin: 0 50px }
             div { font-size: 20px; line-height: 40px; text-align: left }"""
    pixels = _pixels("<div>H</div>", css)
    left, top, right, bottom = ink(pixels)
    assert (left, right, bottom - top) == (50, 350, 60)
    letters = np.nonzero(matching(pixels, WHITE))[1]
    assert 70 <= letters.min() <= 74


def test_blocks_may_stand_in_blocks() -> None:
    css = "#outer { background: red; padding: 20px } #inner { background: blue; padding: 5px }"
    pixels = _pixels('<div id="outer"><div id="inner">x</div>y</div>', css)
    red, blue = np.nonzero(matching(pixels, RED)), np.nonzero(matching(pixels, BLUE))
    assert (red[1].min(), blue[1].min()) == (0, 20)
    assert red[0].min() == blue[0].min() - 20


def test_the_stronger_rule_wins_and_the_later_of_equals() -> None:
    css = """#a { color: #FF0000 } .b { color: #0000FF } p { color: #00FF00 }
             p { font-size: 40px } p, b { font-size: 50px }"""
    assert matching(_pixels('<p id="a" class="b">H</p>', css), RED).any()
    assert matching(_pixels('<p class="b other">H</p>', css), BLUE).any()
    assert matching(_pixels('<p class="b" style="color: red">H</p>', css), RED).any()
    assert (_pixels("<p>H</p>", css) == _pixels("<p>H</p>", "p { color: #00FF00; font-size: 50px }")).all()
    assert matching(_pixels('<p class="b">H</p>', "p.b { color: red } p.c { color: blue }"), RED).any()


def test_colours_of_spans_and_what_lies_behind_them() -> None:
    pixels = _pixels('H<span class="x">H</span>H', ".x { color: #FF0000; background: rgb(0, 0, 255) }")
    red, blue = np.nonzero(matching(pixels, RED))[1], np.nonzero(matching(pixels, BLUE))[1]
    assert blue.min() < red.min() < red.max() < blue.max()
    assert matching(pixels, WHITE)[:, : blue.min()].any()
    assert matching(pixels, WHITE)[:, blue.max() + 1 :].any()


@pytest.mark.parametrize(
    ("css", "same"),
    [
        ("p { font-size: 2em }", "p { font-size: 64px }"),
        ("p { font-size: 50% }", "p { font-size: 16px }"),
        ("p { letter-spacing: .5em; font-size: 20px }", "p { letter-spacing: 10px; font-size: 20px }"),
        ("p { line-height: 150% }", "p { line-height: 1.5 }"),
        ("p { font-family: Nobody, 'Work Sans', serif }", "p { font-family: Work Sans }"),
        ("p { font-family: sans-serif; font-weight: 600 }", "p { font-weight: semibold }"),
        ("p { text-transform: uppercase }", "p { text-transform: none } /* HX */"),
        ("p { word-spacing: 0 }", ""),
    ],
)
def test_values_have_several_spellings(css: str, same: str) -> None:
    text = "HX HX" if "upper" not in css else "hx hx"
    assert (_pixels(f"<p>{text}</p>", css) == _pixels("<p>HX HX</p>", same)).all()


@pytest.mark.parametrize(
    ("html", "css", "path", "word"),
    [
        ("<table></table>", "", "html", "<table>"),
        ('<img src="x">', "", "html", "<img>"),
        ("<script>1</script>", "", "html", "<script>"),
        ('<p onclick="x">x</p>', "", "html", "onclick"),
        ("<b><p>x</p></b>", "", "html", "turn them round"),
        ('<p style="float: left">x</p>', "", "html", "float"),
        ("x", "p { position: absolute }", "css", "position"),
        ("x", "p { color: no-colour }", "css", "no-colour"),
        ("x", "p { font-size: 3vw }", "css", "3vw"),
        ("x", "p { padding: -1px }", "css", "-1px"),
        ("x", "p > b { color: red }", "css", "p > b"),
        ("x", "p:hover { color: red }", "css", "p:hover"),
        ("x", "@import url(x.css);", "css", "@import"),
        ("x", "p { color }", "css", "cannot be read"),
        ("x", "p, { color: red }", "css", "a selector is missing"),
        ("<div>" * 60, "", "html", "deeper than 50"),
        ("<span class=a>x</span>", ".a { padding: 3px }", "css", "give a block it"),
        ("<p>x</p>", "p { font-family: Arial }", "css", "Arial"),
        ("\U00012000", "", "html", "CUNEIFORM SIGN A"),
    ],
)
def test_everything_else_is_refused_by_name(html: str, css: str, path: str, word: str) -> None:
    error = refusal(_html(html, css))
    assert error.detail["path"] == path
    assert word in error.message
