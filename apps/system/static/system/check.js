"use strict";
/* Forms that are checked first: the answer comes below the fields, and goes away when a field is changed. */
(() => {
  const { get } = window.Console;

  /* What was checked is what is done: a change of the form takes the answer away. */
  function follow(form) {
    const answer = form.querySelector("[data-answer]"), proceed = form.elements.do;
    if (!answer) return;
    form.addEventListener("input", () => {
      (answer.closest(".c-checks") || answer).remove();
      proceed.textContent = form.dataset.verb;
      proceed.disabled = false;
    }, { once: true });
    async function look() {
      if (!answer.isConnected) return;
      if (!document.hidden) answer.innerHTML = await (await get(answer.dataset.answer)).text();
      const waiting = Boolean(answer.querySelector("[data-waiting=yes]"));
      if (answer.isConnected) proceed.disabled = waiting || (form.dataset.strict !== undefined && !answer.querySelector("[data-good]"));
      if (document.hidden || waiting) setTimeout(look, 700);
    }
    if (answer.dataset.answer) look();
    answer.scrollIntoView({ block: "nearest" });
  }

  /* Check without leaving the page, so that passwords that were typed stay. */
  async function check(form, button) {
    const data = new FormData(form), part = form.closest("[data-in-place]");
    data.append(button.name, button.value);
    button.disabled = true;
    const response = await fetch(form.action, { method: "POST", body: data });
    if (response.redirected || !response.ok) return window.location.reload();
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(part.id);
    for (const typed of form.querySelectorAll("input[type=password]")) fresh.querySelector("form").elements[typed.name].value = typed.value;
    part.replaceWith(fresh);
    begin(fresh.querySelector("form"));
    fresh.querySelector("[name=check]").focus({ preventScroll: true });
  }

  function begin(form) {
    follow(form);
    if (!form.closest("[data-in-place]")) return;
    form.addEventListener("submit", (event) => {
      if (event.submitter?.name !== "check") return;
      event.preventDefault();
      check(form, event.submitter).catch(() => window.location.reload());
    });
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("form[data-verb]").forEach(begin));
})();
