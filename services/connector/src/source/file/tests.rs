//! What programs write when they are asked for CSV.

use std::io::Write;

use super::*;

type Rows = Vec<(u64, Vec<String>)>;

fn temporary(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    file
}

fn read(bytes: &[u8], options: &Options) -> Result<(Vec<String>, Rows), SourceError> {
    let file = temporary(bytes);
    let mut csv = CsvFile::open(file.path(), options)?;
    let mut rows = Vec::new();
    while let Some(row) = csv.next_row()? {
        rows.push((row.line, row.cells.iter().map(str::to_owned).collect()));
    }
    Ok((csv.header().to_vec(), rows))
}

fn rows(bytes: &[u8]) -> Rows {
    read(bytes, &Options::default()).expect("readable").1
}

fn row(line: u64, cells: &[&str]) -> (u64, Vec<String>) {
    (line, cells.iter().map(|cell| (*cell).to_owned()).collect())
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    let (header, rows) = read("\u{feff}id,name\n1,Zoë\n".as_bytes(), &Options::default()).expect("readable");
    assert_eq!(header, ["id", "name"]);
    assert_eq!(rows, [row(2, &["1", "Zoë"])]);
}

#[test]
fn the_separator_is_found_outside_quotation_marks() {
    assert_eq!(rows(b"\"a,b,c\";d\n1;2\n"), [row(2, &["1", "2"])]);
    assert_eq!(rows(b"a\tb\n1,5\t2\n"), [row(2, &["1,5", "2"])]);
    assert_eq!(rows(b"a,b\n1;5,2\n"), [row(2, &["1;5", "2"])]);
    let given = Options { delimiter: Some(b';'), header: None };
    assert_eq!(read(b"a,b\n1;2\n", &given).expect("readable").1, [row(2, &["1", "2"])]);
}

#[test]
fn rows_know_their_line_whatever_ends_the_lines() {
    for ends in ["\n", "\r\n", "\r"] {
        let text = ["a,b", "1,\"x", "y\"", "", "2,z", "3,last"].join(ends);
        assert_eq!(
            rows(text.as_bytes()),
            [row(2, &["1", "x\ny"]), row(5, &["2", "z"]), row(6, &["3", "last"])],
            "{ends:?}"
        );
    }
}

#[test]
fn ragged_rows_keep_the_cells_they_have() {
    assert_eq!(rows(b"a,b,c\n1\n1,2,3,4\n"), [row(2, &["1"]), row(3, &["1", "2", "3", "4"])]);
}

#[test]
fn repeated_and_differently_written_headers_are_found() {
    let file = temporary("Name, name ,Job  Title\n".as_bytes());
    let csv = CsvFile::open(file.path(), &Options::default()).expect("readable");
    assert_eq!(csv.columns("name").collect::<Vec<_>>(), [0, 1]);
    assert_eq!(csv.columns("JOB TITLE").collect::<Vec<_>>(), [2]);
    assert_eq!(csv.columns("Jobtitle").count(), 0);
}

#[test]
fn a_file_without_header_row_takes_the_given_names() {
    let given = Options { delimiter: None, header: Some(vec!["id".into(), "name".into()]) };
    let (header, rows) = read(b"1,x\n2,y\n", &given).expect("readable");
    assert_eq!(header, ["id", "name"]);
    assert_eq!(rows, [row(1, &["1", "x"]), row(2, &["2", "y"])]);
}

#[test]
fn an_empty_file_is_refused_and_a_bare_header_is_not() {
    assert!(matches!(read(b"", &Options::default()), Err(SourceError::Empty { .. })));
    assert!(matches!(read("\u{feff}".as_bytes(), &Options::default()), Err(SourceError::Empty { .. })));
    assert_eq!(rows(b"a,b"), []);
}

#[test]
fn other_encodings_are_refused_with_the_place() {
    let problem = |bytes: &[u8]| match read(bytes, &Options::default()) {
        Err(SourceError::Text { problem, .. }) => problem,
        other => panic!("{other:?}"),
    };
    assert_eq!(problem(b"\xff\xfea\x00,\x00"), DecodeError::Utf16);
    assert_eq!(problem(b"a\x00,\x00b\x00"), DecodeError::Zero { offset: 1 });
    assert_eq!(problem(b"id,name\r\n1,caf\xe9s\r\n"), DecodeError::NotUtf8 { offset: 14, byte: 0xe9 });
    assert_eq!(
        problem("\u{feff}id\n1\n\u{20ac}".as_bytes().split_last().expect("bytes").1),
        DecodeError::CutOff { offset: 8 }
    );
    // Characters that are cut by the end of a chunk are whole again in the next.
    let long = format!("a,b\n{}", "x,€\n".repeat(50_000));
    let read = rows(long.as_bytes());
    assert_eq!(read.len(), 50_000);
    assert!(read.iter().all(|(_, cells)| cells[1] == "€"));
    let mut broken = long.into_bytes();
    let place = broken.len() - 2;
    broken[place] = 0xff;
    assert!(matches!(problem(&broken), DecodeError::NotUtf8 { offset, .. } if offset == place as u64 - 2));
}

#[test]
fn a_quotation_mark_that_is_never_closed_does_not_eat_the_memory() {
    let mut bytes = b"a,b\n1,\"".to_vec();
    bytes.resize(MAX_ROW_BYTES as usize + (1 << 20), b'x');
    let problem = read(&bytes, &Options::default()).expect_err("too long");
    assert!(matches!(problem, SourceError::Text { problem: DecodeError::LongRow { .. }, .. }), "{problem}");
}
