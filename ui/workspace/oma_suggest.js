// Suggestions over the text box: commands after "/" at its beginning, files of the agent's folder after "@".
import { element } from "oma_items";

const PAUSE_MS = 120; // of typing, before the server is asked
const KINDS = [
  ["command", /^\/([\w:-]{0,60})$/],
  ["file", /(?:^|\s)@([^\s@]{0,200})$/],
];
const LIST = "suggestions";

export class Suggestions {
  // `ask(kind, query, n)` has the server answer by `show(n, rows)`; rows are {value, text, note}.
  constructor(box, place, label, ask) {
    Object.assign(this, { box, ask, n: 0, at: 0, rows: [] });
    this.list = element("ul", "suggestions");
    Object.assign(this.list, { id: LIST, role: "listbox", ariaLabel: label, hidden: true });
    this.list.dataset.testid = "suggestions";
    place.prepend(this.list);
    box.ariaAutoComplete = "list";
    for (const kind of ["input", "click"]) box.addEventListener(kind, () => this.look());
    box.addEventListener("blur", () => setTimeout(() => this.list.contains(document.activeElement) || this.close(), 150));
  }

  look() {
    const before = this.box.value.slice(0, this.box.selectionStart);
    const found = KINDS.map(([kind, shape]) => [kind, before.match(shape)]).find(([, match]) => match);
    clearTimeout(this.timer);
    if (!found) return this.close();
    [this.kind, this.query] = [found[0], found[1][1]];
    const n = ++this.n; // an answer to an older question is not shown
    this.timer = setTimeout(() => this.ask(this.kind, this.query, n), this.list.hidden ? 0 : PAUSE_MS);
  }

  show(n, rows) {
    if (n !== this.n) return;
    this.rows = rows;
    this.at = 0;
    this.list.replaceChildren(...rows.map((row, at) => this.option(row, at)));
    this.list.hidden = !rows.length;
    this.point();
  }

  option(row, at) {
    const made = element("li", "li");
    Object.assign(made, { id: `${LIST}-${at}`, role: "option" });
    made.append(element("span", "what", row.text), element("span", "cut end", row.note));
    made.addEventListener("pointerdown", (event) => (event.preventDefault(), this.pick(at)));
    return made;
  }

  point() {
    const open = !this.list.hidden;
    open ? this.box.setAttribute("aria-controls", LIST) : this.box.removeAttribute("aria-controls");
    open ? this.box.setAttribute("aria-activedescendant", `${LIST}-${this.at}`) : this.box.removeAttribute("aria-activedescendant");
    [...this.list.children].forEach((one, at) => (one.ariaSelected = String(at === this.at)));
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
  }

  // Whether the key was for the list.
  key(event) {
    if (this.list.hidden || event.isComposing || event.keyCode === 229) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.at = (this.at + step + this.rows.length) % this.rows.length;
    else if (event.key === "Escape") this.close();
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && this.rows[this.at].text !== this.box.value) this.pick(this.at);
    else return false;
    event.preventDefault();
    this.point();
    return true;
  }

  pick(at) {
    const caret = this.box.selectionStart;
    const start = caret - this.query.length;
    this.box.setRangeText(this.rows[at].value, start, caret, "end");
    this.close();
    this.box.focus();
    this.box.dispatchEvent(new Event("input", { bubbles: true })); // a folder goes on with what is in it
  }

  close() {
    this.n += 1;
    this.list.hidden = true;
    this.point();
  }
}
