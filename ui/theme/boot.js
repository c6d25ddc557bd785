// Before the first paint: language, theme and time zone; then menus and keys. The values come from ui/theme/__init__.py.
const oma = JSON.parse(document.querySelector("meta[name=oma]").content);
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const keep = (name, value) => (document.cookie = `${name}=${value};path=/;max-age=31536000;samesite=lax`);
  const paint = () => {
    root.dataset.theme = oma.theme === "system" ? (dark.matches ? "dark" : "light") : oma.theme;
    document.querySelector("meta[name=theme-color]").content = root.dataset.theme === "dark" ? "#0E0F12" : "#FCFCFD";
  };
  root.lang = oma.locale;
  root.dataset.keys = /Mac|iP/.test(navigator.platform) ? "mac" : "pc";
  paint();
  dark.addEventListener("change", paint);
  keep("oma_zone", Intl.DateTimeFormat().resolvedOptions().timeZone);
  oma.keep = keep;
  oma.choose = (theme, pressed) => {
    for (const one of pressed.parentElement.children) one.ariaPressed = one === pressed;
    oma.theme = theme;
    keep("oma_theme", theme);
    paint();
  };
  // Some browsers do not resize the page for the keyboard: a page that fills the screen then fills its visible part.
  const view = window.visualViewport;
  view?.addEventListener("resize", () => {
    const covered = view.scale === 1 && innerHeight - view.height > 80;
    covered ? root.style.setProperty("--seen", `${view.height}px`) : root.style.removeProperty("--seen");
    if (covered) scrollTo(0, 0);
  });
  // <button data-keep="cookie=value">: set the cookie and reload.
  addEventListener("click", (event) => {
    const button = event.target.closest("[data-keep]");
    if (button) keep(...button.dataset.keep.split("=")), location.reload();
  });
  // Whether somebody looks at this page: who does is not sent notifications. Said again every 15 s.
  const look = () => {
    const seen = new CustomEvent("look", { detail: document.visibilityState === "visible" });
    if (window.did_handshake) document.querySelector("[data-presence]")?.dispatchEvent(seen);
  };
  addEventListener("visibilitychange", look);
  addEventListener("DOMContentLoaded", () => {
    const first = setInterval(() => window.did_handshake && (clearInterval(first), look()), 500);
    setInterval(() => document.visibilityState === "visible" && look(), 15_000);
  });
  // NiceGUI's notice of a lost connection, with our texts and style.
  addEventListener("DOMContentLoaded", () => {
    const [lost, trying] = document.querySelectorAll("#popup > span");
    if (!lost) return;
    lost.textContent = oma.lost;
    trying.textContent = oma.trying;
    document.getElementById("popup").setAttribute("role", "status");
  });
  // Menus are <details class="menu">: one open at a time, closed by Escape and by a click elsewhere.
  const close = (but) => document.querySelectorAll("details.menu[open]").forEach((menu) => menu !== but && (menu.open = false));
  addEventListener("click", (event) => {
    const menu = event.target.closest("details.menu");
    close(event.target.closest(".pop button, .pop a") && !event.target.closest(".stay") ? null : menu);
  });
  addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest?.("details.menu[open]");
    if (menu) menu.querySelector("summary").focus();
    if (event.key === "Escape") close(null);
  });
  // On a phone the first banner stands for all; "+1" opens the others.
  addEventListener("click", (event) => {
    const plus = event.target.closest(".banners .plus");
    if (plus) plus.ariaExpanded = String(plus.parentElement.toggleAttribute("data-open"));
  });
  // A key presses the button that has it as aria-keyshortcuts, unless the user is typing.
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
    if (event.target.closest?.("input, textarea, [contenteditable], dialog, details.menu[open]")) return;
    const letter = /^[a-z]$/i.test(event.key) ? event.key.toUpperCase() : `${event.code}`.replace("Key", ""); // ㅜ is N
    const button = [...document.querySelectorAll("[aria-keyshortcuts]")].find(
      (one) => one.ariaKeyShortcuts === letter && one.offsetParent,
    );
    if (!button) return;
    event.preventDefault();
    button.click();
  });
})();
