"""Films that are broken in one way each, films that only look so, and the rule that has to notice."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from myloware.kernel.errors import MediaError
from providers.media import ffmpeg
from providers.media.preflight.check import Report, check
from providers.media.preflight.inspection import inspect
from providers.media.preflight.measures import Draft
from providers.media.preflight.rules import Rule, Rules, rules_of

Build = Callable[[Path, Path], None]

DRAFT = Draft(title="Moon", text="The moon. #moon", tags=("moon",), privacy="SELF_ONLY", ai_label=True)
# What is told of sizes and lengths is TikTok's, for films that are small enough to be made in no time.
SMALL = {"tiktok.frame.min": 90, "tiktok.frame.max": 400, "tiktok.duration.max": 8, "tiktok.size.max": 1.5}

# A peak of -13.3 dBFS on both channels, which is -14 LUFS.
TONE = "0.216*sin(2*PI*440*t)"
QUIET = f"({TONE})*if(between(t,2,5),0.003,1)"


def tiktok() -> Rules:
    known = rules_of("tiktok")
    assert known is not None
    return known.model_copy(update={"rules": tuple(map(_small, known.rules))})


def _small(rule: Rule) -> Rule:
    limit = SMALL.get(rule.id)
    bound = "min" if rule.id.endswith(".min") else "max"
    return rule.model_copy(update={bound: limit}) if limit else rule


def flown(film: Path) -> Report:
    every = rules_of("film")
    assert every is not None
    return check(inspect(film), DRAFT, [every, tiktok()])


# --- How films are made and broken


def shot(
    _: Path,
    target: Path,
    *,
    seconds: float = 4,
    size: str = "180x320",
    fps: int = 30,
    picture: str = "testsrc2",
    vf: str = "null",
    video: tuple[str, ...] = (),
    sound: str = TONE,
    heard_s: float = 0,
    audio: tuple[str, ...] = (),
) -> None:
    """A film from FFmpeg's own sources. ``video`` and ``audio`` come after our encoders' arguments, and win."""
    tone = f"aevalsrc='{sound}|{sound}':s=48000:d={heard_s or seconds}"
    seen = f"{picture}{':' if '=' in picture else '='}s={size}:r={fps}:d={seconds}"
    sources = ["-f", "lavfi", "-i", seen, "-f", "lavfi", "-i", tone]
    encoders = [*ffmpeg.x264(fps=fps), *video, *ffmpeg.aac(), *audio]
    ffmpeg.write([*sources, "-vf", vf, *encoders], target, timeout_s=60)


def copied(good: Path, target: Path, *, before: str = "", beside: tuple[str, ...] = (), after: str = "") -> None:
    """The good film with its streams as they are, packed otherwise."""
    args = [*before.split(), "-i", str(good), *beside, "-c", "copy", "-movflags", "+faststart", *after.split()]
    ffmpeg.write(args, target, timeout_s=60)


def doubled(good: Path, target: Path, *, args: str) -> None:
    """Made of the good film, given twice."""
    inputs = args.replace("GOOD", str(good)).split()
    ffmpeg.write([*inputs, "-c", "copy", "-movflags", "+faststart"], target, timeout_s=60)


def changed(good: Path, target: Path, *, change: Callable[[bytes], bytes]) -> None:
    target.write_bytes(change(good.read_bytes()))


def zeros(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(3000) + content[middle + 3000 :]


def noise(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + random.Random(1).randbytes(500) + content[middle + 500 :]


def subtitled(good: Path, target: Path) -> None:
    words = target.with_suffix(".srt")
    words.write_text("1\n00:00:00,000 --> 00:00:02,000\nHello\n")
    copied(good, target, beside=("-i", str(words), "-map", "0", "-map", "1"), after="-c:s mov_text")


def covered(good: Path, target: Path) -> None:
    """With a still picture for a player's list."""
    cover = target.with_suffix(".png")
    ffmpeg.write(["-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1"], cover, timeout_s=60)
    beside = ("-i", str(cover), "-map", "0", "-map", "1")
    copied(good, target, beside=beside, after="-disposition:v:1 attached_pic")


def cut_off_without_index(good: Path, target: Path) -> None:
    copied(good, target, after="-movflags 0")
    target.write_bytes(target.read_bytes()[:-9000])


