//! What a witness was asked, and what it answered: litewitness's own test data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::tlog::VerifierKey;

/// One request of litewitness's transcript, and what it answered.
pub struct Exchange {
    pub request: String,
    pub status: u16,
    /// The body it must be, where that is determined.
    pub body: Option<String>,
    /// What the body contains.
    pub contains: Option<String>,
}

/// Reads the requests of a `.hurl` file within a `.txt` archive.
pub fn transcript(text: &str) -> Vec<Exchange> {
    let (_, hurl) = text.split_once("-- add-checkpoint.hurl --\n").unwrap();
    let requests = hurl.split("POST http://localhost:7380/add-checkpoint\n```\n").skip(1);
    requests
        .map(|exchange| {
            let (request, answer) = exchange.split_once("```\nHTTP ").unwrap();
            let line = |start: &str| {
                let value = answer.lines().find_map(|line| line.strip_prefix(start))?;
                Some(serde_json::from_str(value).unwrap())
            };
            Exchange {
                request: request.to_owned(),
                status: answer.lines().next().unwrap().parse().unwrap(),
                body: line("body == "),
                contains: line("body contains "),
            }
        })
        .collect()
}

/// The one log that the transcript's witness knows, and its key.
pub fn sigsum_log() -> (String, VerifierKey) {
    let public = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f";
    let digits: Vec<_> = public.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    let key = digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap());
    let typed: Vec<u8> = [0x01].into_iter().chain(key).collect();
    let origin = "sigsum.org/v1/tree/\
        4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562";
    let key = format!("{origin}+5202289b+{}", STANDARD.encode(typed));
    (origin.to_owned(), key.parse().unwrap())
}
