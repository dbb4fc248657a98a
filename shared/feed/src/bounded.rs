//! An input that ends early, so that a parser never holds more than a bounded part of the file.

use std::io::{BufRead, Read, Result};

/// Bytes of one text of XML: ten times what a product may have, so that no parser holds more.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Hands over [`MAX_BYTES`] from where [`Bounded::begin`] was called last, and then says that the input is at its end.
pub struct Bounded<R> {
    input: R,
    left: usize,
    exceeded: bool,
}

impl<R: BufRead> Bounded<R> {
    pub fn new(input: R) -> Self {
        Self { input, left: MAX_BYTES, exceeded: false }
    }

    /// Begins the next part.
    pub fn begin(&mut self) {
        self.left = MAX_BYTES;
        self.exceeded = false;
    }

    /// Returns true if the parser wanted more of this part than it got.
    pub fn exceeded(&self) -> bool {
        self.exceeded
    }

    /// Passes over the rest of a character of UTF-8 that the end of a part has cut in two.
    pub fn skip_half_character(&mut self) -> Result<()> {
        while self.input.fill_buf()?.first().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {
            self.input.consume(1);
        }
        Ok(())
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        let buffer = self.input.fill_buf()?;
        self.exceeded |= self.left == 0 && !buffer.is_empty();
        Ok(&buffer[..buffer.len().min(self.left)])
    }

    fn consume(&mut self, bytes: usize) {
        self.left -= bytes;
        self.input.consume(bytes);
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}