def tags(transfer: str, matrix: str, primaries: str) -> tuple[str, ...]:
    named = f"sliced-threads=1:colorprim={primaries}:transfer={transfer}:colormatrix={matrix}"
    return ("-x264-params", named, "-colorspace", {"bt2020nc": "bt2020nc"}.get(matrix, "smpte170m"))


def black(start: float, end: float) -> str:
    return f"drawbox=color=black:t=fill:enable='between(t,{start},{end})'"


NAMED = "color_primaries=bt709:color_trc=bt709:colorspace=bt709"
FULL = ("-pix_fmt", "yuvj420p", "-color_range", "pc")
HEVC = ("-c:v", "libx265", "-x265-params", "log-level=none:colorprim=1:transfer=1:colormatrix=1")
SHIFTED = "-itsoffset 0.3 -i GOOD -i GOOD"
HELD = "trim=end=1.5,tpad=stop_mode=clone:stop_duration=2.5"
ZOOM = "trim=end_frame=1,loop=119:1,setpts=N/30/TB,zoompan=z='1+0.0006*on':d=1:s=180x320:fps=30"
# Colours and points that are not named are other ones in each run, whatever the seed (FFmpeg's "gradients").
TURNING = "gradients=speed=0.003:n=2:c0=0x804020:c1=0x205080:x0=20:y0=40:x1=160:y1=280"
LAMP = "color=c=0x605030:s=40x30[lamp];[in][lamp]overlay=x='20+10*t':y=40:shortest=1"
FROZEN = "split[a][b];[a][b]freezeframes=first=30:last=105:replace=30"
BURSTS = "0.19*sin(2*PI*440*t)+0.73*sin(2*PI*440*t)*lt(mod(t,1),0.012)"

