// Runs before anything of the page: who calls the canary, or opens a dialog, is remembered, and so is what the policy stops.
window.__ran = [];
window.__refused = [];
for (const name of ["PWNED", "alert", "confirm", "prompt", "print", "open"]) window[name] = (...said) => void __ran.push(`${name}:${said}`);
document.addEventListener("securitypolicyviolation", (event) => __refused.push(`${event.violatedDirective} ${event.blockedURI}`));
