// What htmx does not do: live updates that overtake an answer, a switch that goes back, a session that has ended, a card
// readable offline.
"use strict";

const CARD = "card";

async function keepCard() {
  if (!("serviceWorker" in navigator) || !("caches" in window)) return;
  const shown = document.querySelector("[data-card]");
  // Signed out, or somebody else has signed in: what was kept is nobody's business any more.
  if (document.querySelector("[data-forget]")) {
    await caches.delete(CARD);
    for (const one of await navigator.serviceWorker.getRegistrations()) await one.unregister();
    return;
  }
  const kept = await (await caches.open(CARD)).match("/my-bonus/card");
  const owner = document.documentElement.dataset.owner;
  if (kept && owner && kept.headers.get("X-Owner") !== owner) await caches.delete(CARD);
  if (!shown) return;
  const registration = await navigator.serviceWorker.register("/worker.js", {scope: "/my-bonus/card"});
  const worker = registration.active || registration.waiting || registration.installing;
  worker?.postMessage("keep");
}

// The answer to a form and a live update come on two connections. What an answer says of the parts that a newer update
// has already shown is old; all but a refused value, which is nobody else's news.
let shown = 0;

document.addEventListener("htmx:sse:after:message", (event) => {
  shown = Number(event.detail.message.id) || shown;
});

document.addEventListener("htmx:before:swap", (event) => {
  const {ctx, tasks} = event.detail;
  const drop = (some) => { for (const task of tasks.filter(some)) tasks.splice(tasks.indexOf(task), 1); };
  if (ctx.sourceElement?.hasAttribute("hx-sse:connect")) {
    // Why a value was refused stays until it is sent anew; a live update knows nothing of it.
    if (document.querySelector("#profile:not(.htmx-request) [aria-invalid]")) drop(({target}) => target?.id === "completion");
    return;
  }
  const version = Number(ctx.response?.headers.get("X-Version"));
  if (!version || version >= shown) return;
  const refused = ctx.response.status >= 400;
  drop(({target}) => target?.matches?.("[data-live]") && !(refused && target.id === "completion"));
  if (document.activeElement === document.body) document.getElementById("completion-title")?.focus();
});

document.addEventListener("htmx:response:error", (event) => {
  const form = event.target.closest?.("form[data-reset]");
  form?.reset();
});

// Signed out, perhaps in another tab, or erased: what is still shown is nobody's business any more.
document.addEventListener("htmx:sse:error", (event) => {
  if ([401, 410].includes(event.detail.status)) location.reload();
});

keepCard();
