// The card of the oldest open request. Everything in it is set as text, except a plan, which is sanitised HTML.
import { button, clean, element, icon, lasting } from "oma_items";

const SETTLE_MS = 350; // a key pressed while the card is just appearing was meant for something else
// What is longer is shown with its beginning and its end; the button between them opens all of it.
const LINES = { most: 12, head: 6, tail: 4 };
const CHARS = { most: 500, head: 240, tail: 150 };
const ALONE_MS = 500; // a digit that letters follow within this began a sentence: somebody was about to write

export default {
  template: `<div ref="root" class="ask"></div>`,
  props: { start: Object, words: Object, among: Boolean },
  mounted() {
    this.asks = [];
    this.shown = "";
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.clock = setInterval(() => this.tick(), 1000);
    this.meta(this.start);
  },
  beforeUnmount() {
    // In a list of requests the focus moves to the next card after an answer.
    const next = () => document.activeElement === document.body && document.querySelector(".request .permission")?.focus();
    if (this.among && this.box?.dataset.sent) requestAnimationFrame(next);
  },
  unmounted() {
    document.removeEventListener("keydown", this.onKey);
    clearInterval(this.clock);
    clearTimeout(this.held?.timer);
  },
  methods: {
    meta(meta) {
      this.asks = meta.asks;
      const ask = meta.asks[0];
      const print = ask ? JSON.stringify([ask, meta.asks.length]) : "";
      if (print === this.shown) return;
      const isNew = !this.shown || JSON.parse(this.shown)[0].id !== ask?.id;
      const focused = this.$refs.root.contains(document.activeElement) || this.box?.dataset.sent;
      this.shown = print;
      this.$refs.root.replaceChildren(...(ask ? [this.card(ask, meta.asks.length)] : []));
      this.tick();
      if (isNew && ask) this.since = performance.now();
      if (ask?.form?.tests) this.$emit("outcome", ask.id);
      if (ask && isNew) this.takeFocus();
      if (!ask && focused) this.composer()?.focus();
    },
    refused(id, sentence) {
      if (this.asks[0]?.id !== id) return;
      this.enable(true);
      if (sentence && this.wrong?.isConnected) return (this.wrong.textContent = sentence), this.value.focus();
      if (!sentence || !this.rule?.isConnected) return;
      this.complain(sentence);
      this.rule.focus();
    },

    // ---- the card

    card(ask, count) {
      const box = element("section", "permission");
      box.tabIndex = 0;
      box.dataset.testid = ask.form?.testid || ask.kind;
      box.dataset.state = ask.parked ? "parked" : "open";
      box.setAttribute("aria-label", ask.title);
      const top = element("div", "top");
      const sign = element("span", "warn row");
      sign.append(icon(ask.form?.icon || { question: "question", plan: "plan" }[ask.kind] || "shield"));
      this.waiting = element("span", "waiting");
      this.waiting.dataset.since = ask.since;
      top.append(sign, element("h2", "", ask.title));
      if (count > 1) top.append(element("span", "chip warn", this.words.several.replace("{all}", count)));
      top.append(this.waiting);
      const body = element("div", "body");
      body.append(...this.what(ask));
      const more = () => body.toggleAttribute("data-more", body.scrollHeight - body.clientHeight - body.scrollTop > 8);
      body.addEventListener("scroll", more, { passive: true });
      new ResizeObserver(more).observe(body);
      this.more = element("div", "more");
      box.append(top, body, this.more, this.ways(ask));
      this.box = box;
      return box;
    },
    what(ask) {
      const parts = [];
      if (ask.parked) parts.push(element("p", "why muted", this.words.parked));
      if (ask.form) return [...parts, ...this.form(ask.form)];
      if (ask.kind === "plan") {
        const plan = element("div", "cmd prose plan-text");
        plan.innerHTML = clean(ask.plan);
        return [...parts, plan];
      }
      if (ask.kind === "question") return [...parts, ...ask.questions.map((one, at) => this.question(one, at))];
      if (ask.command) parts.push(this.text("div", "cmd", ask.command));
      if (ask.path) parts.push(element("div", "cmd path", ask.path));
      if (ask.lines.length) parts.push(this.diff(ask.lines));
      if (ask.rows.length) parts.push(this.fields(ask.rows));
      if (ask.reason) parts.push(this.because(ask.reason));
      return parts;
    },
    form(form) {
      // What a platform tool asks: its rows, the model's reason, and perhaps a value that only the server gets.
      const parts = [];
      if (form.why) parts.push(this.because(form.why));
      if (form.rows.length) parts.push(this.fields(form.rows));
      if (form.field) {
        const label = element("label", "value", form.field);
        this.value = element("textarea", "input mono hidden-text");
        Object.assign(this.value, { rows: 2, autocomplete: "off", spellcheck: false });
        this.value.setAttribute("autocapitalize", "off");
        this.value.dataset.testid = "secret-value";
        this.wrong = element("p", "lacking");
        this.wrong.role = "alert";
        this.value.addEventListener("input", () => (this.wrong.textContent = ""));
        label.append(this.value);
        parts.push(label, this.wrong);
      }
      if (form.note) parts.push(element("p", "why tiny", form.note));
      return parts;
    },
    outcome(id, text, bad) {
      // What the platform knows of the agent's tests: one decides with it in sight.
      const list = this.asks[0]?.id === id && this.box.querySelector("dl.fields");
      if (!list || list.querySelector("[data-outcome]")) return;
      const row = element("div");
      row.dataset.outcome = bad ? "red" : "green";
      row.append(element("dt", "", this.asks[0].form.tests), element("dd", bad ? "bad" : "", text));
      list.append(row);
    },
    because(reason) {
      const why = element("div", "why");
      why.append(element("span", "muted", `${this.words.why} `), reason);
      return why;
    },
    text(tag, classes, text) {
      const box = element(tag, classes);
      const lines = text.split("\n");
      if (text.length <= CHARS.most && lines.length <= LINES.most) return box.append(text), box;
      const head = lines.slice(0, LINES.head).join("\n").slice(0, CHARS.head);
      const tail = lines.slice(-LINES.tail).join("\n").slice(-CHARS.tail);
      const said = this.words.whole.replace("{chars}", text.length.toLocaleString()).replace("{lines}", lines.length.toLocaleString());
      box.append(head, this.gap(said, () => box.replaceChildren(text)), tail);
      return box;
    },
    gap(said, open) {
      // Between a beginning and an end: how much there is, and all of it on a press.
      const row = element("div", "gap");
      const all = button(this.words.show_all, "btn sm", "", () => (open(), this.box.focus({ preventScroll: true })));
      all.dataset.testid = "show-all";
      row.append(element("span", "tiny", said), all);
      return row;
    },
    diff(lines) {
      const box = element("div", "cmd diff");
      const rows = (some) => some.map(([kind, text]) => this.line_of(kind, text));
      const said = this.words.whole_lines.replace("{lines}", lines.length.toLocaleString());
      if (lines.length <= LINES.most) box.append(...rows(lines));
      else {
        const all = () => box.replaceChildren(...rows(lines));
        box.append(...rows(lines.slice(0, LINES.head)), this.gap(said, all), ...rows(lines.slice(-LINES.tail)));
      }
      box.tabIndex = 0;
      return box;
    },
    line_of(kind, text) {
      const row = element("div", kind);
      row.append(element("span", "", { add: "+", del: "−" }[kind] || " "), this.text("span", "", text));
      return row;
    },
    fields(rows) {
      const list = element("dl", "fields cmd");
      for (const [name, value] of rows) {
        const row = element("div");
        row.append(element("dt", "", name), this.text("dd", "", value));
        list.append(row);
      }
      return list;
    },
    question(one, at) {
      const set = element("fieldset", "choice");
      set.append(element("legend", "b", one.text));
      const name = `question-${at}`;
      for (const [n, [label, note]] of one.options.entries()) {
        const row = element("label", "option");
        const mark = element("input");
        mark.type = one.many ? "checkbox" : "radio";
        mark.name = name;
        mark.value = label;
        const words = element("span", "", label);
        if (note) words.append(element("span", "tiny", note));
        row.append(mark, words);
        if (n < 9) row.append(Object.assign(element("kbd", "hide-phone", n + 1), { ariaHidden: "true" }));
        set.append(row);
      }
      const own = element("input", "input own");
      own.placeholder = this.words.other_answer;
      own.setAttribute("aria-label", `${one.text} ${this.words.other_answer}`);
      this.keys(own, () => this.reply(), () => {});
      const lacking = element("p", "lacking");
      lacking.role = "alert";
      // One answer to a question with one answer: a choice or words of one's own, whichever came last.
      set.addEventListener("change", (event) => {
        lacking.textContent = "";
        if (!one.many && event.target !== own) own.value = "";
      });
      own.addEventListener("input", () => {
        lacking.textContent = "";
        if (!one.many && own.value.trim()) for (const mark of set.querySelectorAll("input:checked")) mark.checked = false;
      });
      set.append(own, lacking);
      return set;
    },
    ways(ask) {
      const row = element("div", "acts");
      const add = (made, testid, key) => {
        made.dataset.testid = testid;
        if (key) made.append(Object.assign(element("kbd", "", key), { ariaHidden: "true" }));
        row.append(made);
        return made;
      };
      if (ask.form) {
        add(button(ask.form.yes, "btn primary", "", () => (ask.form.field ? this.give() : this.answer("allow"))), "allow", ask.form.field ? "" : "1");
        if (ask.form.change) add(button(ask.form.change, "btn", "", () => this.denyWith(this.words.plan_message)), "deny-with");
        add(button(ask.form.no, "btn ghost", "", () => this.answer("deny", this.note?.isConnected ? { message: this.note.value.trim() } : {})), "deny", ask.form.field ? "" : "3");
        return row;
      }
      if (ask.kind === "question") {
        add(button(this.words.answer, "btn primary", "", () => this.reply()), "answer");
        add(button(this.words.skip, "btn", "", () => this.answer("deny")), "deny");
        return row;
      }
      if (ask.kind === "plan") {
        add(button(this.words.plan_go, "btn primary", "", () => this.answer("allow")), "allow", "1");
        add(button(this.words.plan_more, "btn", "", () => this.denyWith(this.words.plan_message)), "deny", "3");
        return row;
      }
      add(button(this.words.allow, "btn primary", "", () => this.answer("allow")), "allow", "1");
      const always = ask.rule ? this.words.always : this.words.always_none;
      this.alwaysButton = add(button(always, "btn", "", () => this.always(ask)), "allow-always", "2");
      if (!ask.rule) this.alwaysButton.title = ask.no_rule;
      add(button(this.words.deny, "btn", "", () => this.answer("deny", this.note?.isConnected ? { message: this.note.value.trim() } : {})), "deny", "3");
      add(button(this.words.deny_with, "btn ghost", "", () => this.denyWith(this.words.deny_message)), "deny-with");
      row.append(element("span", "tiny mono hide-phone folder cut", ask.folder));
      return row;
    },
    always(ask) {
      if (!ask.rule) return this.explain(ask.no_rule);
      if (this.rule?.isConnected) return this.keep();
      this.rule = this.line(this.words.rule, ask.rule, "rule", () => this.keep());
      this.rule.classList.add("mono");
      this.rule.addEventListener("input", () => this.doubt(""));
      this.ruleNote = element("p", "tiny", this.words.rule_hint);
      this.more.append(this.ruleNote);
      this.lead("allow-always");
      this.doubt("");
    },
    explain(why) {
      const note = element("p", "tiny", why);
      note.role = "status";
      note.dataset.testid = "no-rule";
      this.more.replaceChildren(note);
    },
    lead(name) {
      // The primary button is the one that Enter in the open field presses.
      for (const one of ["allow", "allow-always", "deny"]) this.box.querySelector(`[data-testid=${one}]`)?.classList.toggle("primary", one === name);
      const more = this.box.querySelector("[data-testid=deny-with]");
      if (more) more.hidden = name === "deny"; // its field is open: "deny" sends what it says
    },
    keep() {
      const rule = this.rule.value.trim();
      const bare = rule.replace(/\([\s:*]+\)/g, "").replace(/\([^)]*\)/g, "()").split(",").map((one) => one.trim()).find((one) => /^[A-Za-z_][\w-]*$/.test(one));
      if (bare && this.doubted !== rule) return this.doubt(rule, bare);
      this.answer("allow_always", { rule });
    },
    doubt(rule, tool) {
      // A rule without a pattern, or with one of nothing but stars, allows everything of a tool: that takes a second press.
      this.doubted = rule;
      this.ruleNote.textContent = tool ? this.words.rule_all.replace("{tool}", tool) : this.words.rule_hint;
      this.ruleNote.className = tool ? "tiny warn" : "tiny";
      delete this.ruleNote.dataset.testid;
      this.alwaysButton.querySelector("span").textContent = tool ? this.words.always_sure : this.words.always_now;
    },
    complain(sentence) {
      this.ruleNote.textContent = sentence;
      this.ruleNote.className = "tiny bad";
      this.ruleNote.role = "alert";
      this.ruleNote.dataset.testid = "rule-error";
    },
    denyWith(label) {
      if (this.note?.isConnected) return this.answer("deny", { message: this.note.value.trim() });
      this.note = this.line(label, "", "deny-message", () => this.answer("deny", { message: this.note.value.trim() }));
      this.lead("deny");
    },
    line(label, value, testid, done) {
      const row = element("label", "line");
      const input = element("input", "input");
      input.value = value;
      input.dataset.testid = testid;
      this.keys(input, done, () => this.closeLine());
      row.append(element("span", "tiny", label), input);
      this.more.replaceChildren(row);
      input.focus({ preventScroll: true });
      return input;
    },

    closeLine() {
      this.more.replaceChildren();
      this.lead("allow");
      if (this.asks[0]?.rule && this.alwaysButton) this.alwaysButton.querySelector("span").textContent = this.words.always;
    },
    keys(input, done, close) {
      input.addEventListener("keydown", (event) => {
        if (event.isComposing || event.keyCode === 229) return;
        if (event.key === "Enter") event.preventDefault(), done();
        if (event.key !== "Escape") return;
        event.preventDefault(); // Escape leaves the field; it does not stop the agent
        close();
        this.box.focus({ preventScroll: true });
      });
    },

    // ---- the answer

    answer(decision, more = {}) {
      const ask = this.asks[0];
      if (!ask || this.box.dataset.sent) return;
      if (decision === "allow_always" && !more.rule) return this.rule.focus();
      this.enable(false);
      this.$emit("answer", { id: ask.id, decision, ...more });
    },
    give() {
      if (!this.value.value.trim()) return (this.wrong.textContent = this.words.value_missing), this.value.focus();
      this.answer("allow", { secret: this.value.value });
    },
    reply() {
      const replies = {};
      const sets = [...this.box.querySelectorAll("fieldset")];
      for (const [at, one] of this.asks[0].questions.entries()) {
        const picked = [...sets[at].querySelectorAll("input:checked")].map((mark) => mark.value);
        const own = sets[at].querySelector(".own").value.trim();
        if (!picked.length && !own) {
          sets[at].querySelector(".lacking").textContent = this.words.choose;
          sets[at].scrollIntoView({ block: "nearest" });
          return sets[at].querySelector("input").focus();
        }
        replies[one.text] = { choices: picked, text: own };
      }
      this.answer("answer", { replies });
    },
    enable(on) {
      if (on) delete this.box.dataset.sent;
      else this.box.dataset.sent = "1";
      for (const one of this.box.querySelectorAll("button, input, textarea")) one.disabled = !on;
    },

    // ---- keys and focus

    composer: () => document.querySelector("[data-testid=composer]"),
    takeFocus() {
      if (this.among) return;
      const box = this.composer();
      const at = document.activeElement;
      // Take the focus only from the body or an empty composer, so that no typing ends up on a button.
      if (box?.value || (at !== box && at !== document.body)) return;
      this.box.focus({ preventScroll: true });
      this.taken = at === box;
      this.box.addEventListener("blur", () => (this.taken = false), { once: true });
    },
    key(event) {
      const ask = this.asks[0];
      if (!ask || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
      if (this.held && (event.key.length === 1 || event.keyCode === 229)) return this.write();
      const at = event.target;
      if (at.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable], dialog, details.menu")) return;
      const inside = this.box.contains(at);
      if (!inside && (this.among || this.composer()?.value || at !== document.body)) return;
      if (ask.kind === "question" && this.pick(event)) return;
      const wanted = ask.kind === "question" || ask.form?.field ? "" : { 1: "allow", 2: "allow-always", 3: "deny" }[event.key];
      if (wanted && performance.now() - this.since > SETTLE_MS) {
        event.preventDefault();
        if (this.taken && at === this.box) this.hold(event.key, wanted);
        else this.press(wanted);
      } else if (at === this.box && event.key.length === 1 && !wanted && event.key !== " ") {
        this.composer()?.focus(); // the letter is typed into the composer
      }
    },
    press(wanted) {
      this.box.querySelector(`[data-testid=${wanted}]`)?.click();
    },
    hold(key, wanted) {
      // The card took the focus from the composer: the digit may be the beginning of a text.
      const box = this.box;
      const decide = () => ((this.held = null), box === this.box && this.press(wanted));
      this.held = { key, timer: setTimeout(decide, ALONE_MS) };
    },
    write() {
      clearTimeout(this.held.timer);
      const box = this.composer();
      box.value = this.held.key;
      this.held = null;
      box.dispatchEvent(new Event("input", { bubbles: true }));
      box.focus(); // the letter is typed into the composer
    },
    pick(event) {
      // Digits pick an option, of the question that has the focus or else of the first without an answer; Enter replies.
      if (performance.now() - this.since <= SETTLE_MS) return false;
      const sets = [...this.box.querySelectorAll("fieldset")];
      const set = event.target.closest("fieldset") || sets.find((one) => !one.querySelector("input:checked")) || sets[0];
      const option = set?.querySelectorAll("input:not(.own)")[Number(event.key) - 1];
      const reply = event.key === "Enter" && (event.target === this.box || event.target.matches("input"));
      if (option) option.click(), option.focus();
      else if (reply) this.reply();
      else return false;
      event.preventDefault();
      return true;
    },
    tick() {
      if (!this.waiting?.isConnected) return;
      const since = Date.parse(this.waiting.dataset.since);
      this.waiting.textContent = since ? this.words.waiting.replace("{time}", lasting(Math.max(1, (Date.now() - since) / 1000), this.words)) : "";
    },
  },
};
