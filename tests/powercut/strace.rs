//! What a process has asked of the kernel, call by call, as `strace` tells it.

use std::collections::HashMap;

/// The calls that can alter a file or a folder, or tell somebody something. What is not
/// among them (a mapping that is written to, say) would escape; see
/// [`escapes`].
const CALLS: &str = "openat,open,creat,openat2,write,writev,pwrite64,pwritev,pwritev2,fsync,\
    fdatasync,sync,syncfs,msync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,\
    unlinkat,rmdir,truncate,ftruncate,fallocate,mkdir,mkdirat,mknod,mknodat,lseek,sendto,sendmsg,\
    copy_file_range,sendfile,splice,tee,vmsplice,mmap,io_uring_setup,chroot,pivot_root,mount";

/// The longest string told, in bytes: more than any write is long.
const STRING_BYTES: &str = "33554432";

/// The text of a run of zeros.
const ZEROS: [u8; 4 * 4_096] = {
    let mut text = [0; 4 * 4_096];
    let mut at = 0;
    while at < text.len() {
        [text[at], text[at + 1], text[at + 2], text[at + 3]] = *b"\\x00";
        at += 4;
    }
    text
};

/// What a program is to be run under so that its calls are told to `pipe`. The tracer
/// stays in the background: the process that is started is the program itself.
pub fn command(tracer: &str, pipe: &str, more: &[&str]) -> Vec<String> {
    let calls = format!("trace={CALLS}");
    let fixed = [tracer, "-D", "-f", "-y", "-xx", "-q", "-s", STRING_BYTES];
    let rest = ["-e", &calls, "-o", pipe];
    // It makes the tracer faster, and deaf to what it is to inject.
    let filter = if more.is_empty() { &["--seccomp-bpf"][..] } else { &[] };
    fixed.iter().chain(filter).chain(&rest).chain(more).map(|word| (*word).to_owned()).collect()
}

/// One call, ended.
#[derive(Debug)]
pub struct Call {
    /// The line on which it began, and the one on which it ended.
    pub began: usize,
    pub ended: usize,
    pub name: String,
    pub arguments: Vec<String>,
    /// What is behind the equals sign: a number, and what it stands for.
    pub result: String,
}

impl Call {
    /// Whether it did what was asked.
    pub fn succeeded(&self) -> bool {
        !self.result.starts_with(['-', '?'])
    }

    /// Whether its thread was killed in the midst of it, so that nobody was told what it did.
    pub fn was_cut_off(&self) -> bool {
        self.result.starts_with('?')
    }

    /// A number, in decimal.
    pub fn number(&self, nth: usize) -> u64 {
        let text = &self.arguments[nth];
        text.parse().unwrap_or_else(|_| panic!("no number: {text} in {}", self.name))
    }

    /// The bytes of a string.
    pub fn string(&self, nth: usize) -> Vec<u8> {
        let text = self.arguments[nth].as_bytes();
        let inner = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
        bytes(inner.unwrap_or_else(|| panic!("no whole string in {}", self.name)))
    }

    /// A path given as a string.
    pub fn path(&self, nth: usize) -> String {
        String::from_utf8(self.string(nth)).unwrap()
    }

    /// The number of a descriptor, and what it is open on.
    pub fn descriptor(&self, nth: usize) -> (String, String) {
        descriptor(&self.arguments[nth])
    }

    /// Every string in the arguments, one after the other.
    pub fn strings(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for argument in &self.arguments {
            argument
                .split('"')
                .skip(1)
                .step_by(2)
                .for_each(|text| all.extend(bytes(text.as_bytes())));
        }
        all
    }
}

/// `7<path>` as its number and its path.
pub fn descriptor(text: &str) -> (String, String) {
    let (number, rest) = text.split_once('<').unwrap_or((text, ""));
    let path = bytes(rest.split('>').next().unwrap_or_default().as_bytes());
    (number.to_owned(), String::from_utf8_lossy(&path).into_owned())
}

/// Puts the lines of one trace together to calls.
#[derive(Default)]
pub struct Reader {
    lines: usize,
    /// What has begun and not ended, by the thread.
    unfinished: HashMap<String, (usize, String)>,
}

impl Reader {
    /// Goes on from another trace of the same story.
    pub fn after(lines: usize) -> Self {
        Self { lines, ..Self::default() }
    }

    pub const fn lines(&self) -> usize {
        self.lines
    }

    /// What has begun and will never end, now that its thread is no more.
    pub fn cut_off(&mut self) -> Vec<Call> {
        let mut left: Vec<_> = self.unfinished.drain().map(|(_, begun)| begun).collect();
        left.sort_unstable();
        let ended = self.lines;
        left.into_iter()
            .filter_map(|(began, begun)| call(&(begun + ") = ?"), began, ended))
            .collect()
    }

    /// Takes a line; the call that it ends, if it ends one.
    pub fn take(&mut self, line: &str) -> Option<Call> {
        self.lines += 1;
        let (thread, rest) = line.split_once(' ')?;
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            self.unfinished.insert(thread.to_owned(), (self.lines, begun.to_owned()));
            return None;
        }
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let (began, begun) = self.unfinished.remove(thread)?;
            let (_, resumed) = resumed.split_once(" resumed>")?;
            return call(&(begun + resumed), began, self.lines);
        }
        call(rest, self.lines, self.lines)
    }
}

fn call(text: &str, began: usize, ended: usize) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None; // a signal, or the end of a thread
    }
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    let arguments = arguments.split(", ").map(str::to_owned).collect();
    Some(Call { began, ended, name: name.to_owned(), arguments, result: result.to_owned() })
}

/// `\x41\x42` as bytes; what is not escaped stands for itself.
fn bytes(text: &[u8]) -> Vec<u8> {
    let mut found = Vec::with_capacity(text.len() / 4 + 1);
    let mut rest = text;
    while !rest.is_empty() {
        if rest.starts_with(&ZEROS) {
            found.resize(found.len() + ZEROS.len() / 4, 0);
            rest = &rest[ZEROS.len()..];
        } else if let [b'\\', b'x', high, low, tail @ ..] = rest {
            found.push(nibble(*high) << 4 | nibble(*low));
            rest = tail;
        } else {
            found.push(rest[0]);
            rest = &rest[1..];
        }
    }
    found
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit - b'a' + 10,
    }
}

/// Whether a call may alter files in a way that is not told in full.
pub fn escapes(call: &Call) -> bool {
    match call.name.as_str() {
        "mmap" => {
            let shared = call.arguments[3].contains("MAP_SHARED");
            shared && call.arguments[2].contains("PROT_WRITE")
        }
        "copy_file_range" | "sendfile" | "splice" | "vmsplice" | "tee" | "io_uring_setup"
        | "open" | "creat" | "openat2" | "pwritev" | "pwritev2" | "renameat" | "renameat2"
        | "symlink" | "symlinkat" | "rmdir" | "truncate" | "fallocate" | "mknod" | "mknodat"
        | "chroot" | "pivot_root" | "mount" | "unlinkat" => true,
        _ => false,
    }
}
