// Keeps the member card, and nothing else, for when there is no network.
"use strict";

const CARD = "card";
const PATH = "/my-bonus/card";
const FILES = [/* files */];

async function keep(answer) {
  const cache = await caches.open(CARD);
  // Only a card: not a page that says that there is none, or that one has to sign in.
  if (answer.ok && !answer.redirected && answer.headers.get("X-Card")) await cache.put(PATH, answer);
  else await caches.delete(CARD);
}

async function card(request) {
  try {
    const answer = await fetch(request);
    await keep(answer.clone());
    return answer;
  } catch (error) {
    const kept = await (await caches.open(CARD)).match(PATH);
    if (kept) return kept;
    throw error;
  }
}

async function file(request) {
  const kept = await (await caches.open("files")).match(request);
  return kept ?? fetch(request);
}

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open("files").then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("message", (event) => {
  if (event.data === "keep") event.waitUntil(fetch(PATH, {credentials: "same-origin"}).then(keep));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname === PATH) event.respondWith(card(event.request));
  else if (FILES.includes(url.pathname)) event.respondWith(file(event.request));
});
