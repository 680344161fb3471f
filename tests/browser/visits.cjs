"use strict";
// What the tests have a browser do. Each visit fails by an exception, and ends with one
// line of JSON: what it found out.

const assert = require("node:assert/strict");
const { Visitor, totp, inspected } = require("./visitor.cjs");

const { NAME: name, PASSWORD: password } = process.env;

// Sets an app up from the key on the page. The code of the step before is still good, so
// that the present one is left to sign in with.
async function setUpApp(visitor) {
  await visitor.press("Set up an authenticator app");
  assert.equal(visitor.place(), "/account/set-up");
  const key = await visitor.page.locator(".key code").innerText();
  return key;
}

// Signs in by password and adds a passkey.
async function withPasskey(more) {
  const visitor = await Visitor.open();
  await visitor.holdsAuthenticator(more);
  await visitor.signIn(name, password);
  await visitor.page.locator("#passkey-label").fill("the blue key");
  await visitor.press("Add a passkey");
  // From now on one factor is not enough: the new one is used at once.
  await visitor.page.waitForURL("**/sign-in/code?done=passkey");
  await visitor.press("Use a passkey");
  await visitor.page.waitForURL("**/account");
  await visitor.page.locator(".rows strong", { hasText: "the blue key" }).waitFor();
  return visitor;
}

// Signs out, and in again by the passkey alone; the level of that.
async function byPasskey(visitor) {
  await visitor.go("/sign-out");
  await visitor.press("Sign out", "main");
  await visitor.press("Use a passkey");
  await visitor.page.waitForURL("**/account");
  return visitor.level();
}

// An inspection that finds nothing anywhere would find nothing here either.
async function bites(visitor) {
  const before = visitor.complaints.length;
  await visitor.page.evaluate(() => document.querySelector("main").append(
    document.createElement("input"),
  ));
  await visitor.inspect("an input without a label");
  assert.ok(visitor.complaints.length > before);
  visitor.complaints.length = before;
}

