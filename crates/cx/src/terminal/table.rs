//! Columns.

use super::Paint;

/// `rows` below `heads`, in columns as wide as their widest cell. A cell may be coloured by `style` after it has been
/// measured: it is given row, column and text.
pub(crate) fn table(
    heads: &[&str],
    rows: &[Vec<String>],
    paint: Paint,
    style: impl Fn(usize, usize, &str) -> String,
) -> Vec<String> {
    let widths: Vec<usize> = (0..heads.len())
        .map(|column| {
            let cells = rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count());
            cells.chain([heads[column].len()]).max().unwrap_or(0)
        })
        .collect();
    let pad = |column: usize, text: &str, shown: String| {
        let room = if column + 1 == heads.len() {
            0
        } else {
            widths[column] - text.chars().count() + 2
        };
        format!("{shown}{}", " ".repeat(room))
    };
    let head: String = heads
        .iter()
        .enumerate()
        .map(|(column, text)| pad(column, text, paint.dim(text)))
        .collect();
    let body = rows.iter().enumerate().map(|(index, row)| {
        let cells = row
            .iter()
            .enumerate()
            .map(|(column, text)| pad(column, text, style(index, column, text)));
        cells.collect::<String>()
    });
    std::iter::once(head).chain(body).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![
            vec!["main".into(), "live".into()],
            vec!["a-long-one".into(), "x".into()],
        ];
        let lines = table(&["NAMESPACE", "STATUS"], &rows, Paint::default(), |_, _, text| {
            text.to_owned()
        });
        assert_eq!(lines, ["NAMESPACE   STATUS", "main        live", "a-long-one  x"]);
    }
}
