"""The service's own example Edits, with stand-ins for their files: each becomes a film, or is refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from myloware.kernel.errors import UnprocessableInput
from providers.media import ffmpeg
from providers.media.edit import checked
from providers.media.material import urls
from providers.media.probe import probe
from providers.media.render import render
from tests.providers.media.media_files import make_clip

EXAMPLES = Path(__file__).parents[1] / "data" / "edits"
# Where they want the film copied to, and we copy nowhere.
REFUSED = {
    "nd-mux": r"output\.destinations\[1\]\.",
    "nd-s3": r"output\.destinations\[1\]\.",
}
# The stand-ins of videos last 30 s.
AUTO_S = {"nd-images-auto": 15.0, "nd-videos-auto": 90.0}
SIZES = {"sd": (1024, 576), "hd": (1280, 720), "preview": (512, 288)}


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("stand-ins")
    picture, sound = folder / "picture.png", folder / "sound.mp3"
    ffmpeg.write(["-f", "lavfi", "-i", "testsrc2=s=320x240", "-frames:v", "1"], picture, timeout_s=30)
    ffmpeg.write(["-f", "lavfi", "-i", "sine=f=330:d=4", "-c:a", "libmp3lame"], sound, timeout_s=30)
    clip = make_clip(folder / "clip.mp4", picture="testsrc2", size="160x90", fps=5, duration_s=30)
    return {"image": picture, "audio": sound, "video": clip, "luma": picture}


def example(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text())
    return loaded


def length_s(edit: dict[str, Any]) -> float:
    clips = [clip for track in edit["timeline"]["tracks"] for clip in track["clips"]]
    return max(float(clip["start"]) + float(clip["length"]) for clip in clips)


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.json")))
def test_an_example_is_rendered_or_refused(name: str, stand_ins: dict[str, Path], tmp_path: Path) -> None:
    edit = example(name)
    if name in REFUSED:
        with pytest.raises(UnprocessableInput, match=REFUSED[name]):
            checked(edit)
        return
    output = edit["output"]
    film = tmp_path / f"film.{output['format']}"
    render(edit, {url: stand_ins[kind(edit, path)] for path, url in urls(checked(edit))}, film, work_dir=tmp_path)
    facts = probe(film)
    size = output.get("size")
    assert (facts.width_px, facts.height_px) == (
        (size["width"], size["height"]) if size else SIZES[output["resolution"]]
    )
    if output["format"] != "jpg":
        fps = output.get("fps", 25)
        expected_s = AUTO_S.get(name) or length_s(merged_numbers(edit))
        assert facts.duration_s == pytest.approx(expected_s, abs=1 / fps + 0.001)
        # A GIF counts hundredths of a second.
        assert facts.fps == pytest.approx(fps, abs=0.6 if output["format"] == "gif" else 0.01)


def merged_numbers(edit: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(edit)
    for field in edit.get("merge", []):
        text = text.replace("{{ " + field["find"] + " }}", str(field["replace"]))
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def kind(edit: dict[str, Any], path: str) -> str:
    if path.startswith("timeline.soundtrack"):
        return "audio"
    track, clip = (int(part.split("]")[0]) for part in path.split("[")[1:3])
    return str(edit["timeline"]["tracks"][track]["clips"][clip]["asset"]["type"])


def test_at_most_two_examples_are_refused() -> None:
    assert len(REFUSED) <= 2
    assert len(list(EXAMPLES.glob("*.json"))) == 20
