"use strict";
/* The form that creates servers: plans, zones and images follow workspace and provider; prices follow the zone. */
(() => {
  const { get } = window.Console;

  function fill(select, rows, kept) {
    const chosen = kept ?? select.value;
    select.replaceChildren(...rows.map(({ name, text }) => new Option(text, name, false, name === chosen)));
  }

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("c-create");
    if (!form) return;
    const field = (name) => form.elements[name];
    let offer = null;

    function fillPlans() {
      const zone = field("zone").value;
      fill(field("plan"), offer.plans.map(({ name, text, prices }) => ({ name, text: `${text}, ${prices[zone] || "price unknown"}` })));
    }

    async function follow({ provider }) {
      const query = new URLSearchParams({ workspace: field("workspace").value, provider });
      offer = await (await get(`${form.dataset.offer}?${query}`)).json();
      fill(field("provider"), offer.providers.map(({ name, title }) => ({ name, text: title })), offer.provider);
      fill(field("zone"), offer.zones);
      fillPlans();
      fill(field("image"), [{ name: "", text: "The account's default" }, ...offer.images]);
    }

    field("workspace").addEventListener("change", () => follow({ provider: field("provider").value }));
    field("provider").addEventListener("change", () => follow({ provider: field("provider").value }));
    field("zone").addEventListener("change", async () => {
      if (!offer) await follow({ provider: field("provider").value }); else fillPlans();
    });
  });
})();
