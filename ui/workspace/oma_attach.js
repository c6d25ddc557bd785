// Files that are given to the agent with a message: pasted, dropped or chosen. Each is a PUT to the files API.
import { button, element, icon } from "oma_items";

const MOST = 10;
const PICTURE = /^image\/(png|jpeg|gif|webp)$/;
const SHRUNK_PX = 2400; // the longer side of a photograph that is too large as it is

export class Attachments {
  // `changed()` is called whenever the list is another one.
  constructor({ place, box, form, files, limits, words, changed }) {
    Object.assign(this, { files, limits, words, changed, list: [], next: 0, before: new Map() });
    this.shown = element("ul", "attachments");
    this.shown.ariaLabel = words.attachments;
    this.shown.hidden = true;
    form.prepend(this.shown);
    const input = element("input");
    Object.assign(input, { type: "file", multiple: true, hidden: true, ariaLabel: words.attach, tabIndex: -1 });
    input.dataset.testid = "attach-input";
    const choose = button(words.attach, "btn ghost icon sm", "clip", () => input.click());
    choose.dataset.testid = "attach";
    place.prepend(input, choose);
    input.addEventListener("change", () => (this.take(input.files), (input.value = "")));
    box.addEventListener("paste", (event) => event.clipboardData.files.length && (event.preventDefault(), this.take(event.clipboardData.files)));
    form.addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && (event.preventDefault(), form.classList.add("over")));
    form.addEventListener("dragleave", () => form.classList.remove("over"));
    form.addEventListener("drop", (event) => {
      form.classList.remove("over");
      if (event.dataTransfer.files.length) event.preventDefault(), this.take(event.dataTransfer.files);
    });
  }

  get busy() {
    return this.list.some((one) => one.state === "going");
  }
  get ready() {
    return this.list.filter((one) => one.state === "done").map(({ path, size }) => ({ name: path.split("/").pop(), path, size_bytes: size }));
  }

  // Files that an earlier page has sent already.
  restore(kept) {
    this.list = kept.map((one) => ({ ...one, id: this.next++, size: one.size_bytes, state: "done", percent: 100 }));
    this.show();
  }
  clear() {
    this.list = [];
    this.show();
  }

  take(files) {
    for (const file of files) this.add(file);
    this.show();
  }
  async add(file) {
    const one = { id: this.next++, name: safe(file.name), size: file.size, state: "going", percent: 0 };
    this.list.push(one);
    if (this.list.length > MOST) return this.refuse(one, this.words.too_many_attachments);
    // Files of one name are sent one after another, so that they get their numbers in the order of choosing.
    const name = one.name, before = this.before.get(name);
    const sent = this.prepared(one, file).then(async (body) => (await before, body && this.send(one, body, 1)));
    this.before.set(name, sent);
    await sent;
    if (this.before.get(name) === sent) this.before.delete(name);
  }
  // What is to be sent; nothing if it is refused.
  async prepared(one, file) {
    const body = PICTURE.test(file.type) && file.size > this.limits.picture ? await shrunk(file) : file;
    if (body !== file) one.name = one.name.replace(/\.\w+$/, "") + ".jpg";
    one.size = body.size;
    if (PICTURE.test(body.type) && body.size > this.limits.picture) return this.refuse(one, this.words.picture_too_large);
    if (body.size > this.limits.file) return this.refuse(one, this.words.file_too_large);
    if (PICTURE.test(body.type)) this.preview(one, body);
    return body;
  }
  preview(one, body) {
    const reader = new FileReader();
    reader.onload = () => ((one.picture = reader.result), this.show());
    reader.readAsDataURL(body);
  }
  // Resolves once the file is there, refused or removed.
  async send(one, body, nth) {
    if (!this.list.includes(one)) return;
    const dot = one.name.lastIndexOf(".");
    const name = nth === 1 ? one.name : dot > 0 ? `${one.name.slice(0, dot)}-${nth}${one.name.slice(dot)}` : `${one.name}-${nth}`;
    one.path = `uploads/${name}`;
    const request = (one.request = new XMLHttpRequest());
    request.open("PUT", `${this.files}/uploads/${encodeURIComponent(name)}`);
    request.setRequestHeader("If-None-Match", "*");
    request.upload.onprogress = (event) => ((one.percent = Math.floor((100 * event.loaded) / (event.total || 1))), this.bar(one));
    const ended = new Promise((resolve) => (request.onloadend = resolve));
    request.send(body);
    await ended;
    if (request.status) return this.answered(one, body, nth, request);
    if (this.list.includes(one)) this.refuse(one, this.words.upload_failed);
  }
  answered(one, body, nth, request) {
    if (request.status < 300) return Object.assign(one, { state: "done", percent: 100 }), this.show();
    let code = "";
    try {
      code = JSON.parse(request.responseText).code;
    } catch {} // a proxy's own page
    if (code === "file_exists" && nth < 100) return this.send(one, body, nth + 1);
    this.refuse(one, this.words[code] || this.words.upload_failed);
  }
  refuse(one, said) {
    Object.assign(one, { state: "refused", said });
    this.show();
  }
  remove(one) {
    this.list = this.list.filter((other) => other !== one);
    if (one.state === "going") one.request?.abort();
    if (one.state === "done") fetch(`${this.files}/${one.path.split("/").map(encodeURIComponent).join("/")}`, { method: "DELETE" });
    this.show();
  }

  show() {
    this.shown.replaceChildren(...this.list.map((one) => this.item(one)));
    this.shown.hidden = !this.list.length;
    this.changed();
  }
  item(one) {
    const made = element("li");
    Object.assign(made.dataset, { testid: "attachment", state: one.state });
    if (one.picture) {
      const picture = element("img");
      Object.assign(picture, { src: one.picture, alt: "" });
      made.append(picture);
    } else made.append(icon(one.state === "refused" ? "alert" : "file"));
    const told = element("span", "grow");
    told.append(element("span", "cut name", one.name));
    if (one.state !== "done") told.append(element("span", one.state === "refused" ? "tiny bad" : "tiny", one.said || `${one.percent}%`));
    const gone = button(this.words.detach.replace("{name}", one.name), "btn ghost icon sm", "x", () => this.remove(one));
    made.append(told, gone);
    one.shown = made;
    return made;
  }
  bar(one) {
    const place = one.shown?.querySelector(".tiny");
    if (place) place.textContent = `${one.percent}%`;
  }
}

const safe = (name) => {
  const plain = [...name].map((c) => (c < " " || "/\\\x7f".includes(c) ? "_" : c)).join("").replace(/^\.+/, "").slice(-100);
  return plain || "file";
};

// A photograph small enough for the model; the file itself if the browser cannot make one.
async function shrunk(file) {
  try {
    const picture = await createImageBitmap(file);
    const part = Math.min(1, SHRUNK_PX / Math.max(picture.width, picture.height));
    const canvas = element("canvas");
    Object.assign(canvas, { width: Math.round(picture.width * part), height: Math.round(picture.height * part) });
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    return (await new Promise((give) => canvas.toBlob(give, "image/jpeg", 0.9))) ?? file;
  } catch {
    return file;
  }
}
