"""From the words of a prompt to what is seen and heard: scene, palette, treatment, particles, camera and sounds.

Words are looked up in the tables below. The first subject in the prompt gives the scene; what the tables do not know
is chosen by a hash of prompt and seed, so that every prompt gets a picture and equal prompts get equal pictures.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from providers.media import scenes
from providers.media.canvas import Palette, Stage

PALETTES = {
    palette.name: palette
    for palette in (
        Palette("moonlight", ("03060F", "0D1B38", "31507F", "93AFD0", "F4F7FF"), "9CC4FF"),
        Palette("golden", ("120703", "4A1E0B", "B05A18", "F2A63B", "FFF0C4"), "FFC35A"),
        Palette("ember", ("080203", "3A0A0C", "A3250F", "F57A1F", "FFE7A3"), "FF5A1E"),
        Palette("ocean", ("020B14", "06304A", "0B7285", "5CC8C8", "EEFFFA"), "7FF0E0"),
        Palette("forest", ("040A08", "12332A", "3B7355", "A7C59A", "FBF6DC"), "FFD98A"),
        Palette("rose", ("14060D", "571A37", "B84A6F", "F3A5AE", "FFF1EA"), "FFB98C"),
        Palette("violet", ("07040F", "2A1355", "6B3BB0", "C08AEE", "FBEFFF"), "FF8AD8"),
        Palette("neon", ("05030F", "1B0B4B", "C0168C", "17C3E6", "E9FFFE"), "FF2FA0"),
        Palette("ice", ("041018", "184258", "5E9DB8", "BFE4EE", "FFFFFF"), "A8F0FF"),
        Palette("honey", ("150800", "5B2A00", "C4730A", "F9BE3D", "FFF6D6"), "FFDD7A"),
        Palette("dusk", ("0A0718", "352353", "9A4A78", "F29A76", "FFE9C9"), "FFB36B"),
        Palette("sand", ("1C110B", "5A3A26", "B07E52", "E5BE8D", "FFF4DF"), "FFD08A"),
        Palette("jade", ("03100C", "0B3D33", "1F8F70", "8EDDB2", "F4FFEF"), "D8FF9A"),
        Palette("silver", ("08090B", "2A2D33", "6B7078", "B9BDC3", "FFFFFF"), "DCE6F2"),
        Palette("aurora", ("02060F", "0A2540", "11866F", "63E6A6", "F0FFF4"), "8F6BFF"),
        Palette("cocoa", ("0B0503", "2C140A", "6B3518", "B9794A", "F6DDBE"), "E9A66A"),
        Palette("peach", ("1A0B10", "6B2E3B", "D9776B", "FFC29B", "FFF7EC"), "FFE08A"),
    )
}

# scene -> (class, palettes that suit it, its sounds)
SCENES: Mapping[str, tuple[Callable[[Stage], scenes.Scene], tuple[str, ...], tuple[str, ...]]] = {
    "moon": (scenes.Moon, ("moonlight", "silver", "violet"), ("night", "drone")),
    "sun": (scenes.Sun, ("ember", "golden", "honey"), ("drone", "crackle")),
    "candle": (scenes.Candle, ("golden", "honey", "dusk"), ("crackle", "room")),
    "fire": (scenes.Fire, ("ember", "golden"), ("crackle", "wind")),
    "ocean": (scenes.Ocean, ("ocean", "dusk", "moonlight"), ("waves", "wind")),
    "ripples": (scenes.Ripples, ("ocean", "jade", "moonlight"), ("drips", "stream")),
    "glass": (scenes.Glass, ("violet", "ocean", "peach"), ("chimes", "drone")),
    "crystal": (scenes.Crystal, ("ice", "violet", "ocean"), ("chimes", "ice")),
    "flower": (scenes.Flower, ("rose", "peach", "violet"), ("breeze", "chimes")),
    "forest": (scenes.Forest, ("forest", "dusk", "jade"), ("breeze", "birds")),
    "clouds": (scenes.Clouds, ("dusk", "peach", "moonlight"), ("wind", "drone")),
    "liquid": (scenes.Liquid, ("honey", "rose", "silver"), ("bubbles", "stream")),
    "lava": (scenes.Lava, ("ember", "golden"), ("rumble", "crackle")),
    "bubbles": (scenes.Bubbles, ("violet", "ocean", "peach"), ("bubbles", "breeze")),
    "dunes": (scenes.Dunes, ("sand", "golden", "dusk"), ("grains", "wind")),
    "stones": (scenes.Stones, ("sand", "silver", "jade"), ("taps", "grains")),
    "galaxy": (scenes.Galaxy, ("violet", "moonlight", "rose"), ("drone", "chimes")),
    "silk": (scenes.Silk, ("rose", "jade", "peach"), ("breeze", "room")),
    "aurora": (scenes.Aurora, ("aurora", "neon", "ice"), ("wind", "drone")),
    "bokeh": (scenes.Bokeh, ("neon", "dusk", "golden"), ("rain", "room")),
    "ink": (scenes.Ink, ("ice", "rose", "moonlight"), ("bubbles", "room")),
    "mountains": (scenes.Mountains, ("ice", "moonlight", "peach"), ("wind", "night")),
}
ABSTRACT = ("silk", "liquid", "glass", "ink", "bubbles", "crystal", "flower", "stones", "aurora")

SUBJECTS = {
    "moon": "moon lunar planet eclipse crater",
    "sun": "sun solar sunrise sunburst",
    "candle": "candle candles wax wick lantern lamp",
    "fire": "fire flame flames campfire bonfire fireplace burning torch",
    "ocean": "ocean sea beach wave waves tide shore coast sailing horizon sunset",
    "ripples": "water rain raindrop raindrops droplet drop pond puddle lake pool river fountain tea coffee",
    "glass": "glass orb orbs lens marble marbles mirror bottle vase window bowl jar",
    "crystal": "crystal crystals diamond gem gems quartz amethyst ice iceberg glacier icicle geode emerald ruby jewel",
    "flower": "flower flowers petal petals rose lotus tulip blossom bloom lily orchid daisy peony garden",
    "forest": "forest tree trees woods woodland pine jungle leaf leaves meadow fern moss",
    "clouds": "cloud clouds sky mist fog steam heaven",
    "liquid": "honey syrup caramel chocolate slime gel cream butter cheese mercury oil paint liquid jelly cheeseburger",
    "lava": "lava volcano magma coal embers",
    "bubbles": "bubble bubbles soap foam champagne soda",
    "dunes": "sand desert dune dunes hourglass sahara",
    "stones": "stone stones rock rocks pebble pebbles zen egg eggs pickle fruit apple pear orange lemon",
    "galaxy": "galaxy star stars space cosmos nebula universe cosmic planetarium starlight",
    "silk": "silk fabric cloth velvet ribbon curtain feather feathers hair book pillow",
    "aurora": "aurora borealis",
    "bokeh": "city street bokeh traffic club signs skyline",
    "ink": "ink smoke milk incense watercolor watercolour perfume",
    "mountains": "mountain mountains snow alps snowfall winter peak blizzard snowflake",
}
LIGHTS = {
    "golden": "golden gold sunlit amber sunlight sunset brass",
    "moonlight": "moonlight moonlit midnight",
    "neon": "neon cyberpunk electric fluorescent",
    "dusk": "dusk twilight evening dawn",
    "cocoa": "chocolate cocoa coffee wooden espresso",
    "ember": "molten lava fiery crimson red burning",
    "ice": "frozen icy frost frosted winter cold arctic",
    "honey": "honey warm candlelight cosy cozy caramel",
    "violet": "violet purple lavender mystical dreamy ultraviolet amethyst",
    "rose": "rose pink blush romantic",
    "peach": "pastel peach orange",
    "jade": "jade green mint emerald mossy",
    "ocean": "turquoise teal underwater aquatic",
    "silver": "silver chrome metallic monochrome mercury porcelain steel",
    "aurora": "aurora iridescent holographic opal",
    "moonlight ": "blue hour",
}
TREATMENTS = {
    "melt": "melting melt dripping drip molten liquefying dissolving",
    "wobble": "liquid jelly wobbling underwater flowing gel rippling breathing bouncing",
    "facets": "crystal crystalline shattered shattering broken prism origami faceted cracked",
    "frost": "frozen frost frosted icy ice glacial",
    "float": "levitating levitate floating weightless hovering suspended",
    "swirl": "swirling spiral spiralling twisted twisting vortex whirling unraveling",
    "mirror": "mirror mirrored reflected reflection symmetrical kaleidoscope",
    "glass": "glass transparent translucent glassy see-through",
}
PARTICLES = {
    "rain": "rain raindrops raining rainy drizzle storm",
    "petals": "petal petals blossom blossoms leaves confetti feathers",
    "snow": "snow snowfall snowflakes blizzard snowing frozen",
    "sparks": "sparks embers fire burning molten ember lava",
    "dust": "dust pollen glitter stardust sparkle sparkling dusty fireflies starlight stars magical",
    "bubbles": "bubbles bubbling fizzing underwater foam soda",
}
CAMERAS = {
    "push": "push push-in dolly zoom zooming closer close-up macro",
    "pull": "pull pull-back reveal wide zoom-out",
    "pan": "pan panning tracking slide lateral truck",
    "orbit": "orbit orbiting rotate rotating arc circling spinning",
    "rise": "crane rise rising tilt pedestal ascending overhead",
}
SOUNDS = {
    "rain": "rain raining drizzle storm",
    "drips": "drip dripping droplet droplets drop",
    "waves": "waves ocean sea shore",
    "crackle": "crackle crackling fire sizzle flame burning ember sparks",
    "chimes": "chime chimes bell bells tinkling crystal glass singing",
    "wind": "wind windy gust storm",
    "breeze": "breeze rustle rustling leaves petals silk",
    "ice": "ice frozen cracking shattering",
    "bubbles": "bubbles bubbling fizz fizzing soap",
    "taps": "tap tapping stone knock wood click",
    "grains": "sand grains scratching brushing crunch crunching snow",
    "birds": "birds forest morning",
    "stream": "stream river brook trickle pouring flowing",
    "rumble": "rumble deep volcano lava thunder",
    "drone": "hum humming drone space cosmic ambient",
    "whisper": "whisper whispered whispers whispering",
}
# Scenes which are what the treatment would make of them.
ALREADY = frozenset(
    {("crystal", "facets"), ("glass", "glass"), ("liquid", "wobble"), ("lava", "melt"), ("fire", "melt")}
)
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


@dataclass(frozen=True)
class Direction:
    """What one clip shows and how it sounds."""

    scene: str
    palette: Palette
    treatments: tuple[str, ...]
    particles: str | None
    camera: str
    sounds: tuple[str, ...]
    seed: int

    def stage_scene(self, stage: Stage) -> scenes.Scene:
        """The scene set up on ``stage``."""
        return SCENES[self.scene][0](stage)


def direct(prompt: str, seed: int) -> Direction:
    """Reads the prompt. Equal arguments give an equal direction."""
    words = _WORD.findall(prompt.lower())
    number = int.from_bytes(hashlib.sha256(f"{seed}:{prompt}".encode()).digest()[:8], "big")
    scene = _first(SUBJECTS, words) or _pick(ABSTRACT, number)
    _, palettes, sounds = SCENES[scene]
    light = _first(LIGHTS, words)
    treatments = tuple(name for name in _all(TREATMENTS, words) if (scene, name) not in ALREADY)[:2]
    heard = _all(SOUNDS, words)[:3]
    return Direction(
        scene=scene,
        palette=PALETTES[light.strip()] if light else PALETTES[_pick(palettes, number >> 8)],
        treatments=treatments,
        particles=_first(PARTICLES, words) or ("rain" if scene == "ripples" else None),
        camera=_first(CAMERAS, words) or _pick(tuple(CAMERAS), number >> 16),
        sounds=tuple(dict.fromkeys((*heard, *sounds)))[:4],
        seed=number,
    )


def _pick(choices: tuple[str, ...], number: int) -> str:
    return choices[number % len(choices)]


def _all(table: Mapping[str, str], words: list[str]) -> list[str]:
    """Names of the entries met, in the order of the words."""
    known = {word: name for name, entries in table.items() for word in entries.split()}
    return list(dict.fromkeys(known[word] for word in words if word in known))


def _first(table: Mapping[str, str], words: list[str]) -> str | None:
    return next(iter(_all(table, words)), None)
