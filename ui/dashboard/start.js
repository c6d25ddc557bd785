// The beginning: one big box. Enter sends, Shift+Enter is a new line; while a syllable is being composed Enter is the composer's own.
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
    made(address) {
      this.making = Boolean(address); // if it failed there is none, and the words are still here
      if (!address) return;
      this.$refs.text.value = "";
      this.keep();
      location.href = address;
    },
    keep() {
      const text = this.$refs.text.value;
      try {
        text ? localStorage.setItem(this.key, JSON.stringify(text)) : localStorage.removeItem(this.key);
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
