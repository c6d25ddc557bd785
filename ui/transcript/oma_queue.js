// What can be done with a message that waits for its turn: edit, move, hand over now, remove.
import { button, element } from "oma_items";

const QUEUED = "[data-testid=queue-item]";
const idOf = (item) => item.querySelector("[data-message]").dataset.message;
const waiting = (box) => [...box.querySelectorAll(QUEUED)].map((one) => one.closest(".item"));

// Buttons under a waiting message. `tell({id, kind, text, before, seen})` sends a change to the server.
export function queueTools(item, text, words, tell) {
  const queued = item.querySelector(QUEUED);
  const send = (kind, more = {}) => tell({ id: idOf(item), kind, ...more });
  const tools = element("div", "queue-tools");
  const add = (kind, name, act) => {
    const made = button(words[kind], "btn ghost icon sm", name, act);
    made.dataset.kind = kind;
    tools.append(made);
  };
  add("up", "up", () => move(item, -1, send));
  add("down", "down", () => move(item, 1, send));
  if (queued.dataset.state !== "steer") add("steer", "bolt", () => send("steer"));
  add("edit", "edit", () => edit(item, text, words, send));
  add("remove", "trash", () => send("remove"));
  queued.append(tools);
}

// First and last have nowhere to go; a message that steers stays before those that do not.
export function arrange(box) {
  const items = waiting(box);
  items.forEach((item, at) => {
    const state = (other) => other?.querySelector(QUEUED).dataset.state;
    const off = (kind, on) => item.querySelector(`[data-kind=${kind}]`)?.toggleAttribute("disabled", on);
    off("up", state(items[at - 1]) !== state(item));
    off("down", state(items[at + 1]) !== state(item));
  });
}

function move(item, step, send) {
  const items = waiting(item.parentNode);
  const at = items.indexOf(item);
  const next = items[step < 0 ? at - 1 : at + 2];
  const kind = step < 0 ? "up" : "down";
  item.parentNode.dataset.refocus = `${idOf(item)} ${kind}`; // the item is made anew in its new place
  send("move", { before: next ? idOf(next) : "" });
}

// The focus goes on in the item that was moved; a button that cannot be pressed there gives it to the other one.
export function refocus(box) {
  const [id, kind] = (box.dataset.refocus ?? "").split(" ");
  const item = id && waiting(box).find((one) => idOf(one) === id);
  if (!item) return;
  delete box.dataset.refocus;
  (item.querySelector(`[data-kind=${kind}]:not([disabled])`) ?? item.querySelector("[data-kind]:not([disabled])"))?.focus();
}

function edit(item, text, words, send, typed = text) {
  const queued = item.querySelector(QUEUED);
  const form = element("form", "queue-edit");
  const box = element("textarea", "input");
  box.value = typed;
  box.ariaLabel = words.edit;
  box.rows = Math.min(8, typed.split("\n").length + 1);
  const save = button(words.save, "btn sm primary", "check");
  save.type = "submit";
  const close = () => {
    form.remove();
    queued.classList.remove("editing");
    queued.querySelector("[data-kind=edit]").focus();
  };
  const acts = element("div", "row");
  acts.append(button(words.cancel, "btn ghost sm", "", close), save);
  form.append(box, acts);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!box.value.trim()) return box.focus();
    if (box.value !== text) send("edit", { text: box.value, seen: text });
    close();
  });
  form.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") (event.preventDefault(), event.stopPropagation(), close());
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  queued.classList.add("editing");
  queued.append(form);
  box.focus();
}

// What somebody is typing into a waiting message that is about to be shown anew; null if nobody does.
export const typedIn = (item) => item.querySelector(".queue-edit textarea")?.value ?? null;

const draft = (typed) => dispatchEvent(new CustomEvent("oma-draft", { detail: typed }));

// What was typed into messages that were removed goes into the text box of the page.
export function spill(typing) {
  typing.forEach(draft);
  typing.clear();
}

// Goes on with it: in the message, if it still waits, else in the text box of the page.
export function typeOn(item, typed, text, words, tell) {
  if (!item.querySelector(QUEUED)) return typed === text ? undefined : draft(typed);
  edit(item, text, words, (kind, more) => tell({ id: idOf(item), kind, ...more }), typed);
}
