"use strict";
// The table: rows are data, and only those that are seen are elements. Texts are set as text and never read as HTML.
(() => {
  const byId = (id) => document.getElementById(id);
  const facts = JSON.parse(byId("facts").textContent);
  const rows = [];
  for (const data of document.querySelectorAll("script.rows")) {
    for (const row of JSON.parse(data.textContent)) rows.push(row);
    data.remove();
  }
  const ROW = 0, TRADE = 1, STATUS = 2, AMOUNT = 3, CURRENCY = 4, NAME = 5, ACCOUNT = 6, CODE = 7, MESSAGE = 8, ORDER = 9,
    UTR = 10, ATTEMPTS = 11, BEGUN = 12, CHANGED = 13;
  const AROUND = 12, MOST_PRINTED = 1000;
  let height = 52;
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

  const word = (cell) => (typeof cell === "number" ? facts.words[cell] : cell || "");
  const two = (number) => String(number).padStart(2, "0");
  const label = (status) => facts.statuses[status].replace("_", " ");
  const counted = (count) => (count === 1 ? "1 payout" : `${count.toLocaleString("en-US")} payouts`);

  function money(amount, currency) {
    if (amount === null || amount === undefined) return "";
    const [whole, cents = "00"] = amount.replace("-", "").split(".");
    const tail = whole.slice(-3), head = whole.slice(0, -3);
    const groups = currency === "INR" ? /\B(?=(\d\d)+$)/g : /\B(?=(\d{3})+$)/g;
    return `${amount.startsWith("-") ? "-" : ""}${head ? `${head.replace(groups, ",")},` : ""}${tail}.${cents}`;
  }

  function moment(milliseconds) {
    if (milliseconds === null || milliseconds === undefined) return ["", ""];
    const at = new Date(Math.floor(milliseconds / 1000) * 1000 + facts.offset * 60000);
    const day = `${two(at.getUTCDate())} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
    return [day, `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`];
  }

  const changedAt = (row) => (row[CHANGED] === undefined || row[CHANGED] === null ? null : facts.start + (row[BEGUN] || 0) + row[CHANGED]);
  const begunAt = (row) => (row[BEGUN] === undefined || row[BEGUN] === null ? null : facts.start + row[BEGUN]);

  // --- which rows, in which order

  let haystacks = null;
  let view = Uint32Array.from(rows.keys());
  let sorted = view;
  const chosen = new Set();
  const sorting = { key: "row", down: false };
  const values = {
    row: (row) => row[ROW],
    trade: (row) => row[TRADE].toLowerCase(),
    payee: (row) => `${word(row[NAME])} ${row[ACCOUNT] || ""}`.toLowerCase(),
    amount: (row) => (row[AMOUNT] === null ? -1 : Number(row[AMOUNT])),
    status: (row) => row[STATUS],
    code: (row) => word(row[CODE]).toLowerCase() || "\uffff",
    bank: (row) => (row[UTR] || row[ORDER] || "\uffff").toLowerCase(),
    time: (row) => changedAt(row) || Infinity,
  };

  function sort() {
    const keys = rows.map(values[sorting.key]);
    const turn = sorting.down ? -1 : 1;
    sorted = Uint32Array.from(rows.keys()).sort((a, b) =>
      keys[a] < keys[b] ? -turn : keys[a] > keys[b] ? turn : a - b);
  }

  function haystack(row) {
    const amount = row[AMOUNT] || "";
    return [row[TRADE], word(row[NAME]), row[ACCOUNT], label(row[STATUS]), word(row[CODE]), word(row[MESSAGE]), row[ORDER], row[UTR], amount,
      money(row[AMOUNT], word(row[CURRENCY]))].join("\n").toLowerCase();
  }

  function select() {
    const wanted = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    if (wanted.length && !haystacks) haystacks = rows.map(haystack);
    view = sorted.filter((index) =>
      (!chosen.size || chosen.has(rows[index][STATUS])) && wanted.every((part) => haystacks[index].includes(part)));
    const which = view.length === rows.length ? "" : ` of ${rows.length.toLocaleString("en-US")}`;
    const none = rows.length ? "No payout is like that. Change the search or the filter." : "There are none.";
    byId("found").textContent = view.length ? `${counted(view.length)}${which}` : none;
    table.setAttribute("aria-rowcount", view.length + 1);
    box.scrollTop = 0;
    draw(true);
  }

  // --- elements

  const box = byId("view"), table = byId("payouts"), body = table.tBodies[0];
  const SVG = "http://www.w3.org/2000/svg";

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function pair(cell, first, second) {
    if (first) cell.append(element("bdi", "one", first));
    if (second) cell.append(element("bdi", "two", second));
    if (first || second) cell.title = [first, second].filter(Boolean).join("\n");
    return cell;
  }

  function badge(status) {
    const made = element("span", `badge s-${facts.statuses[status]}`), sign = document.createElementNS(SVG, "svg");
    sign.setAttribute("class", "sign");
    sign.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#i-${facts.statuses[status]}`);
    sign.append(use);
    made.append(sign, label(status));
    return made;
  }

  function line(place) {
    const index = view[place], row = rows[index], made = element("tr"), currency = word(row[CURRENCY]);
    made.setAttribute("aria-rowindex", place + 2);
    const trade = element("th", "c-trade"), open = element("button", "", row[TRADE] || "no number");
    trade.scope = "row";
    open.type = "button";
    open.dataset.index = index;
    trade.append(open);
    if (word(row[NAME])) trade.append(element("bdi", "two", word(row[NAME])));
    const status = element("td", "c-status"), amount = element("td", "c-amount"), narrow = element("span", "narrow");
    status.append(badge(row[STATUS]));
    narrow.append(badge(row[STATUS]));
    pair(amount, money(row[AMOUNT], currency), row[AMOUNT] ? currency : "").append(narrow);
    made.append(
      element("td", "c-row", row[ROW].toLocaleString("en-US")), trade, pair(element("td", "c-payee"), word(row[NAME]), row[ACCOUNT]),
      amount, status,
      pair(element("td", "c-code"), word(row[CODE]), word(row[MESSAGE])), pair(element("td", "c-bank"), row[UTR], row[ORDER]),
      pair(element("td", "c-time"), ...moment(changedAt(row))));
    return made;
  }

  function gap(rowsLeftOut) {
    const made = element("tr", "gap"), cell = element("td");
    made.setAttribute("aria-hidden", "true");
    cell.style.height = `${rowsLeftOut * height}px`;
    made.append(cell);
    return made;
  }

  let drawn = [-1, -1];
  function draw(anew) {
    const from = Math.max(0, Math.floor(box.scrollTop / height) - AROUND);
    const to = Math.min(view.length, Math.ceil((box.scrollTop + box.clientHeight) / height) + AROUND);
    if (!anew && from === drawn[0] && to === drawn[1]) return;
    const focused = document.activeElement && document.activeElement.dataset.index;
    drawn = [from, to];
    const made = document.createDocumentFragment();
    if (from > 0) made.append(gap(from));
    for (let place = from; place < to; place++) made.append(line(place));
    if (to < view.length) made.append(gap(view.length - to));
    body.replaceChildren(made);
    if (focused !== undefined) body.querySelector(`button[data-index="${focused}"]`)?.focus({ preventScroll: true });
  }

  // --- one payout, whole

  function show(row) {
    const currency = word(row[CURRENCY]), status = row[STATUS];
    const [begun, changed] = [begunAt(row), changedAt(row)].map((at) => moment(at).join(" ").trim());
    const told = [
      ["Row", row[ROW].toLocaleString("en-US")], ["Beneficiary", word(row[NAME])], ["Account", row[ACCOUNT]],
      ["Amount", `${money(row[AMOUNT], currency)} ${currency}`], ["Meaning", facts.meanings[status]], ["Code", word(row[CODE])],
      ["Message", word(row[MESSAGE])], ["UTR", row[UTR]], ["Platform number", row[ORDER]], ["Times sent", row[ATTEMPTS] || ""],
      [`Begun (${facts.zone})`, begun], [`Last change (${facts.zone})`, changed]];
    const dialog = byId("one"), list = dialog.querySelector("dl");
    byId("one-title").replaceChildren(element("bdi", "", row[TRADE] || "no number"), " ", badge(status));
    list.replaceChildren(...told.filter(([, value]) => value).map(([name, value]) => {
      const entry = element("div"), shown = element("dd");
      shown.append(element("bdi", "", value));
      entry.append(element("dt", "", name), shown);
      return entry;
    }));
    dialog.showModal();
  }

  // --- what a person does

  function mark() {
    for (const head of table.tHead.rows[0].cells) {
      if (head.dataset.key === sorting.key) head.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  for (const head of table.tHead.rows[0].cells) {
    const button = element("button", "", head.textContent);
    button.type = "button";
    button.addEventListener("click", () => {
      sorting.down = sorting.key === head.dataset.key ? !sorting.down : false;
      sorting.key = head.dataset.key;
      mark();
      sort();
      select();
    });
    head.replaceChildren(button);
  }

  const chips = new Map();
  function press(status, on) {
    if (on) chosen.add(status); else chosen.delete(status);
    for (const [one, chip] of chips) chip.setAttribute("aria-pressed", one === null ? !chosen.size : chosen.has(one));
    select();
  }

  const counts = new Map();
  for (const row of rows) counts.set(row[STATUS], (counts.get(row[STATUS]) || 0) + 1);
  const present = [...counts.keys()].sort((a, b) => a - b);
  for (const status of present.length > 1 ? [null, ...present] : []) {
    const count = (status === null ? rows.length : counts.get(status)).toLocaleString("en-US");
    const chip = element("button", "chip", status === null ? `all ${count}` : `${label(status)} ${count}`);
    chip.type = "button";
    chip.setAttribute("aria-pressed", status === null);
    chip.addEventListener("click", () => {
      if (status === null) chosen.clear();
      press(status, status !== null && !chosen.has(status));
    });
    chips.set(status, chip);
    byId("chips").append(chip);
  }

  for (const button of document.querySelectorAll("[data-show]")) {
    const status = facts.statuses.indexOf(button.dataset.show);
    button.hidden = !counts.has(status);
    button.addEventListener("click", () => {
      chosen.clear();
      byId("search").value = "";
      press(status, true);
      byId("all").scrollIntoView();
      box.focus({ preventScroll: true });
    });
  }

  const themes = ["auto", "light", "dark"], theme = byId("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme || "auto") + 1) % themes.length];
    if (next === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = next;
    theme.textContent = `Theme: ${next}`;
  });

  let waiting = 0;
  byId("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(select, 80);
  });
  body.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-index]");
    if (button) show(rows[button.dataset.index]);
  });
  let asked = false;
  box.addEventListener("scroll", () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw(false);
    });
  }, { passive: true });
  function measure() {
    height = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));
    draw(true);
  }
  window.addEventListener("resize", measure);

  const printed = byId("printed") || element("p");
  printed.id = "printed";
  printed.className = "note print-only";
  printed.textContent = "";
  box.before(printed);

  // A printer has no window to scroll in: all rows that are chosen, up to what anybody would print.
  window.addEventListener("beforeprint", () => {
    const many = Math.min(view.length, MOST_PRINTED), made = document.createDocumentFragment();
    for (let place = 0; place < many; place++) made.append(line(place));
    body.replaceChildren(made);
    printed.textContent = many < view.length
      ? `Printed are the first ${many.toLocaleString("en-US")} of ${counted(view.length)}. The file itself holds them all.` : "";
  });
  window.addEventListener("afterprint", () => draw(true));

  byId("tools").hidden = false;
  mark();
  measure();
  select();
  document.documentElement.dataset.ready = "";
})();
