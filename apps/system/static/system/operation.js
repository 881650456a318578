"use strict";
/* The page of an operation: its log as it comes, without gap or repeat, and its state. */
(() => {
  const MAX_LINES = 5000, PAUSE_MS = 250, LOOK_MS = 5000;
  const { confirmCopy, get, refreshParts, tellTimes } = window.Console;

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  class Log {
    constructor(section) {
      const part = (name) => document.getElementById(`c-log-${name}`);
      Object.assign(this, { section, box: part("box"), list: part("lines"), empty: part("empty"), earlier: part("earlier"),
        search: part("search"), level: part("level"), pauseButton: part("pause"), followButton: part("follow"),
        live: document.getElementById("c-live"), last: Number(section.dataset.last), newest: Number(section.dataset.last),
        finished: section.dataset.finished === "yes", paused: false, following: true, adding: null, stream: null });
      this.pauseButton.addEventListener("click", () => this.pause(!this.paused));
      this.followButton.addEventListener("click", () => this.follow(!this.following));
      part("copy").addEventListener("click", (event) => confirmCopy(event.currentTarget, this.text()));
      this.earlier.addEventListener("click", () => this.loadEarlier());
      this.search.addEventListener("input", () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.filter(), 250); });
      this.level.addEventListener("change", () => this.filter());
      this.box.addEventListener("scroll", () => this.noteScroll());
      document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
      this.toEnd();
      this.open();
      this.timer = null;
      setInterval(() => this.look(), LOOK_MS);
    }

    /* One stream for each visible tab: browsers open six connections to a host. */
    open() {
      if (this.finished || this.stream || document.hidden) return;
      this.stream = new EventSource(`${this.section.dataset.events}?after=${this.newest}`);
      this.stream.addEventListener("open", () => this.tell("live", true));
      this.stream.addEventListener("error", () => this.lost());
      this.stream.addEventListener("log", (event) => this.take(JSON.parse(event.data).seq));
      this.stream.addEventListener("waiting", () => this.showStatus());
      this.stream.addEventListener("end", () => this.end());
    }

    /* A browser connects again after a lost connection, but not after a refusal, such as that of too many streams. */
    lost() {
      if (this.stream?.readyState !== EventSource.CLOSED) return this.tell("connecting again", false);
      this.close();
      this.tell("live view paused; looks every 5 seconds", false);
      setTimeout(() => this.open(), LOOK_MS);
    }

    close() {
      this.stream?.close();
      this.stream = null;
    }

    async end() {
      this.close();
      this.finished = true;
      await this.addNew();
      this.tell("complete", false);
      refreshParts(["c-page-head", "c-operation", "c-cards", "c-tables"]).catch(() => {});
    }

    /* What steps and tries have come to is not in the stream. */
    async look() {
      if (document.hidden) return;
      this.addNew({ ask: !this.stream && !this.finished });
      if (this.finished) return;
      await this.showStatus();
      if (document.querySelector("#c-tables .c-section")) await refreshParts(["c-tables"]).catch(() => {});
    }

    /* Show the state and what it waits for, in the words of the page; what is the same stays, so that nothing flickers. */
    async showStatus() {
      const shown = document.querySelector("#c-operation .c-status"), made = document.createElement("template");
      try {
        made.innerHTML = await (await get(this.section.dataset.status)).text();
      } catch {
        return;
      }
      const fresh = made.content.querySelector(".c-status");
      if (shown.childElementCount !== fresh.childElementCount) shown.replaceWith(fresh);
      else [...shown.children].forEach((part, at) => part.isEqualNode(fresh.children[at]) || part.replaceWith(fresh.children[at].cloneNode(true)));
      tellTimes();
    }

    tell(text, on) {
      this.live.textContent = text;
      this.live.classList.toggle("c-live-on", on);
    }

    take(seq) {
      if (seq <= this.newest) return;
      this.newest = seq;
      if (this.paused) this.pauseButton.textContent = `Resume (${this.newest - this.last})`;
      else this.addNew();
    }

    /* Add the lines that the stream has told of, or ask for some, as the page itself shows them; one request at a time. */
    addNew({ ask = false } = {}) {
      this.adding ||= this.fetchNew(ask).catch(() => {}).finally(() => { this.adding = null; });
      return this.adding;
    }

    async fetchNew(ask) {
      while (!this.paused && (ask || this.last < this.newest)) {
        const until = this.newest, asked = this.query({ after: this.last });
        const response = await get(asked), made = document.createElement("template");
        made.innerHTML = await response.text();
        if (this.paused || asked !== this.query({ after: this.last })) continue;
        const lines = [...made.content.children], end = Number(lines.at(-1)?.dataset.seq || 0);
        ask = response.headers.get("X-More-Lines") === "yes";
        this.last = ask ? end : Math.max(until, end);
        this.newest = Math.max(this.newest, this.last);
        this.append(lines);
        await new Promise((done) => { setTimeout(done, PAUSE_MS); });
      }
    }

    append(lines) {
      if (!lines.length) return;
      this.empty.hidden = true;
      this.list.append(...lines.map((line) => this.mark(line)));
      while (this.list.childElementCount > MAX_LINES) {
        this.list.firstElementChild.remove();
        this.earlier.hidden = false;
      }
      if (this.following) this.toEnd();
    }

    /* Mark what was searched for in a line. */
    mark(line) {
      const term = this.search.value.trim().toLowerCase(), node = line.querySelector(".c-message").firstChild;
      if (!term || !node || node.nodeType !== Node.TEXT_NODE) return line;
      const text = node.nodeValue, at = text.toLowerCase().indexOf(term);
      if (at >= 0) node.replaceWith(text.slice(0, at), element("mark", {}, text.slice(at, at + term.length)), text.slice(at + term.length));
      return line;
    }

    pause(paused) {
      this.paused = paused;
      this.pauseButton.setAttribute("aria-pressed", String(paused));
      this.pauseButton.textContent = paused ? "Resume" : "Pause";
      if (!paused) this.addNew();
    }

    follow(following) {
      this.following = following;
      this.followButton.setAttribute("aria-pressed", String(following));
      if (following) this.toEnd();
    }

    toEnd() {
      this.box.scrollTop = this.box.scrollHeight;
    }

    noteScroll() {
      const atEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 30;
      if (atEnd !== this.following) this.follow(atEnd);
    }

    query(more = {}) {
      return `${this.section.dataset.log}?${new URLSearchParams({ level: this.level.value, q: this.search.value.trim(), ...more })}`;
    }

    /* Show the last lines that match. */
    async filter() {
      const until = this.newest, asked = this.query(), response = await get(asked), text = await response.text();
      if (asked !== this.query()) return;
      this.list.innerHTML = text;
      [...this.list.children].forEach((line) => this.mark(line));
      const end = Number(this.list.lastElementChild?.dataset.seq || 0);
      this.last = Math.max(until, end);
      this.newest = Math.max(this.newest, this.last);
      this.empty.hidden = this.list.childElementCount > 0;
      this.empty.textContent = this.search.value || this.level.value !== "debug" ? "No line matches." : "Nothing has happened yet.";
      this.earlier.hidden = response.headers.get("X-Earlier-Lines") !== "yes";
      this.toEnd();
      this.addNew();
    }

    async loadEarlier() {
      const first = this.list.firstElementChild?.dataset.seq;
      if (!first) return;
      const response = await get(this.query({ before: first })), height = this.box.scrollHeight;
      const made = document.createElement("template");
      made.innerHTML = await response.text();
      [...made.content.children].forEach((line) => this.mark(line));
      this.follow(false);
      this.list.prepend(made.content);
      this.box.scrollTop += this.box.scrollHeight - height;
      this.earlier.hidden = response.headers.get("X-Earlier-Lines") !== "yes";
      tellTimes();
    }

    text() {
      return [...this.list.children].map((line) => {
        const message = line.querySelector(".c-message").cloneNode(true);
        message.querySelector("details")?.remove();
        return `${line.querySelector("time").dateTime} ${line.dataset.level.toUpperCase()} ${message.textContent}`;
      }).join("\n");
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const section = document.getElementById("c-log");
    if (section) new Log(section);
  });
})();
