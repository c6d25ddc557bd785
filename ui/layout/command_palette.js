// Ctrl/⌘ K from anywhere, or a [data-palette] button. The rows come from ui/layout/command_palette.py and are searched here.
const SHOWN = 50;
const SHORTEST = 2; // characters of a search in conversations
const TYPING = "input, textarea, select, [contenteditable], dialog"; // there a key is a letter

export default {
  template: `<dialog ref="dialog" class="palette" data-testid="palette" :aria-label="words.label" @click="outside" @close="wanted = ''">
    <div class="find"><i class="ic" :class="rows ? 'ic-search' : 'ic-clock'" aria-hidden="true"></i>
      <input ref="box" class="grow" type="text" role="combobox" aria-autocomplete="list" aria-expanded="true" aria-controls="palette-list"
        :aria-activedescendant="found.length ? 'palette-' + at : undefined" :aria-label="words.label" :placeholder="words.label"
        autocomplete="off" spellcheck="false" maxlength="100" v-model="wanted" @input="at = 0" @keydown="key"><kbd aria-hidden="true">Esc</kbd></div>
    <ul v-show="found.length" id="palette-list" ref="list" role="listbox" :aria-label="words.label">
      <li v-for="(row, n) in found" :key="row.href || row.act" :id="'palette-' + n" class="li" role="option" :aria-selected="String(n === at)"
        :data-href="row.href" :data-act="row.act" @mousemove="at = n" @click="go(row, $event)">
        <i class="ic" :class="'ic-' + row.icon" aria-hidden="true"></i><span class="cut what">{{ row.text }}</span><span class="cut end">{{ row.note }}</span></li></ul>
    <p v-if="rows && !found.length" class="nothing meta" role="status">{{ words.none }}</p>
    <p class="tiny hints hide-phone" aria-hidden="true">{{ words.hint }}</p></dialog>
    <dialog ref="help" class="keys" data-testid="keys" aria-labelledby="keys-title"><h2 id="keys-title">{{ words.keys }}</h2>
      <dl><div v-for="one in keys" :key="one.text"><dt><kbd v-for="key in one.keys" :key="key">{{ key === "mod" ? mod : key }}</kbd></dt><dd>{{ one.text }}</dd></div></dl>
      <div class="acts"><button type="button" class="btn" autofocus @click="$refs.help.close()">{{ words.close }}</button></div></dialog>`,
  props: { words: Object, keys: Array },
  data: () => ({ rows: null, wanted: "", at: 0, messages: { for: "", rows: [] } }),
  computed: {
    mod() {
      return /Mac|iP/.test(navigator.platform) ? "⌘" : "Ctrl";
    },
    found() {
      const words = this.wanted.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = (row) => words.every((word) => `${row.text} ${row.note}`.toLowerCase().includes(word));
      const named = (this.rows || []).filter(fits).slice(0, SHOWN);
      return this.messages.for === this.wanted.trim() ? [...named, ...this.messages.rows] : named;
    },
  },
  watch: {
    wanted() {
      // What conversations say is looked up on the server, once somebody stops typing for a moment.
      clearTimeout(this.asking);
      const text = this.wanted.trim();
      if (text.length >= SHORTEST) this.asking = setTimeout(() => this.$emit("wanted", text), 200);
    },
  },
  mounted() {
    this.onKey = (event) => {
      if (event.key === "?" && !event.ctrlKey && !event.metaKey && !event.isComposing && !event.target.closest?.(TYPING)) return void (event.preventDefault(), this.help());
      if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.code !== "KeyK") return;
      event.preventDefault();
      this.$refs.dialog.open ? this.$refs.dialog.close() : this.open();
    };
    this.onClick = (event) => event.target.closest?.("[data-palette]") && this.open();
    addEventListener("keydown", this.onKey);
    addEventListener("click", this.onClick);
  },
  unmounted() {
    removeEventListener("keydown", this.onKey);
    removeEventListener("click", this.onClick);
  },
  methods: {
    open() {
      if (document.querySelector("dialog[open]")) return; // one question at a time
      this.at = 0;
      this.$refs.dialog.showModal();
      this.$refs.box.focus();
      this.$emit("open");
    },
    message(text, rows) {
      this.messages = { for: text, rows };
    },
    show(rows) {
      this.rows = rows;
    },
    key(event) {
      if (event.isComposing || event.keyCode === 229) return;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.key === "Enter" && this.found[this.at]) this.go(this.found[this.at], event);
      else if (step && this.found.length) {
        event.preventDefault();
        this.at = (this.at + step + this.found.length) % this.found.length;
        this.$nextTick(() => this.$refs.list.children[this.at]?.scrollIntoView({ block: "nearest" }));
      }
    },
    go(row, event) {
      event.preventDefault();
      if (row.act) return this.act(row.act);
      if (event.ctrlKey || event.metaKey) return void open(row.href, "_blank", "noopener");
      this.$refs.dialog.close();
      location.href = row.href;
    },
    act(name) {
      this.$refs.dialog.close();
      name === "keys" ? this.help() : this.$emit("act", name);
    },
    help() {
      if (!document.querySelector("dialog[open]")) this.$refs.help.showModal();
    },
    outside(event) {
      if (event.target === this.$refs.dialog) this.$refs.dialog.close();
    },
  },
};
