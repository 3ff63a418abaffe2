// The console, live. Pages say all without this script; it keeps what they say fresh:
// the state comes each second over one EventSource, and whatever else has changed is
// asked for anew as a page, of which only what differs is taken.
"use strict";
(() => {
  const body = document.body, watch = body.dataset.watch, every = Number(body.dataset.every);
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const unknown = "not known";

  // ---- values as text: as the server writes them ----

  const count = (n) => n.toLocaleString("en-US");
  function decimal(v, unit = "") {
    if (v === null || v === undefined) return unknown;
    const text = v >= 100 ? count(Math.round(v)) : String(Number(v.toFixed(v >= 10 ? 1 : 2)));
    return unit ? text + " " + unit : text;
  }
  function bytes(n) {
    if (n === null || n === undefined) return unknown;
    if (n < 1024) return n + " B";
    const units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let f = n / 1024;
    while (f >= 1023.5 && units.length > 1) { f /= 1024; units.shift(); }
    return f.toFixed(f < 10 ? 1 : 0) + " " + units[0];
  }
  function duration(ms) {
    const s = Math.floor(ms / 1000);
    if (ms < 10000) return (ms / 1000).toFixed(1) + " s";
    if (s < 120) return s + " s";
    if (s < 7200) return Math.floor(s / 60) + " min " + s % 60 + " s";
    if (s < 172800) return Math.floor(s / 3600) + " h " + Math.floor(s / 60) % 60 + " min";
    return Math.floor(s / 86400) + " d " + Math.floor(s / 3600) % 24 + " h";
  }
  const two = (n) => String(n).padStart(2, "0");
  const clock = (t) => two(t.getHours()) + ":" + two(t.getMinutes()) + ":" + two(t.getSeconds());
  const uptime = (s) => s < 10 ? s + " s" : duration(s * 1000);
  function brokers(t) {
    return count(t.members) + (t.overdue ? ", " + count(t.overdue) + " overdue" : "") + (t.suspect ? ", " + count(t.suspect) + " held back" : "");
  }
  function value(unit, v) { return unit === "B" ? bytes(v) : decimal(v, unit); }

  // ---- times: local ones, and ages that go on ----

  function localise(root) {
    for (const t of $$("time:not([title])", root)) {
      const at = new Date(t.dateTime);
      t.title = t.textContent;
      t.textContent = at.getFullYear() + "-" + two(at.getMonth() + 1) + "-" + two(at.getDate()) + " " + clock(at);
    }
    const now = performance.now();
    for (const e of $$("[data-age]", root)) e.born = e.born || now - Number(e.dataset.age);
  }
  function tick() {
    const now = performance.now();
    for (const e of $$("[data-age]")) {
      const text = duration(now - e.born);
      if (e.textContent !== text) e.textContent = text;
    }
  }

  // ---- tables: sort and filter ----

  const sorts = {}; // by ID of the table: column, and 1 or -1
  // What a cell is sorted by: the age, the number at its beginning, or its text.
  function key(cell) {
    const age = $("[data-age]", cell);
    if (age) return performance.now() - age.born;
    const text = cell.textContent.trim();
    return /^[\d,.]+$/.test(text) ? Number(text.replaceAll(",", "")) : text;
  }
  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }
  function sort(table) {
    const by = sorts[table.id];
    $$("thead th", table).forEach((th, i) => {
      if (by && by.column === i) th.setAttribute("aria-sort", by.way > 0 ? "ascending" : "descending");
      else th.removeAttribute("aria-sort");
    });
    const rows = [...table.tBodies[0].rows];
    if (!by || rows.some((r) => r.cells.length <= by.column)) return;
    const keys = new Map(rows.map((r) => [r, key(r.cells[by.column])]));
    rows.sort((a, b) => by.way * compare(keys.get(a), keys.get(b)));
    table.tBodies[0].append(...rows);
  }
  function sortable(root) {
    for (const table of $$("table[data-sort]", root)) {
      $$("thead th", table).forEach((th, column) => {
        if ($("button", th)) return;
        const button = document.createElement("button");
        button.type = "button";
        button.append(...th.childNodes);
        th.append(button);
        button.addEventListener("click", () => {
          const was = sorts[table.id], way = was && was.column === column ? -was.way : 1;
          sorts[table.id] = { column, way };
          sort(document.getElementById(table.id));
        });
      });
    }
  }
  function filter(input) {
    const table = document.getElementById(input.dataset.filter), text = input.value.toLowerCase();
    if (!table) return;
    for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(text);
  }

  // ---- the page, taken anew ----

  // arrange gives a part of a page what tables have here.
  function arrange(root) {
    localise(root);
    sortable(root);
    for (const table of root.matches && root.matches("table[data-sort]") ? [root] : $$("table[data-sort]", root)) sort(table);
    reach();
  }

  // reach lets keys scroll what is too wide, and says what that is.
  function reach() {
    for (const wide of $$(".wide")) {
      sizes.observe(wide);
      for (const part of wide.children) sizes.observe(part);
      if (wide.scrollWidth > wide.clientWidth) {
        wide.tabIndex = 0;
        wide.setAttribute("role", "region");
        const name = $("caption", wide) || $("h2", wide.closest("section") || body) || $("h1");
        wide.setAttribute("aria-label", name.textContent + ", to scroll");
      } else unreach(wide);
    }
  }
  function unreach(wide) { for (const name of ["tabindex", "role", "aria-label"]) wide.removeAttribute(name); }
  const sizes = new ResizeObserver(reach);

  // patchRows takes the rows of a new table. Rows that are the same stay, and with them
  // what is selected in them.
  function patchRows(table, fresh) {
    const old = new Map($$("tr[data-k]", table.tBodies[0]).map((r) => [r.dataset.k, r]));
    const rows = [...fresh.tBodies[0].rows].map((row) => {
      const was = old.get(row.dataset.k);
      if (was && was.isEqualNode(row)) return was;
      if (row.dataset.k && old.size && (!was || was.dataset.s !== row.dataset.s)) mark(row);
      return row;
    });
    table.tBodies[0].replaceChildren(...rows);
    if (table.caption && fresh.caption) table.caption.textContent = fresh.caption.textContent;
  }
  function mark(row) {
    row.classList.add("new");
    setTimeout(() => row.classList.remove("new"), 3000);
  }

  // same reports whether a part is as it was sent.
  function same(here, part) {
    const sent = here.cloneNode(true);
    [sent, ...$$(".wide", sent)].filter((e) => e.matches(".wide")).forEach(unreach);
    return sent.isEqualNode(part);
  }
  // refind returns what finds the same link of a row, or what is in the same place, on the page as it will be.
  function refind(e) {
    const can = "a[href], button, [tabindex]", k = e.closest("[data-k]")?.dataset.k, href = e.getAttribute("href");
    const root = e.parentElement?.closest("[id]"), i = $$(can, root || body).indexOf(e);
    if (k && href) return () => $$("[data-k] a").find((a) => a.getAttribute("href") === href && a.closest("[data-k]").dataset.k === k);
    return () => $$(can, root ? document.getElementById(root.id) || body : body)[i];
  }
  function patch(fresh) {
    const focus = document.activeElement || document.body, again = refind(focus);
    for (const part of $$("[data-r]", fresh)) {
      const here = document.getElementById(part.id);
      if (!here) continue;
      document.adoptNode(part);
      localise(part);
      if (same(here, part)) continue;
      const tables = here.tagName === "TABLE" ? [here] : $$("table[id]", here);
      const others = part.tagName === "TABLE" ? [part] : $$("table[id]", part);
      if (tables.length && tables.length === others.length && (here === tables[0] || here.children.length === 1 && part.children.length === 1)) {
        tables.forEach((table, i) => { patchRows(table, others[i]); sort(table); });
      } else {
        here.replaceChildren(...part.childNodes);
        arrange(here);
      }
    }
    for (const input of $$("input[data-filter]")) if (input.value) filter(input);
    if (!document.contains(focus)) again()?.focus?.({ preventScroll: true });
    tick(); reach();
  }

  const gap = 1000; // between two pages, at least
  let asked = 0, waiting = false, dirty = false, paused = false;
  function refresh() {
    dirty = true;
    if (paused || document.hidden || waiting) return;
    waiting = true;
    setTimeout(async () => {
      if (paused || document.hidden) { waiting = false; return; } // what has changed stays noted
      asked = performance.now();
      dirty = false;
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
        if (answer.status === 401 || answer.status === 403) location.reload();
        else if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          if (!paused) patch(page);
        }
      } catch { /* the strip says that nothing comes */ } finally {
        waiting = false;
        if (dirty) refresh(); // of what came meanwhile the page may not know
      }
    }, Math.max(0, asked + gap - performance.now()));
  }

  // ---- the state, each second ----

  let heard = performance.now(), heardAt = new Date(), troubles = null, since = null, stream = null, retry = 0;
  function put(k, text) {
    for (const e of $$(`#strip [data-k="${k}"], #charts [data-k="${k}"], footer [data-k="${k}"]`)) {
      const at = $("a", e) || e;
      if (at.textContent !== text) at.textContent = text;
    }
  }
  const states = { ready: ["●", "ok", "ready"], notReady: ["✕", "bad", "not ready"], starting: ["◔", "warn", "starting"], draining: ["▽", "warn", "draining"] };
  function agree(p) {
    if (!p || !p.configured) return "not configured";
    const [k, word] = [["differ", "differ"], ["unreachable", "not reached"], ["notAsked", "not asked yet"]].find(([k]) => p[k]) || [];
    return k ? `${p[k]} of ${p.configured} ${word}` : p.configured + " agree";
  }
  function showState(st) {
    const sign = $("#strip [data-state]");
    if (sign && sign.dataset.state !== st.state) {
      const [mark, level, word] = states[st.state] || ["", "", st.state];
      sign.dataset.state = st.state;
      sign.className = "s " + level;
      sign.textContent = mark + " " + word;
    }
    put("uptime", uptime(st.uptimeSeconds));
    put("brokers", brokers(st.brokers));
    put("topics", count(st.topics.count));
    put("rate", decimal(st.rates.requests, "/s"));
    put("delay", decimal(st.latencyMs.loopDelay.p99, "ms"));
    put("peers", agree(st.peers));
    put("generation", st.generation);
    // What else a page shows may differ: then it is asked for.
    const now = JSON.stringify([st.brokers, st.peers, st.reasons, st.attention.map((e) => [e.severity, e.code, e.link])]);
    if (troubles !== null && troubles !== now) refresh();
    troubles = now;
    if ($("#strip [data-k=attention] a") ? !st.attention.length : st.attention.length) {
      const to = document.createElement("a");
      to.href = "/#attention";
      $("#strip [data-k=attention]").replaceChildren(st.attention.length ? to : "nothing");
    }
    put("attention", st.attention.length ? String(st.attention.length) : "nothing");
    charts.add(st);
  }

  // ---- the stream: one for each tab, none for a hidden one ----

  function open() {
    if (!watch || stream || document.hidden) return;
    const query = since ? watch.replace(/since=[^&]*/, "since=" + encodeURIComponent(since)) : watch;
    stream = new EventSource("/v1/watch?" + query);
    document.documentElement.dataset.live = "open";
    const on = (kind, does) => stream.addEventListener(kind, (m) => {
      heard = performance.now();
      heardAt = new Date();
      if (m.lastEventId) since = m.lastEventId;
      does(m);
    });
    on("state", (m) => showState(JSON.parse(m.data)));
    on("event", refresh);
    on("topic", refresh);
    on("reset", refresh);
    stream.addEventListener("error", () => {
      if (!stream || stream.readyState !== EventSource.CLOSED) return; // the browser comes back by itself
      close();
      retry = setTimeout(() => { open(); refresh(); }, 5000);
    });
  }
  function close() {
    clearTimeout(retry);
    if (stream) stream.close();
    stream = null;
    document.documentElement.dataset.live = "closed";
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { close(); return; }
    heard = performance.now();
    open();
    refresh();
    charts.load();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (e) => { if (e.persisted) { open(); refresh(); } });

  // ---- charts ----

  // How far lines of a chart are apart: whole connections, and round amounts of memory.
  const steps = { "": [1, 2, 5].flatMap((n) => [...Array(7).keys()].map((e) => n * 10 ** e)).sort((a, b) => a - b), B: [...Array(50).keys()].map((e) => 2 ** e) };
  const charts = {
    plots: [], times: [],
    async load() {
      if (!window.uPlot || !$("#charts")) return;
      try {
        const answer = await fetch("/charts.json", { cache: "no-store" });
        if (!answer.ok) return;
        const data = await answer.json();
        this.times = data.times;
        for (const p of this.plots) p.u.destroy();
        this.plots = $$("figure[data-chart]").map((figure) => ({ figure, unit: figure.dataset.unit, values: data[figure.dataset.chart] || [] }));
        this.draw();
      } catch { /* without charts the page still says least and most */ }
    },
    draw() {
      const css = getComputedStyle(document.documentElement), color = (name) => css.getPropertyValue(name).trim();
      for (const p of this.plots) {
        if (p.u) p.u.destroy();
        const plot = $(".plot", p.figure), axis = { stroke: color("--dim"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
        p.u = new uPlot({
          width: plot.clientWidth, height: plot.clientHeight, legend: { show: false }, cursor: { show: false },
          scales: { y: { range: (u, min, max) => [0, max ? Math.max(max * 1.1, 0.05) : 1] } },
          axes: [{ ...axis, size: 22, space: 70, values: (u, all, i, space, step) => all.map((t) => clock(new Date(t * 1000)).slice(0, step < 60 ? 8 : 5)) },
            { ...axis, size: 62, space: 28, ...(steps[p.unit] && { incrs: steps[p.unit] }), values: (u, all) => all.map((v) => value(p.unit === "B" ? "B" : "", v)) }],
          series: [{}, { stroke: color("--chart"), fill: color("--fill"), width: 1.5, points: { show: p.values.filter((v) => v !== null).length === 1, size: 4 }, spanGaps: false }],
        }, [this.times, p.values], plot);
        const root = $(".uplot", plot);
        root.setAttribute("aria-hidden", "true"); // the caption says it
      }
      this.span();
    },
    // span says from where to where values go, as the server does.
    span() {
      for (const p of this.plots) {
        const known = p.values.filter((v) => v !== null), least = value(p.unit, Math.min(...known)), most = value(p.unit, Math.max(...known));
        put("span." + p.figure.dataset.chart, !known.length ? "not known yet" : least === most ? "always " + most : "from " + least + " to " + most);
      }
    },
    add(st) {
      for (const figure of $$("figure[data-chart]")) {
        const v = figure.dataset.field.split(".").reduce((at, name) => at && at[name], st);
        put("now." + figure.dataset.chart, value(figure.dataset.unit, v));
      }
      const t = Math.floor(Date.parse(st.time) / 1000);
      if (!this.plots.length || this.times.length && t <= this.times[this.times.length - 1]) return;
      this.times.push(t);
      if (this.times.length > 900) this.times.shift();
      for (const p of this.plots) {
        const v = p.figure.dataset.field.split(".").reduce((at, name) => at && at[name], st);
        p.values.push(v === undefined ? null : v);
        if (p.values.length > 900) p.values.shift();
        p.u.setData([this.times, p.values]);
      }
      this.span();
    },
    resize() {
      for (const p of this.plots) {
        const plot = $(".plot", p.figure);
        p.u.setSize({ width: plot.clientWidth, height: plot.clientHeight });
      }
    },
  };
  addEventListener("resize", () => charts.resize());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.draw());

  // ---- keys, and the beginning ----

  document.addEventListener("keydown", (e) => {
    if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
    e.preventDefault();
    $("#search").focus();
  });
  for (const input of $$("input[data-filter]")) {
    input.addEventListener("input", () => filter(input));
    const box = input.closest("p[hidden]");
    if (box) box.hidden = false;
  }
  const pause = $("#pause");
  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      pause.textContent = paused ? "Go on" : "Pause";
      refresh();
    });
  }
  arrange(document);
  charts.load();
  open();
  if (every) setInterval(refresh, every * 1000);
  const stale = $("#stale");
  setInterval(() => {
    tick();
    const isStale = Boolean(watch) && performance.now() - heard > 3000;
    if (isStale === stale.hidden) {
      stale.hidden = !isStale;
      stale.textContent = isStale ? "not updated since " + clock(heardAt) : "";
    }
  }, 500);
})();
