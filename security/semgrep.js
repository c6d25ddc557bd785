// What the rules for the browser find, and what they leave alone.
// ruleid: html-in-the-browser
element.innerHTML = text;
// ruleid: html-in-the-browser
element.innerHTML = "<b>" + text;
// ruleid: html-in-the-browser
element.insertAdjacentHTML("beforeend", text);
// ok: html-in-the-browser
element.innerHTML = clean(text);
// ok: html-in-the-browser
element.textContent = text;
// ruleid: code-in-the-browser
eval(text);
// ruleid: code-in-the-browser
new Function(text);
// ok: code-in-the-browser
setTimeout(() => go(), 100);
