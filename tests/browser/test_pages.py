"""Every page in a browser: whether all people can use it, on a phone and in the dark, and how much it weighs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from axe_core_python.base import AXE_SCRIPT

from .conftest import DESK, PHONE
from .places import approval_pages, lists, staff_pages

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from django.test import Client
    from playwright.sync_api import Page
    from pytest_django.fixtures import Settings
    from pytest_django.live_server_helper import LiveServer

    from .conftest import Browsing, Camera, Scheme

VIEWS: dict[str, tuple[int, Scheme]] = {
    "phone": (PHONE, "light"),
    "phone-dark": (PHONE, "dark"),
    "desk": (DESK, "light"),
}
GRAVE = {"serious", "critical"}
HEAVIEST = 100_000
# Without films and pictures of the run, and before compression.
WEIGHT = """\
[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter(each => !each.name.includes("/media/"))
    .reduce((sum, each) => sum + each.decodedBodySize, 0)"""
# Django's search field is labelled by a picture; axe-core 4.4 wants words beside a help text.
RULES = {"rules": {"label-title-only": {"enabled": False}}}
# What is folded away is read, too; folds of one name open one at a time.
UNFOLD = "document.querySelectorAll('details').forEach(each => { each.removeAttribute('name'); each.open = true })"


def faults(page: Page, name: str) -> list[str]:
    """What axe-core holds against a page, and what is wider than it."""
    page.evaluate(UNFOLD)
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("rules => axe.run(rules)", RULES)["violations"]
    told = [
        f"{name}: {fault['id']} ({fault['help']}) at {node['target']}"
        for fault in found
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*told, *([f"{name}: {over} px too wide"] if over > 0 else [])]


def look_at(
    browse: Browsing, camera: Camera, pages: dict[str, str], at: str, session: str = "", views: Iterable[str] = VIEWS
) -> None:
    found: list[str] = []

    def look(view: str, page: Page) -> None:
        for name, path in pages.items():
            answer = page.goto(path)
            assert answer is not None
            assert answer.status < 500
            camera(page, name, view)
            found.extend(faults(page, f"{name}, {view}"))

    for view in views:
        width, scheme = VIEWS[view]
        browse(partial(look, view), at=at, width=width, scheme=scheme, session=session)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_everybody_can_use_the_approval_pages(
    browse: Browsing, camera: Camera, live_server: LiveServer, settings: Settings, tmp_path: Path
) -> None:
    look_at(browse, camera, approval_pages(tmp_path, settings), live_server.url)


def test_all_staff_can_use_its_pages(
    browse: Browsing, camera: Camera, live_server: LiveServer, admin_client: Client
) -> None:
    session = admin_client.cookies["sessionid"].value
    look_at(browse, camera, staff_pages(), live_server.url, session)
    look_at(browse, camera, dict(lists()), live_server.url, session, views=("phone", "phone-dark"))


def test_an_approval_page_weighs_less_than_100_kb(
    browse: Browsing, live_server: LiveServer, settings: Settings, tmp_path: Path
) -> None:
    weights: dict[str, int] = {}

    def weigh(page: Page) -> None:
        for name, path in pages.items():
            page.goto(path)
            weights[name] = page.evaluate(WEIGHT)

    pages = approval_pages(tmp_path, settings)
    browse(weigh, at=live_server.url)
    assert weights.keys() == pages.keys()
    assert {name: weight for name, weight in weights.items() if not 0 < weight < HEAVIEST} == {}
