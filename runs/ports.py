"""What the crew's tools reach: the personas' ports, implemented on our rows, providers and knowledge base."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from knowledge.likeness import alike
from knowledge.search import search
from myloware.kernel.cues import Scene
from myloware.kernel.errors import Conflict, InvalidInput, Misconfigured
from personas.ports import ClipRequest, CutClip, Hit, PublishRequest, RenderRequest
from providers.shotstack.template import Style, TemplateClip, standard_edit

from . import jobs, preflight, services, store
from .ideas import handed_over
from .models import Artifact, ProviderJob, Step
from .schemas import PublishDraft, RunOptions, Specs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from myloware.kernel.cues import Cue
    from providers.media.sounddesign import Design


# Of an Edit's output. Stills are made of the finished film; ``mute`` and ``range`` would leave things out of it.
FREE_OUTPUT = frozenset({"quality"})


class Library:
    """The ``Knowledge`` port."""

    def search(self, queries: Sequence[str], *, k: int, project: str | None, persona: str | None) -> list[Hit]:
        hits = search(queries, k=k, project=project, persona=persona)
        return [
            Hit(
                document=str(hit.document),
                path=hit.path,
                heading=hit.heading,
                chunk_id=str(hit.chunk_id),
                score=hit.score,
                snippet=hit.snippet,
            )
            for hit in hits
        ]

    def alike(self, texts: Sequence[str], known: Sequence[str], *, limit: float) -> list[tuple[str, str, float]]:
        return alike(texts, known, limit=limit)


class Desk:
    """The ``Production`` port of one stage. Orders are keyed by (step, kind, index): a repeated call is one order."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.run = step.run
        self.specs: Specs = step.run.payload.specs
        self.options: RunOptions = step.run.payload.options

    def submit_clips(self, call_id: str, videos: Sequence[ClipRequest]) -> dict[str, Any]:
        """Orders one clip per planned video; raises ``InvalidInput`` unless every index is there exactly once."""
        wanted = list(range(self.specs.video_count))
        if sorted(video.index for video in videos) != wanted:
            raise InvalidInput(f"Send exactly one video for each index {wanted[0]}..{wanted[-1]}.")
        ordered = sorted(videos, key=lambda video: video.index)
        jobs.order(self.step, "clips", [self._clip_order(video) for video in ordered])
        jobs.submit_ready(self.run.id, "clips")
        return self.clips_state()

    def _clip_order(self, video: ClipRequest) -> dict[str, Any]:
        # The project's numbers win over the model's: a film of another shape than the approved one is nobody's wish.
        return {
            "prompt": video.prompt,
            "aspect_ratio": self.options.aspect_ratio or self.specs.aspect_ratio,
            "duration_s": self.options.duration or int(self.specs.video_duration_s),
            "resolution": "1080p" if self.options.quality == "1080p" else "720p",
            "model": self.options.clip_model,
            "seed": 10_000 + (self.options.seed * 101 + video.index) % 90_000,
        }

    def clips_state(self) -> dict[str, Any]:
        """Where each clip stands. Nothing waits here: the run parks after the stage until all have come."""
        clips = [
            {"index": job.index, "status": str(job.status), "error": job.error}
            for job in services.current_jobs(self.run, "clips")
        ]
        return {"clips": clips, "note": "The run waits for the clips by itself; finish your work now."}

    def render(self, call_id: str, request: RenderRequest) -> dict[str, Any]:
        """Orders the one render of this stage: the standard template, or a timeline that shows every clip."""
        clips = self._template_clips()
        edit = self._standard(clips, request)
        if request.timeline:
            edit["timeline"] = _own(request, clips)
        edit["output"] |= _chosen(request.output or {}, edit["output"])
        (job,) = jobs.order(self.step, "render", [{"edit": edit}])
        jobs.submit_ready(self.run.id, "render")
        job.refresh_from_db()
        return {"job": str(job.id), "status": str(job.status), "error": job.error, "clips": len(clips)}

    def _standard(self, clips: Sequence[TemplateClip], request: RenderRequest) -> dict[str, Any]:
        size = self.specs.resolution
        style = Style(self.specs.look, self.specs.motion, request.overlay_style)
        arranged = clips if request.clips is None else _arranged(clips, request.clips)
        return standard_edit(arranged, width_px=size.width, height_px=size.height, fps=size.fps, style=style)

    def _template_clips(self) -> list[TemplateClip]:
        clips = clip_artifacts(self.step)
        if len(clips) != self.specs.video_count:
            raise Conflict(f"{len(clips)} of {self.specs.video_count} clips are there; the film cannot be cut yet.")
        ideas = {idea["index"]: idea for idea in outputs(self.step).get("iggy", {}).get("ideas", [])}
        return [
            TemplateClip(
                src=clip.media_url,
                duration_s=clip.metadata["duration_s"],
                primary=ideas.get(index, {}).get("header") or clip.metadata["prompt"],
                secondary=ideas.get(index, {}).get("subject", ""),
            )
            for index, clip in enumerate(clips)
        ]

    def design_sound(self, call_id: str, cues: Sequence[Cue]) -> dict[str, Any]:
        """Makes the film anew from the newest render, with ``cues`` under its sound; once per tool call."""
        done = self.step.artifacts.filter(type="sound.design", metadata__call_id=call_id).first()
        if done is None:
            done = self._design(call_id, cues, self._rendered_film())
        return {key: done.metadata[key] for key in ("duration_s", "loudness_lufs", "cues")}

    def _rendered_film(self) -> Artifact:
        # Not the run's newest: a mix that is done again must not lie on top of the first.
        renders = services.current_jobs(self.run, "render").values("step")
        film = self.run.artifacts.filter(type="ffmpeg.normalized", step__in=renders).last()
        if film is None:
            raise Conflict("There is no finished film to lay sound under.")
        return film

    def _design(self, call_id: str, cues: Sequence[Cue], film: Artifact) -> Artifact:
        # Only a worker that mixes sound loads what it takes.
        from providers.media.sounddesign import design

        with store.workspace() as folder, store.local(film.path) as source:
            target = folder / "film.mp4"
            made = design(source, cues, target, scenes=self._scenes())
            stored = store.keep(target)
        with transaction.atomic():
            services.hold(self.step)
            paper = services.record_artifact(
                run=self.run, step=self.step, type="sound.design", metadata=_paper(call_id, film, made)
            )
            services.record_artifact(
                run=self.run,
                step=self.step,
                type="ffmpeg.normalized",
                path=stored.path,
                checksum=stored.checksum,
                metadata=asdict(made.normalised),
            )
        return paper

    def _scenes(self) -> list[Scene]:
        """Where the edit that was rendered shows each clip."""
        shown = list(_edit_clips(services.current_jobs(self.run, "render")))
        word_s = (self.specs.model_extra or {}).get("whisperTiming")
        return [_scene(clip.path, shown, word_s) for clip in clip_artifacts(self.step)]

    def draft_publish(self, call_id: str, draft: PublishRequest) -> dict[str, Any]:
        """Writes the publish intent. Nothing is sent before a person has approved exactly this draft.

        ``findings`` is what the pre-flight says against the text; called again, the new text counts.
        """
        film = self.run.artifacts.filter(type="ffmpeg.normalized").last()
        if film is None:
            raise Conflict("There is no finished film to publish.")
        request = self._draft(draft, film).model_dump(mode="json")
        facts = preflight.measure(self.run, film)
        jobs.order(self.step, "publish", [request])
        report = preflight.report_of(self.run, request, facts)
        services.record_artifact(run=self.run, step=self.step, type="publish.draft", metadata=request)
        services.record_artifact(run=self.run, step=self.step, **preflight.paper(film.checksum, facts, report))
        return {
            "status": "drafted",
            "note": "A person approves the draft before it is sent.",
            "findings": [f"{finding}. {finding.fix}" for finding in report.findings if finding.in_text],
            **request,
        }

    def _draft(self, draft: PublishRequest, film: Artifact) -> PublishDraft:
        social = self.run.project.primary_social()
        if social is None:
            raise Misconfigured(
                f"Project '{self.run.project.slug}' has no primary social account; map one in the admin under Projects."
            )
        tags = [tag.lstrip("#") for tag in [*draft.tags, *social.default_tags]]
        return PublishDraft(
            title=draft.title[:200],
            caption=draft.caption or social.default_caption,
            tags=tuple(dict.fromkeys(tags))[:30],
            platform=social.provider,
            account=social.account_id,
            privacy=social.privacy,
            film=film.checksum,
        )


