"""The offline model's vocabulary: what things look and sound like, and how a camera moves. Data, no logic.

The words are concrete on purpose: a video model, the local one included, can only film what a prompt names.
"""

from __future__ import annotations

from dataclasses import dataclass


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True)
class Theme:
    """A family of subjects (``words``) with the places, lights and sounds that suit it."""

    words: str
    places: tuple[str, ...]
    lights: tuple[str, ...]
    palette: str
    sounds: tuple[str, ...]


THEMES: tuple[Theme, ...] = (
    Theme(
        words="moon star stars night galaxy space planet comet astronaut rocket eclipse owl dream sleep midnight",
        places=(
            "above a sleeping valley of pines",
            "over still black water",
            "behind thin drifting cloud",
            "low over a snow-covered roof",
        ),
        lights=("silver moonlight with deep shadows", "blue hour haze", "cool starlight and a violet rim"),
        palette="midnight blue, silver and bone white",
        sounds=("a low night hum and far wind", "crickets under a soft drone", "a single owl and moving air"),
    ),
    Theme(
        words="sun sunrise sunset summer desert sand dune lion camel noon cactus pickle horizon",
        places=(
            "over dunes of rippled sand",
            "at the edge of a shimmering plain",
            "behind a ridge of warm stone",
            "above a field of dry grass",
        ),
        lights=("golden hour glow", "hard amber sunlight with long shadows", "a burning orange dusk"),
        palette="amber, burnt orange and cream",
        sounds=("dry wind and hissing sand", "heat hum and insects", "slow wind over grains of sand"),
    ),
    Theme(
        words="fire flame candle ember lantern campfire dragon forge volcano lava torch match kitchen bread coffee",
        places=(
            "on a worn oak table",
            "in a dark workshop full of sparks",
            "on cooling volcanic stone",
            "in the niche of an old wall",
        ),
        lights=("warm candlelight", "molten orange light from below", "golden firelight against near black"),
        palette="ember red, gold and soot",
        sounds=("a close crackle and a sigh of air", "embers ticking as they cool", "a soft roar and small sparks"),
    ),
    Theme(
        words="water ocean sea wave rain river lake boat fish whale lighthouse storm harbour puddle pool frog duck",
        places=(
            "on a rain-dark sea",
            "at the rim of a clear tide pool",
            "in a puddle that mirrors the sky",
            "beneath a small waterfall",
        ),
        lights=("teal light through moving water", "soft grey storm light", "moonlight broken by ripples"),
        palette="teal, slate and foam white",
        sounds=("rain on water and slow drips", "waves folding onto pebbles", "a trickling stream close by"),
    ),
    Theme(
        words="ice snow frost winter glacier penguin fox wolf mountain sled crystal diamond glass mirror skate",
        places=(
            "on a frozen lake",
            "inside a hollow of blue ice",
            "at the foot of a white mountain",
            "on a window laced with frost",
        ),
        lights=("icy blue daylight", "cold dawn light with a rose edge", "a green aurora overhead"),
        palette="glacier blue, white and pale rose",
        sounds=("ice cracking deep below", "snow crunching and thin wind", "crystal chimes and cold air"),
    ),
    Theme(
        words="flower petal garden forest tree leaf moss bee butterfly bird mushroom bear rabbit hedgehog deer",
        places=(
            "in a forest clearing deep in moss",
            "among tall meadow grass",
            "in a glasshouse full of ferns",
            "under a blossoming cherry tree",
        ),
        lights=("soft morning light through leaves", "green shade with golden flecks", "pastel light after rain"),
        palette="moss green, blossom pink and honey",
        sounds=("rustling leaves and one bird", "bees and a mild breeze", "dripping leaves after rain"),
    ),
    Theme(
        words="city street car train robot neon computer machine bicycle taxi skyscraper arcade future elevator subway",
        places=(
            "on a wet street between towers",
            "in an empty arcade at midnight",
            "on a rooftop above the traffic",
            "at the last stop of a night train",
        ),
        lights=("neon magenta and cyan on wet asphalt", "cold fluorescent light", "blue hour with electric signs"),
        palette="neon magenta, cyan and black",
        sounds=("a transformer hum and far traffic", "rain on metal and a passing train", "relays clicking"),
    ),
    Theme(
        words="honey cheese cake chocolate cheeseburger soap bubble milk tea pancake egg fruit cat dog teapot",
        places=(
            "on a marble counter",
            "on a table set for nobody",
            "in a shallow porcelain bowl",
            "on a tray of polished brass",
        ),
        lights=("warm honey light", "soft window light from the left", "peach light and one hard highlight"),
        palette="honey, peach and porcelain white",
        sounds=("thick liquid pouring", "bubbles bursting one by one", "a spoon tapping porcelain"),
    ),
)

