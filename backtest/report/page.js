(() => {
"use strict";
const root = document.documentElement;
const charts = JSON.parse(document.getElementById("charts").textContent);
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
const coarse = window.matchMedia("(pointer: coarse)").matches;
const PRINT_WIDTH = 700;
let chosen = null;
let closeUp = 0;

function setTheme(theme) { root.dataset.theme = theme; }
function usualTheme() { return chosen || (prefersDark.matches ? "dark" : "light"); }

// A text "@role" under a key that speaks of colours stands for the theme's colour of that role.
function painted(value, inColor, style) {
  if (typeof value === "string") {
    return inColor && value.startsWith("@") ? style.getPropertyValue("--" + value.slice(1)).trim() : value;
  }
  if (Array.isArray(value)) return value.map((each) => painted(each, inColor, style));
  if (value === null || typeof value !== "object") return value;
  const made = {};
  for (const [key, each] of Object.entries(value)) {
    made[key] = painted(each, inColor || /color/i.test(key), style);
  }
  return made;
}

function drawnFigure(figure) {
  const made = painted(figure, false, getComputedStyle(root));
  if (coarse) made.layout.dragmode = false;
  return made;
}

const CONFIG = {
  responsive: true, displaylogo: false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "toggleSpikelines"],
};

function draw(place, figure) {
  try {
    const made = drawnFigure(figure);
    const bar = !coarse && place.clientWidth >= 600 && !place.classList.contains("small") ? "hover" : false;
    Plotly.react(place, made.data, made.layout, {...CONFIG, displayModeBar: bar});
    place.dataset.drawn = "true";
  } catch (error) {
    place.textContent = "This chart cannot be drawn here: " + error.message;
    place.classList.remove("tall", "usual", "small");
    console.warn(error);
  }
}

const visible = (place) => place.offsetParent !== null;

function drawAll() {
  for (const place of document.querySelectorAll("[data-chart]")) {
    if (visible(place)) drawChart(place);
  }
  drawCloseUp();
}

function drawChart(place) {
  draw(place, charts[place.dataset.chart]);
  if (!place.dataset.fits) {
    place.dataset.fits = "true";
    fitPrices(place);
  }
}

// When the time axis of candles is zoomed, the price axis follows what is in sight.
function fitPrices(place) {
  const trace = charts[place.dataset.chart].data[0];
  if (trace.type !== "candlestick") return;
  const times = doubles(trace.x), lows = doubles(trace.low), highs = doubles(trace.high);
  place.on("plotly_relayout", (change) => {
    const moved = Object.keys(change);
    if (!moved.some((key) => key.startsWith("xaxis")) || moved.some((key) => key.startsWith("yaxis"))) return;
    if (change["xaxis.autorange"]) { Plotly.relayout(place, {"yaxis.autorange": true}); return; }
    const [from, to] = place.layout.xaxis.range.map((each) =>
      typeof each === "number" ? each : Date.parse(String(each).replace(" ", "T") + (String(each).length > 10 ? "Z" : "")));
    let low = Infinity, high = -Infinity;
    for (let row = 0; row < times.length; row += 1) {
      if (times[row] < from || times[row] > to) continue;
      low = Math.min(low, lows[row]);
      high = Math.max(high, highs[row]);
    }
    if (low > high) return;
    const room = (high - low || high) * 0.06;
    Plotly.relayout(place, {"yaxis.range": [low - room, high + room]});
  });
}

function doubles(packed) {
  const text = atob(packed.bdata);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  return new Float64Array(bytes.buffer);
}

function drawCloseUp() {
  const place = document.getElementById("close-up-chart");
  if (place) draw(place, charts["close-ups"][closeUp]);
}

function wireCloseUps() {
  const choice = document.getElementById("close-up-choice");
  if (!choice) return;
  choice.addEventListener("change", () => { closeUp = choice.selectedIndex; drawCloseUp(); });
  for (const button of document.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => {
      const count = charts["close-ups"].length;
      closeUp = Math.min(count - 1, Math.max(0, closeUp + Number(button.dataset.step)));
      choice.selectedIndex = closeUp;
      drawCloseUp();
    });
  }
}

function wireTabs() {
  for (const list of document.querySelectorAll("[role=tablist]")) {
    const tabs = [...list.querySelectorAll("[role=tab]")];
    for (const tab of tabs) {
      tab.addEventListener("click", () => {
        for (const each of tabs) {
          const mine = each === tab;
          each.setAttribute("aria-selected", String(mine));
          const panel = document.getElementById(each.dataset.panel);
          panel.hidden = !mine;
          if (mine) for (const place of panel.querySelectorAll("[data-chart]")) drawChart(place);
        }
      });
    }
  }
}

function wireSwitches() {
  for (const button of document.querySelectorAll("[data-relayout]")) {
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      const change = JSON.parse(on ? button.dataset.on : button.dataset.off);
      for (const [path, value] of Object.entries(change)) {
        const [part, key] = path.split(".");
        charts[button.dataset.relayout].layout[part][key] = value;
      }
      Plotly.relayout(document.getElementById("chart-" + button.dataset.relayout), change);
    });
  }
}

function wireTheme() {
  document.getElementById("theme").addEventListener("click", () => {
    chosen = usualTheme() === "dark" ? "light" : "dark";
    setTheme(chosen);
    drawAll();
  });
  prefersDark.addEventListener("change", () => { setTheme(usualTheme()); drawAll(); });
}

function wirePrinting() {
  const each = (change) => {
    for (const place of document.querySelectorAll(".js-plotly-plot")) {
      if (visible(place)) Plotly.relayout(place, change);
    }
  };
  window.addEventListener("beforeprint", () => { setTheme("light"); drawAll(); each({width: PRINT_WIDTH}); });
  window.addEventListener("afterprint", () => { setTheme(usualTheme()); drawAll(); each({width: null, autosize: true}); });
}

setTheme(usualTheme());
wireCloseUps();
wireTabs();
wireSwitches();
wireTheme();
wirePrinting();
drawAll();
root.dataset.ready = "true";
})();
