// Listens to the stream: a process of its own, whose address the page is told. It comes back after a loss and names the
// last event that it saw. A WebSocket, because browsers let it carry the token outside of the address.

import { currentToken } from "./api.js";

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60000;
const SILENCE_MS = 75000; // the stream pings every 30 s
const REFUSED = [4400, 4401, 4403, 4404]; // asking again would not help

export class Live {
  #url; #onEvent; #onState; #socket = null; #timer = null; #watch = null; #pause = FIRST_PAUSE_MS; #lastId = ""; #userId = null;

  constructor(url, onEvent, onState) {
    this.#url = url;
    this.#onEvent = onEvent;
    this.#onState = onState;
  }

  // Listens to a user's events; without one, to new generations only.
  follow(userId) {
    if (this.#userId === userId && this.#socket) return;
    this.#userId = userId;
    this.#close();
    this.#open();
  }

  #open() {
    const address = new URL("/v1/stream", this.#url);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    if (this.#userId) address.searchParams.set("user_id", this.#userId);
    else address.searchParams.set("channels", "system");
    if (this.#lastId) address.searchParams.set("last_event_id", this.#lastId);
    const token = currentToken();
    const socket = new WebSocket(address, token ? ["jobfeed", `bearer.${token}`] : ["jobfeed"]);
    this.#socket = socket;
    socket.addEventListener("open", () => { this.#onState("live"); this.#listen(); });
    socket.addEventListener("message", (event) => { if (socket === this.#socket) this.#take(event.data); });
    socket.addEventListener("close", (event) => { if (socket === this.#socket) this.#lost(REFUSED.includes(event.code)); });
  }

  #take(message) {
    this.#pause = FIRST_PAUSE_MS;
    this.#listen();
    let event;
    try {
      event = JSON.parse(message);
    } catch {
      return;
    }
    if (event.id) this.#lastId = event.id;
    if (event.data?.event !== "ping") this.#onEvent(event);
  }

  // A connection that says nothing for two pings is dead, even if nobody closed it.
  #listen() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => { this.#close(); this.#lost(false); }, SILENCE_MS);
  }

  #lost(isRefused) {
    this.#close();
    this.#onState(isRefused ? "refused" : "waiting");
    if (isRefused) return;
    this.#timer = setTimeout(() => this.#open(), this.#pause * (0.5 + Math.random()));
    this.#pause = Math.min(LONGEST_PAUSE_MS, 2 * this.#pause);
  }

  #close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
