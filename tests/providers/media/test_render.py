from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from myloware.kernel.errors import MediaError, UnprocessableInput
from providers.media import ffmpeg
from providers.media.probe import loudness
from providers.media.render import render
from providers.media.synth import synthesise
from providers.shotstack.template import TemplateClip, standard_edit
from tests.providers.media.media_files import frames_of, make_clip, samples_of

RED, BLUE = "https://clips.test/red.mp4", "https://clips.test/blue.mp4"
SIZE: dict[str, Any] = {"width_px": 216, "height_px": 384}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {
        RED: make_clip(folder / "red.mp4", picture="color=c=red", duration_s=4),
        BLUE: make_clip(folder / "blue.mp4", picture="color=c=blue", duration_s=4, sound="sine=f=880"),
    }


def _edit(**texts: str) -> dict[str, Any]:
    clips = [TemplateClip(RED, 4, texts.get("first", "")), TemplateClip(BLUE, 4, texts.get("second", ""))]
    return standard_edit(clips, **SIZE, fps=30)


def _one(**clip: Any) -> dict[str, Any]:
    asset = {"type": "video", "src": RED}
    clips = [{"asset": asset, "start": 0, "length": 1, **clip}]
    output = {"format": "mp4", "size": {"width": 216, "height": 384}, "fps": 30}
    return {"timeline": {"background": "#00FF00", "tracks": [{"clips": clips}]}, "output": output}


def test_the_standard_timeline_becomes_a_film(tmp_path: Path, sources: dict[str, Path]) -> None:
    seen: list[float] = []
    edit = _edit(first="cheeseburger", second="pickle 🥒")
    facts = render(edit, sources, tmp_path / "film.mp4", work_dir=tmp_path, on_progress=seen.append)
    shown = frames_of(tmp_path / "film.mp4").astype(float)

    assert (facts.width_px, facts.height_px, facts.fps) == (216, 384, 30)
    assert (facts.video_codec, facts.pixel_format, facts.faststart) == ("h264", "yuv420p", True)
    assert (facts.audio_codec, facts.sample_rate_hz, facts.channels) == ("aac", 48_000, 2)
    assert len(shown) == 210
    assert facts.duration_s == pytest.approx(7, abs=1 / 30)
    assert seen == sorted(seen)

    assert shown[0].mean() < 10, "the film fades in from black"
    top = shown[:, 40:80].mean(axis=(1, 2))
    assert top[60, 0] > 200
    assert top[60, 2] < 40
    assert top[105, 0] > 30, "the clips cross-fade"
    assert top[105, 2] > 30
    assert top[209, 2] > 200, "the last clip does not fade out"


def test_text_stands_where_the_platform_leaves_room(tmp_path: Path, sources: dict[str, Path]) -> None:
    render(_edit(first="cheeseburger"), sources, tmp_path / "film.mp4", work_dir=tmp_path)
    render(_edit(), sources, tmp_path / "plain.mp4", work_dir=tmp_path)
    written = frames_of(tmp_path / "film.mp4")[60].astype(float)
    plain = frames_of(tmp_path / "plain.mp4")[60].astype(float)
    rows = np.flatnonzero((np.abs(written - plain).max(axis=2) > 60).any(axis=1))
    assert rows.size > 8
    assert rows.min() > 384 / 2
    assert rows.max() < 384 * (1 - 288 / 1920)
    assert written[rows.min() : rows.max()].min(axis=2).max() > 200, "the text is white"


def test_every_whispered_word_of_twelve_clips_is_heard_at_its_second(tmp_path: Path) -> None:
    word = "0.5*sin(2*PI*1000*t)*between(t\\,3\\,3.3)"
    clip = make_clip(tmp_path / "clip.mp4", duration_s=8, sound=f"aevalsrc={word}|{word}")
    edit = standard_edit([TemplateClip(RED, 8, "") for _ in range(12)], width_px=54, height_px=96, fps=30)
    render(edit, {RED: clip}, tmp_path / "film.mp4", work_dir=tmp_path)
    heard = np.abs(samples_of(tmp_path / "film.mp4")).max(axis=0)
    for index in range(12):
        start = round(6.5 * index * 48_000)
        own = heard[start : start + round(6.5 * 48_000)]
        loud = np.flatnonzero(own > 0.25) / 48_000
        assert loud[0] == pytest.approx(3, abs=0.05)
        assert loud[-1] == pytest.approx(3.3, abs=0.05)
        assert own.max() == pytest.approx(0.5, rel=0.1), "no fade touches the word"


def test_equal_edits_give_equal_bytes(tmp_path: Path, sources: dict[str, Path]) -> None:
    for name in ("first", "second"):
        render(_edit(first="same"), sources, tmp_path / f"{name}.mp4", work_dir=tmp_path)
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "second.mp4").read_bytes()


