"""Debian's Chromium through Playwright, before the web process as Django's test server runs it."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.hitl.conftest import api, checkpoint_pools, projects, visitor
from tests.myloware.conftest import served
from tests.telegram_bot.test_service import chat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page, ViewportSize
    from pytest_django.fixtures import Settings
    from pytest_django.live_server_helper import LiveServer

__all__ = ["api", "chat", "checkpoint_pools", "projects", "served", "visitor"]

T = TypeVar("T")
Scheme = Literal["light", "dark"]
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync")
# Also on a busy machine.
PATIENCE_MS = 60_000
PHONE, DESK, HEIGHT, TALLEST = 390, 1440, 844, 2100
SHOWN = {
    "plan",
    "ideas",
    "draft",
    "findings",
    "money",
    "decided",
    "revoked",
    "inbox",
    "runs",
    "run",
    "fork",
    "start",
    "run in the admin",
    "knowledge",
}
SEEN = "[...document.querySelectorAll('video')].every(each => each.readyState >= each.HAVE_CURRENT_DATA)"


class Browsing:
    """A browser in a thread of its own, for Playwright's event loop would be in the way of ours."""

    def __init__(self) -> None:
        path = next(filter(None, map(shutil.which, NAMES)), None)
        if path is None:
            pytest.fail("There is no browser here. bin/browser installs one.")
        expect.set_options(timeout=PATIENCE_MS)
        self._thread = ThreadPoolExecutor(1)
        self._playwright = self._thread.submit(lambda: sync_playwright().start()).result()
        self._browser: Browser = self._do(
            lambda: self._playwright.chromium.launch(executable_path=path, args=list(QUIET))
        )

    def __call__(
        self,
        visit: Callable[[Page], T],
        *,
        at: str = "",
        width: int = PHONE,
        scheme: Scheme = "light",
        session: str = "",
    ) -> T:
        """What ``visit`` finds with a fresh page of the site ``at``, as whoever has the ``session`` there."""
        return self._do(lambda: self._visit(visit, at, width, scheme, session))

    def _visit(self, visit: Callable[[Page], T], at: str, width: int, scheme: Scheme, session: str) -> T:
        size: ViewportSize = {"width": width, "height": HEIGHT}
        with self._browser.new_context(
            base_url=at or None, viewport=size, color_scheme=scheme, reduced_motion="reduce"
        ) as context:
            if session:
                context.add_cookies([{"name": "sessionid", "value": session, "url": at}])
            context.set_default_timeout(PATIENCE_MS)
            return visit(context.new_page())

    def _do(self, work: Callable[[], T]) -> T:
        return self._thread.submit(work).result()

    def close(self) -> None:
        self._do(self._browser.close)
        self._do(self._playwright.stop)
        self._thread.shutdown()


class Camera:
    """Keeps pictures of the pages that are SHOWN in the documents, down to where a reader has seen enough."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def __call__(self, page: Page, name: str, view: str) -> None:
        if self._folder is None or name not in SHOWN:
            return
        size = page.viewport_size
        assert size is not None
        # As on a screen so tall that all is seen, for some things stand at its lower edge.
        height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
        page.set_viewport_size({**size, "height": height})
        page.wait_for_function(SEEN)
        # The player's spinner fades.
        page.wait_for_timeout(500)
        page.screenshot(path=self._folder / f"{name.replace(' ', '-')}-{view}.jpg", type="jpeg", quality=70)
        page.set_viewport_size(size)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", type=Path, help="folder for pictures of the pages that are looked at")


@pytest.fixture
def camera(request: pytest.FixtureRequest) -> Camera:
    """Takes no pictures unless it is asked to, which `bin/pictures` does."""
    return Camera(request.config.getoption("--pictures", default=None))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browsing]:
    browsing = Browsing()
    yield browsing
    browsing.close()


@pytest.fixture
def browse(chromium: Browsing, live_server: LiveServer, settings: Settings) -> Browsing:
    """The browser, and links that lead to the server of this test."""
    settings.PUBLIC_BASE_URL = live_server.url
    return chromium
