// Numbers and times in words. Time comes in as a value, so that a picture is the same whenever it is drawn from the same data.

const NUMBER = new Intl.NumberFormat("en");
const INSTANT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function count(value) {
  return NUMBER.format(value);
}

/** `1 row`, `2 rows`. */
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
];

/** A length of time with its two greatest units at most: `3 d 4 h`, `12 min`, `4.2 s`. */
export function duration(seconds) {
  if (seconds < 10) return `${Math.max(0, Math.round(seconds * 10) / 10)} s`;
  let rest = Math.round(seconds);
  const parts = [];
  for (const [unit, size] of UNITS) {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    if (whole > 0) parts.push(`${whole} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  if (parts.length < 2 && rest > 0 && seconds < 3_600) parts.push(`${rest} s`);
  return parts.slice(0, 2).join(" ");
}

/** An age or a distance that is read at a glance: its greatest unit alone. */
export function roughly(seconds) {
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${Math.floor(Math.max(0, seconds) / size)} ${unit}`;
}

export function secondsBetween(earlier, later) {
  return (new Date(later) - new Date(earlier)) / 1000;
}

/** `5 min ago`, `in 3 h`, `now`. */
export function relative(at, now) {
  const ahead = secondsBetween(now, at);
  if (Math.abs(ahead) < 1) return "now";
  return ahead > 0 ? `in ${roughly(ahead)}` : `${roughly(-ahead)} ago`;
}

export function absolute(at) {
  return INSTANT.format(new Date(at));
}

/** `completed_with_rejects` as people say it. */
export function words(name) {
  return name.replaceAll("_", " ");
}
