"use strict";
const byId = (id) => document.getElementById(id);
let state = JSON.parse(byId("state").textContent);
let tab = "Notes";
let chosen = null;

/** An element with these properties and children. A child that is a string becomes text, never markup. */
function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const time = (ms) => new Date(ms).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const size = (bytes) => (bytes < 1024 ? bytes + " bytes" : (bytes / 1024).toFixed(1) + " KiB");

const KEPT = new Set(["A", "B", "BR", "CODE", "DIV", "EM", "I", "LI", "OL", "P", "PRE", "SPAN", "STRONG", "U", "UL"]);

/** Rich text without anything active: only these elements stay, with colours, and links to http and https. */
function rich(html) {
  const clean = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return [node.data];
    if (node.nodeType !== Node.ELEMENT_NODE || ["SCRIPT", "STYLE"].includes(node.tagName)) return [];
    const children = [...node.childNodes].flatMap(clean);
    if (!KEPT.has(node.tagName)) return children;
    const made = element(node.tagName, {}, ...children);
    // The policy of this page keeps style attributes from taking effect, so this one is read as text.
    const colour = /^color:\s*([a-z]+);?$/.exec(node.getAttribute("style") || "");
    if (colour) made.style.color = colour[1];
    const address = node.getAttribute("href") || "";
    if (node.tagName === "A" && /^https?:\/\//i.test(address)) {
      Object.assign(made, { href: address, target: "_blank", rel: "noopener noreferrer" });
    }
    return [made];
  };
  const parsed = new DOMParser().parseFromString(html, "text/html");
  return [...parsed.body.childNodes].flatMap(clean);
}

function cell(value, type) {
  if (value === null || value === undefined || value === "") return element("td", { className: "none" });
  if (type === "boolean") return element("td", {}, value ? "Yes" : "No");
  if (type === "datetimepicker") return element("td", { className: "time" }, time(value));
  if (type === "textarea") return element("td", {}, ...rich(String(value)));
  const text = String(value);
  return element("td", { className: text.length > 60 ? "long" : "", title: text }, text);
}

/** A row of cells, each with the label of its column for screens on which columns have no room. */
function row(labels, cells) {
  cells.forEach((cell, at) => { cell.dataset.label = labels[at]; });
  return element("tr", {}, ...cells);
}

const empty = (what) => element("p", { className: "empty" }, `The incident has no ${what} yet.`);

function grid(labels, rows) {
  const head = element("tr", {}, ...labels.map((label) => element("th", { scope: "col" }, label)));
  const body = rows.map((cells) => row(labels, cells));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { className: "scroll", tabIndex: 0 }, table);
}

const count = (tables) => tables.reduce((sum, table) => sum + table.rows.length, 0);

const PARTS = {
  "Notes": {
    count: (incident) => incident.notes.length,
    show: (incident) => incident.notes.slice().reverse().map((note) =>
      element("article", { className: "card" },
        element("p", { className: "quiet" }, `${note.author} · ${time(note.created)}`),
        element("div", { className: note.html ? "text" : "text plain" },
          ...(note.html ? rich(note.content) : [note.content])))),
    what: "notes",
  },
  "Data tables": {
    count: (incident) => count(incident.tables),
    show: (incident) => incident.tables.filter((table) => table.rows.length).flatMap((table) => [
      element("h2", {}, `${table.label} (${table.rows.length})`),
      grid(table.columns.map((column) => column.label), table.rows.map((values) =>
        values.map((value, at) => cell(value, table.columns[at].type)))),
    ]),
    what: "rows",
  },
  "Attachments": {
    count: (incident) => incident.attachments.length,
    show: (incident) => incident.attachments.length ? [grid(["Name", "Size", "Added by", "Added"],
      incident.attachments.map((file) => [
        element("td", {}, state.live
          ? element("a", { href: `incidents/${incident.id}/attachments/${file.id}`, download: file.name }, file.name)
          : file.name),
        element("td", {}, size(file.size)),
        element("td", {}, file.author),
        element("td", {}, time(file.created))]))] : [],
    what: "attachments",
  },
  "Artifacts": {
    count: (incident) => incident.artifacts.length,
    show: (incident) => incident.artifacts.length ? [grid(["Type", "Value", "Description", "Added by"],
      incident.artifacts.map((one) =>
        [one.type, one.value, one.description, one.author].map((text) => element("td", {}, text))))] : [],
    what: "artifacts",
  },
};

function call(one) {
  const took = one.replied ? ` · ${((one.replied - one.started) / 1000).toFixed(2)} s` : "";
  return element("li", { className: one.state },
    element("b", {}, one.function),
    element("span", { className: "quiet" }, `${one.process || "no process of this SOAR"} · ${time(one.started)}${took}`),
    element("div", { className: one.state === "failed" ? "warning" : "" }, one.message),
    one.added ? element("div", {}, one.added) : null,
    one.script_failure ? element("div", { className: "warning" }, one.script_failure) : null);
}

function facts(incident) {
  const facts = [["Status", incident.active ? "Active" : "Closed"], ["Number", incident.id], ["Opened by", incident.author],
    ["Opened", time(incident.created)], ["Last change", time(incident.modified)]];
  return facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]);
}

function show() {
  const incident = state.incidents.find((one) => one.id === chosen) || state.incidents[0];
  if (!incident) return;
  chosen = incident.id;
  byId("organisation").textContent = state.organisation;
  byId("incident").replaceChildren(...state.incidents.map((one) =>
    element("option", { value: one.id, selected: one.id === chosen }, `${one.id} ${one.name}`)));
  byId("name").textContent = incident.name;
  byId("number").textContent = `Incident ${incident.id}`;
  byId("tabs").replaceChildren(...Object.entries(PARTS).map(([name, part]) => {
    const button = element("button", { type: "button" }, `${name} (${part.count(incident)})`);
    button.setAttribute("role", "tab");
    button.setAttribute("aria-selected", String(name === tab));
    button.addEventListener("click", () => { tab = name; show(); });
    return button;
  }));
  const part = PARTS[tab];
  const content = part.show(incident);
  byId("part").replaceChildren(...(content.length ? content : [empty(part.what)]));
  byId("summary").replaceChildren(...facts(incident));
  const calls = state.calls.filter((one) => one.incident === chosen).reverse();
  byId("calls").replaceChildren(...(calls.length ? calls.map(call)
    : [element("li", { className: "quiet" }, "No function was called yet.")]));
}

async function follow() {
  for (;;) {
    try {
      const answer = await fetch(`state?after=${state.version}`);
      if (!answer.ok) throw new Error(String(answer.status));
      state = await answer.json();
      byId("connection").textContent = "live";
      show();
      await new Promise((done) => setTimeout(done, 200));
    } catch {
      byId("connection").textContent = "the sandbox is not served any more";
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
}

byId("incident").addEventListener("change", (event) => { chosen = Number(event.target.value); show(); });
show();
if (state.live) follow();
else byId("connection").textContent = `as of ${time(Math.max(...state.incidents.map((one) => one.modified)))}`;
