// The large text box of the start page. Enter sends, Shift+Enter begins a new line; Enter that ends an IME composition does neither.
export default {
  template: `<form class="composer big" @submit.prevent="send">
    <textarea ref="text" class="txt" rows="2" data-testid="composer" :placeholder="words.example" :aria-label="words.title"
      autofocus @keydown.enter.exact="enter" @input="keep"></textarea>
    <div class="bar"><span class="tiny grow">{{ words.hint }}</span>
    <button type="submit" class="btn primary" data-testid="new-agent" :disabled="making">{{ making ? words.making : words.create }} <kbd aria-hidden="true">⏎</kbd></button></div></form>`,
  props: { words: Object, user: String },
  data: () => ({ making: false }),
  mounted() {
    this.key = `oma:draft:${this.user}:start`;
    try {
      this.$refs.text.value = JSON.parse(localStorage.getItem(this.key)) || "";
    } catch {
      // forbidden: the page works without
    }
    this.$refs.text.focus({ preventScroll: true });
  },
  methods: {
    enter(event) {
      if (event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.send();
    },
    send() {
      if (this.making) return;
      this.making = true;
      this.$emit("make", this.$refs.text.value);
    },
    made(address, session, said) {
      this.making = Boolean(address); // without an address it failed, and the text stays
      if (!address) return;
      if (said) this.store(`oma:out:${this.user}:${session}`, [{ ...said, at: Date.now() }]); // the next page's outbox
      this.$refs.text.value = "";
      this.keep();
      location.href = address;
    },
    keep() {
      this.store(this.key, this.$refs.text.value);
    },
    store(key, value) {
      try {
        value ? localStorage.setItem(key, JSON.stringify(value)) : localStorage.removeItem(key);
      } catch {
        // full or forbidden
      }
    },
    fill(text) {
      this.$refs.text.value = text;
      this.keep();
      this.$refs.text.focus();
    },
  },
};