BROKEN: dict[str, tuple[str, Build]] = {
    "nothing in it": ("film.plays", partial(changed, change=lambda _: b"")),
    "no film at all": ("film.plays", partial(changed, change=lambda _: b"Dear diary,\n" * 900)),
    "cut off in the middle": ("film.plays", partial(changed, change=lambda film: film[: len(film) * 6 // 10])),
    "cut off at the end": ("film.plays", partial(changed, change=lambda film: film[:-900])),
    "cut off, with the index behind": ("film.plays", cut_off_without_index),
    "zeros in the middle": ("film.plays", partial(changed, change=zeros)),
    "noise in the middle": ("film.plays", partial(changed, change=noise)),
    "sound alone": ("film.plays", partial(copied, after="-vn")),
    "QuickTime": ("film.container", partial(copied, after="-f mov")),
    "Matroska": ("film.container", partial(copied, after="-f matroska")),
    "in fragments": ("film.container", partial(shot, video=("-movflags", "+frag_keyframe+delay_moov"))),
    "index at the end": ("tiktok.faststart", partial(copied, after="-movflags 0")),
    "two sounds": ("film.streams", partial(copied, after="-map 0:v -map 0:a -map 0:a")),
    "subtitles": ("film.streams", subtitled),
    "a cover": ("film.streams", covered),
    "sound first": ("film.order", partial(copied, after="-map 0:a -map 0:v")),
    "MPEG-4 part 2": ("tiktok.codec", partial(shot, vf=f"setparams={NAMED}", video=("-c:v", "mpeg4"))),
    "ten bits": ("film.pixels", partial(shot, video=("-pix_fmt", "yuv420p10le"))),
    "4:4:4": ("film.pixels", partial(shot, video=("-pix_fmt", "yuv444p"))),
    "wide pixels": ("film.square_pixels", partial(shot, vf="setsar=4/3")),
    "lying on its side": ("film.upright", partial(copied, before="-display_rotation 90")),
    "12 frames a second": ("tiktok.fps.min", partial(shot, fps=12)),
    "90 frames a second": ("tiktok.fps.max", partial(shot, fps=90)),
    "frames that stutter": ("film.steady", partial(shot, vf="select='gte(mod(n+5,10),2)'", video=("-fps_mode", "vfr"))),
    "one frame missing": ("film.steady", partial(shot, vf="select='not(eq(n,50))'", video=("-fps_mode", "vfr"))),
    "a start cut away by an edit list": ("film.hidden", partial(copied, before="-ss 0.7")),
    "high dynamic range": ("film.hdr", partial(shot, video=tags("smpte2084", "bt2020nc", "bt2020"))),
    "the colours of SD": ("film.matrix", partial(shot, video=tags("smpte170m", "smpte170m", "smpte170m"))),
    "colours without names": ("film.tagged", partial(shot, video=("-x264-params", "sliced-threads=1"))),
    "full range": ("film.range", partial(shot, vf="scale=out_range=pc,format=yuvj420p", video=FULL)),
    "too small": ("tiktok.frame.min", partial(shot, size="64x112")),
    "too large": ("tiktok.frame.max", partial(shot, size="270x480")),
    "too short": ("tiktok.duration.min", partial(shot, seconds=2.5)),
    "too long": ("tiktok.duration.max", partial(shot, seconds=9)),
    "too heavy": ("tiktok.size.max", partial(shot, size="320x320", vf="noise=alls=80:allf=t")),
    "a black start": ("film.black.head", partial(shot, vf=black(0, 0.9))),
    "a black gap": ("film.black.inside", partial(shot, vf=black(1, 2.5))),
    "a black end": ("film.black.tail", partial(shot, vf=black(3.2, 4))),
    "a picture that stands still": ("film.frozen", partial(shot, vf=FROZEN)),
    "a last frame that is held": ("film.frozen", partial(shot, vf=HELD)),
    "no sound": ("film.sound.missing", partial(copied, after="-an")),
    "MP3": ("film.sound.codec", partial(shot, audio=("-c:a", "libmp3lame"))),
    "44.1 kHz": ("film.sound.rate", partial(shot, audio=("-ar", "44100"))),
    "mono": ("film.sound.channels", partial(shot, audio=("-ac", "1"))),
    "sound 0.3 s late": ("film.sound.offset", partial(doubled, args=f"{SHIFTED} -map 1:v -map 0:a")),
    "sound 0.3 s early": ("film.sound.offset", partial(doubled, args=f"{SHIFTED} -map 0:v -map 1:a")),
    "sound that ends early": ("film.sound.length", partial(shot, heard_s=3)),
    "sound that goes on": ("film.sound.length", partial(shot, heard_s=5)),
    "silence": ("film.sound.silent", partial(shot, sound="0")),
    "a gap in the sound": ("film.sound.pause", partial(shot, seconds=7, sound=f"1.05*({TONE})*not(between(t,1,5.5))")),
    "too loud": ("film.loudness", partial(shot, sound=f"2*({TONE})")),
    "too quiet": ("film.loudness", partial(shot, sound=f"0.3*({TONE})")),
    "peaks that clip": ("film.peak", partial(shot, sound=BURSTS)),
}

GOOD: dict[str, Build] = {
    "the shortest": partial(shot, seconds=3),
    "the longest": partial(shot, seconds=8),
    "24 frames a second": partial(shot, fps=24),
    "25 frames a second": partial(shot, fps=25),
    "60 frames a second": partial(shot, fps=60),
    "NTSC's 29.97": partial(shot, vf="fps=30000/1001"),
    "wide": partial(shot, size="320x180"),
    "square": partial(shot, size="240x240"),
    "HEVC": partial(shot, size="96x160", video=HEVC),
    "quiet passages": partial(shot, seconds=7, sound=QUIET),
    "three seconds of silence": partial(shot, seconds=6, sound=f"({TONE})*not(between(t,1.5,4.5))"),
    "dark, not black": partial(shot, vf="eq=brightness=-0.3:contrast=0.3"),
    "a night with a few lights": partial(shot, picture="color=c=0x101014", vf=LAMP),
    "almost still": partial(shot, picture=TURNING),
    "a slow zoom": partial(shot, picture="testsrc2", vf=ZOOM),
    "faded in and out": partial(shot, vf="fade=in:st=0:d=1,fade=out:st=3.5:d=0.5"),
}


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    film = tmp_path_factory.mktemp("films") / "good.mp4"
    shot(film, film)
    return film


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_found_by_its_own_rule_alone(good: Path, tmp_path: Path, name: str) -> None:
    rule, build = BROKEN[name]
    build(good, tmp_path / "film.mp4")
    assert [finding.rule for finding in flown(tmp_path / "film.mp4").findings] == [rule]


def test_a_film_that_is_not_there_is_nobodys_fault(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="is missing"):
        inspect(tmp_path / "film.mp4")


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_said_against_a_good_film(good: Path, tmp_path: Path, name: str) -> None:
    GOOD[name](good, tmp_path / "film.mp4")
    report = flown(tmp_path / "film.mp4")
    assert list(map(str, report.findings)) == []
    assert report.checks > 35
