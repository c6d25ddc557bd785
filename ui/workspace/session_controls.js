// Permission mode, model and effort of this session, switched while it goes on, and what else can be done with it.
export default {
  template: `<details class="menu up session-menu" @toggle="opened">
    <summary class="btn ghost sm" data-testid="session-settings" :aria-label="words.title"><i class="ic ic-sliders" aria-hidden="true"></i><span class="cut hide-phone">{{ shown }}</span></summary>
    <div v-if="open" class="pop" data-testid="session-controls" role="group" :aria-label="words.title">
      <label class="field"><span class="meta">{{ words.mode }}</span>
        <select class="input" data-testid="choose-mode" :value="now.mode" @change="choose('permission_mode', $event)">
          <option v-for="one in now.modes" :key="one.value" :value="one.value">{{ one.text }}</option></select></label>
      <template v-if="now.switchable"><label class="field"><span class="meta">{{ words.model }}</span>
        <select class="input" data-testid="choose-model" :value="now.model" :disabled="!models" @change="choose('model', $event)">
          <option v-for="one in modelRows" :key="one.value" :value="one.value">{{ one.text }}</option></select></label>
      <label class="field"><span class="meta">{{ words.effort }}</span>
        <select class="input" data-testid="choose-effort" :value="now.effort" :disabled="!models" @change="choose('effort', $event)">
          <option v-for="one in effortRows" :key="one" :value="one">{{ one ? words.efforts[one] || one : now.own_effort }}</option></select></label>
      <p v-if="!models" class="tiny" role="status">{{ words.loading }}</p></template>
      <p class="tiny">{{ words.only_here }}</p>
      <div class="acts-list"><button type="button" class="li" data-testid="compact" @click="$emit('compact')"><i class="ic ic-box" aria-hidden="true"></i>{{ words.compact }}</button>
      <a v-for="one in exports" :key="one.href" class="li" :href="one.href" download :data-testid="one.id"><i class="ic ic-download" aria-hidden="true"></i>{{ one.text }}</a></div>
    </div></details>`,
  props: { first: Object, words: Object, exports: Array },
  data() {
    return { now: this.first, models: null, open: false };
  },
  computed: {
    shown() {
      return this.now.modes.find((one) => one.value === this.now.mode)?.short ?? "";
    },
    modelRows() {
      const known = (this.models ?? []).map((one) => ({ value: one.value, text: one.name }));
      const chosen = this.now.model && !known.some((one) => one.value === this.now.model) ? [{ value: this.now.model, text: this.now.model }] : [];
      return [{ value: "", text: this.now.own_model }, ...chosen, ...known];
    },
    effortRows() {
      const model = (this.models ?? []).find((one) => one.value === this.now.model) ?? this.models?.[0];
      const levels = model?.efforts ?? [];
      const chosen = this.now.effort && !levels.includes(this.now.effort) ? [this.now.effort] : [];
      return ["", ...chosen, ...levels];
    },
  },
  methods: {
    opened(event) {
      this.open = event.target.open;
      if (this.open && !this.models) this.$emit("info");
    },
    show(now) {
      this.now = now;
    },
    offer(models) {
      this.models = models;
    },
    choose(name, event) {
      this.$emit("choose", [name, event.target.value]);
    },
  },
};
