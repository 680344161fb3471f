//! An authenticator that does as it is told, wrong things too: ES256, attestation `none`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::model::Digest;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

/// One key and how its authenticator behaves.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that an authenticator sets")]
pub struct Stick {
    pub key: SigningKey,
    pub id: Vec<u8>,
    /// What it keeps with the key; given only if it is discoverable.
    pub handle: Option<Vec<u8>>,
    pub discoverable: bool,
    pub counter: u32,
    pub counts: bool,
    /// Whether it tests presence, verifies its user, may be copied, and was.
    pub present: bool,
    pub verified: bool,
    pub eligible: bool,
    pub backed_up: bool,
    /// Where its browser is.
    pub origin: String,
    /// Whom it signs for instead of who asked.
    pub rp_id: Option<String>,
    /// What it says it did instead of what it did.
    pub kind: Option<&'static str>,
}

impl Stick {
    /// A key of its own for each number, at a place.
    pub fn new(number: u8, origin: &str) -> Self {
        let mut secret = [7; 32];
        secret[31] = number;
        Self {
            key: SigningKey::from_slice(&secret).unwrap(),
            id: Digest::of([number]).as_bytes().to_vec(),
            handle: None,
            discoverable: true,
            counter: 1,
            counts: true,
            present: true,
            verified: true,
            eligible: false,
            backed_up: false,
            origin: origin.to_owned(),
            rp_id: None,
            kind: None,
        }
    }

    /// What `navigator.credentials.create` gives.
    pub fn create(&mut self, options: &Value) -> Value {
        let asked = &options["publicKey"];
        self.handle = Some(bytes(&asked["user"]["id"]));
        let mut signed = self.signed(asked["rp"]["id"].as_str().unwrap(), 0x40);
        signed.extend([0; 16]);
        signed.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        signed.extend(&self.id);
        signed.extend(self.public());
        let client = self.client("webauthn.create", asked);
        // {"fmt": "none", "attStmt": {}, "authData": signed}
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        object.extend(u16::try_from(signed.len()).unwrap().to_be_bytes());
        object.extend(signed);
        json!({
            "id": text(&self.id),
            "rawId": text(&self.id),
            "type": "public-key",
            "response": {"attestationObject": text(&object), "clientDataJSON": text(&client)},
            "clientExtensionResults": {},
        })
    }

    /// What `navigator.credentials.get` gives; it counts on.
    pub fn get(&mut self, options: &Value) -> Value {
        let asked = &options["publicKey"];
        self.counter += u32::from(self.counts);
        let signed = self.signed(asked["rpId"].as_str().unwrap(), 0);
        let client = self.client("webauthn.get", asked);
        let message = [signed.as_slice(), Digest::of(&client).as_bytes().as_slice()].concat();
        let signature: Signature = self.key.sign(&message);
        let handle = self.handle.as_ref().filter(|_| self.discoverable);
        json!({
            "id": text(&self.id),
            "rawId": text(&self.id),
            "type": "public-key",
            "response": {
                "authenticatorData": text(&signed),
                "clientDataJSON": text(&client),
                "signature": text(signature.to_der().as_bytes()),
                "userHandle": handle.map(|handle| text(handle)),
            },
            "clientExtensionResults": {},
        })
    }

    /// Authenticator data (`WebAuthn` §6.1) up to the counter.
    fn signed(&self, rp_id: &str, more: u8) -> Vec<u8> {
        let flags =
            [(self.present, 1), (self.verified, 4), (self.eligible, 8), (self.backed_up, 16)];
        let flags = flags.iter().filter(|(set, _)| *set).fold(more, |all, (_, bit)| all | bit);
        let rp_id = self.rp_id.as_deref().unwrap_or(rp_id);
        let mut bytes = Digest::of(rp_id).as_bytes().to_vec();
        bytes.push(flags);
        bytes.extend(self.counter.to_be_bytes());
        bytes
    }

    fn client(&self, kind: &str, asked: &Value) -> Vec<u8> {
        let (kind, origin) = (self.kind.unwrap_or(kind), &self.origin);
        let challenge = &asked["challenge"];
        json!({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false})
            .to_string()
            .into_bytes()
    }

    /// {1: 2, 3: -7, -1: 1, -2: x, -3: y} (RFC 9053 §7.1).
    fn public(&self) -> Vec<u8> {
        let point = self.key.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        let head = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20";
        [head, x, b"\x22\x58\x20", y].concat()
    }
}

/// Bytes as browsers write them.
pub fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}
