// Toasts: read out politely, kept while the pointer or the focus is on them.
export default {
  template: `<div class="toasts" role="status" aria-live="polite">
    <div v-for="one in shown" :key="one.id" class="toast" :data-kind="one.kind" data-testid="toast"
      @mouseenter="hold(one)" @mouseleave="start(one)" @focusin="hold(one)" @focusout="start(one)">
      <i class="ic" :class="{ok: 'ic-check', bad: 'ic-alert', info: 'ic-info'}[one.kind]" aria-hidden="true"></i>
      <span class="grow">{{ one.text }}</span>
      <button v-if="one.action" type="button" class="btn sm" @click="act(one)">{{ one.action }}</button>
      <button type="button" class="btn ghost icon sm" :aria-label="close" @click="drop(one)"><i class="ic ic-x" aria-hidden="true"></i></button>
    </div></div>`,
  props: { close: String },
  data: () => ({ shown: [] }),
  methods: {
    show(toast) {
      this.shown = [...this.shown.slice(-2), toast];
      this.start(toast);
    },
    start(toast) {
      clearTimeout(toast.timer);
      toast.timer = setTimeout(() => this.drop(toast), toast.seconds * 1000);
    },
    hold: (toast) => clearTimeout(toast.timer),
    drop(toast) {
      clearTimeout(toast.timer);
      this.shown = this.shown.filter((one) => one.id !== toast.id);
    },
    act(toast) {
      this.$emit("act", toast.id);
      this.drop(toast);
    },
  },
};
