"use strict";
// Passkeys: the one thing here that needs a script. A block that is for them is hidden until
// the browser turns out to know how; its attributes say what is asked where.
//
//   data-passkey   "get" to sign in, "create" for a new one
//   data-options   where the challenge comes from
//   data-answer    where the authenticator's answer goes
//   data-then      the page after it
//   data-again     the page that makes up for a sign-in too long ago

(() => {
  const known = window.PublicKeyCredential && {
    get: PublicKeyCredential.parseRequestOptionsFromJSON?.bind(PublicKeyCredential),
    create: PublicKeyCredential.parseCreationOptionsFromJSON?.bind(PublicKeyCredential),
  };
  if (!known || !known.get || !known.create) return;

  for (const block of document.querySelectorAll("[data-passkey]")) {
    block.hidden = false;
    const button = block.querySelector("button");
    button.addEventListener("click", async (event) => {
      event.preventDefault();
      button.disabled = true;
      say(block, "");
      try {
        await ceremony(block);
        location.assign(block.dataset.then);
      } catch (problem) {
        button.disabled = false;
        if (problem.code === "reauthentication_required") location.assign(block.dataset.again);
        else say(block, told(problem));
      }
    });
  }

  async function ceremony(block) {
    const { passkey, options: asking, answer } = block.dataset;
    const { ticket, options } = await post(asking, wanted(block));
    const publicKey = known[passkey](options.publicKey);
    const credential = await navigator.credentials[passkey]({ publicKey });
    await post(answer, { ticket, credential: credential.toJSON(), cookie: true });
  }

  // What the person has typed beside the button, or in the form of the page.
  function wanted(block) {
    const said = {};
    for (const name of ["username", "label", "kind"]) {
      if (!block.dataset.with?.split(" ").includes(name)) continue;
      const value = document.querySelector(`[name="${name}"]:not([type="radio"]:not(:checked))`)?.value;
      if (value) said[name] = value;
    }
    return said;
  }

  async function post(place, body) {
    const answer = await fetch(place, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const said = answer.status === 204 ? {} : await answer.json();
    if (!answer.ok) throw said;
    return said;
  }

  function told(problem) {
    if (problem.detail) return problem.detail[0].toUpperCase() + problem.detail.slice(1) + ".";
    if (problem.name === "InvalidStateError") return "This device holds a passkey of yours already.";
    return "No passkey was used: nothing was chosen, or it took too long. Try again.";
  }

  function say(block, text) {
    block.querySelector("[role=alert]").textContent = text;
  }
})();
