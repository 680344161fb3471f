"use strict";
// Passkeys: the only thing here that needs a script.
