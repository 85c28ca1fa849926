"""The film of ``benchmarks.render`` as one would make it with MoviePy 2; ``python with_moviepy.py TASK.json``.

Runs in an environment of its own, so it knows nothing of ours: what to make stands in the task.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from moviepy import CompositeVideoClip, TextClip, VideoFileClip, afx, vfx  # type: ignore[import-not-found]

FADES = {"in": vfx.CrossFadeIn, "out": vfx.CrossFadeOut}
# TikTok's own buttons and caption.
CLEAR_BOTTOM_PX = 290


def main(task: dict[str, Any]) -> None:
    output = task["edit"]["output"]
    size = (output["size"]["width"], output["size"]["height"])
    layers = [
        layer(task, clip, size[1]) for track in reversed(task["edit"]["timeline"]["tracks"]) for clip in track["clips"]
    ]
    CompositeVideoClip(layers, size=size).write_videofile(
        task["target"],
        fps=output["fps"],
        codec="libx264",
        audio_codec="aac",
        temp_audiofile_path=str(Path(task["target"]).parent),
        ffmpeg_params=task["encoder"],
        logger=None,
    )


def layer(task: dict[str, Any], clip: dict[str, Any], height: int) -> Any:
    fades = [FADES[end](0.5 if word.endswith("Fast") else 1) for end, word in clip["transition"].items()]
    shown = film(task, clip) if clip["asset"]["type"] == "video" else text(task, clip, height)
    return shown.with_start(clip["start"]).with_effects(fades)


def film(task: dict[str, Any], clip: dict[str, Any]) -> Any:
    return VideoFileClip(task["clips"][clip["asset"]["src"]]).with_effects(
        [afx.AudioFadeIn(0.5), afx.AudioFadeOut(0.5)]
    )


def text(task: dict[str, Any], clip: dict[str, Any], height: int) -> Any:
    asset, box = clip["asset"], (clip["width"], clip["height"])
    letters = {"font": task["font"], "font_size": asset["font"]["size"], "color": "white"}
    drawn = TextClip(text=asset["text"], method="caption", size=box, **letters)
    return drawn.with_duration(clip["length"]).with_position(("center", height - clip["height"] - CLEAR_BOTTOM_PX))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
