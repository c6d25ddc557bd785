// The dashboard's filter row and cards. All texts come from ui/dashboard/page.py; this component shows them and reports what was pressed.
export default {
  template: `<section class="agents">
    <div class="filter">
      <div class="tabs" role="group" :aria-label="words.filter">
        <button v-for="one in filters" :key="one.id" type="button" class="tab" :aria-pressed="String(one.id === shown)"
          :data-filter="one.id" @click="filter(one.id)">{{ one.text }} <span v-if="one.count" class="n">{{ one.count }}</span></button>
      </div>
      <span class="grow"></span>
      <span v-if="month" class="meta hide-phone nowrap">{{ month }}</span>
      <button type="button" class="btn primary fab" data-testid="new-agent" aria-keyshortcuts="N" :disabled="making" @click="make">
        <i class="ic ic-plus" aria-hidden="true"></i>{{ words.create }} <kbd aria-hidden="true">N</kbd></button>
    </div>
    <div v-if="cards === null" class="grid" aria-hidden="true">
      <div v-for="n in 3" :key="n" class="card agent"><div class="hd"><span class="tile skeleton"></span><span class="skeleton bar"></span></div>
        <div class="last"><div class="skeleton bar wide"></div><div class="skeleton bar"></div></div><div class="ft"></div></div>
    </div>
    <p v-else-if="!visible.length" class="none meta">{{ words.none[shown] }}</p>
    <div v-else class="grid">
      <article v-for="card in visible" :key="card.id" class="card agent" :class="{needs: card.state === 'asking'}"
        data-testid="agent-card" :data-state="card.state" :data-agent="card.id">
        <div class="hd">
          <span class="tile"><i class="ic lg" :class="'ic-' + card.icon" aria-hidden="true"></i></span>
          <form v-if="renaming === card.id" class="grow" @submit.prevent="rename(card, $event.target.elements[0].value)">
            <input class="input rename" maxlength="80" :value="card.name" :aria-label="words.name" data-testid="rename"
              @keydown.esc.stop="stop(card)" @blur="rename(card, $event.target.value)"></form>
          <h2 v-else class="grow cut"><a class="whole" :href="card.href">{{ card.name }}</a></h2>
          <span v-if="card.draft" class="chip">{{ words.draft }}</span>
          <span class="state" :data-state="card.state">{{ card.word }}</span>
        </div>
        <div class="last"><p :class="{mono: card.exact}">{{ card.line }}</p><div class="meta when cut" :title="card.at">{{ card.when }}<template v-if="card.last"> · <a class="lastrun" :href="card.lastHref" data-testid="last-run">{{ card.last }}</a></template><template v-if="card.next && (card.again || card.state === 'asking')"> · {{ card.next }}</template></div></div>
        <div class="ft">
          <a v-if="card.state === 'asking'" class="btn sm" :href="card.answer">{{ words.answer }}</a>
          <button v-else-if="card.again" type="button" class="btn sm" @click="$emit('retry', card.id)">{{ words.retry }}</button>
          <a v-else-if="card.draft" class="btn sm" :href="card.href">{{ words.resume }}</a>
          <span v-else-if="card.next" class="meta cut row" data-testid="next-run"><i class="ic ic-clock" aria-hidden="true"></i><span class="cut">{{ card.next }}</span></span>
          <span v-else class="meta cut">{{ card.sessions }}</span>
          <span class="cost meta">{{ card.cost }}</span>
          <details class="menu">
            <summary class="btn ghost icon sm" :aria-label="card.more" data-testid="card-menu"><i class="ic ic-more" aria-hidden="true"></i></summary>
            <div class="pop">
              <button type="button" class="li" @click="begin(card)"><i class="ic ic-edit" aria-hidden="true"></i>{{ words.rename }}</button>
              <button v-if="!card.archived" type="button" class="li" data-testid="card-run" @click="$emit('run', card.id)"><i class="ic ic-play" aria-hidden="true"></i>{{ words.run }}</button>
              <a class="li" :href="card.page" data-testid="card-agent"><i class="ic ic-sliders" aria-hidden="true"></i>{{ words.page }}</a>
              <a class="li" :href="card.operate" data-testid="card-operate"><i class="ic ic-clock" aria-hidden="true"></i>{{ words.operate }}</a>
              <button type="button" class="li" @click="$emit('archive', [card.id, !card.archived])">
                <i class="ic" :class="card.archived ? 'ic-restore' : 'ic-archive'" aria-hidden="true"></i>{{ card.archived ? words.restore : words.archive }}</button>
              <button type="button" class="li bad" @click="$emit('ask', card.id)"><i class="ic ic-trash" aria-hidden="true"></i>{{ words.delete }}</button>
            </div>
          </details>
        </div>
      </article>
    </div>
    <dialog ref="dialog" aria-labelledby="sure" data-testid="confirm-delete" @close="closed">
      <template v-if="doomed"><h2 id="sure">{{ doomed.title }}</h2><p>{{ doomed.text }}</p>
      <div class="acts"><button type="button" class="btn" autofocus @click="$refs.dialog.close()">{{ words.cancel }}</button>
      <button type="button" class="btn danger" :disabled="doomed.going" data-testid="delete" @click="remove">{{ doomed.going ? words.deleting : words.delete }}</button></div></template>
    </dialog>
  </section>`,
  props: { first: Object, words: Object },
  data() {
    return { ...this.first, shown: "all", renaming: null, doomed: null, making: false };
  },
  created() {
    const asked = new URLSearchParams(location.search).get("show");
    if (this.filters.some((one) => one.id === asked)) this.shown = asked;
  },
  computed: {
    visible() {
      const { states, archived } = this.filters.find((one) => one.id === this.shown);
      return this.cards.filter((card) => card.archived === archived && (!states || states.includes(card.state)));
    },
  },
  methods: {
    show({ cards, filters, month }, whole) {
      // `whole`: all cards, in this order; else only those that have changed, each in the place it has.
      Object.assign(this, { filters, month });
      const at = new Map((this.cards ?? []).map((card, n) => [card.id, n]));
      if (whole) this.cards = cards;
      else for (const card of cards) this.cards[at.get(card.id)] = card;
    },
    filter(id) {
      this.shown = id;
      history.replaceState(history.state, "", id === "all" ? location.pathname : `?show=${id}`);
    },
    make() {
      this.making = true;
      this.$emit("make");
    },
    made() {
      this.making = false; // it failed; a toast says why
    },
    closed() {
      const { id } = this.doomed;
      this.doomed = null;
      this.focus(id); // the button that opened it is in a menu that is closed now
    },
    focus(id) {
      this.$nextTick(() => this.$el.querySelector(`[data-agent="${id}"] a.whole`)?.focus());
    },
    begin(card) {
      this.renaming = card.id;
      this.$nextTick(() => this.$el.querySelector("input.rename").select());
    },
    stop(card) {
      this.renaming = null;
      this.focus(card.id);
    },
    rename(card, name) {
      if (this.renaming !== card.id) return; // the blur after Enter
      this.stop(card);
      if (name.trim() && name.trim() !== card.name) this.$emit("rename", [card.id, name.trim()]);
    },
    confirm(doomed) {
      this.doomed = doomed;
      this.$nextTick(() => this.$refs.dialog.showModal());
    },
    remove() {
      this.doomed.going = true;
      this.$emit("remove", this.doomed.id);
    },
    removed() {
      this.$refs.dialog.close();
    },
  },
};
