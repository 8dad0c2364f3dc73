// Opens every page of the server at argv[2] with the browser at argv[3] (playwright's own when empty);
// prints one JSON line per claim: {claim, holds, why}.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [base, executablePath] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// Without these Chromium calls home at its start.
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const pages = [
  { path: "/", ready: "main" },
  { path: "/docs", ready: ".opblock" },
  { path: "/redoc", ready: "main" },
];

function say(claim, holds, why = "") {
  console.log(JSON.stringify({ claim, holds, why: typeof why === "string" ? why : JSON.stringify(why) }));
}

/** A page that remembers what went against the rules while it lived. */
async function watched(browser, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const seen = { violations: [], outside: [], errors: [] };
  await page.exposeFunction("sayViolation", (violation) => seen.violations.push(violation));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      window.sayViolation(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`),
    );
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== base && !["data:", "blob:", "about:"].includes(url.protocol)) seen.outside.push(request.url());
  });
  page.on("console", (message) => {
    if (/content security policy/i.test(message.text())) seen.violations.push(message.text());
    else if (message.type() === "error") seen.errors.push(message.text());
  });
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  return { page, seen, close: () => context.close() };
}

function sayRules(where, seen) {
  say(`${where}: no violation of the content security policy`, seen.violations.length === 0, seen.violations);
  say(`${where}: no request to another origin`, seen.outside.length === 0, seen.outside);
  say(`${where}: no error in the console`, seen.errors.length === 0, seen.errors);
}

/** Loads a page in one colour scheme; axe reads it as it stands. */
async function visit(browser, { path, ready }, colorScheme) {
  const where = `${path} (${colorScheme})`;
  const { page, seen, close } = await watched(browser, { colorScheme });
  const answer = await page.goto(base + path, { waitUntil: "networkidle" });
  say(`${where}: 200 HTML`, answer.status() === 200 && /html/.test(answer.headers()["content-type"]), answer.status());
  await page.locator(ready).first().waitFor({ timeout: 15_000 });
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  const findings = violations.map(({ id, nodes }) => `${id}: ${nodes.length}x ${nodes[0].target} ${nodes[0].html.slice(0, 120)}`);
  say(`${where}: axe finds nothing`, findings.length === 0, findings);
  sayRules(where, seen);
  await close();
}

/** Sends a real call from Swagger UI, as a reader would. */
async function tryItOut(browser) {
  const { page, seen, close } = await watched(browser, {});
  await page.goto(`${base}/docs`, { waitUntil: "networkidle" });
  const operation = page
    .locator(".opblock-post")
    .filter({ has: page.locator('.opblock-summary-path[data-path="/api/v1/tools/calculator"]') });
  await operation.locator(".opblock-summary-control").click();
  await operation.locator(".try-out__btn").click();
  await operation.locator("textarea.body-param__text").fill('{"expression": "2 + 2 * 3"}');
  await operation.locator(".btn.execute").click();
  const answer = operation.locator(".live-responses-table");
  await answer.waitFor({ timeout: 15_000 });
  const text = await answer.innerText();
  say("/docs: 'Try it out' on calculator gets 200 and 8", /\b200\b/.test(text) && /"result":\s*"?8"?/.test(text), text.slice(0, 800));
  sayRules("/docs with 'Try it out'", seen);
  await close();
}

/** The reference is a document: it must be readable with scripts off. */
async function withoutScripts(browser) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${base}/redoc`);
  const text = await page.locator("body").innerText();
  const words = ["calculator", "expression", "ping_host", "INVALID_ARGUMENT"];
  const missing = words.filter((word) => !text.includes(word));
  say("/redoc without scripts: tools, parameters and codes are readable", missing.length === 0, missing);
  await context.close();
}

async function claim(name, body) {
  try {
    await body();
  } catch (error) {
    say(name, false, String(error));
  }
}

const browser = await chromium.launch({ executablePath: executablePath || undefined, args: flags });
try {
  for (const page of pages) {
    for (const scheme of ["light", "dark"]) {
      await claim(`${page.path} (${scheme}) opens`, () => visit(browser, page, scheme));
    }
  }
  await claim("/docs: 'Try it out' works", () => tryItOut(browser));
  await claim("/redoc is readable without scripts", () => withoutScripts(browser));
} finally {
  await browser.close();
}
