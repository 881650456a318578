"use strict";
/* A new password: made by the browser, filled into both fields, and shown until the page is left or a field is changed. */
(() => {
  const CHARACTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"; // none that looks like another
  const GROUPS = 4, GROUP_LENGTH = 5;

  function character() {
    const limit = 256 - (256 % CHARACTERS.length); // bytes above it would make the first characters likelier
    let byte;
    do { [byte] = crypto.getRandomValues(new Uint8Array(1)); } while (byte >= limit);
    return CHARACTERS[byte % CHARACTERS.length];
  }

  function password() {
    const group = () => Array.from({ length: GROUP_LENGTH }, character).join("");
    return Array.from({ length: GROUPS }, group).join("-");
  }

  function offer(part) {
    const [generate, copy] = part.querySelectorAll("button"), shown = part.querySelector(".c-copy");
    const fields = part.closest("form").querySelectorAll("input[autocomplete=new-password]");
    const tell = (made, says) => {
      shown.hidden = !made;
      shown.querySelector("code").textContent = copy.dataset.copy = made;
      part.querySelector("[role=status]").textContent = says;
    };
    const forget = () => tell("", "");
    generate.addEventListener("click", () => {
      const made = password();
      for (const field of fields) field.value = made;
      tell(made, "Filled into both fields. Copy it now: once this form is sent, nobody can see it again.");
    });
    for (const field of fields) field.addEventListener("input", forget);
    window.addEventListener("pagehide", forget);
    part.hidden = false;
  }

  document.querySelectorAll("[data-generate]").forEach(offer);
})();
