// What happens, as it happens: a stream of events, and questions every few seconds where the stream is not to be had.

import { stream } from "./api.js";

const POLL_MS = 4_000;
/** A stream that says nothing for so long is gone; the server sends a sign of life every 15 s. */
const SILENCE_MS = 40_000;
const RETRY_MS = [1_000, 2_000, 5_000, 10_000, 30_000];

/** Cuts a stream of text into events. */
export class EventParser {
  #rest = "";

  /** The events that are complete with this piece of text. */
  feed(text) {
    this.#rest += text.replaceAll("\r\n", "\n");
    const blocks = this.#rest.split("\n\n");
    this.#rest = blocks.pop();
    return blocks.map(EventParser.#read).filter((event) => event !== null);
  }

  static #read(block) {
    let name = "message";
    const data = [];
    for (const line of block.split("\n")) {
      if (line.startsWith("event:")) name = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    }
    return data.length === 0 ? null : { name, data: JSON.parse(data.join("\n")) };
  }
}

/**
 * Follows the events until `stop` is called. `onEvent` gets each; `onState` hears `live`, `polling` or `offline`; `poll` is called every few seconds
 * while there is no stream, and whenever events may have been missed.
 */
export function follow({ onEvent, onState, poll, onError }) {
  const stopped = new AbortController();
  let timer = null;

  const asking = async () => {
    try {
      await poll();
      // The stream may have come meanwhile.
      if (timer !== null) onState("polling");
    } catch (error) {
      if (timer !== null) onState("offline");
      onError(error);
    }
    if (!stopped.signal.aborted && timer !== null) timer = setTimeout(asking, POLL_MS);
  };
  const startAsking = () => {
    if (timer === null) timer = setTimeout(asking, POLL_MS);
  };
  const stopAsking = () => {
    clearTimeout(timer);
    timer = null;
  };

  const listen = async () => {
    for (let failures = 0; !stopped.signal.aborted; failures += 1) {
      const connection = new AbortController();
      const end = () => connection.abort();
      stopped.signal.addEventListener("abort", end);
      try {
        const body = await stream("/events", connection.signal);
        stopAsking();
        onState("live");
        // What happened since the page was loaded, or since the last stream broke, is in no stream.
        await poll();
        failures = 0;
        await read(body, end, onEvent);
      } catch (error) {
        if (!stopped.signal.aborted) onError(error);
      } finally {
        stopped.signal.removeEventListener("abort", end);
        connection.abort();
      }
      if (stopped.signal.aborted) return;
      onState("offline");
      startAsking();
      const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)];
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  };
  listen();
  return () => {
    stopped.abort();
    stopAsking();
  };
}

async function read(body, end, onEvent) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  for (;;) {
    const silence = setTimeout(end, SILENCE_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    parser.feed(value).forEach(onEvent);
  }
}
