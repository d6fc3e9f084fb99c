//! A table for a terminal: columns as wide as what stands in them, two spaces between; nothing is cut.
#![forbid(unsafe_code)]

/// The header and the rows, each a line. Cells are printable ASCII: names are escaped before they come here.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let header = header.map(str::to_owned);
    let all = || std::iter::once(&header).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    all().map(|row| line(row, &widths)).collect()
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    format!("{}\n", padded.join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [row(["al", "2", "never"]), row(["a-very-long-name", "10", ""])];
        let expected = "user              codes  last used\nal                2      never\na-very-long-name  10\n";
        assert_eq!(table(["user", "codes", "last used"], &rows), expected);
        assert_eq!(table(["user", "codes"], &[]), "user  codes\n");
    }
}
