"use strict";
// A browser that keeps an account of what it was made to ask for and to complain about.

const { createRequire } = require("node:module");
const { createHmac } = require("node:crypto");
const { execFileSync } = require("node:child_process");
const { mkdirSync } = require("node:fs");
const path = require("node:path");

const modules = createRequire(path.join(process.env.COUNTERSIGN_BROWSER, "package.json"));
const { chromium } = modules("playwright-core");

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

  async press(name) {
    await this.page.getByRole("button", { name, exact: true }).click();
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

  // Pictures of the page, light, dark and as narrow as a page must fit, if anybody wants any.
  async picture(name) {
    const folder = process.env.COUNTERSIGN_SCREENSHOTS;
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    const looks = [
      ["light", "light", 1280, 800],
      ["dark", "dark", 1280, 800],
      ["narrow", "light", 320, 640],
      ["narrow-dark", "dark", 320, 640],
    ];
    for (const [look, colorScheme, width, height] of looks) {
      await this.page.emulateMedia({ colorScheme });
      await this.page.setViewportSize({ width, height });
      await this.page.screenshot({ path: path.join(folder, `${name}-${look}.png`), fullPage: true });
    }
    await this.page.emulateMedia({ colorScheme: "light" });
    await this.page.setViewportSize({ width: 1280, height: 800 });
  }
}

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

module.exports = { Visitor, totp, base };