def test_a_changed_caption_costs_the_pieces_it_touches(tmp_path: Path, sources: dict[str, Path]) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    render(_edit(first="one", second="two"), sources, tmp_path / "one.mp4", work_dir=tmp_path, kept=kept)
    before = {path.name for path in kept.iterdir()}
    render(_edit(first="one", second="three"), sources, tmp_path / "two.mp4", work_dir=tmp_path, kept=kept)
    new = {path.name for path in kept.iterdir()} - before
    assert len(before) == 4
    assert 1 <= len(new) <= 2
    old, changed = frames_of(tmp_path / "one.mp4"), frames_of(tmp_path / "two.mp4")
    differs = [number for number in range(210) if (old[number] != changed[number]).any()]
    assert min(differs) >= 90
    again = tmp_path / "again.mp4"
    render(_edit(first="one", second="two"), sources, again, work_dir=tmp_path, kept=kept)
    assert again.read_bytes() == (tmp_path / "one.mp4").read_bytes()


def test_the_sounds_cross_without_a_click_or_a_gap(tmp_path: Path, sources: dict[str, Path]) -> None:
    render(_edit(), sources, tmp_path / "film.mp4", work_dir=tmp_path)
    heard = samples_of(tmp_path / "film.mp4")[0]
    blocks = np.sqrt((heard[: 48_000 * 6].reshape(-1, 4800) ** 2).mean(axis=1))
    assert blocks[2:].min() > 0.3 * blocks.max()
    assert np.abs(heard[:60]).max() < 0.05
    assert loudness(tmp_path / "film.mp4").true_peak_dbtp < 0


def test_a_clip_that_overlaps_another_of_its_track_lies_on_top(tmp_path: Path, sources: dict[str, Path]) -> None:
    edit = _one(length=2)
    later = {"asset": {"type": "video", "src": BLUE}, "start": 1, "length": 2, "transition": {"in": "wipeRight"}}
    edit["timeline"]["tracks"][0]["clips"].insert(0, later)
    render(edit, sources, tmp_path / "film.mp4", work_dir=tmp_path)
    middle = frames_of(tmp_path / "film.mp4")[45, 200]
    assert middle[40, 2] > 200, "the wipe has come half way"
    assert middle[180, 0] > 200, "before it the first clip is seen"


def test_a_source_that_ends_early_holds_its_last_frame(tmp_path: Path, sources: dict[str, Path]) -> None:
    render(_one(length=5), sources, tmp_path / "film.mp4", work_dir=tmp_path)
    shown = frames_of(tmp_path / "film.mp4")
    assert len(shown) == 150
    assert shown[-1, 200, 100, 0] > 200


def test_a_source_without_sound_is_rendered(tmp_path: Path) -> None:
    silent = make_clip(tmp_path / "silent.mp4", sound=None)
    facts = render(_one(), {RED: silent}, tmp_path / "film.mp4", work_dir=tmp_path)
    assert (facts.audio_codec, facts.channels) == ("aac", 2)


@pytest.mark.parametrize(("fit", "shown_px"), [("crop", (216, 384)), ("contain", (216, 162)), ("none", (160, 120))])
def test_a_four_to_three_source_keeps_its_shape(tmp_path: Path, fit: str, shown_px: tuple[int, int]) -> None:
    wide = make_clip(tmp_path / "wide.mp4", picture="color=c=red", size="160x120")
    render(_one(fit=fit), {RED: wide}, tmp_path / "film.mp4", work_dir=tmp_path)
    red = frames_of(tmp_path / "film.mp4")[15, ..., 0] > 128
    assert np.flatnonzero(red.any(axis=0)).size == pytest.approx(shown_px[0], abs=2)
    assert np.flatnonzero(red.any(axis=1)).size == pytest.approx(shown_px[1], abs=2)


def test_position_offset_and_opacity(tmp_path: Path) -> None:
    small = make_clip(tmp_path / "small.mp4", picture="color=c=red", size="64x64")
    edit = _one(fit="none", position="bottomLeft", offset={"x": 0.25, "y": 0.25}, opacity=0.5)
    render(edit, {RED: small}, tmp_path / "film.mp4", work_dir=tmp_path)
    frame = frames_of(tmp_path / "film.mp4")[15].astype(int)
    rows, columns = np.nonzero(frame[..., 0] > 60)
    assert (columns.min(), rows.max() + 1) == (pytest.approx(54, abs=2), pytest.approx(384 - 96, abs=2))
    assert frame[270, 80, 0] == pytest.approx(127, abs=25)
    assert frame[270, 80, 1] == pytest.approx(127, abs=25)


