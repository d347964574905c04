"use strict";
const cards = [...document.querySelectorAll(".card")];
const galleries = [...document.querySelectorAll(".gallery")];
const search = document.getElementById("search");
const found = document.getElementById("found");
const isShown = (card) => card.checkVisibility();

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const card of cards) {
    const text = card.textContent.toLowerCase();
    card.hidden = !words.every((word) => text.includes(word));
  }
  for (const gallery of galleries) gallery.hidden = words.length && !gallery.querySelector(".card:not([hidden])");
  const number = cards.filter(isShown).length;
  found.textContent = words.length ? `${number} of ${cards.length}` : "";
}

function move(step) {
  const shown = cards.filter(isShown);
  const at = shown.indexOf(document.activeElement.closest(".card"));
  const next = shown[at < 0 ? (step > 0 ? 0 : shown.length - 1) : at + step];
  if (next) {
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === search) {
    if (event.key === "Escape") {
      search.value = "";
      filter();
      search.blur();
    }
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
  }
});

if (search) {
  for (const part of document.querySelectorAll(".scripted")) part.hidden = false;
  search.addEventListener("input", filter);
  search.form.addEventListener("reset", () => setTimeout(filter));
  search.form.addEventListener("submit", (event) => {
    event.preventDefault();
    move(1);
  });
}
