//! Tables for spreadsheets, written in one way by all reports.

/// A line of heads and a line for each record (RFC 4180). Names in them are chosen by those
/// whom the report is about, so a cell that a spreadsheet would take for a formula begins with
/// an apostrophe, as it does for somebody who types such a text. Linear.
///
/// # Source
/// CWE-1236; OWASP, CSV Injection: `=`, `+`, `-`, `@`, tab, carriage return and line feed, and
/// the wide forms of the first four.
pub(super) fn csv<const COLUMNS: usize>(
    heads: [&str; COLUMNS],
    records: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail.
    let _written = table.write_record(heads);
    for record in records {
        let _written = table.write_record(record.map(inert));
    }
    String::from_utf8(table.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// The same text, and no formula.
fn inert(text: String) -> String {
    // Some take no notice of spaces before it.
    let first = text.trim_start_matches(' ').chars().next();
    match first {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => {
            format!("'{text}")
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::csv;

    #[test]
    fn no_cell_is_a_formula_and_every_other_is_as_it_was() {
        let formulas =
            ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "=\"a\",b"];
        let plain = ["User::\"a\"", "1", "a=b", "a-b", "", "'", "with, a comma", "two\nlines"];
        let all = formulas.iter().chain(&plain).map(|it| [(*it).to_owned()]);
        let text = csv(["head"], all);
        let mut table = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(table.headers().unwrap(), vec!["head"]);
        let cells: Vec<_> = table.records().map(|row| row.unwrap()[0].to_owned()).collect();
        let guarded = formulas.iter().map(|it| format!("'{it}"));
        let expected: Vec<_> = guarded.chain(plain.iter().map(|it| (*it).to_owned())).collect();
        assert_eq!(cells, expected);
    }
}