def test_the_slow_zoom_grows_by_a_tenth(tmp_path: Path) -> None:
    boxes = "color=c=black,drawbox=x=60:y=130:w=60:h=60:c=white:t=fill"
    clip = tmp_path / "box.mp4"
    source = ["-f", "lavfi", "-i", boxes.replace("black", "black:s=180x320:r=30:d=2")]
    ffmpeg.write([*source, *ffmpeg.x264()], clip, timeout_s=20)
    render(_one(length=2, effect="zoomInSlow"), {RED: clip}, tmp_path / "film.mp4", work_dir=tmp_path)
    bright = frames_of(tmp_path / "film.mp4")[..., 1].astype(float)
    widths = bright[:, 192].sum(axis=1) / bright[:, 192].max(axis=1)
    assert widths[-1] / widths[0] == pytest.approx(1.1, abs=0.01)
    assert (np.diff(widths) > -0.25).all(), "it never jumps back"


CLIP = "timeline.tracks[0].clips[0]"


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (f"{CLIP}.filter", lambda edit: _first(edit).update(filter="sepia")),
        (f"{CLIP}.asset.prompt", lambda edit: _first(edit)["asset"].update(prompt="a moon")),
        (f"{CLIP}.asset.speed", lambda edit: _first(edit)["asset"].update(speed=0)),
        (f"{CLIP}.asset", lambda edit: _first(edit).update(asset={"type": "svg", "src": "<svg/>"})),
        (f"{CLIP}.start", lambda edit: _first(edit).update(start="alias://nobody")),
        (f"{CLIP}.start", lambda edit: _first(edit).update(start="alias://me", alias="me")),
        (f"{CLIP}.length", lambda edit: _first(edit).update(length=-1)),
        (f"{CLIP}.transition.in", lambda edit: _first(edit).update(transition={"in": "dissolve"})),
        (f"{CLIP}.asset.trim", lambda edit: _first(edit)["asset"].update(trim=60)),
        (f"{CLIP}.asset.src", lambda edit: _first(edit)["asset"].update(src="https://x.test/no")),
        (f"{CLIP}.asset.src", lambda edit: _first(edit)["asset"].pop("src")),
        ("timeline.soundtrack.src", lambda edit: edit["timeline"].update(soundtrack={"src": "https://x.test/a.mp3"})),
        ("output.destinations[0].provider", lambda edit: edit["output"].update(destinations=[{"provider": "vimeo"}])),
        ("output.format", lambda edit: edit["output"].update(format="webm")),
        ("output.fps", lambda edit: edit["output"].update(fps=31)),
        ("output.size", lambda edit: edit["output"].pop("size")),
        ("output.range.start", lambda edit: edit["output"].update(range={"start": 5})),
        ("shoes", lambda edit: edit.update(shoes=[])),
    ],
)
def test_what_it_cannot_render_is_refused_by_its_path(
    tmp_path: Path, sources: dict[str, Path], path: str, change: Any
) -> None:
    edit = _one()
    change(edit)
    with pytest.raises(UnprocessableInput) as refused:
        render(edit, sources, tmp_path / "film.mp4", work_dir=tmp_path)
    assert refused.value.detail["path"] == path
    assert path in refused.value.message
    assert list(tmp_path.iterdir()) == []


def _first(edit: dict[str, Any]) -> dict[str, Any]:
    clip: dict[str, Any] = edit["timeline"]["tracks"][0]["clips"][0]
    return clip


def test_a_broken_source_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing to see" * 50)
    with pytest.raises(MediaError, match=r"clips\[0\]\.asset\.src"):
        render(_one(), {RED: broken}, tmp_path / "film.mp4", work_dir=tmp_path)


def test_the_same_edit_gives_the_same_film_in_memory_that_was_used_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the workers, which save memory so. Without ffmpeg.ENVIRONMENT about one in ten is another film."""
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    sources = {}
    for seed, brief in enumerate(("a full moon over the sea", "a candle in the rain")):
        sources[brief] = tmp_path / f"{seed}.mp4"
        synthesise(brief, sources[brief], width_px=90, height_px=160, duration_s=2, fps=24, seed=seed)
    clips = [TemplateClip(src=source, duration_s=2, primary="moon", secondary="boat") for source in sources]
    edit = standard_edit(clips, width_px=1080, height_px=1920, fps=30)
    edit["output"]["size"] = {"width": 90, "height": 160}

    def film(number: int) -> bytes:
        target = tmp_path / f"film{number}.mp4"
        render(edit, sources, target, work_dir=tmp_path)
        return target.read_bytes()

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(film, range(60)))) == 1
