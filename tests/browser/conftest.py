"""Debian's Chromium through Playwright, before the web process as Django's test server runs it."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, TypeVar

import pytest
from playwright.sync_api import sync_playwright

from tests.hitl.conftest import api, checkpoint_pools, projects, visitor
from tests.myloware.conftest import served
from tests.telegram_bot.test_service import chat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page
    from pytest_django.fixtures import Settings
    from pytest_django.live_server_helper import LiveServer

__all__ = ["api", "chat", "checkpoint_pools", "projects", "served", "visitor"]

T = TypeVar("T")
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync")
PHONE, DESK, HEIGHT = 390, 1440, 844


class Browsing:
    """A browser in a thread of its own, for Playwright's event loop would be in the way of ours."""

    def __init__(self) -> None:
        path = next(filter(None, map(shutil.which, NAMES)), None)
        if path is None:
            pytest.fail("There is no browser here. bin/browser installs one.")
        self._thread = ThreadPoolExecutor(1)
        self._playwright = self._thread.submit(lambda: sync_playwright().start()).result()
        self._browser: Browser = self._do(
            lambda: self._playwright.chromium.launch(executable_path=path, args=list(QUIET))
        )

    def __call__(self, visit: Callable[[Page], T], *, width: int = PHONE, dark: bool = False) -> T:
        """What ``visit`` finds with a fresh page, whose cookies end with it."""
        return self._do(lambda: self._visit(visit, width, dark))

    def _visit(self, visit: Callable[[Page], T], width: int, dark: bool) -> T:
        scheme: Literal["dark", "light"] = "dark" if dark else "light"
        with self._browser.new_context(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme) as context:
            return visit(context.new_page())

    def _do(self, work: Callable[[], T]) -> T:
        return self._thread.submit(work).result()

    def close(self) -> None:
        self._do(self._browser.close)
        self._do(self._playwright.stop)
        self._thread.shutdown()


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
