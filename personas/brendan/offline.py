"""How the offline model plays Brendan."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from personas.studio.reading import things
from personas.studio.turn import Call, Say

from .persona import CLARIFY_FROM, PROPOSE_FROM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from personas.studio.turn import Answer, ChatTurn, Move

_RUNS = re.compile(
    r"(?i)\b(my|list|show|which)\b.*\b(runs|films|videos)\b"
    r"|^\W*status\W*$|\b(?:how|where)(?:'s| is| are)\b.*\b(?:my|the) (?:film|video|run)s?\b"
    r"|\b(?:why|when)\b.*\bmy (?:film|video|run)s?\b"
    r"|^\W*(?:my|the) (?:film|video|run)s? (?:has |have |is |are )?(?:failed|broken|stuck)\W*$"
)
_STATUS = re.compile(r"(?i)\b(?:status|progress|how is|where is)\b.*?(?:[0-9a-f]{8}-[0-9a-f-]{27,}|\b[0-9a-f]{32}\b)")
_LINK = re.compile(
    r"(?i)\bapproval link\b|\blink (?:to|for) (?:approv|decid|decision|my|the gate)"
    r"|^\s*(?:please\s+)?(?:approve|reject)\b(?!.*\bfilm about\b)"
    r"|^\W*(?:i approve|approved|lgtm|looks good(?: to me)?|ship it|go(?: ahead| on)?|start(?: it)?|do it)\W*$"
    r"|^\s*(?:please\s+)?(?:publish|post|release)\s+(?:it|this|that|them|now|everything|(?:the|my) (?:film|video)s?)\b"
)
_ID = re.compile(r"(?i)[0-9a-f]{8}-[0-9a-f-]{27,}|\b[0-9a-f]{32}\b")
_NEWS = re.compile(r"(?i)^\W*(?:\w+, )?(?:what(?:'s| has| is)? (?:happened|new)\b|any news\b)")
_STOP = re.compile(
    r"(?i)^\W*(?:please\s+)?(?:cancel|stop|abort|delete|remove|retry|restart)\b\W*"
    r"(?:$|(?:it|this|that|them|everything|all)\b|(?:my|the) (?:(?:last|latest|first) )?(?:film|video|run)s?\b)"
)
# About the world, about Brendan, or about what was said before: nothing to film.
_TALK = re.compile(
    r"(?i)^(?:\W*(?:hi|hello|hey|so|ok|okay|well|thanks|thank you|and|but|please)\b)*\W*"
    r"(?:(?:who|whose|what|when|where|which|why|how|is|are|do|does|did)\b"
    r"(?!.*\b(?:film|video|clip|reel|short)s?\b)[^?]*\?\s*$"
    r"|who (?:are|made) you\b|(?:make|do) (?:it|this|that)\b|another one\b"
    r"|(?:what can you|who am i|how (?:much|long) do(?:es)?|what(?:'s| is) your|it does(?: not|n't))\b"
    r"|(?:can you )?change (?:the|my) (?:title|caption|film|video)\b"
    r"|/?(?:there|help(?: me)?|login|undo|lol)\W*$)"
)
_MODIFIERS = re.compile(r"(?i)\bmodifiers?\s*:\s*(?P<names>[^.\n]+)")
_SURREAL = re.compile(r"(?i)\b(aismr|asmr|surreal)\b")
_NO_EDIT = re.compile(r"(?i)\b(simple|no editing|without editing)\b")
_SOUND = re.compile(r"(?i)(?:\b(?:with|and|plus)\s+)?(?:\ban?\s+)?\b(?:soundtrack|sound design|custom music)\b")
# At the end of a clause: a tea house in Japanese style is no wish for a language.
_LANGUAGE = re.compile(
    r"(?i)\bin (?P<name>English|German|French|Spanish|Italian|Polish|Dutch|Japanese)(?=\s*(?:[,.;:!?]|$))"
)
_MUST = re.compile(r"(?i)\bmust (?:have|show|include):? (?P<what>[^.;\n]+)")
_AVOID = re.compile(r"(?i)(?:^|(?<=[.,;\n]))\s*(?:please )?(?:avoid|no-gos?):? (?P<what>[^.;\n]+)")
_LENGTH = re.compile(r"(?i)\b(?:for )?(?P<length>(?:about |around |at most )?\d{1,3} seconds)(?: long)?\b")
# What stood behind words that were taken out.
_ORPHANED = re.compile(r"(?<=[.,;:!?]) [.,;:]+(?=\s|$)| +(?=[.,;:!?](?:\s|$))")

_HARM = re.compile(
    r"(?i)\b(gore|bloodbath|porn\w*|nude|naked|behead\w*|torture\w*|massacre|suicide|terror\w*|election)\b"
)

DECLINE = (
    "I cannot make that: this studio films nothing violent, explicit or political. "
    "A quiet thing doing something impossible, I can."
)
UNTOUCHED = (
    "I cannot stop or change a film, you can: at its gate (say 'approval link'), or with /cancel in Telegram. "
    "Say 'list my runs' to see your films."
)
QUESTION = (
    "I make short films. What should the film show? One sentence is enough: a thing, and what happens to it. "
    "For example: a paper boat crosses a puddle while it rains."
)


def play(turn: ChatTurn) -> Move:
    """Looks up runs when asked to, asks when nothing is named, else proposes."""
    kinds = ((_STATUS, _status), (_LINK, _link), (_STOP, _untouched), (_NEWS, _news), (_RUNS, _runs))
    for asked, answer in kinds:
        if asked.search(turn.message):
            return answer(turn)
    sure = _confidence(turn)
    if sure < CLARIFY_FROM:
        return Say(DECLINE)
    return Say(QUESTION) if sure < PROPOSE_FROM else _propose(turn)


def _status(turn: ChatTurn) -> Move:
    return _look_up(turn, "get_run_status", {"run_id": _ID.findall(turn.message)[0]})


def _untouched(_: ChatTurn) -> Move:
    return Say(UNTOUCHED)


def _news(turn: ChatTurn) -> Move:
    return Say(_news_text(turn))


def _runs(turn: ChatTurn) -> Move:
    return _look_up(turn, "list_my_runs", {})


def _confidence(turn: ChatTurn) -> float:
    """How sure the message lets one be: it names a thing, a thing and what happens to it, or nothing to film."""
    if _HARM.search(turn.message):
        return 0.2
    named = things(_brief(turn.message))
    if not named or (_TALK.match(turn.message) and not turn.project):
        return 0.75 if turn.project else 0.55
    return 0.95 if any(thing.detail or thing.other for thing in named) else 0.85


def _look_up(turn: ChatTurn, tool: str, args: dict[str, Any]) -> Move:
    if turn.pending(tool, attempts=1):
        return Call(tool, args)
    answer = turn.answer(tool)
    if answer is None:
        return Say("I could not find that among your films. Say 'list my runs' to see them.")
    return Say(_runs_text(answer) if tool == "list_my_runs" else _run_text(answer.data))


def _link(turn: ChatTurn) -> Move:
    """The link to the named film's gate, or that of the latest film which waits."""
    named = _ID.search(turn.message)
    if not named and turn.pending("list_my_runs", attempts=1):
        return Call("list_my_runs", {})
    listed = turn.answer("list_my_runs")
    waiting = [run["run_id"] for run in (listed.data.get("runs") or ()) if run["status"] == "waiting"] if listed else []
    run_id = named[0] if named else next(iter(waiting), "")
    if run_id and turn.pending("request_hitl_link", attempts=1):
        return Call("request_hitl_link", {"run_id": run_id})
    link = turn.answer("request_hitl_link")
    if link is None or not link.data:
        return Say("There is no link: none of your films by that name waits for you. Say 'list my runs' to see them.")
    return Say(f"I cannot decide, you can, at the gate '{link.data['gate']}': {link.data['approve_url']}")


