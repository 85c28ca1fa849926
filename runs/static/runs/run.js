"use strict";
// What the run page does by itself: counts running times, plays clips, and rests while nobody looks.

const page = document.querySelector(".run");
// The server's clock counts, whatever this machine's says.
const aheadS = Date.now() / 1000 - Number(page.dataset.now);

function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const pad = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(s / 60);
  return minutes < 60 ? `${minutes}:${pad(s % 60)}` : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(s % 60)}`;
}

function tick() {
  for (const time of page.querySelectorAll("time[data-since]")) {
    time.textContent = clock(Date.now() / 1000 - aheadS - Number(time.dataset.since));
  }
}

function clipAt(target) {
  return target.closest(".shot__frame")?.querySelector("video");
}

function play(video, { muted }) {
  video.muted = muted;
  // A pause that comes before the first picture rejects the promise; there is nothing to be done about it.
  video.play().catch(() => undefined);
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");

page.addEventListener("pointerover", (event) => {
  const video = clipAt(event.target);
  if (video?.paused && event.pointerType === "mouse" && !calm.matches) play(video, { muted: true });
});
page.addEventListener("pointerout", (event) => {
  const video = clipAt(event.target);
  if (video && event.pointerType === "mouse" && clipAt(event.relatedTarget ?? document.body) !== video) video.pause();
});
page.addEventListener("click", (event) => {
  const video = event.target.closest(".shot__play") && clipAt(event.target);
  if (!video) return;
  if (video.paused || video.muted) play(video, { muted: false });
  else video.pause();
});

document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});
document.body.addEventListener("htmx:oobAfterSwap", tick);
tick();
setInterval(tick, 1000);
