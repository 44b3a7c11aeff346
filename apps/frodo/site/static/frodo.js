// What the pages do not need, and is nice to have: the choice of a theme, and the live preview of the
// editor (blog/editor.html). Used by site/layout.html.
"use strict";

(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const shown = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const label = () => {
    button.textContent = shown() === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Use the ${button.textContent.toLowerCase()} theme`);
  };

  const kept = localStorage.getItem("theme");
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  if (button) {
    button.hidden = false;
    label();
    dark.addEventListener("change", label);
    button.addEventListener("click", () => {
      root.dataset.theme = shown() === "dark" ? "light" : "dark";
      localStorage.setItem("theme", root.dataset.theme);
      label();
    });
  }
})();

(() => {
  const source = document.querySelector("textarea[data-preview]");
  const target = document.getElementById("preview");
  if (!source || !target) return;
  let timer = 0, number = 0;
  source.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const mine = ++number;
      const reply = await fetch(source.dataset.preview, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ content: source.value }),
      });
      if (!reply.ok || mine !== number) return;
      target.innerHTML = (await reply.json()).html; // made safe by the server, as in the page
    }, 250);
  });
})();
