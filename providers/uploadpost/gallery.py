"""The pages on which the local publisher shows its films."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from providers.simulator import JSON

STYLE = """
:root{color-scheme:light dark;--bg:#f6f4ef;--card:#fff;--text:#1b1a17;--dim:#6c675d;--line:#e3ded3;--accent:#b4530f}
@media(prefers-color-scheme:dark){:root{--bg:#131211;--card:#1d1b19;--text:#f3efe7;--dim:#a49d90;--line:#322f2b;
--accent:#f0a15b}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:16px/1.5 system-ui,sans-serif}
header{padding:1.4rem 1.2rem .4rem;max-width:72rem;margin:auto}
h1{font-size:1.35rem;margin:0}
header p,.dim{color:var(--dim);margin:.2rem 0}
main{max-width:72rem;margin:auto;padding:1.2rem;display:grid;gap:1.2rem;
grid-template-columns:repeat(auto-fill,minmax(13rem,1fr))}
main.one{grid-template-columns:minmax(0,24rem) minmax(0,1fr);align-items:start}
@media(max-width:44rem){main.one{grid-template-columns:1fr}}
article{background:var(--card);border:1px solid var(--line);border-radius:14px;overflow:hidden}
video{width:100%;display:block;background:#000;aspect-ratio:9/16;max-height:82vh;object-fit:contain}
.text{padding:.8rem 1rem 1rem}
.text p{margin:.25rem 0;overflow-wrap:anywhere;white-space:pre-line}
a{color:var(--accent)}
.tag{display:inline-block;border:1px solid var(--line);border-radius:99px;padding:.05rem .6rem;font-size:.8rem;
color:var(--dim);margin:.3rem .3rem 0 0}
"""


def gallery_page(jobs: Sequence[JSON]) -> str:
    """Every published film, newest first."""
    cards = "".join(f"<article>{_player(job)}{_words(job, link=True)}</article>" for job in jobs)
    empty = '<p class="dim">Nothing has been published yet.</p>'
    return _page("Gallery", "Films published on this machine", f"<main>{cards or empty}</main>")


def film_page(job: JSON) -> str:
    """One film with its caption."""
    body = f'<main class="one"><article>{_player(job)}</article>{_words(job, link=False)}</main>'
    return _page(_field(job, "title")[:60] or "Film", '<a href="/gallery">All films</a>', body, raw=True)


def _page(title: str, below: str, body: str, *, raw: bool = False) -> str:
    line = below if raw else escape(below)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} · MyloWare</title><style>{STYLE}</style>"
        f"<header><h1>MyloWare gallery</h1><p>{line}</p></header>{body}</html>"
    )


def _player(job: JSON) -> str:
    film = f"/gallery/{escape(job['id'])}"
    return f'<video controls playsinline preload="metadata" poster="{film}.jpg" src="{film}.mp4"></video>'


def _words(job: JSON, *, link: bool) -> str:
    when = datetime.fromtimestamp(job["created"], UTC).strftime("%d %B %Y, %H:%M UTC")
    tags = [job["fields"]["platform[]"][0], f"@{_field(job, 'user')}", _field(job, "privacy_level")]
    tags += ["made with AI"] if _field(job, "is_aigc") == "true" else []
    shown = "".join(f'<span class="tag">{escape(tag)}</span>' for tag in tags if tag)
    more = f'<p><a href="/gallery/{escape(job["id"])}">Open</a></p>' if link else ""
    return f'<div class="text"><p>{escape(_field(job, "title"))}</p><p class="dim">{when}</p>{shown}{more}</div>'


def _field(job: JSON, name: str) -> str:
    return str(job["fields"].get(name, [""])[0])