CHANGES: tuple[tuple[str, str], ...] = (
    ("melting", "slowly melting, long drops running down its sides"),
    ("levitating", "levitating a hand's width above the ground, turning a little"),
    ("frozen", "frozen in mid-motion while frost creeps over it"),
    ("neon", "outlined in thin neon light that flickers and holds"),
    ("crystal", "turning to crystal, facet by facet"),
    ("molten", "glowing molten from within"),
    ("liquid", "rippling as if it were liquid"),
    ("swirling", "swirling apart into fine strands and closing again"),
    ("breathing", "breathing, slowly and audibly"),
    ("rain-soaked", "soaked by rain that falls upwards"),
    ("petal-covered", "shedding petals that never reach the ground"),
    ("star-lit", "filled with drifting starlight"),
)

MOVES: tuple[str, ...] = (
    "slow push-in",
    "quarter-circle orbit",
    "lateral pan from left to right",
    "slow crane rise",
    "pull-back reveal",
    "gentle zoom",
    "low tracking slide",
    "tilt from the ground upwards",
    "drifting orbit to the right",
)

SHOTS: tuple[str, ...] = (
    "close-up",
    "low-angle shot",
    "medium shot",
    "extreme close-up",
    "eye-level shot",
    "wide shot",
)

MACRO_SHOTS: tuple[str, ...] = (
    "extreme close-up",
    "macro from directly above",
    "side-on macro",
    "tight macro at eye level",
)


@dataclass(frozen=True)
class Modifier:
    """An impossible modifier of an object. ``image`` names the material first and holds ``{object}`` once."""

    name: str
    image: str
    touch: str
    light: str
    sound: str
    whisper: str


