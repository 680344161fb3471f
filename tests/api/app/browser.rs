//! A browser as far as pages without scripts need one: cookies, forms, redirects.

use std::collections::BTreeMap;

use super::{Answer, TestApp};

/// One browser at one node.
pub struct Browser<'a> {
    pub app: &'a TestApp,
    pub cookies: BTreeMap<String, String>,
    /// The tag in the forms of the page that was opened last.
    pub tag: String,
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        Self { app, cookies: BTreeMap::new(), tag: String::new() }
    }

    /// Signed in with a password alone.
    pub fn signed_in(app: &'a TestApp, name: &str, password: &str) -> Self {
        let mut browser = Self::new(app);
        let answer = browser.sign_in(name, password);
        assert_eq!((answer.status, answer.header("location")), (303, "/account"));
        browser
    }

    /// Opens a page; where it sends on to is the caller's business.
    pub fn open(&mut self, path: &str) -> Answer {
        let cookies = self.cookie_header();
        let headers = [("cookie", cookies.as_str()), ("sec-fetch-site", "none")];
        let answer = self.app.raw("GET", path, &headers, b"");
        self.keep(&answer);
        answer
    }

    /// Sends a form with the tag of the page opened last.
    pub fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let tag = self.tag.clone();
        let fields = [&[("form", tag.as_str())], fields].concat();
        self.send(path, &[("sec-fetch-site", "same-origin")], &fields)
    }

    /// Sends these fields under these headers, and no others but the cookies.
    pub fn send(&mut self, path: &str, more: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        let cookies = self.cookie_header();
        let kind = "application/x-www-form-urlencoded";
        let mut headers = vec![("cookie", cookies.as_str())];
        if !more.iter().any(|(name, _)| *name == "content-type") {
            headers.push(("content-type", kind));
        }
        headers.extend(more);
        let answer = self.app.raw("POST", path, &headers, encoded(fields).as_bytes());
        self.keep(&answer);
        answer
    }

    pub fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        self.open("/sign-in?done=again");
        self.submit("/sign-in", &[("username", name), ("password", password)])
    }

    /// Offers an authenticator app and shows the page; its seed.
    pub fn offer(&mut self) -> [u8; 20] {
        self.open("/account");
        let offered = self.submit("/account/set-up", &[]);
        assert_eq!((offered.status, offered.header("location")), (303, "/account/set-up"));
        self.seed_on("/account/set-up")
    }

    /// The seed that a page shows.
    pub fn seed_on(&mut self, path: &str) -> [u8; 20] {
        let page = self.open(path);
        let key = between(&page.text, "<p class=\"key\"><code>", "</code>");
        super::seed(&key.replace(' ', ""))
    }

    fn cookie_header(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if answer.text.contains("name=\"form\"") {
            self.tag = between(&answer.text, "name=\"form\" value=\"", "\"");
        }
    }
}

fn between(text: &str, before: &str, after: &str) -> String {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0.to_owned()
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| {
        let bytes = text.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        });
        bytes.collect::<String>()
    };
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}
