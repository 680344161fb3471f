"use strict";
// A browser that keeps an account of what it was made to ask for and to complain about.

const { createRequire } = require("node:module");
const { createHmac } = require("node:crypto");
const { execFileSync } = require("node:child_process");
const { mkdirSync } = require("node:fs");
const path = require("node:path");

const modules = createRequire(path.join(process.env.COUNTERSIGN_BROWSER, "package.json"));
const { chromium } = modules("playwright-core");
// Finds faults that shut people out; a look at the pages goes without where it is not there.
const axe = (() => {
  try {
    return modules("axe-core");
  } catch {
    return null;
  }
})();

const base = process.env.BASE;

class Visitor {
  // Opens a browser; `scripts` says whether pages may run any.
  static async open({ scripts = true, ...look } = {}) {
    const visitor = new Visitor();
    visitor.browser = await chromium.launch({
      executablePath: process.env.CHROMIUM,
      args: ["--no-sandbox"],
    });
    visitor.context = await visitor.browser.newContext({ javaScriptEnabled: scripts, ...look });
    visitor.page = await visitor.context.newPage();
    visitor.elsewhere = [];
    visitor.seen = [];
    visitor.complaints = [];
    visitor.context.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(base) && !url.startsWith("data:")) visitor.elsewhere.push(url);
    });
    visitor.page.on("console", (message) => {
      // A refused sign-in is an answer with a status, which the browser mentions.
      const status = message.text().startsWith("Failed to load resource: the server responded");
      if (message.type() === "error" && !status) visitor.complaints.push(message.text());
    });
    visitor.page.on("pageerror", (error) => visitor.complaints.push(String(error)));
    return visitor;
  }

  // Leaves, and fails if a page asked somebody else for anything or broke its own rules.
  async leave() {
    await this.browser.close();
    if (this.elsewhere.length) throw new Error(`asked elsewhere: ${this.elsewhere}`);
    if (this.complaints.length) throw new Error(`complaints: ${this.complaints.join("\n")}`);
  }

  go(place) {
    return this.page.goto(base + place);
  }

  // Where the browser is.
  place() {
    return this.page.url().slice(base.length);
  }

  heading() {
    return this.page.locator("h1").innerText();
  }

  level() {
    return this.page.locator("dd .badge").first().innerText();
  }

  async press(name, within = "body") {
    const place = this.page.locator(within);
    await place.getByRole("button", { name, exact: true }).click();
  }

  async signIn(name, password) {
    await this.go("/sign-in");
    await this.page.getByLabel("Name").fill(name);
    await this.page.getByLabel("Password").fill(password);
    await this.press("Sign in");
  }

  async code(code, button) {
    await this.page.getByLabel("Six-digit code").fill(code);
    await this.press(button);
  }

  // Gives the browser an authenticator of its own, which agrees to everything.
  async holdsAuthenticator(more = {}) {
    this.cdp = await this.context.newCDPSession(this.page);
    await this.cdp.send("WebAuthn.enable");
    const options = {
      protocol: "ctap2",
      ctap2Version: "ctap2_1",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
      ...more,
    };
    const added = await this.cdp.send("WebAuthn.addVirtualAuthenticator", { options });
    this.authenticatorId = added.authenticatorId;
  }

  // Tells the authenticator, or asks it, something.
  authenticator(what, more = {}) {
    const { authenticatorId } = this;
    return this.cdp.send(`WebAuthn.${what}`, { authenticatorId, ...more });
  }

  // What the page says about a passkey that did not do.
  async refusal() {
    const said = this.page.locator(".passkey [role=alert]:not(:empty)");
    await said.waitFor();
    return said.innerText();
  }

  // Holds the page against what it must be in every look: no wider than its window, and
  // without a fault that axe finds (where it is there). Takes pictures, if anybody wants any.
  async look(name) {
    const folder = process.env.COUNTERSIGN_SCREENSHOTS;
    if (folder) mkdirSync(folder, { recursive: true });
    for (const [look, colorScheme, width] of looks) {
      await this.page.emulateMedia({ colorScheme });
      await this.page.setViewportSize({ width, height: 800 });
      const wide = await this.page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > width) this.complaints.push(`${name} (${look}) is ${wide} wide`);
      if (axe) await this.inspect(`${name} (${look})`);
      if (!folder) continue;
      const file = path.join(folder, `${name}-${look}.png`);
      await this.page.screenshot({ path: file, fullPage: true });
    }
    await this.page.emulateMedia({ colorScheme: "light" });
    await this.page.setViewportSize({ width: 1280, height: 800 });
    this.seen.push(name);
  }

  // WCAG 2.2, levels A and AA, as far as a program can tell.
  async inspect(name) {
    await this.page.evaluate(axe.source);
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const found = await this.page.evaluate((values) => {
      return globalThis.axe.run(document, { runOnly: { type: "tag", values } });
    }, tags);
    for (const { id, nodes } of found.violations) {
      this.complaints.push(`${name}: ${id}: ${nodes.map((node) => node.html).join(" ")}`);
    }
  }
}

const looks = [
  ["light", "light", 1280],
  ["dark", "dark", 1280],
  ["narrow", "light", 320],
  ["narrow-dark", "dark", 320],
];

// The code of a key, some steps of 30 seconds ago: by oathtool, or where there is none by
// the few lines of RFC 6238.
function totp(key, ago = 0) {
  const base32 = key.replaceAll(/\s/g, "");
  const at = Math.floor(Date.now() / 1000) - 30 * ago;
  try {
    const now = new Date(at * 1000).toISOString().replace("T", " ").replace(/\..*/, " UTC");
    return execFileSync("oathtool", ["--totp", "-b", "--now", now, base32]).toString().trim();
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  const bits = [...base32].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c));
  const text = bits.map((value) => value.toString(2).padStart(5, "0")).join("");
  const bytes = Buffer.from(text.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30)));
  const mac = createHmac("sha1", bytes).update(counter).digest();
  const offset = mac[19] & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

module.exports = { Visitor, totp, inspected: axe !== null };
