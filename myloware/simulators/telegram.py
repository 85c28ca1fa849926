"""Telegram's Bot API on this machine, version 10.1: https://core.telegram.org/bots/api

People are played over HTTP: ``POST /telegram/say`` writes to the bot, ``POST /telegram/press`` presses a button under
one of its messages, ``GET /telegram/chats/<id>`` shows what it sent.
"""

from __future__ import annotations

import json
import re
import threading
import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, ClassVar

import httpx

from providers.callbacks import body_json
from providers.simulator import JSON, Call, Simulator, form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from providers.simulator import World

BOT = {"id": 7_000_000_001, "is_bot": True, "first_name": "MyloWare", "username": "myloware_local_bot"}
TOKEN = re.compile(r"\d{6,}:[\w-]{10,}")
MAX_TEXT, MAX_CAPTION, MAX_BUTTON_BYTES = 4096, 1024, 64
QUERY_LIVES_S = 15
RETRY_AFTER_S = 5
SAME = "message is not modified: specified new message content and reply markup are exactly the same"


class Refused(Exception):
    """An answer that is not ``ok``."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.answer: JSON = {"ok": False, "error_code": code, "description": description}
        if parameters:
            self.answer["parameters"] = parameters


class TelegramSimulator(Simulator):
    """One bot, whatever its token, and the people who talk to it. Everything is forgotten when it stops."""

    name = "telegram"
    hosts = frozenset({"api.telegram.org"})
    # "A reasonable number of attempts"; their spacing is not documented.
    callback_delays_s = (0, 1, 5, 30, 60)
    faults: ClassVar[Mapping[str, str]] = {
        "bad_token": "401: the token was revoked",
        "rate_limited": f"429 with retry_after {RETRY_AFTER_S}",
        "blocked": "403: the bot was blocked by the user",
        "stale_query": "400: a pressed button is answered too late",
        "server_error": "502",
        "repeated_update": "an update is delivered twice",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._lock = threading.RLock()
        self._chats: dict[int, list[JSON]] = {}
        self._updates: list[JSON] = []
        self._queries: dict[str, float] = {}
        self._count = 0
        self._webhook: JSON = {"url": ""}

    def routes(self) -> dict[str, Callable[..., httpx.Response]]:
        return {
            r"ANY /bot(?P<token>[^/]+)/(?P<method>\w+)": self.call,
            "POST /telegram/say": self.say,
            "POST /telegram/press": self.press,
            r"GET /telegram/chats/(?P<chat>-?\d+)": self.show,
        }

    def call(self, request: httpx.Request, token: str, method: str) -> httpx.Response:
        try:
            with self._lock:
                result = self._result(request, token, method.lower())
                told = {"description": "Webhook was set"} if method.lower() == "setwebhook" else {}
                return httpx.Response(200, json={"ok": True, "result": result, **told})
        except Refused as refused:
            return httpx.Response(refused.answer["error_code"], json=refused.answer)

    def _result(self, request: httpx.Request, token: str, method: str) -> Any:
        methods: dict[str, Callable[[JSON], Any]] = {
            "getme": lambda _: BOT,
            "sendmessage": self._send_message,
            "sendvideo": self._send_video,
            "editmessagetext": self._edit_text,
            "editmessagereplymarkup": self._edit_buttons,
            "deletemessage": self._delete,
            "answercallbackquery": self._answer_query,
            "setwebhook": self._set_webhook,
            "deletewebhook": lambda _: self._set_webhook({"url": ""}),
            "getwebhookinfo": lambda _: self._webhook_info(),
            "getupdates": self._get_updates,
        }
        if not TOKEN.fullmatch(token) or method not in methods:
            raise Refused(404, "Not Found")
        if self.goes_wrong("server_error"):
            raise Refused(502, "Bad Gateway")
        if self.goes_wrong("bad_token"):
            raise Refused(401, "Unauthorized")
        if self.goes_wrong("rate_limited"):
            raise Refused(429, f"Too Many Requests: retry after {RETRY_AFTER_S}", retry_after=RETRY_AFTER_S)
        return methods[method](_fields(request))

    # --- Messages

    def _send_message(self, fields: JSON) -> JSON:
        return self._sent(fields, text=_checked(fields, "text", MAX_TEXT, "message"))

    def _send_video(self, fields: JSON) -> JSON:
        if not fields.get("video"):
            raise Refused(400, "Bad Request: there is no video in the request")
        caption = _checked(fields, "caption", MAX_CAPTION, "message caption") if fields.get("caption") else ""
        return self._sent(fields, caption=caption, video={"file_id": f"video-{self._count}", "duration": 0})

    def _sent(self, fields: JSON, **content: Any) -> JSON:
        chat = _chat(fields)
        if self.goes_wrong("blocked"):
            raise Refused(403, "Forbidden: bot was blocked by the user")
        return self._written(chat, BOT, **content, **_buttons(fields))

    def _written(self, chat: int, sender: JSON, **content: Any) -> JSON:
        self._count += 1
        kind = {"id": chat, "type": "private" if chat > 0 else "group", "first_name": "Ada"}
        message = {"message_id": self._count, "date": int(time.time()), "chat": kind, "from": sender, **content}
        self._chats.setdefault(chat, []).append(message)
        return message

    def _edit_text(self, fields: JSON) -> JSON:
        text = _checked(fields, "text", MAX_TEXT, "message")
        return self._changed(fields, text=text)

    def _edit_buttons(self, fields: JSON) -> JSON:
        return self._changed(fields)

    def _changed(self, fields: JSON, **content: Any) -> JSON:
        """The message with new content. Buttons that are not sent again are gone."""
        message = self._message(fields, "edit")
        kept = {key: value for key, value in message.items() if key != "reply_markup"}
        changed = {**kept, **content, **_buttons(fields)}
        if changed == message:
            raise Refused(400, f"Bad Request: {SAME} as a current content and reply markup of the message")
        message.clear()
        message.update(changed)
        return message

    def _delete(self, fields: JSON) -> bool:
        self._chats[_chat(fields)].remove(self._message(fields, "delete"))
        return True

    def _message(self, fields: JSON, to: str) -> JSON:
        wanted = int(fields.get("message_id") or 0)
        found = (each for each in self._chats.get(_chat(fields), []) if each["message_id"] == wanted)
        message = next(found, None)
        if message is None:
            raise Refused(400, f"Bad Request: message to {to} not found")
        return message

    def _answer_query(self, fields: JSON) -> bool:
        asked = self._queries.pop(str(fields.get("callback_query_id")), 0.0)
        if time.time() - asked > QUERY_LIVES_S or self.goes_wrong("stale_query"):
            raise Refused(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        return True

    # --- Updates

    def _set_webhook(self, fields: JSON) -> bool:
        self._webhook = {"url": str(fields.get("url") or ""), "secret": str(fields.get("secret_token") or "")}
        return True

    def _webhook_info(self) -> JSON:
        url = self._webhook["url"]
        return {"url": url, "has_custom_certificate": False, "pending_update_count": 0 if url else len(self._updates)}

    def _get_updates(self, fields: JSON) -> list[JSON]:
        if self._webhook["url"]:
            raise Refused(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        first = int(fields.get("offset") or 0)
        self._updates = [each for each in self._updates if each["update_id"] >= first]
        return self._updates[: int(fields.get("limit") or 100)]

    def _announce(self, **content: Any) -> JSON:
        self._count += 1
        update = {"update_id": 900_000_000 + self._count, **content}
        if not self._webhook["url"]:
            self._updates.append(update)
            return update
        headers = {"Content-Type": "application/json"}
        if self._webhook["secret"]:
            headers["X-Telegram-Bot-Api-Secret-Token"] = self._webhook["secret"]
        call = Call(self._webhook["url"], json.dumps(update).encode(), headers)
        for _ in range(2 if self.goes_wrong("repeated_update") else 1):
            threading.Thread(target=self.deliver, args=(call,), name="update", daemon=True).start()
        return update

    # --- People

    def say(self, request: httpx.Request) -> httpx.Response:
        """``{"chat_id": 1001, "text": "/start"}`` -> the update; ``reply_to_message_id`` makes it a reply."""
        told = body_json(request.content)
        with self._lock:
            answered = told.get("reply_to_message_id")
            to = self._message({**told, "message_id": answered}, "reply") if answered else None
            reply = {"reply_to_message": {**to}} if to else {}
            message = self._written(_chat(told), _person(told), text=str(told.get("text", "")), **reply)
            return httpx.Response(200, json=self._announce(message=message))

    def press(self, request: httpx.Request) -> httpx.Response:
        """``{"chat_id": 1001, "message_id": 5, "data": "a:..."}`` -> the update."""
        told = body_json(request.content)
        with self._lock:
            try:
                message = self._message(told, "press")
            except Refused as refused:
                return httpx.Response(404, json=refused.answer)
            query = f"query-{self._count}"
            self._queries[query] = time.time()
            pressed = {"id": query, "chat_instance": "-1", "data": told.get("data"), "from": _person(told)}
            return httpx.Response(200, json=self._announce(callback_query={**pressed, "message": message}))

    def show(self, request: httpx.Request, chat: str) -> httpx.Response:
        with self._lock:
            return httpx.Response(200, json={"messages": self._chats.get(int(chat), [])})


def _fields(request: httpx.Request) -> JSON:
    """The parameters, wherever they are; structured ones in a form are JSON text."""
    fields: JSON = dict(request.url.params)
    if request.headers.get("Content-Type", "").startswith("application/json"):
        return fields | body_json(request.content)
    return fields | {name: values[0].decode(errors="replace") for name, values in form(request).items()}


def _chat(fields: JSON) -> int:
    chat = str(fields.get("chat_id", ""))
    if not re.fullmatch(r"-?\d{1,15}", chat) or int(chat) == 0:
        raise Refused(400, "Bad Request: chat not found")
    return int(chat)


def _person(told: JSON) -> JSON:
    return {"id": abs(_chat(told)), "is_bot": False, "first_name": "Ada", "language_code": "en"}


def _checked(fields: JSON, name: str, limit: int, called: str) -> str:
    """A text as people will see it. Telegram counts UTF-16 units, after the tags are taken out."""
    given = str(fields.get(name) or "")
    shown = _without_tags(given) if fields.get("parse_mode") == "HTML" else given
    if not shown.strip():
        raise Refused(400, f"Bad Request: {called} text is empty")
    if len(shown.encode("utf-16-le")) // 2 > limit:
        raise Refused(400, f"Bad Request: {called} is too long")
    return shown


def _buttons(fields: JSON) -> JSON:
    given = fields.get("reply_markup")
    markup = json.loads(given) if isinstance(given, str) and given else given
    if not markup:
        return {}
    for button in (button for row in markup.get("inline_keyboard", []) for button in row):
        data = button.get("callback_data")
        if data is not None and not 1 <= len(data.encode()) <= MAX_BUTTON_BYTES:
            raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    return {"reply_markup": markup}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise Refused(400, f'Bad Request: can\'t parse entities: Unexpected end tag "{tag}"')

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _without_tags(text: str) -> str:
    parser = _Tags()
    parser.feed(text)
    parser.close()
    if parser.open:
        wanted = f'Can\'t find end tag corresponding to start tag "{parser.open[-1]}"'
        raise Refused(400, f"Bad Request: can't parse entities: {wanted}")
    return "".join(parser.text)