def _own(request: RenderRequest, clips: Sequence[TemplateClip]) -> dict[str, Any]:
    timeline = request.timeline or {}
    if request.clips is not None:
        raise InvalidInput("Give clips for the template, or a timeline of your own; not both.")
    missing = [clip.src for clip in clips if clip.src not in str(timeline)]
    if missing:
        raise InvalidInput(f"The timeline leaves out {len(missing)} clips; show every generated clip once.")
    return timeline


def _arranged(clips: Sequence[TemplateClip], wanted: Sequence[CutClip]) -> list[TemplateClip]:
    if sorted(clip.index for clip in wanted) != list(range(len(clips))):
        raise InvalidInput(f"Name each clip 0..{len(clips) - 1} exactly once, in the order of the film.")
    return [_texted(clips[clip.index], clip) for clip in wanted]


def _texted(clip: TemplateClip, wanted: CutClip) -> TemplateClip:
    header = clip.primary if wanted.header is None else wanted.header
    subject = clip.secondary if wanted.subject is None else wanted.subject
    return replace(clip, primary=header, secondary=subject)


def _chosen(wanted: dict[str, Any], fixed: dict[str, Any]) -> dict[str, Any]:
    """What a model may choose of the output. The film's size, fps and format were approved with the plan."""
    others = {name: value for name, value in wanted.items() if fixed.get(name) != value}
    refused = sorted(set(others) - FREE_OUTPUT)
    if refused:
        raise InvalidInput(
            f"The project decides {', '.join(refused)} of the output; leave that out. "
            f"Yours to choose: {', '.join(sorted(FREE_OUTPUT))}."
        )
    return others