const visits = {
  // Every page, looked at.
  async tour() {
    const visitor = await Visitor.open();
    await visitor.go("/");
    await visitor.look("sign-in");
    await visitor.signIn(name, "not the password");
    await visitor.look("sign-in-refused");
    await visitor.signIn(name, password);
    await visitor.look("account-one-factor");
    await visitor.go("/account/password");
    await visitor.look("password");
    await visitor.go("/account");
    const key = await setUpApp(visitor);
    await visitor.look("set-up");
    await visitor.code("000000", "Confirm");
    await visitor.look("set-up-refused");
    await visitor.code(totp(key, 1), "Confirm");
    await visitor.press("Make recovery codes");
    await visitor.look("recovery-codes");
    await visitor.go("/account");
    await visitor.look("account");
    await visitor.page.getByRole("link", { name: "Change Authenticator app" }).click();
    await visitor.look("authenticator");
    await visitor.go("/sign-out");
    await visitor.look("sign-out");
    await visitor.press("Sign out", "main");
    await visitor.look("signed-out");
    await visitor.signIn(name, password);
    await visitor.look("code");
    await visitor.code("000000", "Go on");
    await visitor.look("code-refused");
    await visitor.page.evaluate(() => { document.querySelector("main [name=form]").value = ""; });
    await visitor.code("000000", "Go on");
    await visitor.look("not-taken");
    await visitor.go("/sign-in/recover");
    await visitor.look("recover");
    await visitor.go("/enrol");
    await visitor.look("enrol");
    if (inspected) await bites(visitor);
    await visitor.leave();
    return { seen: visitor.seen, inspected };
  },

  async "password-and-code"() {
    const visitor = await Visitor.open({ scripts: false });
    const levels = [];
    await visitor.go("/");
    assert.equal(visitor.place(), "/sign-in");

    await visitor.signIn(name, "not the password");
    assert.equal(visitor.place(), "/sign-in");
    assert.match(await visitor.page.getByRole("alert").innerText(), /name or the password is wrong/);
    assert.equal(await visitor.page.getByLabel("Name").inputValue(), name);
    assert.equal(await visitor.page.getByLabel("Password").inputValue(), "");

    await visitor.signIn(name, password);
    assert.equal(visitor.place(), "/account");
    levels.push(await visitor.level());

    const key = await setUpApp(visitor);
    await visitor.code("000000", "Confirm");
    assert.match(await visitor.page.getByRole("alert").innerText(), /code is wrong/);
    assert.equal(await visitor.page.locator(".key code").innerText(), key, "still the same key");
    await visitor.code(totp(key, 1), "Confirm");
    assert.equal(visitor.place(), "/account");
    levels.push(await visitor.level());

    await visitor.go("/sign-out");
    await visitor.go("/account");
    await visitor.press("Sign out");
    assert.equal(visitor.place(), "/sign-in?done=signed-out");
    await visitor.go("/account");
    assert.equal(visitor.place(), "/sign-in", "the session is over");

    await visitor.signIn(name, password);
    assert.equal(visitor.place(), "/sign-in/code");
    await visitor.go("/account");
    assert.equal(visitor.place(), "/sign-in/code", "one factor is not enough any more");
    const grouped = totp(key).replace(/^(...)/, "$1 ");
    await visitor.code(grouped.replace(" ", ""), "Go on");
    assert.equal(visitor.place(), "/account");
    levels.push(await visitor.level());
    await visitor.leave();
    return { levels };
  },

  // Made, used to sign in with, used beside a password.
  async passkey() {
    const visitor = await withPasskey();
    const levels = [await byPasskey(visitor)];
    const shown = await visitor.page.locator("dd").nth(1).innerText();
    await visitor.go("/account");
    await visitor.press("Sign out");
    await visitor.signIn(name, password);
    assert.equal(visitor.place(), "/sign-in/code");
    await visitor.look("second-factor-passkey");
    await visitor.press("Use a passkey");
    await visitor.page.waitForURL("**/account");
    levels.push(await visitor.level());
    await visitor.look("account-passkey");
    await visitor.leave();
    return { levels, shown };
  },

  // Nobody has unlocked it: the browser does not use it, and if an authenticator says so
  // all the same the server does not take it.
  async "passkey-unverified"() {
    const visitor = await withPasskey();
    await visitor.press("Sign out");
    await visitor.authenticator("setUserVerified", { isUserVerified: false });
    await visitor.press("Use a passkey");
    const said = [await visitor.refusal()];
    await visitor.authenticator("setUserVerified", { isUserVerified: true });
    await visitor.authenticator("setResponseOverrideBits", { isBadUV: true });
    await visitor.go("/sign-in");
    await visitor.press("Use a passkey");
    said.push(await visitor.refusal());
    assert.equal(visitor.place(), "/sign-in");
    await visitor.look("sign-in-passkey-refused");
    await visitor.leave();
    return { said };
  },

  // A key that counts less than it did before is a copy.
  async "passkey-cloned"() {
    const visitor = await withPasskey();
    await byPasskey(visitor);
    const { credentials: [credential] } = await visitor.authenticator("getCredentials");
    await visitor.authenticator("removeCredential", { credentialId: credential.credentialId });
    credential.signCount = 1;
    await visitor.authenticator("addCredential", { credential });
    await visitor.go("/account");
    await visitor.press("Sign out");
    await visitor.press("Use a passkey");
    const said = await visitor.refusal();
    assert.equal(visitor.place(), "/sign-in?done=signed-out");
    // Nor is it taken when it counts on.
    await visitor.press("Use a passkey");
    await visitor.page.waitForResponse((it) => it.url().endsWith("/auth/v1/login/passkey"));
    assert.equal(visitor.place(), "/sign-in?done=signed-out");
    await visitor.leave();
    return { said };
  },

  // One that may be copied between devices.
  async "passkey-synced"() {
    const more = { defaultBackupEligibility: true, defaultBackupState: true };
    const visitor = await withPasskey(more);
    const level = await byPasskey(visitor);
    const page = await visitor.page.locator("main").innerText();
    await visitor.leave();
    return { level, copied: page.includes("it may be copied"), three: page.includes("AAL3") };
  },

  async keyboard() {
    const visitor = await Visitor.open();
    const { page } = visitor;
    await visitor.go("/sign-in");
    assert.equal(await page.evaluate(() => document.activeElement.id), "username");
    await page.keyboard.type(name);
    await page.keyboard.press("Tab");
    await page.keyboard.type(password);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/account");
    // Out again, by tabbing to the button.
    await page.keyboard.press("Tab");
    for (let n = 0; n < 20; n += 1) {
      const label = await page.evaluate(() => document.activeElement.innerText);
      if (label === "Sign out") break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.waitForURL("**/sign-in?done=signed-out");
    // The order in which a page is walked through, from its beginning.
    await page.evaluate(() => document.activeElement.blur());
    const order = [];
    await page.evaluate(() => document.querySelector(".skip").focus());
    for (let n = 0; n < 5; n += 1) {
      order.push(await page.evaluate(() => {
        const at = document.activeElement;
        return at.classList.contains("skip") ? "skip" : at.id || at.innerText;
      }));
      await page.keyboard.press("Tab");
    }
    await visitor.leave();
    return { order };
  },
};

visits[process.argv[2]]().then(
  (found) => console.log(JSON.stringify(found)),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
