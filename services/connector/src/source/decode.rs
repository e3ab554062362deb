//! Reads text: checks that it is UTF-8, drops the byte order mark, and makes every line end a single line feed.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

const CHUNK: usize = 64 << 10;

/// Why bytes are no text that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The file is UTF-16.
    #[error("the file is UTF-16; save it as UTF-8")]
    Utf16,
    /// A byte that can not be part of UTF-8.
    #[error("the file is not UTF-8: the byte {byte:#04x} at offset {offset} is out of place; save it as UTF-8")]
    NotUtf8 {
        /// Its place, counted from 0.
        offset: u64,
        /// The byte.
        byte: u8,
    },
    /// The file ends within a character.
    #[error("the file is not UTF-8: it ends within the character that starts at offset {offset}")]
    CutOff {
        /// Where the character starts, counted from 0.
        offset: u64,
    },
    /// A zero byte: UTF-16 without a mark, or no text at all.
    #[error("the file is no text: there is a zero byte at offset {offset}; if it is UTF-16, save it as UTF-8")]
    Zero {
        /// Its place, counted from 0.
        offset: u64,
    },
    /// A row goes on for too long; most often a quotation mark is never closed.
    #[error("a row is longer than {limit} bytes; is a quotation mark never closed?")]
    LongRow {
        /// The most bytes of a row.
        limit: u64,
    },
}

/// Checked text. A missing line end at the very end is added.
#[derive(Debug)]
pub struct Decoder<R> {
    inner: R,
    raw: Vec<u8>,
    kept: usize,
    offset: u64,
    out: Vec<u8>,
    at: usize,
    started: bool,
    after_return: bool,
    last: u8,
    done: bool,
    budget: RowBudget,
}

/// How many bytes may still be handed out before the reader says that a row has ended.
#[derive(Clone, Debug)]
pub struct RowBudget {
    used: Rc<Cell<u64>>,
    limit: u64,
}

impl RowBudget {
    /// A budget of so many bytes a row.
    pub fn new(limit: u64) -> Self {
        Self { used: Rc::new(Cell::new(0)), limit }
    }

    /// A row has ended.
    pub fn reset(&self) {
        self.used.set(0);
    }
}

impl<R: Read> Decoder<R> {
    /// Reads from `inner`.
    pub fn new(inner: R, budget: RowBudget) -> Self {
        Self {
            inner,
            raw: vec![0; CHUNK],
            kept: 0,
            offset: 0,
            out: Vec::with_capacity(CHUNK + 1),
            at: 0,
            started: false,
            after_return: false,
            last: b'\n',
            done: false,
            budget,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.at = 0;
        while self.out.is_empty() && !self.done {
            let read = self.read_some()?;
            let have = self.kept + read;
            let end = read == 0;
            let mut from = 0;
            if !self.started {
                if have < 3 && !end {
                    self.kept = have;
                    continue;
                }
                self.started = true;
                let head = self.raw.get(..have.min(3)).unwrap_or_default();
                if head.starts_with(&[0xfe, 0xff]) || head.starts_with(&[0xff, 0xfe]) {
                    return Err(refuse(DecodeError::Utf16));
                }
                from = if head == [0xef, 0xbb, 0xbf] { 3 } else { 0 };
            }
            let bytes = self.raw.get(from..have).unwrap_or_default();
            let start = self.offset + from as u64;
            let valid = match std::str::from_utf8(bytes) {
                Ok(_) => bytes.len(),
                Err(error) if error.error_len().is_none() && !end => error.valid_up_to(),
                Err(error) => {
                    let offset = start + error.valid_up_to() as u64;
                    let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
                    return Err(refuse(match error.error_len() {
                        Some(_) => DecodeError::NotUtf8 { offset, byte },
                        None => DecodeError::CutOff { offset },
                    }));
                }
            };
            if let Some(zero) = bytes.iter().take(valid).position(|byte| *byte == 0) {
                return Err(refuse(DecodeError::Zero { offset: start + zero as u64 }));
            }
            let text = bytes.get(..valid).unwrap_or_default();
            for part in text.split_inclusive(|byte| *byte == b'\r') {
                let part = if self.after_return { part.strip_prefix(b"\n").unwrap_or(part) } else { part };
                self.after_return = part.ends_with(b"\r");
                match part.strip_suffix(b"\r") {
                    Some(line) => {
                        self.out.extend_from_slice(line);
                        self.out.push(b'\n');
                    }
                    None => self.out.extend_from_slice(part),
                }
            }
            self.last = self.out.last().copied().unwrap_or(self.last);
            let used = from + valid;
            self.raw.copy_within(used..have, 0);
            self.kept = have - used;
            self.offset += used as u64;
            if end {
                self.done = true;
                if self.last != b'\n' {
                    self.out.push(b'\n');
                }
            }
        }
        Ok(())
    }

    fn read_some(&mut self) -> io::Result<usize> {
        let free = self.raw.get_mut(self.kept..).unwrap_or_default();
        loop {
            match self.inner.read(free) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.out.len() {
            self.fill()?;
        }
        let used = self.budget.used.get();
        if used > self.budget.limit {
            return Err(refuse(DecodeError::LongRow { limit: self.budget.limit }));
        }
        let rest = self.out.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        self.budget.used.set(used + count as u64);
        Ok(count)
    }
}

fn refuse(error: DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