def _news_text(turn: ChatTurn) -> str:
    if not turn.news:
        return "Nothing has happened to your films lately."
    return "\n".join(["This happened lately:", *(f"- {_told(news)}" for news in turn.news)])


def _told(news: Mapping[str, Any]) -> str:
    gate = f" at {news['gate']}" if news.get("gate") else ""
    by = f" by {news['by']}" if news.get("by") else ""
    said = f": {news['said']}" if news.get("said") else ""
    return f"'{news.get('title')}': {str(news.get('event')).replace('_', ' ')}{gate}{by}{said}"


def _runs_text(answer: Answer) -> str:
    runs = answer.data.get("runs") or []
    if not runs:
        return "You have no films yet. Tell me what the first one should show."
    return "\n".join(["Your latest films:", *(f"- {_run_text(run)}" for run in runs)])


def _run_text(run: dict[str, Any]) -> str:
    step = f", at {run['step']}" if run.get("step") else ""
    title = f" '{run['title']}'" if run.get("title") else ""
    return f"{run.get('run_id')}{title} ({run.get('project')}): {run.get('status')}{step}"


def _propose(turn: ChatTurn) -> Move:
    if turn.pending("list_projects", attempts=1) and not turn.project:
        return Call("list_projects", {})
    if turn.pending("propose_run"):
        return Call("propose_run", _proposal(turn))
    proposal = turn.answer("propose_run")
    if proposal is None:
        return Say(f"I could not propose that: {_refusal(turn)} Would you put it another way?")
    return Say(_proposal_text(turn, proposal.data))


