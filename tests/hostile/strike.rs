//! A request sent, and what comes back of it judged.

use crate::request::{Manner, Request};
use crate::wire::{Answer, Heard, Wire};

/// What a node may be short of for a moment. Any other reason not to answer would mean
/// that a stranger has broken it.
const SHORTAGES: [&str; 3] = ["busy", "hashing_busy", "overloaded"];

/// Sends requests one behind the other before the first answer is there, and judges the
/// answers. A server may close the connection behind any of them (RFC 9112 §9.3.2); what
/// is not answered then is sent alone. The statuses; 0 stands for a connection closed.
///
/// # Errors
/// What is wrong with an answer, or the lack of one, and the request.
pub fn strike(wire: &mut Wire, requests: &[Request]) -> Result<Vec<u16>, String> {
    let mut statuses = Vec::new();
    // Not with a HEAD among them: the server's HTTP library knows of a connection, not of
    // each request, that its answer has no body (ARCHITECTURE, "HEAD").
    let fit = |request: &Request| request.manner == Manner::Http && !request.is_head;
    if requests.len() > 1 && requests.iter().all(fit) {
        wire.send(&requests.iter().flat_map(|request| request.bytes.clone()).collect::<Vec<_>>());
        for request in requests {
            match wire.hear(request.is_head) {
                // Closing with requests unread resets the connection, which takes away
                // what the client has not read of the answers (RFC 9112 §9.6).
                Heard::Closed(_) => break,
                heard => statuses.push(judged(&heard, request)?),
            }
        }
    }
    for request in &requests[statuses.len()..] {
        let used = wire.is_used();
        let mut heard = sent(wire, request);
        // It may close one that is idle just as well (RFC 9112 §9.5).
        if used && matches!(&heard, Heard::Closed(come) if come.is_empty()) {
            heard = sent(wire, request);
        }
        statuses.push(judged(&heard, request)?);
    }
    Ok(statuses)
}

fn sent(wire: &mut Wire, request: &Request) -> Heard {
    wire.send(&request.bytes);
    if request.manner == Manner::Broken {
        wire.finish();
    }
    let heard = wire.hear(request.is_head);
    if request.manner == Manner::Broken {
        wire.drop();
    }
    heard
}

fn judged(heard: &Heard, request: &Request) -> Result<u16, String> {
    let verdict = match heard {
        Heard::Answer(answer) => judge(answer, request),
        Heard::Closed(_) if request.manner == Manner::Broken => Ok(0),
        Heard::Closed(_) | Heard::Stuck(_) => Err("no answer"),
    };
    verdict.map_err(|fault| format!("{fault}: {}\n{}", heard.shown(), request.shown()))
}

/// The status of an answer that may be given.
fn judge(answer: &Answer, request: &Request) -> Result<u16, &'static str> {
    let code = answer.code();
    let code = code.as_str();
    let id = answer.header("x-request-id");
    let is_problem = answer.header("content-type") == "application/problem+json";
    match answer.status {
        503 if !SHORTAGES.contains(&code) => Err("a 503 for no reason that passes"),
        500..503 | 504.. => Err("a defect"),
        _ if request.manner == Manner::Broken => Ok(answer.status),
        _ if id.is_empty() => Err("no request id"),
        _ if request.id.as_deref().is_some_and(|sent| sent != id) => {
            Err("the answer to another request")
        }
        400.. if request.is_text && answer.header("content-type").starts_with("text/") => {
            Ok(answer.status)
        }
        400.. if !is_problem => Err("no problem details"),
        400.. if code.is_empty() && !request.is_head => Err("a problem without a code"),
        _ => Ok(answer.status),
    }
}
