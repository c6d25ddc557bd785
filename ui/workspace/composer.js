// The composer. A sent message goes into an outbox in localStorage and leaves it only when the transcript shows it.
import { button, element } from "oma_items";
import { Attachments } from "oma_attach";
import { Suggestions } from "oma_suggest";

const AGAIN_MS = 8000; // a message that nobody has acknowledged is sent again, under the same id

export default {
  template: `<form class="composer" ref="form"><textarea ref="box" class="txt" data-testid="composer" rows="1" enterkeyhint="send" autocomplete="off"></textarea>
    <div class="bar" ref="bar"><slot></slot><span class="grow tiny hint hide-phone" ref="hint"></span></div></form>`,
  props: { session: String, user: String, start: Object, words: Object, files: String, limits: Object },
  mounted() {
    this.draftKey = `oma:draft:${this.user}:${this.session}`;
    this.filesKey = `oma:files:${this.user}:${this.session}`;
    this.outKey = `oma:out:${this.user}:${this.session}`;
    this.out = this.read(this.outKey, []);
    this.state = "idle";
    this.build();
    this.meta(this.start);
    const box = this.$refs.box;
    box.value = this.read(this.draftKey, "");
    this.attachments.restore(this.read(this.filesKey, []));
    this.fit();
    this.light();
    this.listen(window, "oma-stored", (event) => this.leave((one) => one.id === event.detail));
    this.listen(window, "oma-seq", (event) => this.leave((one) => one.seq && one.seq <= event.detail));
    this.listen(window, "oma-transcript", () => this.show());
    this.listen(window, "oma-retry", (event) => this.retry(event.detail));
    this.listen(window, "oma-fill", (event) => this.fill(event.detail));
    this.listen(window, "oma-edit", (event) => this.edit(event.detail));
    this.listen(window, "oma-draft", (event) => this.draft(event.detail));
    this.listen(document, "keydown", (event) => this.escape(event));
    this.show();
    if (matchMedia("(pointer: fine)").matches && !this.start.asks.length) box.focus({ preventScroll: true });
    this.out.filter((one) => !one.failed).forEach((one) => this.deliver(one));
    this.clock = setInterval(() => this.again(), 2000);
  },
  unmounted() {
    clearInterval(this.clock);
    this.listening.forEach((stop) => stop());
  },
  methods: {
    // ---- from the server

    accepted(id, seq) {
      this.out = this.out.map((one) => (one.id === id ? { ...one, seq } : one));
      this.keep();
      const shown = parseInt(document.querySelector("[data-testid=transcript]")?.dataset.lastSeq || "0");
      this.leave((one) => one.seq && one.seq <= shown);
    },
    refused(id, sentence) {
      this.out = this.out.map((one) => (one.id === id ? { ...one, failed: sentence } : one));
      this.keep();
      this.show();
    },
    meta(meta) {
      const busy = ["busy", "asking", "starting"].includes(meta.state);
      if (meta.state !== this.state) (this.stopButton.disabled = false), (this.woken = false);
      this.state = meta.state;
      this.busy = busy;
      const working = meta.state === "busy" || meta.state === "asking";
      const asked = meta.asks.length > 0;
      this.stopButton.hidden = !working;
      this.steerButton.hidden = !working;
      this.calm = working || asked; // then the send button is not the primary one
      this.light();
      const label = this.sendButton.querySelector("span");
      label.textContent = working ? this.words.queue : this.words.send;
      working ? (label.dataset.testid = "queue") : delete label.dataset.testid;
      this.sendButton.querySelector(".ic").className = working ? "ic ic-queue" : "ic ic-send";
      this.stopButton.querySelector("span").textContent = this.words.stop;
      this.$refs.hint.hidden = working;
    },

    suggest(n, rows) {
      this.suggestions.show(n, rows);
    },

    // ---- from the user

    build() {
      this.listening = [];
      const { box, bar, form, hint } = this.$refs;
      box.setAttribute("aria-label", this.words.label);
      box.placeholder = this.words.label;
      hint.textContent = this.words.hint;
      this.stopButton = this.key(button(this.words.stop, "btn ghost sm", "stop", () => this.stop()), "stop", "Esc");
      this.steerButton = this.key(button(this.words.steer, "btn sm", "bolt", () => this.send(true)), "steer", /Mac|iP/.test(navigator.platform) ? "⌘ ⏎" : "Ctrl ⏎");
      this.sendButton = this.key(button(this.words.send, "btn sm primary", "send", () => this.send(false)), "send", "⏎");
      this.stopButton.hidden = this.steerButton.hidden = true;
      bar.append(this.stopButton, this.sendButton, this.steerButton);
      form.addEventListener("submit", (event) => event.preventDefault());
      form.addEventListener("pointerdown", (event) => event.target.closest("button, textarea") || (event.preventDefault(), box.focus()));
      box.addEventListener("input", () => (this.wake(), this.write(this.draftKey, box.value), this.fit(), this.light()));
      this.attachments = new Attachments({ place: bar, box, form, files: this.files, limits: this.limits, words: this.words, changed: () => this.attached() });
      this.suggestions = new Suggestions(box, form, this.words.suggestions, (kind, query, n) => this.$emit("suggest", [kind, query, n]));
      box.addEventListener("keydown", (event) => this.suggestions.key(event) || this.enter(event));
    },
    key(made, name, hint) {
      made.dataset.testid = name;
      const shown = element("kbd", "", hint);
      shown.ariaHidden = "true";
      made.append(shown);
      return made;
    },
    enter(event) {
      // keyCode 229: the key that ends an IME composition in Safari, where isComposing is already false.
      if (event.key !== "Enter" || event.shiftKey || event.altKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.send((event.ctrlKey || event.metaKey) && !this.steerButton.hidden);
    },
    wake() {
      // The CLI takes half a second to start; typing takes longer.
      if (this.state !== "asleep" || this.woken) return;
      this.woken = true;
      this.$emit("typing");
    },
    escape(event) {
      if (event.key !== "Escape" || event.isComposing || event.defaultPrevented || this.stopButton.hidden) return;
      if (document.querySelector("dialog[open], details.menu[open], .sheet-open")) return;
      this.stop();
    },
    send(steer) {
      const box = this.$refs.box;
      const text = box.value;
      const files = this.attachments.ready;
      if (this.attachments.busy) return void (this.unsent = { steer }); // it goes once the files are there
      this.unsent = null;
      if (!text.trim() && !files.length) return box.focus();
      this.suggestions.close();
      const message = { id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`, text, steer, at: Date.now(), attachments: files };
      this.out = [...this.out, message];
      this.keep(); // before the box is emptied, so that the text is always in one of the two places
      box.value = "";
      this.write(this.draftKey, "");
      this.attachments.clear();
      this.deliver(message);
      this.fit();
      this.light();
      this.show();
      box.focus();
    },
    stop() {
      if (this.stopButton.hidden || this.stopButton.disabled) return;
      this.stopButton.disabled = true;
      this.stopButton.querySelector("span").textContent = this.words.stopping;
      this.$emit("stop");
      setTimeout(() => (this.stopButton.disabled = false), 3000);
    },
    retry(id) {
      this.out = this.out.map((one) => (one.id === id ? { ...one, failed: undefined, at: Date.now() } : one));
      this.keep();
      this.show();
      const message = this.out.find((one) => one.id === id);
      if (message) this.deliver(message);
    },
    draft(text) {
      const begun = this.$refs.box.value;
      this.fill(begun.trim() ? `${text}\n\n${begun}` : text);
    },
    edit(id) {
      const message = this.out.find((one) => one.id === id);
      if (message) this.draft(message.text);
      if (message?.attachments?.length) this.attachments.restore([...this.attachments.ready, ...message.attachments]);
      this.leave((one) => one.id === id);
    },
    fill(text) {
      const box = this.$refs.box;
      box.value = text;
      this.write(this.draftKey, text);
      this.fit();
      this.light();
      this.begin();
    },
    begin() {
      document.querySelector(".workspace")?.classList.remove("sheet-open");
      this.$refs.box.focus();
    },

    // ---- the outbox

    deliver(message) {
      this.$emit("say", { id: message.id, text: message.text, steer: message.steer, attachments: message.attachments ?? [] });
    },
    again() {
      const now = Date.now();
      for (const one of this.out) {
        if (one.failed || one.seq || now - one.at < AGAIN_MS) continue;
        one.at = now;
        if (window.socket?.connected) this.deliver(one);
      }
    },
    leave(gone) {
      if (!this.out.some(gone)) return;
      this.out = this.out.filter((one) => !gone(one));
      this.keep();
      this.show();
    },
    show() {
      window.dispatchEvent(new CustomEvent("oma-outbox", { detail: this.out }));
    },
    keep() {
      this.write(this.outKey, this.out.length ? this.out : "");
    },
    read(key, otherwise) {
      try {
        return JSON.parse(localStorage.getItem(key)) || otherwise;
      } catch {
        return otherwise;
      }
    },
    write(key, value) {
      try {
        value ? localStorage.setItem(key, JSON.stringify(value)) : localStorage.removeItem(key);
      } catch {
        // full or forbidden: the page works without
      }
    },
    listen(target, name, act) {
      target.addEventListener(name, act);
      this.listening.push(() => target.removeEventListener(name, act));
    },
    attached() {
      const ready = this.attachments?.ready ?? [];
      this.write(this.filesKey, ready.length ? ready : "");
      if (this.sendButton) this.light();
      if (this.unsent && !this.attachments.busy) this.send(this.unsent.steer);
    },
    light() {
      const text = (Boolean(this.$refs.box.value.trim()) || this.attachments.ready.length > 0) && !this.attachments.busy;
      this.sendButton.classList.toggle("primary", text && !this.calm);
      this.sendButton.classList.toggle("muted", !text);
    },
    fit() {
      const box = this.$refs.box;
      box.style.height = box.value ? "auto" : ""; // an empty box needs no measuring, which would cost a layout on every send
      if (box.value) box.style.height = `${Math.min(box.scrollHeight, Math.round(innerHeight * 0.4))}px`;
    },
  },
};
