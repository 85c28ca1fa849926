"""The HTTP API as the demo uses it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx

from myloware.kernel.errors import MylowareError

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]

# Brendan answers within the request, and a real model takes its time.
TIMEOUT_S = 120.0
PATIENCE_S = 60.0
"""The web process may be started anew in between."""


class DemoFailed(MylowareError):
    """No film; the message says why."""


class Client:
    """One user with the API key."""

    def __init__(self, base_url: str, api_key: str) -> None:
        # A proxy of the environment does not know our loopback address.
        self._http = httpx.Client(base_url=base_url, headers={"X-API-Key": api_key}, timeout=TIMEOUT_S, trust_env=False)

    def propose(self, brief: str, *, project: str, seed: int, user: str) -> str:
        """Tells Brendan the brief and returns the run he proposes. Raises DemoFailed when he does not."""
        body = {"message": brief, "project": project, "user_id": user, "options": {"seed": seed}}
        answer = self._json("POST", "/v1/chat/brendan", json=body)
        if not answer["run_ids"]:
            raise DemoFailed(f"Brendan proposed no film: {answer['response']}")
        return str(answer["run_ids"][0])

    def run(self, run_id: str) -> Json:
        return self._patiently(f"/v1/runs/{run_id}")

    def approval_link(self, run_id: str) -> str | None:
        """The page on which a person decides at the gate that is open now; None when somebody just has."""
        response = self._asked("GET", f"/v1/hitl/{run_id}/link")
        return None if response.status_code == httpx.codes.CONFLICT else str(_content(response)["url"])

    def film(self, run_id: str) -> Json | None:
        """The newest finished film of the run, an artifact."""
        films = self._json("GET", f"/v1/runs/{run_id}/artifacts", params={"type": "ffmpeg.normalized"})
        return films[-1] if films else None

    def fetch(self, film: Json, folder: Path) -> Path:
        """Copies the film's file into ``folder``, from wherever the system keeps it."""
        content = self._http.get(f"/media/{film['path']}").raise_for_status().content
        target = folder / f"film-{film['checksum'][:12]}.mp4"
        target.write_bytes(content)
        return target

    def close(self) -> None:
        self._http.close()

    def _patiently(self, path: str) -> Json:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                found: Json = self._json("GET", path)
            except httpx.TransportError as error:
                if time.monotonic() > deadline:
                    raise DemoFailed(f"The system no longer answers: {error}.") from error
                time.sleep(0.5)
            else:
                return found

    def _json(self, method: str, path: str, **request: Any) -> Any:
        return _content(self._asked(method, path, **request))

    def _asked(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer; who asks too often is told to wait."""
        while (response := self._http.request(method, path, **request)).status_code == httpx.codes.TOO_MANY_REQUESTS:
            time.sleep(float(response.headers["Retry-After"]))
        return response


def _content(response: httpx.Response) -> Any:
    if response.is_error:
        asked = f"{response.request.method} {response.request.url.path}"
        raise DemoFailed(f"{asked} was answered with {response.status_code}: {response.text[:500]}")
    return response.json()
