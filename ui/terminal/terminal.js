// xterm.js in the look of our theme. It reports what is typed and the size that fits; `write` answers when it is drawn,
// so that the server never sends faster than the browser draws.
import { Terminal, FitAddon } from "nicegui-xterm";
import { loadResource } from "../../static/utils/resources.js";

const PIECE = 60000; // characters of one message
const ANSI = {
  light: ["#16181D", "#C92A2A", "#237A34", "#8A5A00", "#3B5BDB", "#9C36B5", "#0B7285", "#5F697D"],
  dark: ["#3A404A", "#FF8787", "#69DB7C", "#FFC078", "#91A7FF", "#E599F7", "#66D9E8", "#ECEEF2"],
};
const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

export default {
  template: `<div class="xterm-place" data-testid="terminal"></div>`,
  props: { label: String, resourcePath: String },
  mounted() {
    this.terminal = new Terminal({
      fontFamily: getComputedStyle(this.$el).getPropertyValue("--mono"),
      fontSize: 13, lineHeight: 1.25, scrollback: 5000, cursorBlink: false,
      minimumContrastRatio: 4.5, theme: this.theme(), disableStdin: true,
    });
    this.terminal.loadAddon((this.fitting = new FitAddon()));
    this.terminal.open(this.$el);
    this.terminal.textarea.setAttribute("aria-label", this.label);
    this.terminal.attachCustomKeyEventHandler((event) => this.isForTerminal(event));
    this.terminal.onData((text) => this.typed(text));
    this.seen = new ResizeObserver(() => this.fit());
    this.seen.observe(this.$el);
    this.painted = new MutationObserver(() => (this.terminal.options.theme = this.theme()));
    this.painted.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.$nextTick().then(() => loadResource(window.path_prefix + `${this.resourcePath}/xterm.css`)).then(() => this.fit());
  },
  beforeUnmount() {
    this.seen.disconnect();
    this.painted.disconnect();
    this.terminal.dispose();
  },
  methods: {
    theme() {
      const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
      const palette = ANSI[document.documentElement.dataset.theme === "dark" ? "dark" : "light"];
      const theme = {
        background: colour("--surface"), foreground: colour("--text"), cursor: colour("--accent"),
        cursorAccent: colour("--surface"), selectionBackground: colour("--accent") + "44",
      };
      NAMES.forEach((name, at) => {
        theme[name] = palette[at];
        theme["bright" + name[0].toUpperCase() + name.slice(1)] = palette[at];
      });
      return theme;
    },
    // Ctrl+Shift+C copies; Tab leaves after Escape, as the hint says, so that the keyboard alone gets out.
    isForTerminal(event) {
      if (event.type !== "keydown") return true;
      if (event.ctrlKey && event.shiftKey && event.code === "KeyC") {
        navigator.clipboard?.writeText(this.terminal.getSelection());
        event.preventDefault();
        return false;
      }
      const leaves = event.key === "Tab" && this.escaped;
      this.escaped = event.key === "Escape";
      return !leaves;
    },
    // What is typed within a moment goes as one message: a socket that sends too often is cut.
    typed(text) {
      this.waiting = (this.waiting || "") + text;
      this.timer ||= setTimeout(() => {
        this.timer = null;
        for (let at = 0; at < this.waiting.length; at += PIECE) this.$emit("typed", this.waiting.slice(at, at + PIECE));
        this.waiting = "";
      }, 25);
    },
    fit() {
      if (!this.$el.clientWidth || !this.$el.clientHeight) return;
      const fits = this.fitting.proposeDimensions();
      if (!fits || isNaN(fits.cols)) return;
      clearTimeout(this.sizing);
      this.sizing = setTimeout(() => this.$emit("fits", { columns: Math.max(2, fits.cols), rows: Math.max(1, fits.rows) }), 80);
    },
    // The whole screen, in the size that the shell has.
    draw(screen, columns, rows) {
      this.terminal.options.disableStdin = false;
      this.terminal.resize(columns, rows);
      return this.write(screen);
    },
    write(text) {
      return new Promise((done) => this.terminal.write(text, () => done(true)));
    },
    stop() {
      this.terminal.options.disableStdin = true;
    },
    focus() {
      this.terminal.focus();
    },
  },
};
