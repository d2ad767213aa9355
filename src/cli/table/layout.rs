//! Rows to text: columns of one width, cut where the screen is narrower, and notes beside or
//! below.

use crate::cli::terminal::{Paint, column, wrapped};

/// Where notes begin that have a line of their own.
const INDENT: usize = 4;

/// One line of a table.
#[derive(Debug)]
pub(super) struct Row {
    /// What it is sorted by.
    pub(super) rank: (u8, u8, String),
    pub(super) cells: Vec<String>,
    pub(super) notes: String,
    pub(super) tone: Tone,
    /// How many events are in it.
    pub(super) count: usize,
}

/// How much a row asks to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// It does: it is reached from afar.
    High,
    /// Like any other.
    Usual,
    /// It does not: it is within the host, or about to go.
    Low,
}

/// A column: its head, and when its cells are cut to fit.
pub(super) struct Column(pub(super) &'static str, pub(super) Cut);

/// When a column is cut, and how narrow it becomes before the next ones are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Before any other.
    First(usize),
    /// After those: its texts are what the table is read for.
    Later(usize),
    /// When nothing else is left.
    Last,
}

/// Makes one of neighbours that show the same, and notes how many they are.
pub(super) fn fold(rows: &mut Vec<Row>) {
    rows.dedup_by(|next, first| {
        let same = next.cells == first.cells && next.notes == first.notes;
        first.count += if same { next.count } else { 0 };
        same
    });
    for row in rows.iter_mut().filter(|row| row.count > 1) {
        let times = format!("{} times", row.count);
        let notes = [times, std::mem::take(&mut row.notes)];
        row.notes.push_str(notes.join(", ").trim_end_matches(", "));
    }
}

/// The rows under their heads, with the notes in a last column where they fit, else below.
pub(super) fn lay_out(
    rows: &[Row],
    columns: &[Column],
    width: Option<usize>,
    paint: Paint,
) -> String {
    let mut widths: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(place, column)| widest(rows, place, column.0))
        .collect();
    let lengths = rows.iter().map(|row| row.notes.chars().count());
    let notes = lengths.max().unwrap_or_default();
    let total = |widths: &[usize]| widths.iter().map(|width| width + 1).sum::<usize>();
    let beside = width.is_none_or(|width| total(&widths) + notes <= width);
    if let Some(width) = width {
        shrink(&mut widths, columns, width);
    }
    let heads: Vec<_> = columns.iter().map(|column| column.0.to_owned()).collect();
    let mut head = line(&heads, &widths);
    if beside && notes > 0 {
        head.push_str(" NOTES");
    }
    let mut text = format!("{}\n", paint.dim(head.trim_end()));
    for row in rows {
        let mut cells = line(&row.cells, &widths);
        if beside {
            cells.push(' ');
            cells.push_str(&row.notes);
        }
        text.push_str(&painted(cells.trim_end(), row.tone, paint));
        text.push('\n');
        if !beside && !row.notes.is_empty() {
            let room = width.unwrap_or(usize::MAX).saturating_sub(INDENT).max(1);
            for line in wrapped(&row.notes, room) {
                let line = format!("{:INDENT$}{line}", "");
                text.push_str(&paint.dim(line.trim_end()));
                text.push('\n');
            }
        }
    }
    text
}

fn painted(line: &str, tone: Tone, paint: Paint) -> String {
    match tone {
        Tone::High => paint.bold(line),
        Tone::Usual => line.to_owned(),
        Tone::Low => paint.dim(line),
    }
}

fn widest(rows: &[Row], place: usize, head: &str) -> usize {
    let cells = rows.iter().filter_map(|row| row.cells.get(place));
    let widest = cells.map(|cell| cell.chars().count()).max();
    widest.unwrap_or_default().max(head.chars().count())
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let cells = cells.iter().zip(widths);
    let cells: Vec<_> = cells.map(|(cell, width)| column(cell, *width)).collect();
    cells.join(" ")
}

/// Takes from the widest of the columns that are cut first until the line fits; where that is not
/// enough from those that are cut later, and at last from any.
fn shrink(widths: &mut [usize], columns: &[Column], width: usize) {
    let mut excess = (widths.iter().sum::<usize>() + widths.len()).saturating_sub(width + 1);
    let first = |cut| match cut {
        Cut::First(least) => Some(least),
        Cut::Later(_) | Cut::Last => None,
    };
    let later = |cut| match cut {
        Cut::First(least) | Cut::Later(least) => Some(least),
        Cut::Last => None,
    };
    let steps: [&dyn Fn(Cut) -> Option<usize>; 3] = [&first, &later, &|_| Some(1)];
    for least in steps {
        while excess > 0 {
            let may = |place: &usize| {
                let least = least(columns[*place].1);
                least.is_some_and(|least| widths[*place] > least)
            };
            let found = (0..widths.len())
                .filter(may)
                .max_by_key(|place| widths[*place]);
            let Some(found) = found else { break };
            widths[found] -= 1;
            excess -= 1;
        }
    }
}