def _proposal(turn: ChatTurn) -> dict[str, Any]:
    project = _project(turn)
    args: dict[str, Any] = {
        "confidence": _confidence(turn),
        "complexity": "simple" if _NO_EDIT.search(turn.message) else "usual",
        "project": project,
        "prompt": _brief(turn.message)[:400],
    }
    modifiers = _MODIFIERS.search(turn.message)
    if modifiers:
        args["modifiers"] = [name.strip() for name in modifiers["names"].split(",") if name.strip()]
    named = things(_brief(turn.message))
    if project == "aismr" and named:
        args["object"] = named[0].subject.lower()
    # A plan without the edit, or with somebody the project does not know, is refused: then the usual crew is asked for.
    args |= _requirements(turn.message)
    return args if _refused(turn) else args | _wishes(turn.message)


def _requirements(message: str) -> dict[str, Any]:
    """What the message asks of the film beyond what it shows."""
    language, length = _LANGUAGE.search(message), _LENGTH.search(message)
    must, avoid = _MUST.search(message), _AVOID.search(message)
    return {
        **({"language": language["name"]} if language else {}),
        **({"must_have": _listed(must["what"])} if must else {}),
        **({"avoid": _listed(avoid["what"])} if avoid else {}),
        **({"length": length["length"]} if length else {}),
    }


def _listed(words: str) -> list[str]:
    return [part.strip()[:160] for part in re.split(r",|\band\b", words) if part.strip()][:8]


def _wishes(message: str) -> dict[str, Any]:
    """Whom the message wants left out of the crew, and added to it."""
    skipped = {"skip_steps": ["alex"]} if _NO_EDIT.search(message) else {}
    return skipped | ({"optional_personas": ["morgan"]} if _SOUND.search(message) else {})


def _project(turn: ChatTurn) -> str:
    if turn.project:
        return turn.project
    listed = turn.answer("list_projects")
    slugs = [str(project["slug"]) for project in (listed.data.get("projects") or [])] if listed else []
    named = [slug for slug in slugs if slug in turn.message.lower() or slug.replace("_", " ") in turn.message.lower()]
    wanted = named[0] if named else "aismr" if _SURREAL.search(turn.message) else "test_video_gen"
    return wanted if wanted in slugs or not slugs else slugs[0]


def _refused(turn: ChatTurn) -> bool:
    return any(answer.name == "propose_run" and not answer.ok for answer in turn.answers)


def _refusal(turn: ChatTurn) -> str:
    said = [answer.content for answer in turn.answers if answer.name == "propose_run"]
    return said[-1].partition(": ")[2] or said[-1] if said else "it names nothing to film."


def _proposal_text(turn: ChatTurn, proposal: dict[str, Any]) -> str:
    plan = " -> ".join(str(step) for step in proposal.get("plan") or ())
    lines = [f"Here is my plan for '{_brief(turn.message)}':", plan]
    if proposal.get("requirements"):
        lines.append(f"You also asked for: {_requirements_text(proposal['requirements'])}.")
    if _refused(turn):
        lines.append(_kept(turn.message))
    lines.append(f"Nothing starts before you approve it: {proposal.get('approve_url', '')}")
    return "\n".join(filter(None, lines)).strip()


def _requirements_text(said: Mapping[str, Any]) -> str:
    words = {key: ", ".join(value) if isinstance(value, list) else value for key, value in said.items()}
    return "; ".join(f"{key.replace('_', ' ')} {value}" for key, value in words.items())


def _kept(message: str) -> str:
    """What became of a wish that was refused."""
    if _SOUND.search(message):
        return "This kind of film has no sound designer: it keeps the sound of its clips, and the usual crew."
    return "I kept every step of the crew: without them there would be no film to publish."


def _brief(message: str) -> str:
    """The message without modifiers and requirements, which travel separately, and without orders about the crew."""
    text = message
    for travels_separately in (_MODIFIERS, _NO_EDIT, _SOUND, _LANGUAGE, _AVOID, _LENGTH):
        text = travels_separately.sub(" ", text)
    return _ORPHANED.sub("", " ".join(text.split())).strip(" ,;:-")
