// The file tree. Rows come from ui/files/tree_model.py; here are keys, the row's menu, renaming and dragging.
export default {
  template: `<div class="tree-box" data-testid="file-tree" :class="{ over }" @dragover.prevent="drag" @dragleave="over = false" @drop.prevent="drop($event, '')">
    <form v-if="making" class="tree-new" @submit.prevent="made($event.target.elements[0].value)">
      <i class="ic" :class="'ic-' + (making === 'folder' ? 'folder' : 'file')" aria-hidden="true"></i>
      <input ref="fresh" class="input grow" maxlength="255" :placeholder="words['new_' + making]" :aria-label="words['new_' + making]" data-testid="new-name"
        :value="base ? base + '/' : ''" @keydown.esc.stop="making = ''" @blur="making = ''"></form>
    <p v-if="!now.length && !making" class="tiny tree-none">{{ words.none }}</p>
    <ul v-else class="tree" role="tree" :aria-label="words.name" @keydown="key">
      <template v-for="row in now" :key="row.more ? row.path + '/…' : row.path">
        <li v-if="row.more" role="none" class="tree-more"><button type="button" class="btn ghost sm" :style="indent(row)" @click="$emit('more', row.path)">{{ row.more }}</button></li>
        <li v-else role="treeitem" class="li file" :class="[row.kind, row.mark]" :style="indent(row)" :aria-level="row.level" :data-path="row.path" data-testid="file-row"
          :aria-expanded="row.kind === 'folder' ? String(row.open) : undefined" :aria-selected="String(!!row.current)" :aria-current="row.current ? 'true' : undefined"
          :tabindex="row.path === focused ? 0 : -1" :draggable="row.kind !== 'gone'" @dragstart="$event.dataTransfer.setData('text/x-oma-path', row.path)" @dragover.prevent="drag" @drop.prevent.stop="drop($event, row.kind === 'folder' ? row.path : parent(row.path))"
          @click="pick(row)" @contextmenu.prevent="open(row, $event)">
          <i class="ic sm chev" :class="{ 'ic-right': row.kind === 'folder', down: row.open }" aria-hidden="true"></i>
          <i class="ic" :class="'ic-' + (row.icon || 'file')" aria-hidden="true"></i>
          <form v-if="renaming === row.path" class="grow" @submit.prevent="rename(row, $event.target.elements[0].value)" @click.stop>
            <input class="input grow" maxlength="255" :value="row.name" :aria-label="words.rename" data-testid="rename-file" @keydown.esc.stop="stop" @keydown.stop @blur="rename(row, $event.target.value)"></form>
          <template v-else><span class="cut mono">{{ row.name }}</span>
            <span class="end" :class="row.mark">{{ row.said || row.size }}</span>
            <button v-if="row.kind !== 'gone'" type="button" tabindex="-1" class="btn ghost icon sm dots" :aria-label="words.more_of.replace('{name}', row.name)" @click.stop="open(row, $event)"><i class="ic ic-more" aria-hidden="true"></i></button></template>
        </li>
      </template>
    </ul>
    <div ref="menu" class="pop tree-menu" popover="auto" data-testid="file-menu"><template v-if="at">
      <button type="button" class="li" @click="act('rename')"><i class="ic ic-edit" aria-hidden="true"></i>{{ words.rename }}</button>
      <button type="button" class="li" @click="act('move')"><i class="ic ic-right" aria-hidden="true"></i>{{ words.move }}</button>
      <button v-if="at.kind === 'folder'" type="button" class="li" @click="act('file')"><i class="ic ic-plus" aria-hidden="true"></i>{{ words.new_here }}</button>
      <a v-if="door && at.kind !== 'other'" class="li" :href="link(at)" download @click="$refs.menu.hidePopover()"><i class="ic ic-download" aria-hidden="true"></i>{{ at.kind === 'folder' ? words.download_zip : words.download }}</a>
      <button type="button" class="li bad" data-testid="delete-file" @click="act('delete')"><i class="ic ic-trash" aria-hidden="true"></i>{{ words.delete }}</button></template>
    </div>
    <dialog ref="moving" aria-labelledby="move-title" @close="refocus"><form v-if="at" method="dialog" @submit.prevent="moved">
      <h2 id="move-title">{{ words.move_title.replace('{name}', at.name) }}</h2>
      <p><label class="grow">{{ words.move_to }}<input class="input" style="width:100%" :value="at.path" maxlength="1000" data-testid="move-to" autofocus></label></p>
      <div class="acts"><button type="button" class="btn" @click="$refs.moving.close()">{{ words.cancel }}</button><button type="submit" class="btn primary">{{ words.move }}</button></div></form></dialog>
  </div>`,
  props: { rows: Array, words: Object, door: String },
  data() {
    return { now: this.rows, focused: this.rows[0]?.path, renaming: null, at: null, making: "", base: "", over: false };
  },
  methods: {
    show(rows) {
      this.now = rows;
      if (!rows.some((row) => row.path === this.focused)) this.focused = rows[0]?.path;
    },
    indent(row) {
      return { paddingInlineStart: `${8 + (row.level - 1) * 16}px` };
    },
    parent(path) {
      return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
    },
    link(row) {
      const path = row.path.split("/").map(encodeURIComponent).join("/");
      return row.kind === "folder" ? `${this.door}:zip?path=${encodeURIComponent(row.path)}` : `${this.door}/${path}`;
    },
    pick(row) {
      this.focused = row.path;
      if (row.kind === "folder") this.$emit("toggle", row.path);
      else if (row.kind === "file" || row.kind === "link") this.$emit("open", row.path);
    },
    key(event) {
      if (event.target.closest("form, button")) return;
      const rows = this.now.filter((row) => !row.more);
      this.focused = event.target.closest("[data-path]")?.dataset.path ?? this.focused;
      const at = rows.findIndex((row) => row.path === this.focused);
      const row = rows[at];
      const go = (to) => to && this.focus(to.path);
      const keys = {
        ArrowDown: () => go(rows[at + 1]),
        ArrowUp: () => go(rows[at - 1]),
        Home: () => go(rows[0]),
        End: () => go(rows[rows.length - 1]),
        ArrowRight: () => (row.kind !== "folder" ? null : row.open ? go(rows[at + 1]) : this.$emit("toggle", row.path)),
        ArrowLeft: () => (row.open ? this.$emit("toggle", row.path) : go(rows.find((one) => one.path === this.parent(row.path)))),
        Enter: () => this.pick(row),
        " ": () => this.pick(row),
        F2: () => this.begin(row),
        Delete: () => this.$emit("remove", row.path),
        ContextMenu: () => this.open(row),
      };
      if (!row || !(event.key in keys) || (row.kind === "gone" && !event.key.startsWith("Arrow"))) return;
      event.preventDefault();
      keys[event.key]();
    },
    focus(path) {
      this.focused = path;
      this.$nextTick(() => this.row(path)?.focus());
    },
    row(path) {
      return this.$el.querySelector(`[data-path="${CSS.escape(path)}"]`);
    },
    open(row) {
      this.at = row;
      this.focused = row.path;
      const box = this.row(row.path).getBoundingClientRect();
      this.$nextTick(() => {
        const menu = this.$refs.menu;
        menu.showPopover();
        menu.style.left = `${Math.max(8, box.right - menu.offsetWidth - 8)}px`;
        menu.style.top = `${Math.min(box.bottom, innerHeight - menu.offsetHeight - 8)}px`;
        menu.querySelector("button").focus();
      });
    },
    act(what) {
      this.$refs.menu.hidePopover();
      if (what === "rename") this.begin(this.at);
      else if (what === "delete") this.$emit("remove", this.at.path);
      else if (what === "file") this.make("file", this.at.path);
      else this.$refs.moving.showModal();
    },
    refocus() {
      this.row(this.focused)?.focus();
    },
    moved(event) {
      const target = event.target.elements[0].value.trim();
      this.$refs.moving.close();
      if (target && target !== this.at.path) this.$emit("move", [this.at.path, target]);
    },
    begin(row) {
      this.renaming = row.path;
      this.$nextTick(() => {
        const input = this.row(row.path).querySelector("input");
        input.focus();
        const dot = row.name.lastIndexOf(".");
        input.setSelectionRange(0, dot > 0 && row.kind !== "folder" ? dot : row.name.length);
      });
    },
    stop() {
      const path = this.renaming;
      this.renaming = null;
      this.focus(path);
    },
    rename(row, name) {
      if (this.renaming !== row.path) return; // Enter was followed by blur
      this.stop();
      const parent = this.parent(row.path);
      if (name.trim() && name.trim() !== row.name) this.$emit("move", [row.path, (parent ? parent + "/" : "") + name.trim()]);
    },
    make(what, base) {
      this.making = what;
      this.base = base;
      this.$nextTick(() => {
        this.$refs.fresh.focus();
        this.$refs.fresh.setSelectionRange(999, 999);
      });
    },
    made(path) {
      const what = this.making;
      this.making = "";
      if (path.trim()) this.$emit("make", [what, path.trim()]);
    },
    drag(event) {
      this.over = event.dataTransfer.types.includes("Files");
    },
    drop(event, folder) {
      this.over = false;
      const from = event.dataTransfer.getData("text/x-oma-path");
      if (!from) return void dispatchEvent(new CustomEvent("oma-upload", { detail: { items: event.dataTransfer, folder } }));
      const target = (folder ? folder + "/" : "") + from.slice(from.lastIndexOf("/") + 1);
      if (target !== from && !`${folder}/`.startsWith(`${from}/`)) this.$emit("move", [from, target]);
    },
  },
};
