// Turning a server's items into DOM: the second wall against markup (the first is ui/transcript/markdown.py).
import DOMPurify from "dompurify";

const CLEAN = {
  ALLOWED_TAGS: "a b blockquote br code dd del details div dl dt em h3 h4 h5 h6 hr i img li ol p pre s span strong summary table tbody td th thead tr ul".split(" "),
  ALLOWED_ATTR: "href title target rel class open role start data-testid data-role data-seq data-message data-state data-live data-since data-in data-again data-edit data-handover data-branch data-lang data-outcome data-s aria-hidden align dir src alt".split(" "),
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};

// A picture is data inside the page, of a kind that cannot act: nothing is asked of another host.
const PICTURE = /^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*$/;
DOMPurify.addHook("uponSanitizeElement", (node, data) => {
  if (data.tagName === "img" && !PICTURE.test(node.getAttribute("src") ?? "")) node.remove();
});

export const clean = (html) => DOMPurify.sanitize(html, CLEAN);

export function element(tag, classes = "", text = "") {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text) made.textContent = text;
  return made;
}

export function icon(name) {
  const made = element("i", `ic ic-${name}`);
  made.ariaHidden = "true";
  return made;
}

export function button(label, classes, name, act) {
  const made = element("button", classes);
  made.type = "button";
  if (name) made.append(icon(name));
  if (label && !classes.includes("icon")) made.append(element("span", "", label));
  else if (label) (made.ariaLabel = label), (made.title = label);
  if (act) made.addEventListener("click", act);
  return made;
}

// Clipboard access needs a secure page; on a plain http address the old way still works.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const box = element("textarea");
    box.value = text;
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
}

// 0.4 s · 12 s · 3 m 12 s, with the words of the page
export function lasting(seconds, words) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return words.s.replace("{s}", whole);
  if (whole < 3600) return words.m.replace("{m}", Math.floor(whole / 60)).replace("{s}", whole % 60);
  return words.h.replace("{h}", Math.floor(whole / 3600)).replace("{m}", Math.floor((whole % 3600) / 60));
}

const SHOWN = 2000; // characters of a message that is not in the transcript; the box has them all

// A message of the user that the server has not told of yet.
export function bubble(message, words) {
  const row = element("div", "item k-u");
  const said = element("div", "said-row");
  said.dataset.testid = "message";
  said.dataset.role = "user";
  said.dataset.state = message.failed ? "failed" : "sending";
  const text = element("div", "said", message.text.length > SHOWN ? `${message.text.slice(0, SHOWN)}…` : message.text);
  text.dir = "auto";
  if (message.text) said.append(text);
  for (const file of message.attachments ?? []) said.append(element("span", "chip", file.name));
  const mark = element("span", message.failed ? "tiny bad" : "tiny");
  mark.append(message.failed ? icon("alert") : icon("clock"), message.failed || words.sending);
  said.append(mark);
  const say = (name) => () => window.dispatchEvent(new CustomEvent(name, { detail: message.id }));
  if (message.failed) {
    const ways = element("span", "row");
    ways.append(button(words.retry, "btn sm", "restore", say("oma-retry")), button(words.edit, "btn ghost sm", "edit", say("oma-edit")));
    said.append(ways);
  }
  row.append(said);
  return row;
}

// What an empty conversation shows.
export function greeting({ title, text, starters }) {
  const row = element("div", "ways");
  for (const one of starters) row.append(button(one.text, "btn", one.icon, () => window.dispatchEvent(new CustomEvent("oma-fill", { detail: one.say }))));
  return [element("h2", "", title), ...(text ? [element("p", "muted", text)] : []), row];
}
