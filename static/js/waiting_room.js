// Waiting for a flash sale: looks at one's place now and then, and goes on when it is one's turn.
// Looking is also how the shop knows that somebody is still here.

const room = document.querySelector("[data-waiting-room]");
const PATIENCE = 15_000; // ms, the longest wait between two looks: longer ones would cost the place
let again = Number(room.dataset.again) * 1000;

async function look() {
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
    again = Math.min(again * 1.5, PATIENCE);
  }
  setTimeout(look, again);
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

setTimeout(look, again);
