"""Decides on the approval page as a browser does: reads the page, fills in its form, sends it."""

from __future__ import annotations

from html.parser import HTMLParser

import httpx

from .client import DemoFailed


def decide(link: str, verdict: str, comment: str = "") -> None:
    """Opens ``link`` and presses the button of ``verdict`` (``approve`` or ``reject``). Raises DemoFailed."""
    with httpx.Client(timeout=30, trust_env=False, follow_redirects=True) as browser:
        page = browser.get(link)
        form = _form(page, verdict)
        if comment:
            form.fields["comment"] = comment
        action = page.url.join(form.action) if form.action.strip("?") else page.url.copy_with(query=None)
        answer = browser.post(action, data=form.fields)
    # Somebody else may have been first; then the run goes on by that decision.
    if answer.is_error and answer.status_code != httpx.codes.CONFLICT:
        raise DemoFailed(f"The approval page answered {answer.status_code}; open it yourself: {link}")


def _form(page: httpx.Response, verdict: str) -> Form:
    reader = _Forms()
    reader.feed(page.text)
    for form in reader.forms:
        if ("verdict", verdict) in form.buttons:
            form.fields |= {"verdict": verdict}
            return form
    raise DemoFailed(f"The approval page ({page.status_code}) has no button '{verdict}': {page.url}")


class Form:
    """One form of a page: what a browser would send, without the button."""

    def __init__(self, identity: str, action: str) -> None:
        self.identity = identity
        self.action = action
        self.fields: dict[str, str] = {}
        self.buttons: list[tuple[str, str]] = []


class _Forms(HTMLParser):
    """Collects forms with the fields inside them and those that belong to them by ``form="ID"``."""

    def __init__(self) -> None:
        super().__init__()
        self._open: Form | None = None
        self._loose: list[tuple[str, str, str]] = []
        self._text: tuple[str, str, list[str]] | None = None
        self._all: list[Form] = []

    @property
    def forms(self) -> list[Form]:
        for identity, name, value in self._loose:
            for form in self._all:
                if form.identity == identity:
                    form.fields[name] = value
        return self._all

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, owner = given.get("name", ""), given.get("form", "")
        if tag == "form":
            self._open = Form(given.get("id", ""), given.get("action", ""))
            self._all.append(self._open)
        elif tag == "button" and self._open:
            self._open.buttons.append((name, given.get("value", "")))
        elif tag == "textarea":
            self._text = (owner, name, [])
        elif tag == "input" and name and _is_sent(dict(attrs)):
            self._add(owner, name, given.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self._text:
            self._text[2].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "textarea" and self._text:
            owner, name, parts = self._text
            # The HTML standard drops the line break after the start tag and sends CRLF.
            text = "".join(parts).removeprefix("\n").replace("\r\n", "\n").replace("\n", "\r\n")
            self._text = None
            self._add(owner, name, text)

    def _add(self, owner: str, name: str, value: str) -> None:
        if owner:
            self._loose.append((owner, name, value))
        elif self._open:
            self._open.fields[name] = value


def _is_sent(attributes: dict[str, str | None]) -> bool:
    if attributes.get("type") in {"checkbox", "radio"}:
        return "checked" in attributes
    return "disabled" not in attributes
