// Agent ▸ session · state · model · context · cost · publish; the agent's name is its menu. On a phone the menu has the facts.
const FACTS = ["model", "context", "cost"];

export default {
  template: `<header class="head">
    <a class="btn ghost icon only-phone" href="/dashboard" :aria-label="words.agents" data-testid="to-dashboard"><i class="ic lg ic-back" aria-hidden="true"></i></a>
    <form v-if="renaming" class="rename" @submit.prevent="rename($event.target.elements[0].value)">
      <input ref="name" class="input" maxlength="80" :value="names.own" :aria-label="words.name" data-testid="rename-agent"
        @keydown.esc.stop.prevent="stop" @blur="rename($event.target.value)"></form>
    <div class="crumb" :class="{ one: names.title === names.agent }" v-show="!renaming">
      <details class="menu whose"><summary ref="menu" class="btn ghost sm" data-testid="agent-menu" :aria-label="words.menu.replace('{name}', names.agent)">
          <span class="cut hide-phone">{{ names.agent }}</span><i class="ic sm ic-down hide-phone" aria-hidden="true"></i><i class="ic lg ic-more only-phone" aria-hidden="true"></i></summary>
        <div class="pop">
          <dl v-if="known.length" class="told" data-testid="facts-told"><div v-for="fact in known" :key="fact"><dt>{{ words[fact] }}</dt><dd>{{ now.facts[fact] }}</dd></div></dl>
          <button type="button" class="li" data-palette="1" data-testid="to-palette"><i class="ic ic-search" aria-hidden="true"></i>{{ words.find }}<kbd class="mod end hide-phone" aria-hidden="true"></kbd></button>
          <a class="li" href="/dashboard"><i class="ic ic-list" aria-hidden="true"></i>{{ words.agents }}</a>
          <a class="li" :href="names.page" data-testid="to-agent"><i class="ic ic-sliders" aria-hidden="true"></i>{{ words.page }}</a>
          <a class="li" :href="names.operate" data-testid="to-operate"><i class="ic ic-clock" aria-hidden="true"></i>{{ words.operate }}</a>
          <a class="li" :href="names.connections" data-testid="to-connections"><i class="ic ic-globe" aria-hidden="true"></i>{{ words.connections }}</a>
          <a class="li" :href="names.connections + '#mode'" data-testid="to-mode"><i class="ic ic-shield" aria-hidden="true"></i>{{ words.mode }}</a>
          <button type="button" class="li" @click="begin"><i class="ic ic-edit" aria-hidden="true"></i>{{ words.rename }}</button>
          <button type="button" class="li" @click="$emit('archive', !names.archived)"><i class="ic" :class="names.archived ? 'ic-restore' : 'ic-archive'" aria-hidden="true"></i>{{ names.archived ? words.restore : words.archive }}</button>
          <button type="button" class="li bad" @click="$emit('ask')"><i class="ic ic-trash" aria-hidden="true"></i>{{ words.delete }}</button>
        </div></details>
      <i class="ic sm ic-right hide-phone" aria-hidden="true"></i><h1 class="cut">{{ names.title }}</h1>
      <span v-if="names.archived || names.draft" class="chip">{{ names.archived ? words.archived : words.draft }}</span></div>
    <span class="state" data-testid="session-state" role="status" :data-state="now.shown">{{ now.word }}</span>
    <div class="facts" data-testid="facts">
      <span v-if="now.facts.model" class="model cut" data-testid="model" :title="now.facts.exact || words.model">{{ now.facts.model }}</span>
      <span v-if="now.facts.context" class="context" :class="{ high: now.facts.high }" data-testid="context" :title="now.facts.context">{{ words.context }}
        <template v-if="now.facts.percent !== null"><span class="meter" role="meter" aria-valuemin="0" aria-valuemax="100" :aria-valuenow="now.facts.percent" :aria-valuetext="now.facts.context" :aria-label="words.context"><i :style="{ width: now.facts.percent + '%' }"></i></span>{{ now.facts.percent }}%</template></span>
      <span v-if="now.facts.cost" data-testid="cost" :title="words.cost">{{ now.facts.cost }}</span></div>
    <button v-if="names.draft && !names.archived" type="button" class="btn sm publish" data-testid="publish" :title="words.publish_why" :disabled="publishing" @click="publish">{{ words.publish }}</button>
    <button type="button" class="btn ghost icon toggle-panel" :aria-label="words.panel" :title="words.panel" :aria-expanded="String(opened)" data-testid="panel-toggle" @click="$emit('panel', width())"><i class="ic lg ic-panel" aria-hidden="true"></i></button>
    <button type="button" class="btn ghost icon only-phone" :aria-label="words.sessions" data-testid="open-sessions" @click="sheet"><i class="ic lg ic-menu" aria-hidden="true"></i></button>
    <dialog ref="dialog" aria-labelledby="agent-sure" data-testid="confirm-delete" @close="closed">
      <template v-if="doomed"><h2 id="agent-sure">{{ doomed.title }}</h2><p>{{ doomed.text }}</p>
      <div class="acts"><button type="button" class="btn" autofocus @click="$refs.dialog.close()">{{ words.cancel }}</button>
      <button type="button" class="btn danger" :disabled="going" data-testid="delete" @click="remove">{{ going ? words.deleting : words.delete }}</button></div></template>
    </dialog></header>`,
  props: { first: Object, start: Object, words: Object, opened: Boolean },
  data() {
    return { now: this.start, names: this.first, renaming: false, publishing: false, doomed: null, going: false };
  },
  computed: {
    known() {
      return FACTS.filter((fact) => this.now.facts[fact]);
    },
  },
  methods: {
    meta(meta) {
      this.now = { shown: meta.shown, word: meta.word, facts: meta.facts };
    },
    show(names) {
      this.names = names;
      this.publishing = false;
    },
    width() {
      return innerWidth;
    },
    publish() {
      this.publishing = true;
      this.$refs.menu.focus(); // the button goes
      this.$emit("publish");
      setTimeout(() => (this.publishing = false), 5000); // it may have failed
    },
    begin() {
      this.renaming = true;
      this.$nextTick(() => this.$refs.name.select());
    },
    stop() {
      this.renaming = false;
      this.$nextTick(() => this.$refs.menu.focus());
    },
    rename(name) {
      if (!this.renaming) return; // Enter was followed by blur
      this.stop();
      if (name.trim() && name.trim() !== this.names.own) this.$emit("rename", name.trim());
    },
    confirm(doomed) {
      this.doomed = doomed;
      this.$nextTick(() => this.$refs.dialog.showModal());
    },
    closed() {
      this.doomed = null;
      this.$refs.menu.focus(); // what opened it is in that menu, which has closed
    },
    remove() {
      this.going = true;
      this.$emit("remove");
    },
    removed() {
      this.going = false;
      this.$refs.dialog.close();
    },
    sheet() {
      const page = document.querySelector(".workspace");
      const opener = document.activeElement;
      const show = (on) => {
        page.classList.toggle("sheet-open", on);
        page.querySelector(".mid").inert = on; // the keyboard and the screen reader go where the eyes are
        (on ? page.querySelector(".side a") : opener).focus();
      };
      show(true);
      const close = (event) => {
        if (event.type === "keydown" ? event.key !== "Escape" : event.target.closest(".side")) return;
        show(false);
        removeEventListener("keydown", close);
        removeEventListener("click", close, true);
      };
      setTimeout(() => {
        addEventListener("keydown", close);
        addEventListener("click", close, true);
      });
    },
  },
};
