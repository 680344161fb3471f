//! Numbers as C2SP writes them: ASCII decimal, no sign, no leading zero.

/// Reads a number in its one form: `0`, or digits that do not begin with `0`.
pub(super) fn read(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form() {
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("18446744073709551615"), Some(u64::MAX));
        for bad in
            ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "0x1", "١", "18446744073709551616"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
