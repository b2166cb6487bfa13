// The HTTP API under /api/v1, as docs/api.md describes it. The token lives as long as the browser's tab.

const KEY = "longshore-token";
const ROOT = "/api/v1";

/** An answer that is an error: `code`, `message` and `remedy` as everywhere in Longshore. */
export class ApiError extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.remedy = error.remedy ?? "";
    this.causes = error.causes ?? [];
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

/** Segments of a path, each with what it may hold made safe. */
export function path(...segments) {
  return `/${segments.map(encodeURIComponent).join("/")}`;
}

/** A path with parameters; empty ones are left out. */
export function withQuery(to, parameters) {
  const query = new URLSearchParams(
    Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== ""),
  ).toString();
  return query === "" ? to : `${to}?${query}`;
}

function headers(more) {
  const known = token.get();
  return { ...(known ? { authorization: `Bearer ${known}` } : {}), ...more };
}

async function send(to, options) {
  let answer;
  try {
    answer = await fetch(ROOT + to, { credentials: "omit", cache: "no-store", ...options });
  } catch (cause) {
    if (cause.name === "AbortError") throw cause;
    throw new ApiError(0, {
      code: "unreachable",
      message: "Longshore does not answer",
      remedy: "Is `longshore serve` still running? This page goes on by itself when it answers again.",
    });
  }
  if (answer.ok) return answer;
  let error;
  try {
    error = (await answer.json()).error;
  } catch {
    // Something before Longshore answered, such as a proxy.
    error = { code: "unexpected_answer", message: `The answer was ${answer.status} ${answer.statusText}` };
  }
  throw new ApiError(answer.status, error);
}

export async function get(to, signal) {
  return (await send(to, { headers: headers({ accept: "application/json" }), signal })).json();
}

/** Changes something. A change is always JSON: a form on a page of others can not send that. */
export async function post(to, body = {}) {
  const answer = await send(to, {
    method: "POST",
    headers: headers({ accept: "application/json", "content-type": "application/json" }),
    body: JSON.stringify(body),
  });
  return answer.status === 204 ? null : answer.json();
}

/** The body of a stream of events. With `fetch` and not `EventSource`, which can not send a token other than in its address. */
export async function stream(to, signal) {
  return (await send(to, { headers: headers({ accept: "text/event-stream" }), signal })).body;
}
