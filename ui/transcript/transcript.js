// The transcript: a list of keyed items in plain DOM. Vue only mounts the frame; everything in it comes by push().
import { bubble, button, clean, copy, element, greeting, lasting } from "oma_items";
import { WAYS, wayBack } from "oma_branch";
import { arrange, queueTools, refocus, spill, typedIn, typeOn } from "oma_queue";

const NEAR = 100; // px from the bottom within which the reader is followed
const MOVING_MS = 400; // a scroll event this long after wheel, finger or key is the reader's

const AGAIN_MS = 8000;
const WORDS = new Set(["more", "tail", "raw"]); // changes that are text being written

// Written only where it changes: this is asked at each word.
const show = (one, shown) => one.hidden === shown && (one.hidden = !shown);

export default {
  template: `<div class="transcript-box">
    <div ref="scroll" class="transcript" data-testid="transcript" data-last-seq="0" tabindex="0" role="log" aria-live="off">
      <div ref="col" class="col"><div ref="more" class="earlier"></div><div ref="welcome" class="welcome" data-testid="welcome" hidden></div><div ref="old" class="items"></div><div ref="now" class="items"></div>
        <div ref="pending" class="items"></div><div ref="working" class="working act" hidden></div></div>
    </div>
    <div ref="foot" class="foot-pill"></div><div ref="spoken" class="sr" aria-live="polite"></div></div>`,
  props: { start: Object, words: Object, hello: Object, queue: Object, branches: Boolean, files: Boolean },
  mounted() {
    this.n = 0;
    this.items = new Map();
    this.sources = new Map();
    this.typing = new Map(); // what somebody types into a waiting message while it is dropped and put elsewhere
    this.following = true;
    this.end = 0; // scrollTop, and the sizes of what scrolls, when we were last at the end
    this.sizesAtEnd = "";
    this.movedAt = 0; // when the reader last used wheel, finger or key
    this.news = false;
    this.skew = Date.parse(this.start.now) - Date.now();
    this.build();
    window.addEventListener("oma-outbox", (this.onOutbox = (event) => this.showPending(event.detail)));
    this.apply(0, this.start.n, this.start.seq, this.start.ops, this.start.first, false);
    this.meta(this.start.meta);
    this.toEnd();
    window.dispatchEvent(new CustomEvent("oma-transcript"));
    this.clock = setInterval(() => this.tick(), 1000);
  },
  unmounted() {
    clearInterval(this.clock);
    document.documentElement.removeAttribute("data-writing");
    this.sizes.disconnect();
    window.removeEventListener("oma-outbox", this.onOutbox);
  },
  methods: {
    // ---- from the server

    push(base, n, seq, ops, first) {
      if (base !== 0 && base !== this.n) return this.$emit("sync", this.n);
      this.apply(base, n, seq, ops, first, true);
    },
    apply(base, n, seq, ops, first, live) {
      const box = this.$refs.scroll;
      if (base !== 0 && this.away()) this.following = false; // looked at before anything changes: no layout of its own
      if (base === 0) {
        for (const part of ["old", "now"]) this.$refs[part].replaceChildren();
        this.items.clear();
        this.sources.clear();
        this.showEarlier(first);
      }
      if (base === 0) this.putAll(ops.filter((op) => op.o === "put"));
      for (const op of ops) if (base !== 0 || op.o !== "put") this[op.o](op, live);
      if (this.queue && ops.some((op) => op.key[0] === "u")) (arrange(this.$refs.now), refocus(this.$refs.now), spill(this.typing));
      this.n = n;
      box.dataset.lastSeq = seq;
      window.dispatchEvent(new CustomEvent("oma-seq", { detail: seq }));
      this.welcome();
      if (!this.following && base !== 0 && ops.length) this.news = true;
      if (base === 0) this.tick();
      // Where words are seen to come, nothing needs to turn: each turning ring costs style and layout at every word.
      if (ops.length) document.documentElement.toggleAttribute("data-writing", ops.some((op) => WORDS.has(op.o)));
      if (base === 0 && this.following) this.toEnd(); // what grows later is followed by `sizes`, without a layout of its own
    },
    earlier(ops, first) {
      const box = this.$refs.scroll;
      const below = box.scrollHeight - box.scrollTop;
      const before = this.$refs.old.firstChild;
      const put = ops.filter((op) => op.o === "put" && !this.items.has(op.key));
      this.putAll(put, this.$refs.old, before);
      for (const op of ops) if (op.o === "wrap") this.wrap(op);
      this.showEarlier(first);
      box.scrollTop = box.scrollHeight - below;
    },
    meta(meta) {
      const line = this.$refs.working;
      line.hidden = !meta.doing;
      if (meta.doing) {
        line.querySelector(".v").textContent = meta.doing;
        line.querySelector(".end").dataset.since = meta.since || "";
        this.tick();
      }
    },

    jump(seq) {
      const found = [...this.$refs.col.querySelectorAll("[data-seq]")].find((one) => Number(one.dataset.seq) >= seq);
      if (!found) return;
      this.following = false;
      found.scrollIntoView({ block: "center" });
      found.toggleAttribute("data-found", true);
      setTimeout(() => found.removeAttribute("data-found"), 3000);
    },
    retryable() {
      this.$refs.col.querySelectorAll("[data-testid=retry]").forEach((one) => (one.disabled = false));
    },

    // ---- one change each

    put(op, live) {
      const was = this.items.get(op.key);
      const item = was || element("div");
      item.className = `item k-${op.key[0]}`;
      const typed = was ? typedIn(item) : (this.typing.get(op.key) ?? null);
      this.typing.delete(op.key);
      const opened = was && [...was.querySelectorAll("details[data-touched]")].map((one) => one.open);
      item.innerHTML = clean(op.html);
      if (opened?.length) item.querySelectorAll("details").forEach((one, at) => at < opened.length && ((one.open = opened[at]), (one.dataset.touched = "1")));
      if (!was) {
        this.items.set(op.key, item);
        const anchor = op.before && this.items.get(op.before);
        anchor && anchor.parentNode === this.$refs.now ? anchor.before(item) : this.$refs.now.append(item);
      }
      this.finish(item, op, live);
      if (typed !== null) typeOn(item, typed, op.source, this.queue, (change) => this.$emit("queue", change));
    },
    putAll(ops, box = this.$refs.now, before = null) {
      // One pass of the sanitiser for a whole history: it is most of what opening a long session costs.
      const all = element("div");
      all.innerHTML = clean(ops.map((op) => `<div class="item">${op.html}</div>`).join(""));
      const made = [...all.children];
      ops.forEach((op, at) => {
        made[at].className = `item k-${op.key[0]}`;
        this.items.set(op.key, made[at]);
        this.finish(made[at], op, false);
      });
      const fragment = document.createDocumentFragment();
      fragment.append(...made);
      box.insertBefore(fragment, before);
    },
    finish(item, op, live) {
      this.link(item);
      const message = item.querySelector("[data-message]");
      if (message) window.dispatchEvent(new CustomEvent("oma-stored", { detail: message.dataset.message }));
      if (op.live) {
        item.querySelector(".prose")?.append(element("div", "tail"));
        return;
      }
      item.querySelectorAll(".live").forEach((box) => (box.scrollTop = box.scrollHeight));
      item.querySelectorAll(".code").forEach((block) => {
        block.append(button(this.words.copy, "btn ghost icon sm copy", "copy", (event) => this.copied(event, block.querySelector("code").textContent)));
      });
      this.offer(item.querySelector(".trouble > .again"));
      if (this.branches && op.key[0] in WAYS) wayBack(item, op.key[0], this.words, (...told) => this.$emit(...told));
      const again = item.querySelector("[data-again]");
      if (again) {
        const pressed = button(this.words.again, "btn sm", "rewind", () => {
          pressed.disabled = true;
          this.following = true;
          this.$emit("again", Number(again.dataset.again));
          setTimeout(() => (pressed.disabled = false), AGAIN_MS); // should it have got lost; said twice, it counts once
        });
        pressed.dataset.testid = "retry";
        again.append(pressed);
      }
      if (this.queue && item.querySelector("[data-testid=queue-item]")) queueTools(item, op.source, this.queue, (change) => this.$emit("queue", change));
      if (!op.source) return;
      this.sources.set(op.key, op.source);
      if (op.key[0] !== "t") return;
      item.append(button(this.words.copy, "btn ghost icon sm copy-all", "copy", (event) => this.copied(event, this.sources.get(op.key))));
      if (live) this.speak(item);
    },
    offer(place) {
      // What helps besides trying again: core.domain.error_catalogue decides, the server names it.
      const source = place?.dataset.edit && this.sources.get(`u:${place.dataset.edit}`);
      if (source) place.append(button(this.words.edit, "btn sm", "edit", () => window.dispatchEvent(new CustomEvent("oma-draft", { detail: source }))));
      if (place?.dataset.handover) place.append(button(this.words.handover, "btn sm", "add", () => this.$emit("handover")));
    },
    more(op) {
      const tail = this.tailOf(op.key);
      if (!tail) return;
      const made = element("div");
      made.innerHTML = clean(op.html);
      this.link(made);
      tail.before(...made.childNodes);
      this.reset(tail, "");
    },
    tail(op) {
      const tail = this.tailOf(op.key);
      if (tail) this.reset(tail, op.html);
    },
    raw(op) {
      const tail = this.tailOf(op.key);
      if (!tail) return;
      if (!tail.text) {
        const box = op.code ? element("div", "code") : element("div", "plain");
        tail.text = document.createTextNode("");
        if (op.code) box.append(element("pre")), box.firstChild.append(element("code")), box.firstChild.firstChild.append(tail.text);
        else box.append(tail.text);
        tail.replaceChildren(box);
      }
      tail.text.appendData(op.text);
    },
    output(op) {
      const box = this.items.get(op.key)?.querySelector(".live");
      if (!box) return;
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 8;
      box.innerHTML = clean(op.html);
      if (atEnd) box.scrollTop = box.scrollHeight;
    },
    drop(op) {
      const item = this.items.get(op.key);
      const typed = item && typedIn(item);
      if (typed) this.typing.set(op.key, typed);
      item?.remove();
      this.items.delete(op.key);
      this.sources.delete(op.key);
    },
    wrap(op) {
      const members = op.keys.map((key) => this.items.get(key)).filter(Boolean);
      if (!members.length || this.items.has(op.key)) return;
      const item = element("div", "item k-w");
      item.innerHTML = clean(`<details class="run"><summary class="act">${op.html}</summary><div class="inner"></div></details>`);
      members[0].before(item);
      item.querySelector(".inner").append(...members);
      this.items.set(op.key, item);
    },
    link(item) {
      // Files that the agent names are links where there is a panel to open them in.
      if (this.files) for (const file of item.querySelectorAll("code.file")) Object.assign(file, { tabIndex: 0, role: "link" });
    },
    tailOf(key) {
      return this.items.get(key)?.querySelector(".tail");
    },
    reset(tail, html) {
      tail.text = null;
      html ? (tail.innerHTML = clean(html)) : tail.replaceChildren();
    },

    // ---- around it

    build() {
      const { scroll, working, foot, more } = this.$refs;
      this.pill = button(this.words.end, "btn pill", "down", () => ((this.following = true), this.toEnd()));
      this.pill.hidden = true;
      foot.append(this.pill);
      this.$refs.welcome.append(...greeting(this.hello));
      this.earlierButton = button(this.words.earlier, "btn ghost sm", "up", () => {
        this.earlierButton.disabled = true;
        this.$emit("earlier");
        setTimeout(() => (this.earlierButton.disabled = false), 5000); // it may have failed
      });
      more.append(this.earlierButton);
      const ring = element("span", "dot");
      ring.dataset.state = "busy";
      working.append(ring, element("span", "v cut"), element("span", "end"));
      scroll.addEventListener("scroll", () => this.look(), { passive: true });
      for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) scroll.addEventListener(kind, () => (this.movedAt = performance.now()), { passive: true });
      if (this.files) {
        const open = (event) => {
          const file = event.target.closest("code.file");
          if (file && (event.type === "click" || event.key === "Enter")) this.$emit("file", file.textContent);
        };
        for (const kind of ["click", "keydown"]) scroll.addEventListener(kind, open);
      }
      scroll.addEventListener("click", (event) => {
        const summary = event.target.closest("summary");
        if (!summary) return;
        summary.parentNode.dataset.touched = "1";
        this.following = false;
        requestAnimationFrame(() => requestAnimationFrame(() => this.look()));
      });
      this.sizes = new ResizeObserver(() => this.follow());
      this.sizes.observe(scroll);
      this.sizes.observe(this.$refs.col);
    },
    look() {
      // Only a move of the reader ends the following. A scroll event also comes late for our own toEnd(), when the
      // dock or the text has grown meanwhile: then the sizes differ from those at the end, and we go there again.
      const box = this.$refs.scroll;
      if (this.below() < NEAR) this.following = true;
      else if (this.following && this.moved() && box.scrollTop < Math.min(this.end, this.last())) this.following = false;
      else if (this.following) this.toEnd();
      this.point();
    },
    follow() {
      this.dock();
      if (this.away()) this.following = false;
      if (this.following) this.toEnd();
      this.point();
    },
    away() {
      // Scrolled up a moment ago, though the event for it may not have come yet.
      const box = this.$refs.scroll;
      return box.scrollTop < Math.min(this.end, this.last()) - NEAR && this.below() > NEAR;
    },
    moved() {
      return this.sizesAtEnd === this.sizesNow() || performance.now() - this.movedAt < MOVING_MS;
    },
    toEnd() {
      const box = this.$refs.scroll;
      box.scrollTop = box.scrollHeight;
      this.end = box.scrollTop;
      this.sizesAtEnd = this.sizesNow();
      this.news = false;
      show(this.pill, false);
    },
    below() {
      const box = this.$refs.scroll;
      return box.scrollHeight - box.scrollTop - box.clientHeight;
    },
    last() {
      const box = this.$refs.scroll;
      return box.scrollHeight - box.clientHeight;
    },
    sizesNow() {
      const box = this.$refs.scroll;
      return `${box.clientHeight} ${box.scrollHeight}`;
    },
    point() {
      if (this.following) this.news = false;
      show(this.pill, !this.following && this.below() > NEAR);
      const label = this.news ? this.words.new : this.words.end;
      if (this.pill.lastChild.textContent !== label) this.pill.lastChild.textContent = label;
    },
    dock() {
      // What floats at the bottom of the page (toasts, a lost connection) stays above the text box.
      const height = `${Math.round(innerHeight - this.$refs.scroll.getBoundingClientRect().bottom)}px`;
      if (this.dockHeight !== height) document.documentElement.style.setProperty("--dock", (this.dockHeight = height));
    },
    welcome() {
      show(this.$refs.welcome, !this.items.size && !this.$refs.pending.childElementCount && this.$refs.more.hidden);
    },
    showEarlier(first) {
      this.$refs.more.hidden = !(first > 1);
      this.earlierButton.disabled = false;
    },
    showPending(messages) {
      const box = this.$refs.pending;
      const had = box.childElementCount;
      box.replaceChildren(...messages.map((message) => bubble(message, this.words)));
      this.welcome();
      if (messages.length <= had) return; // what gets shorter is followed by `sizes`
      this.following = true;
      this.toEnd();
    },
    tick() {
      const now = Date.now() + this.skew;
      for (const one of this.$refs.col.querySelectorAll("[data-since]")) {
        const since = Date.parse(one.dataset.since);
        const shown = since ? lasting((now - since) / 1000, this.words) : "";
        if (one.textContent !== shown) one.textContent = shown;
      }
      for (const one of this.$refs.col.querySelectorAll("[data-in]")) {
        one.until ??= now + parseFloat(one.dataset.in) * 1000;
        one.textContent = one.until > now ? this.words.in_s.replace("{s}", Math.ceil((one.until - now) / 1000)) : "";
      }
    },
    speak(item) {
      this.$refs.spoken.textContent = item.querySelector(".prose")?.textContent.slice(0, 2000) ?? "";
    },
    async copied(event, text) {
      const pressed = event.currentTarget;
      await copy(text);
      pressed.firstChild.className = "ic ic-check";
      this.$refs.spoken.textContent = this.words.copied;
      setTimeout(() => (pressed.firstChild.className = "ic ic-copy"), 1500);
    },
  },
};
