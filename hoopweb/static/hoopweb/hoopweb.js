// Small conveniences. Every page works without them: nothing here decides, sends or hides anything of consequence.
"use strict";

// Copy buttons: put the named element's text on the clipboard.
for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    const usual = button.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = usual; }, 1500);
  });
}

// A chosen option submits its form.
for (const select of document.querySelectorAll("[data-submits]")) {
  select.addEventListener("change", () => select.form.submit());
}

// Time left until a moment, told once a second.
function left(until) {
  const seconds = Math.floor((until - Date.now()) / 1000);
  if (seconds <= 0) return "expired";
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
  return `${minutes}:${String(seconds % 60).padStart(2, "0")} left`;
}
const clocks = [...document.querySelectorAll("[data-until]")];
function tick() {
  for (const clock of clocks) clock.textContent = left(Date.parse(clock.dataset.until));
}
if (clocks.length) {
  tick();
  setInterval(tick, 1000);
}

// Is the page still true? Ask for its mark; when it differs, load again, or offer to where somebody may be reading
// or typing. The question is small and leaves no event; a page nobody looks at asks nothing.
const page = document.querySelector("[data-pulse]");
const PULSE_MILLISECONDS = 3000;
async function pulse() {
  if (document.hidden) return;
  let mark;
  try {
    const answer = await fetch(page.dataset.pulse, { headers: { Accept: "application/json" }, redirect: "error" });
    if (!answer.ok) return;
    mark = (await answer.json()).mark;
  } catch {
    return; // The server is away for a moment: the page stays as it is, and the next pulse asks again.
  }
  if (mark === page.dataset.mark) return;
  if ("reloads" in page.dataset) location.reload();
  const notice = document.querySelector("[data-fresh]");
  if (notice) notice.hidden = false;
}
if (page) setInterval(pulse, PULSE_MILLISECONDS);

// A link into a timeline opens the call it names.
const named = location.hash.startsWith("#call-") && document.getElementById(location.hash.slice(1));
if (named) named.querySelector("details")?.setAttribute("open", "");
