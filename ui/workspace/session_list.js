// The session list. Texts and rows come from ui/workspace/session_list.py.
export default {
  template: `<nav class="sessions" data-testid="session-list" :aria-label="words.name">
    <div class="tools">
      <button type="button" class="btn sm grow" data-testid="new-session" :disabled="making" @click="begin"><i class="ic ic-plus" aria-hidden="true"></i>{{ words.new }}</button>
      <button type="button" class="btn sm icon" :aria-label="words.find" :title="words.find" :aria-expanded="String(finding)" @click="find"><i class="ic ic-search" aria-hidden="true"></i></button>
    </div>
    <div v-if="finding" class="tools"><input ref="search" class="input grow" type="search" v-model="wanted" :placeholder="words.find" :aria-label="words.find" @keydown.esc.stop="find"></div>
    <div class="list">
      <p v-if="!visible.length" class="none tiny">{{ words.none }}</p>
      <template v-for="(row, at) in visible" :key="row.id">
        <div v-if="at === 0 || visible[at - 1].group !== row.group" class="group">{{ row.group }}</div>
        <form v-if="renaming === row.id" class="li" @submit.prevent="rename(row, $event.target.elements[0].value)">
          <input class="input grow" maxlength="80" :value="row.title" :aria-label="words.title_label" data-testid="session-title"
            @keydown.esc.stop="renaming = null" @blur="rename(row, $event.target.value)"></form>
        <div v-else class="slot">
          <a class="li" :href="row.href" :aria-current="row.id === current ? 'page' : undefined" :data-session="row.id" :data-state="row.state">
            <span class="sign"><i v-if="row.pinned" class="ic ic-pin" aria-hidden="true"></i><i v-else-if="row.run && row.state === 'asleep'" class="ic ic-clock" aria-hidden="true"></i>
              <i v-else class="dot" :data-state="row.state"></i><span class="sr">{{ row.word + ", " }}</span></span>
            <span class="cut">{{ row.title }}</span><span class="end" :class="{ warn: row.state === 'asking', bad: row.state === 'failed' }" :title="row.full">{{ row.end }}</span></a>
          <details class="menu"><summary class="btn ghost icon sm" :aria-label="row.more"><i class="ic ic-more" aria-hidden="true"></i></summary>
            <div class="pop">
              <button type="button" class="li" @click="edit(row)"><i class="ic ic-edit" aria-hidden="true"></i>{{ words.rename }}</button>
              <button type="button" class="li bad" @click="ask(row)"><i class="ic ic-trash" aria-hidden="true"></i>{{ words.delete }}</button>
            </div></details>
        </div>
      </template>
    </div>
    <dialog ref="dialog" aria-labelledby="session-sure" @close="closed">
      <template v-if="doomed"><h2 id="session-sure">{{ words.sure.replace("{title}", doomed.title) }}</h2><p>{{ words.sure_text }}</p>
      <div class="acts"><button type="button" class="btn" autofocus @click="$refs.dialog.close()">{{ words.cancel }}</button>
      <button type="button" class="btn danger" data-testid="delete-session" @click="remove">{{ words.delete }}</button></div></template>
    </dialog></nav>`,
  props: { rows: Array, current: String, words: Object },
  data() {
    return { now: this.rows, renaming: null, doomed: null, finding: false, wanted: "", making: false };
  },
  computed: {
    visible() {
      const wanted = this.wanted.trim().toLowerCase();
      return wanted ? this.now.filter((row) => row.title.toLowerCase().includes(wanted)) : this.now;
    },
  },
  methods: {
    show(rows) {
      this.now = rows.map((row) => (row.id === this.current && this.live ? this.lively(row) : row));
    },
    meta(meta) {
      // The row of the open session shows the same state as the header.
      this.live = { state: meta.shown, word: meta.word, telling: ["busy", "asking", "starting", "failed"].includes(meta.shown) };
      this.now = this.now.map((row) => (row.id === this.current ? this.lively(row) : row));
    },
    lively(row) {
      const { state, word, telling } = this.live;
      return { ...row, state, word, end: telling ? word : row.stamp };
    },
    begin() {
      this.making = true;
      this.$emit("begin");
      setTimeout(() => (this.making = false), 3000);
    },
    find() {
      this.finding = !this.finding;
      this.wanted = "";
      if (this.finding) this.$nextTick(() => this.$refs.search.focus());
    },
    edit(row) {
      this.renaming = row.id;
      this.$nextTick(() => this.$el.querySelector("[data-testid=session-title]")?.select());
    },
    rename(row, title) {
      if (this.renaming !== row.id) return;
      this.renaming = null;
      if (!title.trim() || title.trim() === row.title) return;
      this.now = this.now.map((one) => (one.id === row.id ? { ...one, title: title.trim() } : one));
      this.$emit("rename", [row.id, title]);
    },
    ask(row) {
      this.doomed = row;
      this.$nextTick(() => this.$refs.dialog.showModal());
    },
    closed() {
      this.$el.querySelector(`[data-session="${this.doomed.id}"]`)?.focus(); // the button that opened it is in a menu that is closed now
      this.doomed = null;
    },
    remove() {
      this.$emit("remove", this.doomed.id);
      this.$refs.dialog.close();
    },
  },
};
