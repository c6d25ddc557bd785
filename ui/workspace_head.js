// Agent ▸ session · state · cost; on a phone also the way to the session list.
export default {
  template: `<header class="head">
    <button type="button" class="btn ghost icon only-phone" :aria-label="words.sessions" data-testid="open-sessions" @click="sheet"><i class="ic lg ic-menu" aria-hidden="true"></i></button>
    <div class="crumb"><span class="muted nowrap cut hide-phone">{{ name }}</span><i class="ic sm ic-right hide-phone" aria-hidden="true"></i><h1 class="cut">{{ shown }}</h1></div>
    <span class="state" data-testid="session-state" role="status" :data-state="now.state">{{ now.word }}</span>
    <div class="facts"><span v-if="now.cost" :title="words.cost">{{ now.cost }}</span></div></header>`,
  props: { agent: String, title: String, start: Object, words: Object },
  data() {
    return { now: this.start, name: this.agent, shown: this.title };
  },
  methods: {
    meta(meta) {
      this.now = { state: meta.state, word: meta.word, cost: meta.cost };
    },
    retitle(agent, title) {
      this.name = agent;
      this.shown = title;
    },
    sheet() {
      const page = document.querySelector(".workspace");
      page.classList.add("sheet-open");
      const close = (event) => {
        if (event.type === "keydown" ? event.key !== "Escape" : event.target.closest(".side")) return;
        page.classList.remove("sheet-open");
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