def clip_artifacts(step: Step) -> list[Artifact]:
    """The finished clips of the newest order, by index."""
    ordered = [job.step_id for job in services.current_jobs(step.run, "clips")[:1]]
    clips = step.run.artifacts.filter(type="kieai.clip", step_id__in=ordered)
    newest = {clip.metadata["index"]: clip for clip in clips.order_by("created_at")}
    return [newest[index] for index in sorted(newest)]


def _edit_clips(renders: Sequence[ProviderJob]) -> Iterator[dict[str, Any]]:
    """Every clip of the rendered edits that shows a file."""
    for job in renders:
        for track in job.request["edit"]["timeline"]["tracks"]:
            yield from (clip for clip in track["clips"] if "src" in clip["asset"])


def _scene(path: str, shown: Sequence[dict[str, Any]], word_s: float | None) -> Scene:
    place = next((clip for clip in shown if str(clip["asset"]["src"]).endswith(path)), {})
    start_s, length_s = place.get("start"), place.get("length")
    # Shotstack also takes "auto" and "end", and works out the seconds itself.
    if not isinstance(start_s, int | float) or not isinstance(length_s, int | float):
        raise Conflict("The edit does not say when its clips begin and end; render the standard template.")
    return Scene(float(start_s), float(length_s), word_s)


def _paper(call_id: str, film: Artifact, made: Design) -> dict[str, Any]:
    """Evidence of a sound design: the cues as laid, and the loudness before and after. Levels are in LU and dB."""
    return {
        "call_id": call_id,
        "film": film.checksum,
        "film_lufs": made.film_lufs,
        "loudness_lufs": made.normalised.loudness.integrated_lufs,
        "duration_s": made.normalised.probe.duration_s,
        "cues": [asdict(placed) for placed in made.placed],
    }


def outputs(step: Step) -> dict[str, dict[str, Any]]:
    """What the stages before this one handed over, the newest of each persona, ideas as people have approved them."""
    return handed_over(step.run.steps.filter(position__lt=step.position))


def film_url(step: Step) -> str:
    film = step.run.artifacts.filter(type="ffmpeg.normalized").last()
    return f"{settings.PUBLIC_BASE_URL}/media/{film.path}" if film else ""
