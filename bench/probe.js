// Runs in every page before anything else. All times are performance.now() of this page.
(() => {
  const now = () => performance.now();
  const answers = () => document.querySelectorAll("[data-testid=message][data-role=assistant]");
  const words = (node) => (node.textContent.match(/\S+/g) || []).length;
  const bench = (window.bench = { sent: 0, first: 0, busy: false, idle: 0, clicked: 0, usable: 0, back: 0, updates: [], seen: 0 });

  // before a message: what stands there now is not its answer
  bench.arm = () => Object.assign(bench, { sent: 0, first: 0, busy: false, idle: 0, clicked: 0, updates: [], seen: answers().length });
  bench.words = () => { const all = answers(); return all.length > bench.seen ? words(all[all.length - 1]) : 0; };

  // Resolves when so many words stand there. Not polled for: a poll per frame would make the browser draw at 60 Hz beside the CLI.
  let waiting = [];
  bench.reached = (count, toEnd) => new Promise((resolve) => { waiting.push({ count, toEnd, resolve }); settle(); });
  const reached = ({ count, toEnd }) => bench.words() >= count && (!toEnd || bench.idle > 0);
  const settle = () => { if (waiting.length) waiting = waiting.filter((one) => !reached(one) || one.resolve()); };

  const look = () => {
    if (bench.off) return;
    if (bench.sent || bench.clicked) {
      const at = now(), count = bench.words(), last = bench.updates[bench.updates.length - 1];
      if (count && !bench.first) bench.first = at;
      if (count && (!last || last[1] !== count)) bench.updates.push([at, count]);
      // The first words and the state that goes with them are drawn one after the other: idle counts once it was busy.
      const state = document.querySelector("[data-testid=session-state]")?.dataset.state;
      if (state && state !== "idle") bench.busy = true;
      if (bench.busy && bench.first && !bench.idle && state === "idle") bench.idle = at;
    }
    const wanted = Number(sessionStorage.getItem("bench-wanted") || 0);
    const all = answers();
    if (wanted && !bench.back && all.length && words(all[all.length - 1]) >= wanted) bench.back = now();
    settle();
  };
  const watch = { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["data-state"] };
  new MutationObserver(look).observe(document, watch);
  addEventListener("keydown", (event) => { if (event.key === "Enter" && !bench.sent) bench.sent = now(); }, true);
  addEventListener("click", (event) => { if (event.target.closest("[data-testid=stop]")) bench.clicked = now(); }, true);

  // usable: one can type into the composer, and the page talks with its server
  const timer = setInterval(() => {
    const composer = document.querySelector("[data-testid=composer]");
    if (!composer || composer.disabled || composer.readOnly || !window.did_handshake) return;
    bench.usable = now();
    clearInterval(timer);
  }, 4);
})();
