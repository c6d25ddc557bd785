// Files on their way into the agent's folder: each is one PUT to the API, three at once, with progress and a way back.
const AT_ONCE = 3;
const MOST = 2000; // files of one choice or drop

export default {
  template: `<div class="uploads" v-show="list.length" data-testid="uploads">
    <input ref="files" type="file" multiple hidden tabindex="-1" :aria-label="words.choose" data-testid="upload-input" @change="chosen">
    <input ref="folder" type="file" webkitdirectory hidden tabindex="-1" :aria-label="words.choose_folder" data-testid="upload-folder" @change="chosen">
    <div class="row"><span class="b cut grow" role="status">{{ words.title.replace('{done}', done).replace('{all}', list.length) }}</span>
      <button type="button" class="btn ghost icon sm" :aria-label="words.clear" :title="words.clear" @click="clear"><i class="ic ic-x" aria-hidden="true"></i></button></div>
    <ul><li v-for="one in shown" :key="one.id" :class="one.state" data-testid="upload" :data-state="one.state"><div class="row">
      <span class="cut grow mono">{{ one.path }}</span><span class="end">{{ one.said || (one.state === 'going' ? one.percent + '%' : words[one.state]) }}</span>
      <button v-if="one.state === 'exists'" type="button" class="btn sm" @click="again(one, true)">{{ words.replace }}</button>
      <button v-if="one.state === 'broken'" type="button" class="btn ghost icon sm" :aria-label="words.again" :title="words.again" @click="again(one, false)"><i class="ic ic-restore" aria-hidden="true"></i></button>
      <button v-if="one.state === 'going' || one.state === 'waiting'" type="button" class="btn ghost icon sm" :aria-label="words.stop" :title="words.stop" @click="stop(one)"><i class="ic ic-x" aria-hidden="true"></i></button></div>
      <div v-if="one.state === 'going'" class="bar" role="progressbar" :aria-valuenow="one.percent" aria-valuemin="0" aria-valuemax="100" :aria-label="one.path"><i :style="{ width: one.percent + '%' }"></i></div></li></ul>
    <p v-if="list.length > shown.length" class="tiny">+{{ list.length - shown.length }}</p></div>`,
  props: { words: Object, door: String, limit: Number },
  data() {
    return { list: [], next: 1 };
  },
  computed: {
    done() {
      return this.list.filter((one) => one.state === "done").length;
    },
    shown() {
      const order = { broken: 0, exists: 0, refused: 0, going: 1, waiting: 2, done: 3 };
      return [...this.list].sort((a, b) => order[a.state] - order[b.state]).slice(0, 12);
    },
  },
  mounted() {
    this.hear = (event) => this.dropped(event.detail.items, event.detail.folder);
    addEventListener("oma-upload", this.hear);
    this.leaving = (event) => this.list.some((one) => one.state === "going") && event.preventDefault();
    addEventListener("beforeunload", this.leaving);
  },
  unmounted() {
    removeEventListener("oma-upload", this.hear);
    removeEventListener("beforeunload", this.leaving);
  },
  methods: {
    choose(what) {
      this.$refs[what].click();
    },
    chosen(event) {
      for (const file of [...event.target.files].slice(0, MOST)) this.add(file, file.webkitRelativePath || file.name);
      event.target.value = "";
      this.go();
    },
    async dropped(items, folder) {
      const entries = [...items.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
      const base = folder ? folder + "/" : "";
      for (const entry of entries) await this.walk(entry, base);
      this.go();
    },
    async walk(entry, base) {
      if (this.list.length >= MOST) return;
      if (entry.isFile) {
        const file = await new Promise((give) => entry.file(give, () => give(null)));
        if (file) this.add(file, base + entry.name);
        return;
      }
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((give) => reader.readEntries(give, () => give([])));
        if (!some.length) return;
        for (const one of some) await this.walk(one, `${base}${entry.name}/`);
      }
    },
    add(file, path) {
      if (this.list.length >= MOST) return;
      const large = file.size > this.limit;
      this.list.push({ id: this.next++, file: Vue.markRaw(file), path, percent: 0, state: large ? "refused" : "waiting", said: large ? this.words.too_large : "", over: false });
    },
    go() {
      const going = this.list.filter((one) => one.state === "going").length;
      for (const one of this.list.filter((other) => other.state === "waiting").slice(0, AT_ONCE - going)) this.send(one);
    },
    send(one) {
      one.state = "going";
      const request = new XMLHttpRequest();
      one.request = Vue.markRaw(request);
      request.open("PUT", `${this.door}/${one.path.split("/").map(encodeURIComponent).join("/")}`);
      if (!one.over) request.setRequestHeader("If-None-Match", "*");
      request.upload.onprogress = (event) => (one.percent = Math.floor((100 * event.loaded) / (event.total || 1)));
      request.onload = () => this.answered(one, request);
      request.onerror = () => this.end(one, "broken");
      request.onabort = () => this.end(one, "broken", this.words.stopped);
      request.send(one.file);
    },
    answered(one, request) {
      if (request.status < 300) return this.end(one, "done");
      let problem = {};
      try {
        problem = JSON.parse(request.responseText);
      } catch {} // a proxy's own page
      if (request.status === 429) {
        one.state = "waiting";
        return void setTimeout(() => this.go(), 1000 * (Number(request.getResponseHeader("Retry-After")) || 5));
      }
      if (problem.code === "file_exists") return this.end(one, "exists");
      this.end(one, request.status >= 500 && request.status !== 507 ? "broken" : "refused", this.words[problem.code] || "");
    },
    end(one, state, said = "") {
      one.state = state;
      one.said = said;
      if (!this.list.some((other) => other.state === "going" || other.state === "waiting") || this.done % 20 === 0) this.$emit("landed");
      this.go();
    },
    again(one, over) {
      one.over = over;
      one.said = "";
      one.state = "waiting";
      this.go();
    },
    stop(one) {
      if (one.state === "going") one.request.abort();
      else this.end(one, "broken", this.words.stopped);
    },
    clear() {
      for (const one of this.list) if (one.state === "going") one.request.abort();
      this.list = [];
    },
  },
};
