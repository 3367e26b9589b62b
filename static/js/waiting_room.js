// Waiting for a flash sale: polls the visitor's position and goes on when they are admitted.
// The polls also show the shop that the visitor is still waiting.

const room = document.querySelector("[data-waiting-room]");
const LONGEST_WAIT = 15_000; // ms between two polls: after a longer one the ticket expires
let again = Number(room.dataset.again) * 1000;

async function poll() {
  try {
    const answer = await fetch(room.dataset.look, { headers: { Accept: "application/json" } });
    if (answer.status === 404) {
      location.reload(); // the sale is over, or has no queue any more
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const place = await answer.json();
    if (place.admitted) {
      location.assign(room.dataset.onward);
      return;
    }
    show(place);
    again = place.look_again_in * 1000;
    say("Last looked a moment ago.");
  } catch {
    say("We cannot reach the shop at the moment. Your place is kept; trying again.");
    again = Math.min(again * 1.5, LONGEST_WAIT);
  }
  setTimeout(poll, again);
}

function show(place) {
  room.querySelector("[data-position]").textContent = place.position;
  const seconds = place.estimated_wait_seconds;
  room.querySelector("[data-wait]").textContent =
    seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  document.title = document.title.replace(/^Number \d+/, `Number ${place.position}`);
}

function say(words) {
  room.querySelector("[data-said]").textContent = words;
}

setTimeout(poll, again);
