"""The offline model: seeded, different for different briefs, inside the guardrails."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from personas.base import StageBrief
from personas.config import CrewSettings
from personas.llm import chat_model
from personas.ports import Hit
from personas.studio.model import StudioChatModel

from .world import GUIDE, Library, brief, spec_of, work

BRIEFS = (
    "A fox made of stars runs through a frozen forest; a candle that rains",
    "A neon city at night, rain on glass",
    "My grandmother's teapot becomes a whale",
    "A hedgehog bakes bread in a tiny kitchen and a moth reads the recipe",
)


def film(prompt: str, project: str = "test_video_gen", seed: int = 1, **told: Any) -> dict[str, dict[str, Any]]:
    """What each persona wrote for one brief."""
    given = {"prompt": prompt, **told}
    ideas = work(brief("iggy", project, input=given, seed=seed)).output
    materials = {"ideas": ideas["ideas"]}
    clips = work(brief("riley", project, input=given, seed=seed, materials=materials)).output
    draft = work(brief("quinn", project, input=given, seed=seed, materials=materials)).output
    return {"iggy": ideas, "riley": clips, "quinn": draft}


def prompts(made: dict[str, dict[str, Any]]) -> list[str]:
    return [clip["prompt"] for clip in made["riley"]["clips"]]


def test_the_same_brief_and_seed_give_the_same_text() -> None:
    assert film(BRIEFS[0]) == film(BRIEFS[0])


def test_ids_do_not_change_the_text() -> None:
    assert work(brief("iggy", run_id="a", step_id="b")).output == work(brief("iggy", run_id="c", step_id="d")).output


def test_another_seed_gives_another_film() -> None:
    assert prompts(film(BRIEFS[0], seed=1)) != prompts(film(BRIEFS[0], seed=2))


def test_different_briefs_differ_in_ideas_prompts_and_captions() -> None:
    films = [film(text) for text in BRIEFS]
    for one, other in itertools.combinations(films, 2):
        assert not {idea["concept"] for idea in one["iggy"]["ideas"]} & {
            idea["concept"] for idea in other["iggy"]["ideas"]
        }
        assert not set(prompts(one)) & set(prompts(other))
        assert one["quinn"]["caption"] != other["quinn"]["caption"]
        assert one["quinn"]["tags"] != other["quinn"]["tags"]


def test_the_film_shows_what_the_brief_names() -> None:
    fox, candle = prompts(film(BRIEFS[0]))
    assert "a fox made of stars runs through a frozen forest" in fox.lower()
    assert "a candle that rains" in candle.lower()
    assert "aurora" in fox or "ice" in fox.lower() or "frost" in fox.lower()


def test_a_brief_that_names_nothing_gets_the_projects_own_subjects() -> None:
    ideas = film("test video please")["iggy"]["ideas"]
    assert [(idea["subject"], idea["header"]) for idea in ideas] == [("moon", "cheeseburger"), ("sun", "pickle")]


def test_what_something_is_said_to_be_becomes_its_header() -> None:
    ideas = film("the moon is a disco ball and the sun is a pancake")["iggy"]["ideas"]
    assert [idea["header"] for idea in ideas] == ["disco ball", "pancake"]


@pytest.mark.parametrize("prompt", BRIEFS)
def test_every_rule_enforced_in_the_prompt_is_in_every_prompt(prompt: str) -> None:
    for text in prompts(film(prompt)):
        assert "One unbroken take of 8 seconds." in text
        assert "No on-screen text" in text
        assert "Vertical 9:16 frame" in text


@pytest.mark.parametrize("item", ["candle", "teacup", "golden key", "grandfather clock"])
def test_surreal_films_vary_one_object_in_twelve_ways(item: str) -> None:
    made = film(f"surreal ASMR of a {item}", "aismr", object=item, modifiers=["rain inside", "made of regret"])
    ideas = made["iggy"]["ideas"]
    assert {idea["subject"] for idea in ideas} == {item}
    assert [idea["header"] for idea in ideas[:2]] == ["rain inside", "made of regret"]
    assert len({idea["header"] for idea in ideas}) == 12
    texts = prompts(made)
    assert len(set(texts)) == 12
    for text in texts:
        assert "macro take of 8 seconds" in text
        assert text.count("whispered word") == 1
        assert "At 3.0 s" in text
        assert "At most two hands" in text
        assert "no music" in text
        assert item in text


@pytest.mark.parametrize("project", ["test_video_gen", "aismr"])
def test_a_project_of_twenty_clips_still_gets_twenty_different_ones(project: str) -> None:
    specs = {**spec_of(project)["specs"], "videoCount": 20}
    given = {"prompt": "a flame"}
    ideas = work(brief("iggy", project, input=given, specs=specs)).output["ideas"]
    clips = work(brief("riley", project, input=given, specs=specs, materials={"ideas": ideas})).output["clips"]
    assert len({idea["header"] for idea in ideas}) == len({clip["prompt"] for clip in clips}) == 20


def test_the_sound_follows_what_each_clip_shows() -> None:
    shown = ("A bowl of honey pours slowly into milk.", "Boots crunch over snow and gravel in a cold wind.")
    clips = [{"index": index, "prompt": text, "url": "u", "duration_s": 8} for index, text in enumerate(shown)]
    ideas = [{"index": index, "subject": "thing", "header": "slow"} for index in (0, 1)]
    specs = {**spec_of("aismr")["specs"], "videoCount": 2}
    cues = work(brief("morgan", "aismr", specs=specs, materials={"clips": clips, "ideas": ideas})).output["cues"]
    honey, snow = ([cue["kind"] for cue in cues if cue["clip"] == index] for index in (0, 1))
    assert "pour" in honey
    assert {"wind", "crunch"} <= set(snow)


def test_captions_carry_their_marks_and_no_hashtags() -> None:
    test_caption = film(BRIEFS[2])["quinn"]["caption"]
    assert "A test film." in test_caption
    assert "Made with AI." in test_caption
    surreal = film("surreal candle", "aismr", object="candle")["quinn"]
    assert "Made with AI" in surreal["caption"]
    assert "#" not in surreal["caption"]
    assert {"asmr", "candle"} <= set(surreal["tags"])


def test_text_depends_on_what_the_knowledge_base_says() -> None:
    neon = Hit(
        document="d", path="n.md", chunk_id="n", score=0.5, snippet="Magenta fluorescent electric traffic. #afterdark"
    )
    plain = work(brief("quinn", input={"prompt": BRIEFS[3]})).output
    read = work(brief("quinn", input={"prompt": BRIEFS[3]}), knowledge=Library(neon)).output
    assert "afterdark" in read["tags"]
    assert "nightshift" in plain["tags"]


def test_a_reviewers_note_changes_the_ideas() -> None:
    first = work(brief("iggy")).output
    again = work(brief("iggy", notes="Everything molten, please.")).output
    assert again["ideas"] != first["ideas"]
    assert "molten" in again["ideas"][0]["concept"]
    assert "molten" in again["ideas"][0]["rationale"]


class TestConfidence:
    def confidence(self, stage: StageBrief, *hits: Hit) -> float:
        return float(work(stage, knowledge=Library(*hits)).output["confidence"])

    def test_it_rises_with_what_the_brief_names(self) -> None:
        named = self.confidence(brief("iggy", "aismr", input={"prompt": "a candle"}), GUIDE)
        vague = self.confidence(brief("iggy", "aismr", input={"prompt": "surreal video"}), GUIDE)
        assert named > 0.65 > vague

    def test_it_rises_with_what_the_knowledge_base_covers(self) -> None:
        weak = GUIDE.model_copy(update={"score": 0.1})
        values = [self.confidence(brief("iggy"), *hits) for hits in ((), (weak,), (GUIDE,))]
        assert values == sorted(set(values))

    def test_an_editor_is_not_sure_of_a_film_with_a_missing_clip(self) -> None:
        clips = [{"index": index, "url": f"u{index}", "duration_s": 8} for index in (0, 1)]
        whole = work(brief("alex", materials={"clips": clips})).output
        gap = work(brief("alex", materials={"clips": clips[:1]})).output
        assert (whole["duration_s"], whole["confidence"]) == (14.5, 0.95)
        assert gap["confidence"] < 0.5

    def test_a_film_of_twelve_clips_has_the_projects_length(self) -> None:
        clips = [{"index": index, "url": "u", "duration_s": 8} for index in range(12)]
        assert work(brief("alex", "aismr", materials={"clips": clips})).output["duration_s"] == 79.5


class TestChatModel:
    def test_studio_is_the_default_and_takes_the_seed(self) -> None:
        model = chat_model(CrewSettings(), seed=7)
        assert isinstance(model, StudioChatModel)
        assert model.seed == 7

    def test_any_other_id_goes_to_the_vendors_client_with_our_limits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key")
        model = chat_model(CrewSettings(llm_model="openai:gpt-5.5", llm_timeout_s=33), seed=1)
        assert (vars(model)["request_timeout"], vars(model)["max_retries"]) == (33, 2)

    def test_it_streams_word_by_word_what_it_says_at_once(self) -> None:
        chunks = [chunk.text for chunk in StudioChatModel(seed=1).stream("hi") if chunk.text]
        assert len(chunks) > 5
        assert "What should the film show?" in "".join(chunks)
        assert "".join(chunks) == StudioChatModel(seed=1).invoke("hi").text


def test_the_project_files_ask_only_for_what_the_offline_model_fills_in() -> None:
    for project in ("test_video_gen", "aismr"):
        texts = prompts(film("surreal candle in the rain", project))
        assert len(texts) == spec_of(project)["specs"]["videoCount"]
        assert not [text for text in texts if "{" in text or "}" in text]
