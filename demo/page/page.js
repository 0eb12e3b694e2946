"use strict";
const { days, accounts } = JSON.parse(document.getElementById("points").textContent);
const times = days.map((day) => Date.parse(day));
const span = times[times.length - 1] - times[0] || 1;
const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
const share = (value, places = 1) => `${(value * 100).toFixed(places).replace("-", "−")}%`;
const dayText = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

/** Index of the last day at or before the given share of the time span. */
function dayAt(fraction) {
  const wanted = times[0] + Math.min(1, Math.max(0, fraction)) * span;
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Print what one account was worth and held on a day into the captions of its charts. */
function showDay(article, index) {
  const points = accounts[article.dataset.account];
  const put = (name, text) => { article.querySelector(`[data-show="${name}"]`).textContent = text; };
  for (const when of article.querySelectorAll(".when")) when.textContent = dayText.format(times[index]);
  put("equity", dollars.format(points.equity[index]));
  put("index", dollars.format(points.index[index]));
  put("down", share(points.down[index]));
  put("indexDown", share(points.indexDown[index]));
  const slot = points.slots.filter((at) => at <= index).length - 1;
  const held = Object.entries(points.weights[slot]).filter(([, weight]) => weight >= 0.0005);
  const largest = held.sort((a, b) => b[1] - a[1]).slice(0, 4).map(([symbol, weight]) => `${symbol} ${share(weight)}`);
  const more = held.length - largest.length;
  put("weights", `after the last slot: ${largest.join(", ")}${more > 0 ? ` and ${more} more` : ""}`);
  for (const cursor of article.querySelectorAll(".cursor")) {
    cursor.style.left = `${(100 * (times[index] - times[0])) / span}%`;
  }
}

for (const article of document.querySelectorAll(".account")) {
  const last = days.length - 1;
  let current = last;
  const point = (index) => {
    current = Math.min(last, Math.max(0, index));
    article.classList.add("pointing");
    showDay(article, current);
  };
  const leave = () => {
    current = last;
    article.classList.remove("pointing");
    showDay(article, last);
  };
  for (const canvas of article.querySelectorAll(".canvas")) {
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      point(dayAt((event.clientX - box.left) / box.width));
    });
    canvas.addEventListener("pointerleave", leave);
    canvas.addEventListener("blur", leave);
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -21, PageDown: 21 }[event.key];
      if (!step) return;
      event.preventDefault();
      point(current + step);
    });
  }

  const holdings = article.querySelector(".plot-holdings");
  const buttons = [...article.querySelectorAll(".legend button")];
  const pick = (symbol) => {
    holdings.classList.toggle("picked", symbol !== null);
    for (const band of holdings.querySelectorAll(".band")) band.classList.toggle("pick", band.dataset.symbol === symbol);
  };
  const pressed = () => buttons.find((button) => button.getAttribute("aria-pressed") === "true")?.dataset.symbol ?? null;
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      for (const other of buttons) other.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-pressed", String(on));
      pick(pressed());
    });
    button.addEventListener("pointerenter", () => pick(button.dataset.symbol));
    button.addEventListener("pointerleave", () => pick(pressed()));
  }

  const tip = article.querySelector(".tip");
  const hint = tip.textContent;
  for (const cell of article.querySelectorAll(".cell")) {
    for (const name of ["pointerenter", "focus"]) cell.addEventListener(name, () => { tip.textContent = cell.dataset.tip; });
    for (const name of ["pointerleave", "blur"]) cell.addEventListener(name, () => { tip.textContent = hint; });
    cell.addEventListener("click", () => {
      const month = document.querySelector(cell.hash);
      month.closest(".of-year").open = true;
      month.open = true;
    });
  }

  const filters = article.querySelector(".filters");
  filters.addEventListener("change", () => {
    const { symbol, side } = filters.elements;
    const filtered = Boolean(symbol.value || side.value);
    const fits = (order) => (!symbol.value || order.dataset.symbol === symbol.value) && (!side.value || order.dataset.side === side.value);
    for (const order of article.querySelectorAll(".order")) order.hidden = !fits(order);
    for (const group of article.querySelectorAll(".month, .of-year")) {
      const matches = group.querySelector(".order:not([hidden])") !== null;
      group.hidden = filtered && !matches;
      group.open = filtered ? matches : group.matches(".of-year:first-of-type");
    }
    const shown = article.querySelectorAll(".order:not([hidden])").length;
    filters.querySelector("output").textContent = `${shown} order${shown === 1 ? "" : "s"}`;
  });
  showDay(article, last);
}

const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) links.get(entry.target.id).classList.toggle("here", entry.isIntersecting);
}, { rootMargin: "-30% 0px -60% 0px" });
for (const id of links.keys()) seen.observe(document.getElementById(id));