MODIFIERS: tuple[Modifier, ...] = (
    Modifier(
        "melting glass",
        "melting glass sags into the shape of a {object}, clear drops stretching and never breaking",
        "a fingertip draws a groove that heals itself",
        "a violet light refracted through its edges",
        "glass singing, thick slow drips",
        "softer",
    ),
    Modifier(
        "levitating petals",
        "hundreds of levitating petals hold the outline of a {object} and breathe with the air",
        "a hand passes through and the petals close behind it",
        "rose light from one side",
        "petals rustling, a small breeze",
        "rise",
    ),
    Modifier(
        "rain inside",
        "rain falls without end inside a hollow {object}, filling it to a line that never moves",
        "two fingers tap the outside and the drops answer",
        "grey moonlight behind it",
        "rain in a small space, single drips",
        "listen",
    ),
    Modifier(
        "frozen flame",
        "a frozen flame stands solid as the {object}, frost smoking from its tip",
        "a nail scrapes a curl of frost from it",
        "icy blue light with an orange heart",
        "ice cracking, a faint crackle",
        "cold",
    ),
    Modifier(
        "galaxy core",
        "a slow galaxy turns where the core of the {object} should be, dust spilling over the rim",
        "a fingertip stirs it and the stars follow",
        "starlight from within",
        "a deep hum, tiny chimes",
        "closer",
    ),
    Modifier(
        "poured honey",
        "honey pours upwards and settles as a {object}, folding into ribbons",
        "a knife lifts one ribbon and lets it fall back up",
        "warm golden backlight",
        "thick honey pouring, a wet click",
        "slower",
    ),
    Modifier(
        "molten gold",
        "molten metal the colour of gold beads and runs together into a {object} without heat",
        "a thumb presses a print that shines and closes",
        "ember light from below",
        "a low rumble, metal ticking",
        "warm",
    ),
    Modifier(
        "soap skin",
        "a soap film wraps a {object} of air, colours sliding over it",
        "one finger enters and the bubble does not burst",
        "pastel window light",
        "bubbles popping far away, a wet squeak",
        "hold",
    ),
    Modifier(
        "sand muscles",
        "dry sand flexes under the surface of a {object} as if it had muscles",
        "a hand presses and the grains push back",
        "amber side light with long shadows",
        "grains of sand sifting, a soft crunch",
        "again",
    ),
    Modifier(
        "crystal growth",
        "crystal needles grow out of a {object} and fold back in with every breath",
        "a fingertip plays along the points",
        "ice-white light split into colours",
        "crystal chimes, tiny cracks",
        "bright",
    ),
    Modifier(
        "snow breath",
        "snow drifts out of a {object} and settles on nothing",
        "a palm catches flakes that stay whole",
        "cold dawn light",
        "snow crunching, thin wind",
        "breathe",
    ),
    Modifier(
        "ocean within",
        "an ocean the size of a cup heaves inside a {object}, waves breaking on its walls",
        "a finger slows a wave and lets it go",
        "turquoise light from below",
        "waves and shore foam, close",
        "deeper",
    ),
    Modifier(
        "cloud filling",
        "a cloud fills a split {object} and bulges from the seam",
        "two fingers pull a tuft of cloud that snaps back",
        "peach dusk light",
        "slow wind, a cottony tear",
        "lighter",
    ),
    Modifier(
        "stone silk",
        "silk drapes as a {object} and turns out to be cut stone, the folds still swaying",
        "a knuckle knocks on a fold",
        "jade light from the left",
        "stone tapping, silk dragged over it",
        "still",
    ),
    Modifier(
        "neon veins",
        "a translucent {object} carries neon veins that pulse at walking pace",
        "a fingertip stops one pulse and feels it pass",
        "electric magenta and cyan in the dark",
        "an electric hum, soft clicks",
        "awake",
    ),
    Modifier(
        "moss heartbeat",
        "forest moss covers a {object} and beats like a heart",
        "a palm rests on it and rises with each beat",
        "mossy green shade with golden flecks",
        "leaves rustling, a dull pulse",
        "alive",
    ),
    Modifier(
        "mirror water",
        "water stands upright as a {object}, a mirror on every side",
        "a fingertip touches and rings travel up the surface",
        "silver light, one moving highlight",
        "droplets, a stream under the floor",
        "look",
    ),
    Modifier(
        "smoke lace",
        "smoke knits itself into a {object} of lace and stays",
        "a nail plucks one thread and it rings",
        "a single amber beam",
        "thread drawn over paper, one long exhale",
        "stay",
    ),
    Modifier(
        "weightless feathers",
        "feathers without weight pack into a floating {object} that sinks only when looked at",
        "a breath sends one feather up and it drifts back",
        "soft silver light from above",
        "feathers brushing, a long breath",
        "float",
    ),
    Modifier(
        "liquid porcelain",
        "porcelain runs like milk over a {object} and sets with a painted pattern already on it",
        "a fingertip lifts the skin before it hardens",
        "cool porcelain white light",
        "a glaze ticking, one bell tone",
        "gently",
    ),
)

# What is left when the archive has used up the others: any of these stuffs doing any of these things. No two of a
# name's neighbours are as near as the projects' guardrail forbids (tests/personas/test_originality.py).
STUFFS = _words(
    "velvet marble copper smoke moss porcelain wax chalk feather pearl amber linen clay bark coral ink "
    "slate sugar wool paper brass cork resin salt straw "
)
ACTS = _words(
    "breathing boiling blooming knitting whispering bouncing dripping folding glowing hatching humming "
    "peeling shivering sleeping spinning swimming unravelling yawning singing flickering stretching "
    "blinking marching drifting "
)
TOUCHES = (
    "a fingertip rests on it and it answers",
    "two fingers press it and it gives way",
    "a palm hovers above it and it leans closer",
    "a nail taps it once and it goes on",
)
GLOWS = ("one soft lamp from the left", "grey window light", "a warm glow from below", "cool light from behind")
RUSTLES = ("dry rustling, close", "a soft crackle", "slow wet clicks", "a low hum and small taps")

COMPOSED: tuple[Modifier, ...] = tuple(
    Modifier(
        name=f"{act} {stuff}",
        image=f"{stuff} in the shape of a {{object}} keeps {act}, slowly and without a cause",
        touch=TOUCHES[(row + column) % len(TOUCHES)],
        light=GLOWS[(row + column // 2) % len(GLOWS)],
        sound=RUSTLES[(row + column // 3) % len(RUSTLES)],
        whisper=stuff,
    )
    for row, act in enumerate(ACTS)
    for column, stuff in enumerate(STUFFS)
)

# The modifier's light gives the one accent.
SURREAL_PALETTE = "near black and bone white, with the light as the only accent"

# For a surreal film whose brief names no object.
OBJECTS: tuple[str, ...] = ("candle", "apple", "teacup", "key", "pear", "pebble", "feather", "lantern")
