// Judges pages as a visitor gets them: `node scan.mjs` reads [{host, port, httpPort, path, cookie}] and prints a verdict each.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
// The list of preloaded hosts is fetched at its install; without one nobody is preloaded, which gives no points away.
const preloaded = path.join(here, "node_modules/@mdn/mdn-http-observatory/conf/hsts-preload.json");
if (!fs.existsSync(preloaded)) fs.writeFileSync(preloaded, "{}");

const at = "@mdn/mdn-http-observatory/src";
const { retrieve } = await import(`${at}/retriever/retriever.js`);
const { ALL_TESTS } = await import(`${at}/constants.js`);
const { getGradeForScore, getScoreModifier } = await import(`${at}/grader/grader.js`);
const { MINIMUM_SCORE_FOR_EXTRA_CREDIT } = await import(`${at}/grader/charts.js`);
const { CspEvaluator } = await import("csp_evaluator");
const { CspParser } = await import("csp_evaluator/dist/parser.js");
const { Severity } = await import("csp_evaluator/dist/finding.js");

// As its own scanner/index.js adds it up; that one has no way to ask for a path or to bring a cookie.
function grade(requests) {
  const tests = ALL_TESTS.map((test) => test(requests));
  const points = tests.map((test) => (test.result ? getScoreModifier(test.result) : 0));
  const bare = points.filter((n) => n < 0).reduce((sum, n) => sum + n, 100);
  const score = bare >= MINIMUM_SCORE_FOR_EXTRA_CREDIT ? points.reduce((sum, n) => sum + n, 100) : bare;
  const failed = tests.filter((test) => !test.pass).map((test) => `${test.constructor.name}: ${test.result}`);
  return { ...getGradeForScore(score), failed, results: tests.map((test) => test.result) };
}

function findings(policy) {
  const all = new CspEvaluator(new CspParser(policy).csp).evaluate();
  return all.map((one) => ({ severity: Severity[one.severity], directive: one.directive, value: one.value ?? "", text: one.description }));
}

const verdicts = [];
for (const page of JSON.parse(fs.readFileSync(0, "utf8"))) {
  const headers = ["Accept: text/html", ...(page.cookie ? [`Cookie: ${page.cookie}`] : [])];
  const requests = await retrieve(page.host, { httpsPort: page.port, httpPort: page.httpPort, path: page.path, headers });
  const { auto } = requests.responses;
  if (!auto) throw new Error(`${page.path}: nobody answers`);
  const policy = auto.headers["content-security-policy"] ?? "";
  verdicts.push({ path: page.path, status: auto.status, url: requests.session.redirectHistory.at(-1).url.pathname, policy, ...grade(requests), findings: findings(policy) });
}
process.stdout.write(JSON.stringify(verdicts, null, 1) + "\n");
