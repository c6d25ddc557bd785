// Every element as tag[attributes], all text a person can come across, and all links. What is inside of model prose,
// code and output (whose words have colours) is `loose`, the rest `strict`. `acting` are the attributes of code that is
// operated like a link.
() => {
  const sign = (one) => `${one.localName}[${[...one.attributes].map((a) => a.name).sort()}]`;
  const prose = (one) => !!one.parentElement?.closest(".prose, .code, .out");
  const read = ["title", "aria-label", "placeholder", "value"];
  const strict = [];
  const loose = [];
  for (const one of document.querySelectorAll("*")) (prose(one) ? loose : strict).push(sign(one));
  const text = [document.title];
  const walk = document.createTreeWalker(document, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const at = walk.currentNode;
    if (at.nodeType === 3 && !at.parentElement.closest("script, style")) text.push(at.data);
    if (at.nodeType !== 1 || at.closest("head, script, style")) continue;
    for (const a of at.attributes) if (read.includes(a.name)) text.push(a.value);
    if (at.matches("input, textarea")) text.push(at.value);
  }
  const links = [...document.querySelectorAll("a")].map((one) => ({ href: one.href, rel: one.rel, title: one.title, target: one.target, prose: prose(one) }));
  const acting = [...document.querySelectorAll("code[role], code[tabindex]")].map((one) => [...one.attributes].map((a) => [a.name, a.value]).sort());
  return { strict, loose, text: text.join("\n"), links, acting };
}
