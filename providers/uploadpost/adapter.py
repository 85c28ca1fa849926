"""upload-post: publishes to TikTok and others. https://docs.upload-post.com/"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myloware.kernel.errors import ProviderRefused
from myloware.kernel.signing import same
from providers.answers import Answer, page, read
from providers.base import (
    Account,
    Checkup,
    Event,
    PublishOrder,
    Report,
    SignatureStatus,
    State,
    Submission,
    with_hashtags,
)
from providers.callbacks import age_status, body_json, identifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import httpx

    from providers.http import Client

# Of the words for the state of an upload those that are final; any other means that it goes on.
ENDED = frozenset({"completed", "failed"})
NOT_FOUND = 404
IN_DRAFTS = (
    "it was put into the account's drafts; delete the draft before a retry, or publish it there and cancel the run"
)
# The service's codes, in words.
REASONS = {
    "profile_platform_mapping_invalid": "no account of it is connected to the profile; connect one in the dashboard of "
    "upload-post"
}
# What an account allows changes when its owner changes it.
FRESH_S = 300


class Row(Answer):
    """One platform's outcome. ``fallback_to_inbox``: it lies in TikTok's drafts, nobody can see it."""

    platform: str = ""
    success: bool = False
    message: str | None = None
    error: str | None = None
    post_url: str | None = None
    url: str | None = None
    skipped: bool = False
    skip_reason: str | None = None
    error_code: str | None = None
    fallback_to_inbox: bool = False

    @property
    def fault(self) -> str:
        """Why this is not a published post; empty when it is one."""
        if self.success and not self.skipped and not self.fallback_to_inbox:
            return ""
        said = self.skip_reason or self.error_code or self.error or self.message or "nobody said why"
        reason = IN_DRAFTS if self.fallback_to_inbox else REASONS.get(said, said)
        return f"it is not public on {self.platform}: {reason}"


class Upload(Answer):
    """The state of an upload."""

    status: str = ""
    results: tuple[Row, ...] | None = None


class Post(Answer):
    """A line of the history."""

    request_id: str | None = None
    post_url: str | None = None


class History(Answer):
    """What was published, newest first."""

    history: tuple[Post, ...] | None = None


class TikTokSettings(Answer):
    """What a TikTok account allows; an empty list is one that nobody told."""

    privacy_level_options: tuple[str, ...] = ()
    max_video_post_duration_sec: int | None = None


class Profile(Answer):
    """A profile and what is connected to it: an account by platform, or ""."""

    username: str
    social_accounts: dict[str, dict[str, Any] | str | None] = {}


class UploadPostAdapter:
    """Publishes and reads the outcome."""

    name = "upload-post"
    # Idempotency-Key is honoured for 24 hours.
    idempotent = True

    def __init__(self, client: Client, *, signing_secret: str) -> None:
        self._client = client
        self._secret = signing_secret

    def estimate(self, request: Mapping[str, Any]) -> int:
        """Nothing: the service is paid by the month."""
        return 0

    def submit(self, order: PublishOrder, *, key: str, callback_url: str | None) -> Submission:
        """Sends the film with our own request id and idempotency key, so that a repeat posts nothing twice.

        Raises ``ProviderRefused`` without sending it when the TikTok account does not allow such a post.
        """
        if order.platform == "tiktok":
            self._check_tiktok(order)
        answer = body_json(self._upload(order, {"Idempotency-Key": key}).content)
        return Submission(identifier(answer.get("request_id")) or order.request_id, answer)

    def _upload(self, order: PublishOrder, headers: dict[str, str]) -> httpx.Response:
        if isinstance(order.video, str):
            fields = {**_fields(order), "video": order.video}
            return self._client.post("/upload", data=fields, headers=headers, idempotent=True)
        with order.video.open("rb") as video:
            files = {"video": (f"{order.request_id}.mp4", video, "video/mp4")}
            # The file is a stream that is read once: a lost answer is looked up by its id, not sent again.
            return self._client.post("/upload", data=_fields(order), files=files, headers=headers)

    def _check_tiktok(self, order: PublishOrder) -> None:
        """TikTok wants to be asked before each post what the account may do."""
        answer = self._client.remembered("/uploadposts/tiktok/settings", fresh_s=FRESH_S, profile=order.profile)
        allowed = read(TikTokSettings, body_json(answer), who=self.name)
        levels = allowed.privacy_level_options
        if levels and order.privacy not in levels:
            raise ProviderRefused(
                f"TikTok does not allow '{order.profile}' the privacy {order.privacy}, only {', '.join(levels)}."
            )
        limit_s = allowed.max_video_post_duration_sec
        if limit_s and isinstance(order.video, Path) and _duration_s(order.video) > limit_s:
            raise ProviderRefused(f"The TikTok account of '{order.profile}' takes films of {limit_s} s at most.")

    def status(self, external_id: str) -> Report:
        answer = self._status(external_id) or {}
        upload = read(Upload, answer, who=self.name)
        # Nothing may be known of an upload just after it, rows may say too early that they succeeded, and one that was
        # silent for an hour is called failed without any.
        if upload.status not in ENDED or not upload.results:
            return Report(State.ACCEPTED, raw=answer)
        faults = [row.fault for row in upload.results if row.fault]
        if faults:
            return Report(State.FAILED, error="; ".join(faults), raw=answer)
        pages = [page(row.post_url) or page(row.url) or self._page(external_id, row.platform) for row in upload.results]
        if not all(pages):
            # It is out, but its public URL is not known yet.
            return Report(State.ACCEPTED, raw=answer)
        return Report(State.SUCCEEDED, page_urls=tuple(pages), cost_microusd=0, raw=answer)

    def _page(self, request_id: str, platform: str) -> str:
        """The post's public URL from the history, the best documented place of it; empty when it is not there."""
        answer = body_json(self._client.get("/uploadposts/history", page=1, limit=50, platform=platform).content)
        posts = read(History, answer, who=self.name).history or ()
        urls = (page(post.post_url) for post in posts if post.request_id == request_id)
        return next(filter(None, urls), "")

    def checkup(self, accounts: Sequence[Account], webhook: str) -> Checkup:
        """The plan, whether each account is connected, and whether the service tells us when an upload is done."""
        plan = body_json(self._client.get("/uploadposts/me").content).get("plan") or "unknown"
        found = [read(Profile, each, who=self.name) for each in self._listed("/uploadposts/users", "profiles")]
        profiles = {profile.username: profile for profile in found}
        faults = [fault for account in accounts if (fault := _not_ready(account, profiles))]
        answer = body_json(self._client.get("/uploadposts/users/notifications").content)
        # Where in the answer it stands is not documented.
        within = answer.get("notifications")
        told = within if isinstance(within, dict) else answer
        if str(told.get("webhook_url") or "").rstrip("/") != webhook.rstrip("/"):
            faults.append(f"The webhook is not set to {webhook}: set it in the service's notification settings.")
        return Checkup((f"Plan {plan}; profiles: {', '.join(sorted(profiles)) or 'none'}.",), tuple(faults))

    def _listed(self, path: str, key: str) -> list[Any]:
        found = body_json(self._client.get(path).content).get(key)
        return found if isinstance(found, list) else []

    def find(self, key: str) -> Submission | None:
        answer = self._status(key)
        return None if answer is None else Submission(key, answer)

    def _status(self, request_id: str) -> dict[str, Any] | None:
        """What the service says of an upload; None when it knows of none."""
        try:
            answer = body_json(self._client.get("/uploadposts/status", request_id=request_id).content)
        except ProviderRefused as error:
            if error.detail.get("status") == NOT_FOUND:
                return None
            raise
        return None if answer.get("status") == "not_found" else answer

    def verify(
        self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str], now: datetime
    ) -> SignatureStatus:
        """``sha256=`` + hex HMAC-SHA256(secret, timestamp + "." + raw body)."""
        given = headers.get("x-upload-post-signature", "")
        stamp = headers.get("x-upload-post-timestamp", "")
        if not given or not stamp:
            return SignatureStatus.MISSING
        if not same(given, sign(body, stamp, secret=self._secret)):
            return SignatureStatus.REJECTED
        return age_status(stamp, now)

    def event(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Event:
        """Which of its ids an event names is not documented; its profile and platform stand in each."""
        content = body_json(body)
        ids = (identifier(content.get(key)) for key in ("job_id", "request_id", "external_id"))
        # The id of the delivery is not signed; the body is, and no two events have the same.
        key = f"upload-post:{hashlib.sha256(body).hexdigest()}"
        return Event(key, tuple(filter(None, ids)), account=_account(content))


def sign(body: bytes, stamp: str, *, secret: str) -> str:
    mac = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={mac.hexdigest()}"


def _account(content: Mapping[str, Any]) -> Account | None:
    """Where the upload of an event went; None when it does not say so."""
    profile, platform = content.get("profile_username"), content.get("platform")
    return Account(str(profile), str(platform)) if profile and platform else None


def _not_ready(account: Account, profiles: Mapping[str, Profile]) -> str:
    """Why nothing can be published there; empty when it can."""
    profile = profiles.get(account.profile)
    if profile is None:
        return f"There is no profile '{account.profile}': make it in the service's dashboard, or mend the project."
    connected = profile.social_accounts.get(account.platform)
    if not isinstance(connected, dict):
        return f"Profile '{account.profile}' has no {account.platform} account: connect it in the service's dashboard."
    if connected.get("reauth_required"):
        return f"The {account.platform} account of '{account.profile}' has to be connected anew."
    return ""


def _fields(order: PublishOrder) -> dict[str, Any]:
    caption = with_hashtags(order.caption, order.tags)
    shared = {
        "user": order.profile,
        "platform[]": [order.platform],
        # TikTok and Instagram show the title as the caption; YouTube has both.
        "title": caption if order.platform != "youtube" else order.title,
        "async_upload": "true",
        "request_id": order.request_id,
        "external_id": order.request_id,
    }
    return shared | _platform_fields(order, caption)


def _platform_fields(order: PublishOrder, caption: str) -> dict[str, Any]:
    made_by_ai = "true" if order.is_aigc else "false"
    if order.platform == "tiktok":
        # In the drafts nobody sees it, so a refusal to publish must be a failure.
        return {
            "privacy_level": order.privacy,
            "post_mode": "DIRECT_POST",
            "is_aigc": made_by_ai,
            "disable_inbox_fallback": "true",
        }
    if order.platform == "youtube":
        return {
            "description": caption,
            "tags[]": list(order.tags),
            "containsSyntheticMedia": made_by_ai,
            # Its default is public.
            "privacyStatus": "public" if order.privacy == "PUBLIC_TO_EVERYONE" else "private",
        }
    return {"media_type": "REELS", "is_ai_generated": made_by_ai}


def _duration_s(film: Path) -> float:
    # PyAV is loaded by who looks at media.
    from providers.media.probe import probe

    return probe(film).duration_s
