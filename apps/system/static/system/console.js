"use strict";
/* The behavior of the console's own pages: relative times, polled parts, copying, questions asked in place. */
(() => {
  const UNITS = [[31536000, "year"], [2592000, "month"], [86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

  function relative(moment) {
    const seconds = (Date.now() - moment) / 1000, size = Math.abs(seconds);
    if (size < 5) return "just now";
    const [length, unit] = UNITS.find(([length]) => size >= length) || UNITS[5];
    const count = Math.floor(size / length), text = `${count} ${unit}${count === 1 ? "" : "s"}`;
    return seconds > 0 ? `${text} ago` : `in ${text}`;
  }

  function tellTimes() {
    for (const element of document.querySelectorAll("time.c-ago")) {
      const text = relative(Date.parse(element.dateTime));
      if (element.textContent !== text) element.textContent = text;
    }
  }

  /* Tell whether a cell says nothing: a phone leaves it out. */
  const isEmpty = (cell) => !cell.children.length && ["", "-"].includes(cell.textContent.trim());

  /* Name each cell by its column: on a phone the rows of tables stand as blocks, without a head. */
  function labelCells(root) {
    for (const cell of root.querySelectorAll("#result_list td")) cell.classList.toggle("c-none", isEmpty(cell));
    for (const table of root.querySelectorAll("table.c-table:not(.c-plain)")) {
      const names = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
      for (const row of table.querySelectorAll("tbody tr")) {
        let at = 0;
        for (const cell of row.cells) {
          if (at && names[at]) cell.dataset.label = names[at];
          cell.classList.toggle("c-none", isEmpty(cell));
          at += cell.colSpan;
        }
      }
    }
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  }

  function confirmCopy(button, text) {
    const label = button.textContent;
    copy(text).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = label; }, 1200);
    });
  }

  /* Fetch a page of ours, once more when the network fails or changes; a session that has ended leads to the login. */
  async function get(address) {
    const ask = () => fetch(address, { headers: { "X-Requested-With": "console" } });
    const response = await ask().catch(async () => {
      await new Promise((done) => setTimeout(done, 1000));
      return ask();
    });
    if (response.redirected && response.url.includes("/login/")) window.location.reload();
    if (!response.ok) throw new Error(String(response.status));
    return response;
  }

  /* Tell whether somebody is at work in a part: has typed, opened a question, or is about to. */
  function isInUse(part) {
    const isChanged = (field) => {
      if (field.type === "checkbox") return field.checked !== field.defaultChecked;
      if (!field.options) return field.value !== field.defaultValue;
      const given = [...field.options].find((option) => option.defaultSelected) || field.options[0];
      return Boolean(given) && field.value !== given.value;
    };
    return part.contains(document.activeElement) || part.querySelector("details.c-ask[open]")
      || [...part.querySelectorAll("input:not([type=hidden]), textarea, select")].some(isChanged);
  }

  /* Replace parts of this page, by id, by those of the page as it is now; what is in use stays. */
  async function refreshParts(ids) {
    const text = await (await get(window.location.href)).text();
    const fresh = new DOMParser().parseFromString(text, "text/html");
    labelCells(fresh);
    for (const id of ids) {
      const old = document.getElementById(id), made = fresh.getElementById(id);
      if (!old || !made || old.outerHTML === made.outerHTML || isInUse(old)) continue;
      const [left, top] = [old.scrollLeft, old.scrollTop];
      old.replaceWith(made);
      made.scrollTo(left, top);
    }
    tellTimes();
  }

  /* <div data-poll="address" data-every="5">: filled anew each so many seconds while the page is visible. */
  function poll(element) {
    let under_way = false;
    const every = Number(element.dataset.every || 5) * 1000;
    const look = async () => {
      if (document.hidden || under_way || element.contains(document.activeElement)) return;
      under_way = true;
      try {
        element.innerHTML = await (await get(element.dataset.poll)).text();
        element.removeAttribute("data-stale");
        tellTimes();
      } catch {
        element.setAttribute("data-stale", "");
      } finally {
        under_way = false;
      }
    };
    setInterval(look, every);
    document.addEventListener("visibilitychange", look);
  }

  /* <div data-refresh="ids">: these parts are made anew every three seconds while the page is visible and says so. */
  function followChanges() {
    let under_way = false;
    const look = async () => {
      const marker = document.querySelector("[data-refresh]");
      if (!marker || document.hidden || under_way) return;
      under_way = true;
      await refreshParts(marker.dataset.refresh.split(" ")).catch(() => {});
      under_way = false;
    };
    setInterval(look, 3000);
    document.addEventListener("visibilitychange", look);
  }

  /* <input data-filter=".card">: shows the cards whose data-text has every word of it. */
  function filterCards(input) {
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const card of document.querySelectorAll(input.dataset.filter)) {
        card.hidden = !words.every((word) => card.dataset.text.includes(word));
      }
      for (const section of document.querySelectorAll(".c-category")) {
        section.hidden = !section.querySelector(`${input.dataset.filter}:not([hidden])`);
      }
    });
  }

  /* Show the credential fields of the provider that is chosen. */
  function followProvider(select) {
    const show = () => {
      for (const input of document.querySelectorAll("[data-of-provider]")) {
        input.closest("fieldset").hidden = input.dataset.ofProvider !== select.value;
      }
    };
    select.addEventListener("change", show);
    show();
  }

  /* The theme's icons are ligatures, whose names would be read out; one that stands alone names its link or button. */
  function nameIcon(icon) {
    const owner = icon.closest("a, button"), name = icon.textContent.trim();
    icon.setAttribute("aria-hidden", "true");
    if (!owner || owner.hasAttribute("aria-label") || owner.textContent.trim() !== name) return;
    owner.setAttribute("aria-label", owner.title || { search: "Search", more_vert: "More actions" }[name] || name.replaceAll("_", " "));
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) confirmCopy(button, button.dataset.copy);
    for (const open of document.querySelectorAll("details.c-ask[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.matches("details.c-ask[open]")) event.target.querySelector("input:not([type=hidden])")?.focus();
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of document.querySelectorAll("details.c-ask[open]")) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("content")?.setAttribute("role", "main");
    document.querySelectorAll(".material-symbols-outlined").forEach(nameIcon);
    document.querySelectorAll("[data-poll]").forEach(poll);
    followChanges();
    document.querySelectorAll("[data-filter]").forEach(filterCards);
    document.querySelectorAll("select[data-provider]:not([disabled])").forEach(followProvider);
    for (const select of document.querySelectorAll("[data-reload]")) {
      select.addEventListener("change", () => {
        const query = new URLSearchParams(window.location.search);
        query.set(select.name, select.value);
        window.location.search = query;
      });
    }
    labelCells(document);
    tellTimes();
    setInterval(tellTimes, 10000);
  });

  window.Console = { copy, confirmCopy, get, refreshParts, relative, tellTimes };
})();
