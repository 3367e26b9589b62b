// Moments in the shopper's own time zone. Without scripts they stand in UTC and say so.

const SHAPES = {
  long: { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" },
  stamp: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" },
  clock: { hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "long", year: "numeric" },
};

/** The moment `at` (ISO 8601) in words; `how` is a name of SHAPES. */
export function written(at, how) {
  return new Intl.DateTimeFormat("en-GB", SHAPES[how]).format(new Date(at));
}

/** A <time> element for the moment `at`. */
export function timeElement(at, how) {
  const time = document.createElement("time");
  time.dateTime = at;
  time.dataset.time = how;
  time.textContent = written(at, how);
  return time;
}

/** `text` with the "13:58 UTC" in it as the shopper's clock shows `until` (ISO 8601). */
export function withLocalClock(text, until) {
  return until ? text.replace(/\b\d\d:\d\d UTC\b/, written(until, "clock")) : text;
}

/** Put every moment below `root` into the shopper's zone. */
export function localise(root) {
  for (const time of root.querySelectorAll("time[data-time]")) {
    time.textContent = written(time.dateTime, time.dataset.time);
  }
  for (const part of root.querySelectorAll("[data-until]")) {
    part.textContent = withLocalClock(part.textContent, part.dataset.until);
  }
}
