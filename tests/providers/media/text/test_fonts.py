from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from myloware.kernel.errors import UnprocessableInput
from providers.media.text import FontBook
from providers.media.text.fonts import BUILT_IN, FONTS, Wish, _cut, _shipped_file
from tests.providers.media.text.pictures import BOOK, drawn, ink, rich

SERVICE = (
    "Arapey", "Clear Sans", "Didact Gothic", "Montserrat", "MovLette", "NotoEmoji", "Open Sans", "Permanent Marker",
    "Roboto", "Sue Ellen Francisco", "Uni Neue", "Work Sans",
)  # fmt: skip


def _weight(family: str, wish: Wish) -> float:
    """The ink of a letter: how heavy it looks."""
    font = {"family": family, "weight": wish.weight, "style": "italic" if wish.italic else "normal"}
    return float(drawn(rich("H", size=100, font=font))[..., 3].sum()) / 255


def test_the_services_families_are_there_each_with_its_licence() -> None:
    assert tuple(BUILT_IN) == SERVICE
    for files in BUILT_IN.values():
        for file in files:
            assert (FONTS / file).is_file()
            assert (FONTS / file).with_name("LICENSE.txt").is_file()


def test_all_fonts_stay_below_twelve_megabytes() -> None:
    assert sum(file.stat().st_size for file in FONTS.glob("*/*")) < 12_000_000


@pytest.mark.parametrize("family", [family for family in SERVICE if family != "NotoEmoji"])
def test_every_family_draws_its_own_letters(family: str) -> None:
    pictures = {name: drawn(rich("Rag", font={"family": name})).tobytes() for name in (family, "Montserrat", "Arapey")}
    assert len(set(pictures.values())) == len(pictures)


def test_names_may_be_written_without_blanks_and_in_any_case() -> None:
    for name in ("OpenSans", "open sans", "OPEN-SANS"):
        assert BOOK.chain(name, Wish(), path="p") == BOOK.chain("Open Sans", Wish(), path="p")


@pytest.mark.parametrize(
    ("name", "family", "wish"),
    [
        ("Montserrat ExtraBold", "Montserrat", Wish(800)),
        ("Work Sans Light", "Work Sans", Wish(300)),
        ("Roboto-BoldItalic", "Roboto", Wish(700, italic=True)),
        ("OpenSans-Italic", "Open Sans", Wish(400, italic=True)),
    ],
)
def test_a_name_may_carry_the_cut(name: str, family: str, wish: Wish) -> None:
    assert BOOK.chain(name, Wish(), path="p")[0] is BOOK.chain(family, wish, path="p")[0]


@pytest.mark.parametrize("family", ["Montserrat", "Open Sans", "Roboto", "Work Sans", "Uni Neue", "Clear Sans"])
def test_heavier_weights_have_more_ink(family: str) -> None:
    assert _weight(family, Wish(300)) <= _weight(family, Wish(400)) < _weight(family, Wish(700))


def test_a_family_without_a_bold_is_thickened_and_one_without_an_italic_is_slanted() -> None:
    assert _weight("Arapey", Wish(700)) > 1.1 * _weight("Arapey", Wish())
    upright, slanted = (
        ink(drawn(rich("l", size=150, font={"family": "Arapey", "style": style}))) for style in ("normal", "italic")
    )
    assert slanted[2] - slanted[0] > upright[2] - upright[0] + 8


def test_a_file_answers_to_its_name_and_to_that_of_its_url(tmp_path: Path) -> None:
    path = tmp_path / "cached-7f3a"
    shutil.copyfile(FONTS / "bebas-neue/BebasNeue.ttf", path)
    book = FontBook({"https://cdn.example.test/fonts/My%20Poster-Bold.ttf?v=2": path})
    built_in = BOOK.chain("MovLette", Wish(), path="p")[0]
    for name in ("Bebas Neue", "BebasNeue-Regular", "My Poster-Bold", "my poster"):
        cut = book.chain(name, Wish(), path="p")[0]
        assert cut.font.glyph_to_string(40) == built_in.font.glyph_to_string(40)
        assert name in book
    assert "Bebas Neue" not in BOOK


def test_a_file_goes_before_a_built_in_family_of_its_name(tmp_path: Path) -> None:
    path = shutil.copyfile(FONTS / "bebas-neue/BebasNeue.ttf", tmp_path / "font")
    font = {"family": "Roboto"}
    own = drawn(rich("Rag", font=font), fonts=FontBook({"https://cdn.example.test/Roboto.ttf": path}))
    assert (own == drawn(rich("Rag", font={"family": "MovLette"}))).all()


def test_files_of_one_family_are_told_apart_by_weight() -> None:
    cuts = ("Regular", "Bold")
    book = FontBook({f"https://cdn.example.test/{cut}.ttf": FONTS / f"clear-sans/ClearSans-{cut}.ttf" for cut in cuts})
    assert book.chain("Clear Sans", Wish(400), path="p")[0] is book.chain("Regular", Wish(), path="p")[0]
    assert book.chain("Clear Sans", Wish(700), path="p")[0] is book.chain("Bold", Wish(700), path="p")[0]
    assert "Black" not in book


def test_an_unknown_family_is_refused_with_those_that_are_there(tmp_path: Path) -> None:
    path = shutil.copyfile(FONTS / "outfit/Outfit.ttf", tmp_path / "Outfit.ttf")
    with pytest.raises(UnprocessableInput, match=r"'Arial'.*Montserrat.*Outfit.*timeline.fonts") as caught:
        FontBook({"https://cdn.example.test/Outfit.ttf": path}).chain("Arial", Wish(), path="font.family")
    assert caught.value.detail["path"] == "font.family"


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"wOF2" + bytes(60), b"\x00\x01\x00\x00\x00\x01"])
def test_a_file_that_is_no_font_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "font.ttf"
    path.write_bytes(content)
    with pytest.raises(UnprocessableInput, match=r"https://cdn\.example\.test/font\.ttf: not a TrueType"):
        FontBook({"https://cdn.example.test/font.ttf": path})


def test_loaded_fonts_are_kept_within_bounds() -> None:
    for weight in range(1, 400):
        BOOK.chain("Roboto", Wish(weight), path="p")
    assert _cut.cache_info().currsize <= 128
    assert _shipped_file.cache_info().currsize <= 64
